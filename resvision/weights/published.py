"""Published weights: torchvision's table, for every name that is torchvision's as well as ours.

A source is written `torchvision` (the best that torchvision has), `torchvision:IMAGENET1K_V1` for one of several, or
`torchvision:IMAGENET1K_V1:0676ba61`, as runs keep it, with the start of the file's SHA-256 that its name carries.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from resvision.core.errors import WeightsError, nearest
from resvision.core.views import CentreCrop

TORCHVISION = "torchvision"
HALF = (0.5, 0.5, 0.5)


class Entry(Protocol):
    """A row of torchvision's table, about one file of weights."""

    url: str
    meta: Mapping[str, Any]

    def transforms(self) -> Any:
        """The preprocessing of the images that the weights were evaluated on."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One file of published weights.

    source      as a run keeps it
    sha256      the first hex digits of the file's SHA-256, which its name carries
    megabytes   size of the file, in units of 2^20 bytes
    view        how images are shown to the net
    classes     in the order of the logits
    """

    model: str
    source: str
    url: str
    sha256: str
    megabytes: float
    view: CentreCrop
    classes: tuple[str, ...]

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


def find(model: str, source: str) -> Published:
    """Find the published weights of a model; WeightsError, with the choices, where there are none of that name."""
    parts = require_published(source).split(":")[1:]
    usable = {name: entry for name, entry in entries(model).items() if entry.meta.get("categories")}
    name = parts[0] if parts else [*usable][-1]
    if name not in usable:
        raise WeightsError(f"{model}: torchvision has no weights {name!r} for it; choices: {', '.join(usable)}")
    entry = usable[name]
    digits = re.search(r"-([0-9a-f]{8,64})\.pth$", entry.url)
    if digits is None:
        raise WeightsError(f"{entry.url}: carries no start of a SHA-256 in its name, so it could not be checked")
    if parts[1:] not in ([], [digits[1]]):
        raise WeightsError(f"{source}: this torchvision has other weights of that name for {model}, {digits[1]}")
    return Published(
        model=model,
        source=f"{TORCHVISION}:{name}:{digits[1]}",
        url=entry.url,
        sha256=digits[1],
        megabytes=float(entry.meta["_file_size"]),
        view=view_of(model, entry.transforms()),
        classes=tuple(entry.meta["categories"]),
    )


def entries(model: str) -> dict[str, Entry]:
    """torchvision's files for a model by their names, the best last; WeightsError where it has no such classifier."""
    from torchvision import models

    published_models = models.list_models(module=models)
    if model not in published_models:
        similar = nearest(model, published_models)
        hint = f"; nearest that it has: {', '.join(similar)}" if similar else ""
        raise WeightsError(f"{model}: torchvision publishes no weights of that name{hint}")
    table = models.get_model_weights(model)
    best = table.DEFAULT
    return {entry.name: entry for entry in sorted(table, key=lambda entry: bool(entry == best))}


def view_of(model: str, preset: Any) -> CentreCrop:
    """Our view for torchvision's preset of a classifier; WeightsError for a preset without one.

    The pixels are equal. GoogLeNet's weights expect (pixels / 255 - 0.5) / 0.5, which torchvision makes inside the net
    (`transform_input`) out of ImageNet's normalization; we normalize so in the first place.
    """
    interpolation = getattr(preset.interpolation, "value", preset.interpolation)
    if not preset.antialias or len(preset.crop_size) != 1 or len(preset.resize_size) != 1:
        raise WeightsError(f"{model}: its weights want images prepared in a way that is not ours: {preset}")
    mean, std = (HALF, HALF) if model == "googlenet" else (tuple(preset.mean), tuple(preset.std))
    try:
        return CentreCrop(
            channels=len(mean),
            resize_px=preset.resize_size[0],
            crop_px=preset.crop_size[0],
            interpolation=interpolation,
            mean=mean,
            std=std,
        )
    except ValueError as error:
        raise WeightsError(f"{model}: its weights want images prepared in a way that is not ours: {error}") from None
