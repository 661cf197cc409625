"""Is the surface of the loss smoother around a residual net? Li et al. 2018, arXiv:1712.09913.

Plain and residual nets of 20 and 56 layers, of equal parameters at each depth, train under one recipe. Around the
weights that training found, the training loss is taken along random filter-normalized directions. The paper finds by
eye that without shortcuts the surface turns from nearly convex at 20 layers to chaotic at 56, and that shortcuts keep
it smooth (section 5). By figures, each claim held against the seeds:

1. at 56 layers, the loss rises sooner around the plain net, and its curves bend downwards more often;
2. from 20 to 56 layers, the plain net's minimum narrows more than the residual net's.

As in the paper's code, normalizations keep their running statistics and parameters, and biases stay.
"""

from resvision.studies.design import Claim, Column, Condition, Design, Drawing, Lines, Measure, Value
from resvision.studies.net_sizes import QUICK

PLAIN, RESIDUAL = ("plain20", "plain56"), ("resnet20", "resnet56")

DESIGN = Design(
    name="landscape",
    question="Is the surface of the loss smoother around a residual net than around a plain one?",
    paper="Li et al. 2018, Visualizing the Loss Landscape of Neural Nets, https://arxiv.org/abs/1712.09913",
    title="Landscape: the loss around plain and residual nets",
    lead=(
        "A step of 1 along a direction moves every filter by its own length, so that nets can be compared. The width is"
        " how far the weights may move before the training loss has risen by 1, in the mean over directions, up to the"
        " span that was looked at; concave is the share of steps at which a curve bends downwards, none in a convex"
        " bowl. Look at the loss in the middle, too: a net that was trained badly lies on a high plain, which is wide."
    ),
    conditions=[
        Condition(name=name, model=name)
        for plain, residual in zip(PLAIN, RESIDUAL, strict=True)
        for name in (plain, residual)
    ],
    claims=(
        Claim(
            "the loss rises sooner around plain56 than around resnet56",
            *(Value(name, "surface.width") for name in ("plain56", "resnet56")),
        ),
        Claim(
            "curves around plain56 bend downwards more often than around resnet56",
            *(Value(name, "surface.concave") for name in ("resnet56", "plain56")),
        ),
        Claim(
            "from 20 to 56 layers, the plain net's minimum narrows more than the residual net's",
            Value("plain56", "surface.width", above="plain20"),
            Value("resnet56", "surface.width", above="resnet20"),
        ),
    ),
    quick={**QUICK, "training.duration": "8 epochs"},
    measures=(
        Measure(
            name="surface",
            function="resvision.studies.measures_landscape:around",
            options={"images": 1024, "directions": 10, "steps": 41, "grid": 25},
            quick={"images": 128, "directions": 5, "steps": 21, "grid": 9},
        ),
    ),
    columns=(
        Column("surface.middle", "loss in the middle"),
        Column("surface.width", "width"),
        Column("surface.concave", "concave", "share"),
    ),
    plots=(
        Lines(
            "Loss along a direction, the mean of all directions",
            "surface.step",
            "surface.mean",
            "steps, in lengths of the filters",
            "training loss",
            log="y",
        ),
        Drawing("Loss over two directions", "resvision.studies.landscape_drawings:surfaces"),
    ),
    minutes=(1.7, None),
)
