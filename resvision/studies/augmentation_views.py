"""What do ten crops, several scales and ensembles buy? One net and its seeds, tested by the protocols of the papers.

Ten crops are AlexNet's (Krizhevsky et al. 2012), whole images at five scales ResNet's (He et al. 2015,
arXiv:1512.03385, section 3.4), and the first places of both papers are of ensembles. Nothing is trained anew for a
protocol: the same weights look at more of an image, or several nets at the same image.

Images are trained and tested by crops of 28 px of 32, and mirrored in training, since the protocols mirror. Of digits a
mirrored one is none, so that a net has more to learn there; what is compared are tests of the same net.
"""

from resvision.studies.design import Claim, Column, Condition, Design, Lines, Measure, Value

NET = "resnet20"
PROTOCOLS = ("center-crop", "ten-crop", "vgg-dense", "dense")
SIZES = (1, 2, 3, 4, 5, 6)


def _by(protocol: str) -> Value:
    return Value(NET, f"views.{protocol}")


def _of(size: int) -> Value:
    return Value(NET, f"ensembles.of-{size}")


DESIGN = Design(
    name="augmentation-views",
    question="What do ten crops, several scales and ensembles buy?",
    paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 3.4 and Table 5",
    title="Views and ensembles: one net, tested in several ways",
    lead=(
        "Six trainings of one net differ in their seeds. Each is tested by one crop in the middle, by ten crops, and by"
        " whole images at one and at five scales; then the probabilities of two to six of them are averaged. An"
        " ensemble of a seed takes the seeds after it, in a circle: ensembles share nets, so that they vary less than"
        " independent ones would."
    ),
    conditions=(
        Condition(
            name=NET, model=NET, published="ten crops 24.52 %, five scales 21.84 % (top-1, ResNet-34 B, ImageNet)"
        ),
    ),
    claims=(
        Claim("ten crops have a lower error than one", _by("ten-crop"), _by("center-crop")),
        Claim("whole images at one scale have a lower error than one crop", _by("vgg-dense"), _by("center-crop")),
        Claim("five scales have a lower error than ten crops", _by("dense"), _by("ten-crop")),
        Claim("two nets have a lower error than one", _of(2), _of(1)),
        Claim("six nets have a lower error than one", _of(6), _of(1)),
        Claim("six nets have a lower error than ten crops of one", _of(6), _by("ten-crop")),
    ),
    common={
        "data.image_size": 28,
        "data.resize_px": 32,
        "augment.flip": True,
    },
    quick={"model.options.width": 8, "training.duration": "10 epochs"},
    seeds=6,
    measures=(
        Measure(
            name="views",
            function="resvision.studies.measures_protocols:protocol_errors",
            options={"protocols": list(PROTOCOLS)},
        ),
        Measure(
            name="ensembles",
            function="resvision.studies.measures_protocols:ensemble_errors",
            options={"sizes": list(SIZES)},
            joint=True,
        ),
    ),
    columns=(
        Column("views.ten-crop", "ten crops", "share"),
        Column("views.vgg-dense", "one scale", "share"),
        Column("views.dense", "five scales", "share"),
        Column("ensembles.of-2", "two nets", "share"),
        Column("ensembles.of-6", "six nets", "share"),
    ),
    shares=frozenset({"views.center-crop", "ensembles.of-1"}),
    plots=(
        Lines("Ensembles", "ensembles.size", "ensembles.error", "nets", "test error"),
        Lines(
            "Error by protocol",
            "views.cost",
            "views.error",
            "pixels seen, in crops of the net",
            "test error",
            style="points",
            log="x",
        ),
    ),
    minutes=(1.0, None),
)
