"""Small trainings of the detectors, over one backbone as far as each paper allows, to be put side by side.

Lengths are reckoned from the seconds of a step, for about ten minutes on `digit-boxes-composed` once regions are
searched for; other images need other sizes, by `--set`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resvision.core.errors import unknown_name
from resvision.recipes import compose_phases
from resvision.studies.trials import Trial
from resvision.training_graph import Phase, RunPhase

COMMON: Mapping[str, Any] = {
    "data.image_size": 192,
    "training.batch_size": 16,
    "training.evaluate_every": 10,
    "optimizer.lr": 0.002,
    "model.options.backbone": "resnet18",
    "model.options.width": 24,
}
"""The settings of all, where a system has no others of its own."""

QUICK: Mapping[str, Any] = {
    "data.image_size": 96,
    "model.options.width": 4,
    "model.options.channels": 8,
    "model.options.hidden": 16,
    "model.options.proposals": 20,
    "model.options.window_px": 32,
}
"""The settings of a training of one epoch, which learns nothing, where a system has such a setting."""


@dataclass(frozen=True)
class Size:
    """A training of a system.

    epochs    its length; None for that of the recipe
    settings  further ones, or others than COMMON has; None for a setting that the system does not take
    model     its name in the catalog, where that is another one
    recipe    by which it is trained, where that is not the net's own
    """

    epochs: int | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    recipe: str | None = None

    def changes(self, *, quick: bool = False) -> dict[str, Any]:
        """The settings by path."""
        length = None if self.epochs is None else f"{self.epochs} epochs"
        own = {**COMMON, "training.duration": length, **self.settings}
        own = {path: value for path, value in own.items() if value is not None}
        if not quick:
            return own
        return own | {path: value for path, value in QUICK.items() if path in own} | {"training.duration": "1 epochs"}


OWN_STEPS: dict[str, Any] = {"training.batch_size": None, "optimizer.lr": None}
"""The fine-tuning of R-CNN and SPP-net has batches and a rate of its own."""

TWO_LAYERS: dict[str, Any] = {"model.options.channels": 64, "model.options.hidden": 256}
"""The pyramid and the two layers of a head that looks at regions."""

OWN_NET: dict[str, Any] = {"model.options.backbone": None, "model.options.width": 8}
"""The nets of YOLO that are small from the outset stand on no other."""

FIVE, SIX, NINE = (
    "36,58 44,66 54,78 62,90 72,104",
    "36,58 44,64 48,74 58,84 66,98 76,104",
    "34,58 40,58 44,66 50,72 48,82 56,84 68,86 64,100 74,106",
)
"""Anchors of the digits at 192 px, found by `resvision data anchors digit-boxes-composed --size 192`."""

CONNECTED: Mapping[str, Any] = {"optimizer.lr": 0.0005}
"""The rate of nets that end in fully connected layers, which hardly learned in three short trainings at the others'."""

MOSAIC: dict[str, Any] = {"augment.mosaic": 0.5}
"""Half of the images made of four, for nets that learn six hundred scenes by heart otherwise.

SSD of width 24 came to an AP50 of 88.2 % without, of width 32 to 91.3 % with it. RetinaNet goes without: with it 32
epochs gave 68.3 %, without it 48 gave 86.7 %, so it takes more of a short training than it brings.
"""

FEW_PROPOSALS = TWO_LAYERS | MOSAIC | {"model.options.proposals": 100, "loss.regions": 64}

SIZES: Mapping[str, Size] = {
    "rcnn": Size(10, OWN_STEPS | {"model.options.window_px": 64, "model.options.proposals": 500}),
    "sppnet": Size(
        20, OWN_STEPS | {"model.options.features": "C3", "model.options.hidden": 256, "model.options.proposals": 500}
    ),
    "fast_rcnn": Size(45, TWO_LAYERS | MOSAIC | {"model.options.proposals": 500, "loss.regions": 64}),
    "faster_rcnn_4step": Size(
        None,
        FEW_PROPOSALS | {"training.batch_size": None},
        model="faster_rcnn",
        recipe="faster-rcnn-4step-short",
    ),
    "faster_rcnn": Size(38, FEW_PROPOSALS),
    "yolov1": Size(70, CONNECTED),
    "yolov1_tiny": Size(60, {**OWN_NET, **CONNECTED, "model.options.batch_norm": True}),
    "ssd": Size(55, {"model.options.channels": 64, **MOSAIC}),
    "yolov2": Size(70, {"model.options.anchors": FIVE, **MOSAIC}),
    "retinanet": Size(48, {"model.options.channels": 48}),
    "yolov3": Size(80, {"model.options.anchors": NINE, **MOSAIC}),
    "yolov3_tiny": Size(75, OWN_NET | MOSAIC | {"model.options.anchors": SIX}),
    "refinedet": Size(48, {"model.options.channels": 64, **MOSAIC}),
}
"""Detectors that are put side by side, those of two stages first, along the years of their papers.

The anchors of YOLO are for the digits; `resvision data anchors` finds those for other images.
"""


def stands_on_backbone(name: str) -> bool:
    """Whether a detector stands on the backbone of COMMON, which may start with weights of a classifier."""
    return SIZES[name].settings.get("model.options.backbone", "") is not None


def trial_of(
    name: str,
    data: str,
    seed: int,
    *,
    epochs: int | None = None,
    quick: bool = False,
    settings: Sequence[str] = (),
) -> Trial:
    """The training of a detector at its size; `epochs` and `settings` have the last word.

    Raises UnknownNameError for a detector without a size.
    """
    if name not in SIZES:
        raise unknown_name("detector", name, SIZES)
    size = SIZES[name]
    changes = size.changes(quick=quick) | {"training.seed": seed}
    if epochs is not None:
        changes["training.duration"] = f"{epochs} epochs"
    phases: tuple[Phase, ...] = compose_phases(
        size.model or name, data, recipe_name=size.recipe, changes=changes, settings=settings
    )
    last = phases[-1]
    assert isinstance(last, RunPhase), "the result of a recipe of a detector is a run"
    return Trial(model=name, seed=seed, run=last.run, phases=phases if len(phases) > 1 else ())
