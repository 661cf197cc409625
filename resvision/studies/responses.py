"""Are residual responses small, and smaller with depth? He et al. 2015, arXiv:1512.03385, section 4.2, Figure 7.

Plain and residual nets train at two depths under one recipe; then the standard deviation of every 3x3 layer's output is
taken over test images, after its normalization and before the nonlinearity and the addition. The paper's claims:

1. residual nets have smaller responses than their plain counterparts, so that residual functions are nearer to zero;
2. the deeper residual net has the smaller ones: where there are more layers, each one changes the signal less.

The notes say that a residual branch is trained to be zero; it is not, the loss of the task alone is minimised.
The paper shows ResNet-20, -56 and -110 after 64,000 steps. Responses start near 1, the scale that a normalization
begins with, and part slowly: a short training shows less than the paper's.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from resvision.studies.degradation import pair
from resvision.studies.design import Claim, Column, Condition, Design, Lines, Measure, Value
from resvision.studies.net_sizes import QUICK

DEPTHS = (20, 56)


def responses(depths: Sequence[int] = DEPTHS) -> Design:
    """The study at these depths."""
    ascending = sorted(depths)
    return Design(
        name="responses",
        question="Are the responses of residual layers small, and smaller in deeper nets?",
        paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 4.2, Figure 7",
        title="Responses: the size of what each layer answers",
        lead=(
            "The standard deviation of the output of every 3x3 layer, after its normalization and before ReLU and"
            " addition, over test images. Plain and residual nets of a depth have the same layers and parameters."
        ),
        conditions=[Condition(name=name, model=name) for depth in ascending for name in pair(depth)],
        claims=[*_claims(ascending)],
        common={"training.duration": "20 epochs"},
        quick={**QUICK, "training.duration": "8 epochs"},
        measures=(
            Measure(
                name="responses",
                function="resvision.studies.measures_layers:response_sizes",
                options={"images": 1000},
                quick={"images": 128},
            ),
        ),
        columns=(
            Column("responses.mean", "mean response"),
            Column("responses.smallest", "smallest"),
            Column("responses.largest", "largest"),
        ),
        plots=(
            Lines("In the order of layers", "responses.layer", "responses.stds", "layer", "standard deviation"),
            Lines("By size", "responses.layer", "responses.ranked", "rank", "standard deviation"),
        ),
        minutes=(1.2, None),
    )


def _claims(depths: Sequence[int]) -> Iterator[Claim]:
    """Yield the paper's claims: residual below plain at each depth, and residual nets below shallower ones."""
    figure = "responses.mean"
    for plain, residual in map(pair, depths):
        yield Claim(f"{residual} has smaller responses than {plain}", Value(residual, figure), Value(plain, figure))
    for (_, residual), (_, deeper) in pairwise(map(pair, depths)):
        yield Claim(f"{deeper} has smaller responses than {residual}", Value(deeper, figure), Value(residual, figure))
