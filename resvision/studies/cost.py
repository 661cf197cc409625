"""Does learning the residual save compute? Plain and residual twins, after He et al. 2015, arXiv:1512.03385.

A shortcut of option A adds one addition for each value of a map, and takes no layer away: multiply-adds and parameters
of the twins are equal. What a residual net may save is steps, as it is easier to train. So three things are measured:
the time of a forward pass and of a step, by turns, and the loss after equally many steps.
"""

from collections.abc import Iterator

from resvision.studies.design import Claim, Condition, Design, Value
from resvision.studies.net_sizes import (
    COUNT_COLUMNS,
    COUNTS,
    FORWARD_COLUMN,
    QUICK,
    STEP_COLUMN,
    USUAL,
    faster_step,
    times,
)

DEPTHS = (20, 56)


def _names(depth: int) -> tuple[str, str]:
    return f"plain{depth}", f"resnet{depth}"


def _claims() -> Iterator[Claim]:
    for plain, residual in map(_names, DEPTHS):
        yield Claim(
            f"{residual} takes less time for a forward pass than {plain}",
            Value(residual, "times.forward_ms"),
            Value(plain, "times.forward_ms"),
        )
        yield faster_step(residual, plain)
        yield Claim(
            f"{residual} has a lower training loss than {plain} after as many steps",
            Value(residual, "loss"),
            Value(plain, "loss"),
        )


DESIGN = Design(
    name="cost",
    question="Does learning the residual save compute?",
    paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 3.3",
    title="Cost: plain and residual twins",
    lead=(
        "Twins have the same layers, and so the same parameters and multiply-adds; a residual net has the additions"
        " besides. Times are the least of many rounds in which the nets take turns. A step may be no faster and a net"
        " still need fewer of them: compare the losses after equally many."
    ),
    conditions=[Condition(name=name, model=name) for depth in DEPTHS for name in _names(depth)],
    claims=[*_claims()],
    common={**USUAL, "training.duration": "10 epochs"},
    quick={**QUICK, "training.duration": "3 epochs"},
    measures=(COUNTS, times(50, quick_rounds=15)),
    columns=(*COUNT_COLUMNS, FORWARD_COLUMN, STEP_COLUMN),
    minutes=(1.1, None),
)
