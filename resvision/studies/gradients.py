"""What reaches the first layer of a deep net? He et al. 2015, arXiv:1512.03385, section 4.1; Bengio et al. 1994.

The notes of the house say that deep plain nets degrade since their gradient vanishes, and that shortcuts keep it. The
paper holds that vanishing gradients are an unlikely reason: with batch normalization, plain nets have gradients of
healthy norms. Plain and residual nets train at two depths with and without normalization under one recipe, and every
so many steps the norm of the gradient in every layer is kept.

The figure is the gradient of the first layer over that of the last, in decades: -1 is a tenth. Layers of one place have
one shape at all depths, so that their sizes cancel. Three things move it besides depth and shortcut: at the start,
batch normalization without shortcuts makes gradients grow towards the first layer (Yang et al. 2019,
arXiv:1902.08129); zero padding takes (1 - 2 / (3 side))^2 of the squares at each 3x3 convolution, which is .69 on maps
of 4x4; and shortcuts without normalization double the squares of the signal in each block.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from resvision.studies.degradation import pair
from resvision.studies.design import Claim, Column, Condition, Design, Lines, Measure, Value
from resvision.studies.net_sizes import QUICK

DEPTHS = (20, 56)

BARE = "-bare"
"""The end of the name of a condition without normalization."""

HEALTHY_DECADES = -1.0
"""A gradient in the first layer of a tenth of the last's: the line that we draw; the paper names no number."""

PLOTS = (
    Lines("At the first step", "gradients.layer", "gradients.start_norms", "layer", "norm of gradient", log="y"),
    Lines(
        "While trained: geometric means over the steps",
        "gradients.layer",
        "gradients.trained_norms",
        "layer",
        "norm of gradient",
        log="y",
    ),
    Lines("First layer over last", "gradients.step", "gradients.ratios", "step", "first / last", log="y"),
)


def gradients(depths: Sequence[int] = DEPTHS) -> Design:
    """The study at these depths."""
    ascending = sorted(depths)
    return Design(
        name="gradients",
        question="What of the gradient reaches the first layer of a plain and of a residual net?",
        paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 4.1",
        title="Gradients: from the last layer to the first",
        lead=(
            "The norm of the loss's gradient in the first layer is divided by that in the last, in decades: 0 is equal,"
            " -1 is a tenth, +1 ten times as much. Nets whose name ends in -bare have no normalization. One recipe"
            " trains all, at a small learning rate and with the whole gradient clipped, or bare nets would diverge;"
            " norms are those before clipping."
        ),
        conditions=[
            Condition(name=f"{name}{end}", model=name, settings={"model.options.norm": norm})
            for norm, end in (("batch", ""), ("none", BARE))
            for depth in ascending
            for name in pair(depth)
        ],
        claims=[*_claims(ascending)],
        common={
            "optimizer.lr": 0.01,
            "training.clip_norm": 5.0,
            "training.duration": "20 epochs",
            "training.gradients_every": 50,
        },
        quick={
            **QUICK,
            "training.duration": "4 epochs",
            "training.gradients_every": 4,
        },
        measures=(Measure(name="gradients", function="resvision.studies.measures_layers:gradients_kept"),),
        columns=(
            Column("gradients.start", "first / last at the start, decades"),
            Column("gradients.trained", "while trained"),
        ),
        plots=PLOTS,
        minutes=(1.7, None),
    )


def _claims(depths: Sequence[int]) -> Iterator[Claim]:
    """Yield the notes' claims with and without normalization, at the start and on the way, and the paper's."""
    for end, nets in (("", "with BN"), (BARE, "without normalization")):
        for figure, when in (("gradients.start", "at the start"), ("gradients.trained", "while trained")):
            for (plain, _), (deeper, _) in pairwise(map(pair, depths)):
                yield Claim(
                    f"{nets}, {when}: less of the gradient reaches the first layer of {deeper} than of {plain}",
                    Value(deeper + end, figure),
                    Value(plain + end, figure),
                )
            for plain, residual in map(pair, depths[-1:]):
                yield Claim(
                    f"{nets}, {when}: shortcuts keep the gradient, more of it reaches {residual}'s first layer than"
                    f" {plain}'s",
                    Value(plain + end, figure),
                    Value(residual + end, figure),
                )
    plain, _ = pair(depths[-1])
    yield Claim(
        f"with BN, while trained: the norms of {plain} are healthy, its first layer has over a tenth of the last's",
        HEALTHY_DECADES,
        Value(plain, "gradients.trained"),
    )
