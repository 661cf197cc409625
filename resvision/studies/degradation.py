"""Do deeper plain nets train worse, and does a shortcut mend it? He et al. 2015, arXiv:1512.03385, Fig. 6.

Plain and residual nets of 6n+2 layers with equal parameters (option A shortcuts) train under one recipe; depth and
shortcut are all that changes. The paper's claims, each held against the seeds:

1. a deeper plain net has the higher training loss;
2. a deeper residual net has not: its training loss is the lower one;
3. at equal depth, the residual net has the lower training loss, and the lower test error.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from resvision.catalog import ROWS
from resvision.core.errors import SettingsError
from resvision.studies.design import Claim, Condition, Design, Value

DEPTHS = (20, 56)

PUBLISHED = {20: "8.75 %", 32: "7.51 %", 44: "7.17 %", 56: "6.97 %", 110: "6.61 % (five runs)"}
"""Test errors of the residual nets on CIFAR-10, by depth."""


def degradation(depths: Sequence[int] = DEPTHS) -> Design:
    """The study at these depths; SettingsError for a depth named twice, for none, and for one that no net has."""
    if not depths or len(set(depths)) != len(depths):
        raise SettingsError(f"--depths {','.join(map(str, depths))}: name each depth once, such as 20,56")
    for depth in depths:
        _require_depth(depth)
    ascending = sorted(depths)
    return Design(
        name="degradation",
        question="Does a deeper plain net train worse, and a deeper residual net better?",
        paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 4.2",
        title="Degradation: plain against residual nets",
        lead=(
            "The nets of a depth have the same layers, parameters and recipe; the shortcuts are all that differs."
            " Look at the training curves, not only at the test error: a net that fits its own training images worse"
            " is hard to optimise, which is another thing than overfitting."
        ),
        conditions=[
            Condition(name=name, model=name, published=PUBLISHED.get(depth, "") if name != f"plain{depth}" else "")
            for depth in ascending
            for name in pair(depth)
        ],
        claims=[*claims([pair(depth) for depth in ascending])],
        quick={"training.duration": "3 epochs", "model.options.width": 4},
        minutes=(1.1, None),
    )


def _require_depth(depth: int) -> None:
    """Raise SettingsError, with the nearest depth, for one of which the catalog has no plain net."""
    names = (row.name.removeprefix("plain") for row in ROWS)
    known = sorted(int(name) for name in names if name.isdigit())
    if depth not in known:
        nearest = min(known, key=lambda other: abs(other - depth))
        reason = "depths are 6n+2" if depth % 6 != 2 else "no plain net of this depth is in the catalog"
        raise SettingsError(
            f"--depths {depth}: {reason}; the nearest is {nearest}, and there are {', '.join(map(str, known))}, of"
            " which 18 and 34 are nets for ImageNet"
        )


def pair(depth: int) -> tuple[str, str]:
    """The plain and the residual net of a depth, with equal parameters: option A, by name where B is the default."""
    return f"plain{depth}", "resnet18_a" if depth == 18 else "resnet34_a" if depth == 34 else f"resnet{depth}"


def claims(pairs: Sequence[tuple[str, str]]) -> Iterator[Claim]:
    """Yield the claims about neighbouring depths, and about both nets of each: plain and residual, by depth."""
    for (plain, residual), (deeper_plain, deeper_residual) in pairwise(pairs):
        yield Claim(
            f"{deeper_plain} has a higher training loss than {plain}", Value(plain, "loss"), Value(deeper_plain, "loss")
        )
        yield Claim(
            f"{deeper_residual} has a lower training loss than {residual}",
            Value(deeper_residual, "loss"),
            Value(residual, "loss"),
        )
    for plain, residual in pairs:
        yield Claim(f"{residual} has a lower training loss than {plain}", Value(residual, "loss"), Value(plain, "loss"))
        yield Claim(f"{residual} has a lower test error than {plain}", Value(residual), Value(plain))
