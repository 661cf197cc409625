"""The same cost at four times the width: are bottlenecks worth it? He et al. 2015, arXiv:1512.03385, section 4.1.

A basic block of 64 channels has 2 * 3*3*64*64 = 73,728 weights, a bottleneck of 256 channels 256*64 + 3*3*64*64 +
64*256 = 69,632: about the same cost, at four times the width of what passes on. The pre-activation nets of 9n+2 layers
(He et al. 2016, arXiv:1603.05027, table 2) set such bottlenecks against basic nets of 6n+2 layers with the same n, and
report the lower error for them: 5.46 % against 6.37 %. For n = 5 and 9 the multiply-adds are within 3 %.
"""

from collections.abc import Iterator

from resvision.studies.design import Claim, Condition, Design, Drawing, Value
from resvision.studies.net_sizes import COUNT_COLUMNS, COUNTS, QUICK, STEP_COLUMN, USUAL, faster_step, times

PAIRS = ((32, 47), (56, 83))
"""Layers of a basic net, and of the net of bottlenecks that costs as much."""

PUBLISHED = ("6.37 % (ResNet-110, CIFAR-10)", "5.46 % (ResNet-164, CIFAR-10)")


def _names(pair: tuple[int, int]) -> tuple[str, str]:
    basic, bottleneck = pair
    return f"basic-{basic}", f"bottleneck-{bottleneck}"


def _conditions() -> Iterator[Condition]:
    for pair in PAIRS:
        for name, depth, error in zip(_names(pair), pair, PUBLISHED, strict=True):
            yield Condition(name=name, model=f"preresnet{depth}", published=error if pair == PAIRS[-1] else "")


def _claims() -> Iterator[Claim]:
    for basic, bottleneck in map(_names, PAIRS):
        yield Claim(f"{bottleneck} has a lower test error than {basic}", Value(bottleneck), Value(basic))
        yield Claim(
            f"{bottleneck} has a lower training loss than {basic}", Value(bottleneck, "loss"), Value(basic, "loss")
        )
        yield faster_step(bottleneck, basic)
        yield Claim(
            f"{bottleneck} has fewer parameters than {basic}",
            Value(bottleneck, "counts.params"),
            Value(basic, "counts.params"),
        )


DESIGN = Design(
    name="bottleneck",
    question="Do bottlenecks, of the same cost at four times the width, do better than basic blocks?",
    paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 4.1",
    title="Bottlenecks against basic blocks of equal cost",
    lead=(
        "Pairs of pre-activation nets with as many units and, within 3 %, as many multiply-adds. Equal multiply-adds"
        " need not take equal time: 1x1 convolutions move more numbers for each product, which the steps are timed for."
    ),
    conditions=[*_conditions()],
    claims=[*_claims()],
    common={**USUAL, "training.duration": "20 epochs"},
    quick={**QUICK, "training.duration": "8 epochs"},
    measures=(COUNTS, times(30, quick_rounds=10)),
    columns=(*COUNT_COLUMNS, STEP_COLUMN),
    plots=(Drawing("By condition", "resvision.studies.condition_drawings:tested"),),
    minutes=(2.0, None),
)
