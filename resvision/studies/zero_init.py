"""Does it help to start each block as the identity? Goyal et al. 2017, arXiv:1706.02677, section 5.1.

The last normalization of every branch starts at scale 0, so that a block first gives its input on. It is not in the
ResNet papers. Held against the usual start at two depths: by the first steps of training, and by the end of it.
"""

from collections.abc import Iterator

from resvision.studies.design import Claim, Column, Condition, Design, Lines, Measure, Value
from resvision.studies.net_sizes import QUICK, USUAL

DEPTHS = (20, 56)


def _names(depth: int) -> tuple[str, str]:
    """The net of a depth with the usual start, and with the identity's."""
    return f"resnet{depth}", f"resnet{depth}-zero"


def _conditions() -> Iterator[Condition]:
    for depth in DEPTHS:
        for name, zero in zip(_names(depth), (False, True), strict=True):
            yield Condition(name=name, model=f"resnet{depth}", settings={"model.options.zero_init": zero})


def _claims() -> Iterator[Claim]:
    for usual, zero in map(_names, DEPTHS):
        yield Claim(
            f"{zero} has a lower loss in its first steps", Value(zero, "start.loss"), Value(usual, "start.loss")
        )
        yield Claim(f"{zero} ends with a lower training loss", Value(zero, "loss"), Value(usual, "loss"))
        yield Claim(f"{zero} has a lower test error", Value(zero), Value(usual))
    (shallow, shallow_zero), (deep, deep_zero) = map(_names, DEPTHS)
    yield Claim(
        "in the first steps it helps the deeper net more",
        Value(shallow, "start.loss", above=shallow_zero),
        Value(deep, "start.loss", above=deep_zero),
    )


DESIGN = Design(
    name="zero-init",
    question="Does it help to start each block as the identity?",
    paper="Goyal et al. 2017, Accurate, Large Minibatch SGD, https://arxiv.org/abs/1706.02677, section 5.1",
    title="Zero-init: blocks that start as the identity",
    lead=(
        "Each net is trained twice under a seed: as usual, and with the last normalization of every branch at scale 0,"
        " so that no branch says anything yet. Look at the first steps as well as at the end."
    ),
    conditions=[*_conditions()],
    claims=[*_claims()],
    common={**USUAL, "training.duration": "20 epochs"},
    quick={**QUICK, "training.duration": "12 epochs"},
    measures=(
        Measure(
            name="start",
            function="resvision.studies.measures_starts:starts",
            options={"steps": 100, "together": 5},
        ),
    ),
    columns=(Column("start.first_loss", "loss of the first step"), Column("start.loss", "loss of the first 100 steps")),
    plots=(Lines("The first 100 steps", "start.step", "start.train_loss", "step", "training loss"),),
    minutes=(2.9, None),
)
