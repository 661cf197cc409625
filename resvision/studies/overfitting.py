"""Does a shortcut cause overfitting, or prevent it? Asked of He et al. 2015, arXiv:1512.03385, section 4.2.

The paper says that degradation is not overfitting, as the training error rises too, and finds overfitting in its net of
1,202 layers (7.93 % against 6.43 % of 110), which is residual. It says of no shortcut that it prevents overfitting.
Plain and residual nets of two depths learn from all images or from few, for equally many steps and without
augmentation; the gap between test and training loss says how much a net overfits.
"""

from collections.abc import Iterator

from resvision.studies.design import Claim, Column, Condition, Design, Drawing, Measure, Value
from resvision.studies.net_sizes import QUICK, USUAL

DEPTHS = (20, 56)
FEW = 300
"""The images of a short supply; every class has as many."""

EPOCHS_BETWEEN = {"all": 5, "few": 20}
"""Epochs between evaluations: an epoch of few images is short."""


def _name(kind: str, depth: int, supply: str) -> str:
    return f"{kind}{depth}-{supply}"


def _conditions() -> Iterator[Condition]:
    for supply in ("all", "few"):
        cut = {} if supply == "all" else {"data.train_limit": FEW}
        for depth in DEPTHS:
            for kind in ("plain", "resnet"):
                yield Condition(
                    name=_name(kind, depth, supply),
                    model=f"{kind}{depth}",
                    settings=cut | {"training.evaluate_every": EPOCHS_BETWEEN[supply]},
                )


def _claims() -> Iterator[Claim]:
    for supply in ("all", "few"):
        for depth in DEPTHS:
            plain, residual = _name("plain", depth, supply), _name("resnet", depth, supply)
            yield Claim(
                f"the shortcut prevents overfitting: {residual} has a smaller gap than {plain}",
                Value(residual, "fit.loss_gap"),
                Value(plain, "fit.loss_gap"),
            )
    shallow, deep = DEPTHS
    for supply in ("all", "few"):
        yield Claim(
            f"the deeper residual net overfits more, from {supply} images",
            Value(_name("resnet", shallow, supply), "fit.loss_gap"),
            Value(_name("resnet", deep, supply), "fit.loss_gap"),
        )
    for kind in ("plain", "resnet"):
        yield Claim(
            f"{kind}{deep} overfits more from few images than from all",
            Value(_name(kind, deep, "all"), "fit.loss_gap"),
            Value(_name(kind, deep, "few"), "fit.loss_gap"),
        )
    yield Claim(
        "degradation is no overfitting: the deeper plain net has the higher training error, from all images",
        Value(_name("plain", shallow, "all"), "fit.train_error"),
        Value(_name("plain", deep, "all"), "fit.train_error"),
    )


DESIGN = Design(
    name="overfitting",
    question="Does a shortcut cause overfitting, or prevent it?",
    paper="He et al. 2015, Deep Residual Learning, https://arxiv.org/abs/1512.03385, section 4.2",
    title="Overfitting: plain and residual nets, from many images and from few",
    lead=(
        f"Nets of {DEPTHS[0]} and of {DEPTHS[1]} layers learn from all images, or from {FEW} of them, for equally many"
        " steps. A net that fits its own images and fails on others overfits; one that fits neither does not. Where the"
        " gap of a residual net is larger than that of a plain one, look whether the plain net has learned at all."
    ),
    conditions=[*_conditions()],
    claims=[*_claims()],
    common={**USUAL, "training.duration": "1000 steps", "augment.shift_px": 0},
    quick={**QUICK, "training.duration": "160 steps"},
    measures=(
        Measure(
            name="fit",
            function="resvision.studies.measures_fits:fits",
            options={"images": 10_000},
            quick={"images": 1000},
        ),
    ),
    plots=(Drawing("Error of the final weights", "resvision.studies.condition_drawings:fits"),),
    columns=(
        Column("fit.train_error", "error on its own images", "share"),
        Column("fit.train_loss", "loss on its own images"),
        Column("fit.test_loss", "test loss"),
        Column("fit.loss_gap", "gap"),
    ),
    minutes=(2.2, None),
)
