"""Published weights: torchvision's table, for every name that is torchvision's as well as ours, whatever its task.

A source is written `torchvision` (the best that torchvision has), `torchvision:IMAGENET1K_V1` for one of several, or
`torchvision:IMAGENET1K_V1:0676ba61`, as runs keep it, with the start of the file's SHA-256 that its name carries.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from resvision.core.data_names import IMAGENET
from resvision.core.errors import WeightsError
from resvision.core.settings import Scalar
from resvision.core.views import CentreCrop, ShorterSide, View
from resvision.weights.torchvision_detectors import DETECTORS, class_names

TORCHVISION = "torchvision"
HALF = (0.5, 0.5, 0.5)
FEATURES_ALONE = {"IMAGENET1K_FEATURES": ("features",)}
"""The parts with weights in files whose others are not numbers: `classifier` of VGG-16 as SSD begins with it."""
_SIDE_HEADED: dict[str, dict[str, Scalar]] = {"COCO_WITH_VOC_LABELS_V1": {"aux": True}}
"""Options of a net that has all parts of a file: nets with these weights have a side head."""
_RENAMED_CLASSES = {"__background__": "background"}
"""torchvision's names of classes, where Pascal VOC has others."""


class Entry(Protocol):
    """A row of torchvision's table, about one file of weights."""

    url: str
    meta: Mapping[str, Any]

    def transforms(self) -> Any:
        """The preprocessing of the images that the weights were evaluated on."""


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """One file of published weights.

    model       torchvision's name of the net
    source      as a run keeps it
    sha256      the first hex digits of the file's SHA-256, which its name carries
    megabytes   size of the file, in units of 2^20 bytes
    view        how images are shown to the net
    classes     in the order of the logits; none where no classifier was trained
    options     of a net that has all parts of the file
    parts       the net's parts that were trained; none stands for all
    data        the set whose images they were trained on
    frozen_eps  what the frozen normalizations add to a variance with which the weights were trained; None where they
                were not frozen
    """

    model: str
    source: str
    url: str
    sha256: str
    megabytes: float
    view: View
    classes: tuple[str, ...]
    options: dict[str, Scalar] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    data: str = IMAGENET
    frozen_eps: float | None = None

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.source.rpartition(':')[0]} for {self.model}"


def is_published(source: str | None) -> bool:
    """Whether a text names published weights, rather than a file or a run folder."""
    return source is not None and source.partition(":")[0] == TORCHVISION


def require_published(source: str) -> str:
    """The text, if it names published weights; WeightsError otherwise."""
    if not is_published(source):
        raise WeightsError(
            f"weights {source!r}: write {TORCHVISION}, or {TORCHVISION}:NAME for one of several; a file or a run folder"
            " to start training with goes by --set model.init_from="
        )
    return source


def find(model: str, source: str) -> PublishedWeights:
    """Find the published weights of a model; WeightsError, with the choices, where there are none of that name."""
    parts = require_published(source).split(":")[1:]
    usable = entries(model)
    name = parts[0] if parts else [*usable][-1]
    if name not in usable:
        raise WeightsError(f"{model}: torchvision has no weights {name!r} for it; choices: {', '.join(usable)}")
    entry = usable[name]
    digits = re.search(r"-([0-9a-f]{8,64})\.pth$", entry.url)
    if digits is None:
        raise WeightsError(f"{entry.url}: carries no start of a SHA-256 in its name, so it could not be checked")
    if parts[1:] not in ([], [digits[1]]):
        raise WeightsError(f"{source}: this torchvision has other weights of that name for {model}, {digits[1]}")
    detector = DETECTORS.get(model)
    names = [_RENAMED_CLASSES.get(label, label) for label in entry.meta["categories"] or ()]
    return PublishedWeights(
        model=model,
        source=f"{TORCHVISION}:{name}:{digits[1]}",
        url=entry.url,
        sha256=digits[1],
        megabytes=float(entry.meta["_file_size"]),
        view=view_of(model, entry.transforms()) if detector is None else detector.view,
        classes=tuple(names) if detector is None else class_names(names, detector.first),
        options=_SIDE_HEADED.get(name, {}),
        parts=FEATURES_ALONE.get(name, ()),
        data=IMAGENET if name.startswith("IMAGENET") else name.partition("_")[0].lower(),
        frozen_eps=None if detector is None else detector.frozen_eps,
    )


def publishes(model: str) -> bool:
    """Whether torchvision has weights for a net of this name."""
    from torchvision import models

    return model in models.list_models() and len(models.get_model_weights(model)) > 0


def entries(model: str) -> dict[str, Entry]:
    """torchvision's files for a model that it publishes weights of, by their names, the best last."""
    from torchvision import models

    if not publishes(model):
        raise WeightsError(f"{model}: torchvision publishes no weights of that name")
    table = models.get_model_weights(model)
    best = table.DEFAULT
    known = {entry.name: entry for entry in sorted(table, key=lambda entry: bool(entry == best))}
    return {name: entry for name, entry in known.items() if entry.meta.get("categories") or name in FEATURES_ALONE}


def view_of(model: str, preset: Any) -> View:
    """Our view for torchvision's preset of a net; WeightsError for a preset without one.

    The pixels are equal. GoogLeNet's weights expect (pixels / 255 - 0.5) / 0.5, which torchvision makes inside the net
    (`transform_input`) out of ImageNet's normalization; we normalize so in the first place.
    """
    interpolation = getattr(preset.interpolation, "value", preset.interpolation)
    crops = [*getattr(preset, "crop_size", ())]
    if not preset.antialias or len(crops) > 1 or len(preset.resize_size) != 1:
        raise WeightsError(f"{model}: its weights want images prepared in a way that is not ours: {preset}")
    mean, std = (HALF, HALF) if model == "googlenet" else (tuple(preset.mean), tuple(preset.std))
    shared: dict[str, Any] = {"channels": len(mean), "interpolation": interpolation, "mean": mean, "std": std}
    try:
        if crops:
            return CentreCrop(**shared, resize_px=preset.resize_size[0], crop_px=crops[0])
        return ShorterSide(**shared, shorter_px=preset.resize_size[0])
    except ValueError as error:
        raise WeightsError(f"{model}: its weights want images prepared in a way that is not ours: {error}") from None
