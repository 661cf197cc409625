"""Test protocols of trained classifiers: the views of an image, and the mean of the predictions for them.

Pooling is one of two rules:

    crops  softmax of each view; the mean over all views of an image
    dense  logits at each position of the whole image (`classification.dense`); their mean over the positions, then
           softmax; the mean over the scales and mirror images. For a net that ends in a global average this is to pool
           over the larger map, where a paper may slide its average over it

Glossary
    N images, K classes
    views  (V, h, w, C) uint8 of one image at one scale, mirror images in the second half
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resvision.classification.classifier import Classifier
from resvision.classification.dense import FullyConvolutional
from resvision.contracts import Batch, Images, Losses, System
from resvision.core.errors import SettingsError
from resvision.core.images import Pixels
from resvision.core.samples import Reader
from resvision.core.views import SquareView, Stretch
from resvision.kinds.classification.presets import PRESETS, Preset, find, proportional
from resvision.loading.exam_batches import ExamBatches
from resvision.tasks import Model

LARGEST_SCALE = 8192

POOLING = {
    False: "softmax averaged over the views",
    True: "logits averaged over all positions, then softmax averaged over the views",
}


@dataclass(frozen=True)
class Protocol:
    """A preset applied to one run.

    view    that of the model
    scales  of the resized images in pixels
    """

    preset: Preset
    view: SquareView
    scales: tuple[int, ...]

    @property
    def views(self) -> int:
        """The number of views of an image that is not square."""
        return self.preset.views * len(self.scales) * (2 if self.preset.mirrored else 1)

    @property
    def is_usual(self) -> bool:
        """Whether the scales are those of the preset."""
        return self.scales == _scales(self.preset, self.view)

    def of(self, image: Pixels, *, name: str, grey: bool = False) -> list[Pixels]:
        """Cut the views of an image (H, W) or (H, W, 3), by scale. Raises DataError as `View.show` does."""
        return [self._at(scale, image, name, grey) for scale in self.scales]

    def _at(self, scale: int, image: Pixels, name: str, grey: bool) -> Pixels:
        resized = replace(self.view, resize_px=scale).resized(image, name=name, grey=grey)
        views = np.stack(self.preset.cut(resized, self.view))
        return np.concatenate([views, views[:, :, ::-1]]) if self.preset.mirrored else views

    @property
    def title(self) -> str:
        """Name, summary and source in a line."""
        return f"{self.preset.name}: {self.preset.summary} ({self.preset.source})"

    @property
    def details(self) -> str:
        """Views, pixels and pooling in a line."""
        scales = ", ".join(map(str, self.scales))
        crop = f", crop {self.view.crop_px} px" if self.preset.crops else ""
        if self.views == 1:
            return f"1 view an image, resized to {scales} px{crop}"
        return f"{self.views} views an image, resized to {scales} px{crop}; {POOLING[self.preset.dense]}"

    def to_json(self) -> dict[str, Any]:
        """Plain data: name, source, pixels, views and pooling."""
        return {
            "name": self.preset.name,
            "summary": self.preset.summary,
            "source": self.preset.source,
            "scales_px": list(self.scales),
            "crop_px": self.view.crop_px if self.preset.crops else None,
            "views": self.views,
            "pooling": POOLING[self.preset.dense],
        }


def apply(name: str, model: Model, *, scales: Sequence[int] | None = None) -> Protocol:
    """Apply the protocol of a name to a model; `scales` in pixels replace its own.

    Raises UnknownNameError for a name that is not there, and SettingsError for scales that it does not take or that are
    smaller than the model's crop, and for a net that cannot be applied fully convolutionally.
    """
    preset, view, system = find(name), model.view, model.system
    if not isinstance(view, SquareView):
        raise SettingsError(
            f"{name}: {model.title} is shown images by the view {view.kind}, of which no crops are tested"
        )
    if preset.dense and not (isinstance(system, Classifier) and isinstance(system.net, FullyConvolutional)):
        crops = ", ".join(other.name for other in PRESETS if other.crops)
        raise SettingsError(
            f"{name}: {model.name} cannot be applied fully convolutionally (it has no `class_map`);"
            f" choose one of {crops}"
        )
    if not (preset.dense or preset.crops):
        _require_any_size(name, model, view)
    if scales is not None and not preset.scales:
        raise SettingsError(f"{name}: has no scales to choose, images are resized as the run says; leave out --scales")
    if scales is not None and not scales:
        raise SettingsError(f"{name}: no scales given; name one or more in pixels")
    chosen = tuple(scales or _scales(preset, view))
    for scale in chosen:
        if scale < view.crop_px:
            raise SettingsError(
                f"{name}: images of {scale} px are smaller than the crop of {view.crop_px} px that"
                f" {model.title} was trained on; choose scales from {view.crop_px} on"
            )
        if scale > LARGEST_SCALE:
            raise SettingsError(f"{name}: images of {scale} px; scales go up to {LARGEST_SCALE}")
    return Protocol(preset, view, chosen)


class Views(NamedTuple):
    """The inputs of a protocol: for each scale the views of all images, (N, V, C, h, w) uint8."""

    by_scale: list[Tensor]


class ViewBatches(ExamBatches):
    """The views of all images of a reader, in batches of about `batch_size` views; never less than one image.

    Where images keep their proportions, and so may differ in size, a batch is one image.
    """

    def __init__(self, reader: Reader[int], protocol: Protocol, *, batch_size: int, grey: bool = False) -> None:
        images = max(1, batch_size // protocol.views) if isinstance(protocol.view, Stretch) else 1
        super().__init__(len(reader), batch_size=min(images, batch_size))  # refused where no view is asked for
        self._reader, self._protocol, self._grey = reader, protocol, grey

    def batch_of(self, ids: NDArray[np.int64]) -> Batch:
        """The views of these images, (N, V, C, h, w) of each scale, and their classes."""
        images = [
            self._protocol.of(self._reader[i].image, name=self._reader.source(i), grey=self._grey) for i in ids.tolist()
        ]
        by_scale = [torch.from_numpy(np.stack(views)).permute(0, 1, 4, 2, 3) for views in zip(*images, strict=True)]
        targets = torch.tensor([self._reader.target(i) for i in ids.tolist()], dtype=torch.int64)
        return Batch(inputs=Views(by_scale), targets=targets, ids=torch.from_numpy(ids))


class MeanOverViews(System):
    """A classifier that predicts by a protocol: class probabilities are the mean over an image's views.

    batch_size  views of the crop's size that go through the net at once; of larger ones fewer, at least one
    """

    def __init__(self, classifier: System, protocol: Protocol, *, batch_size: int) -> None:
        super().__init__()
        self.net = classifier.net
        self.classifier = classifier
        self._dense = protocol.preset.dense
        self._pixels = batch_size * protocol.view.crop_px**2
        self.train(classifier.training)

    def losses(self, batch: Batch) -> Losses:
        """The losses of the classifier, for batches of single images."""
        return self.classifier.losses(batch)

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """The weights of the classifier's terms."""
        return self.classifier.weights(batch)

    def predict(self, inputs: Views) -> Tensor:
        """Predict class probabilities of images by their views, (N, K)."""
        return torch.stack([self._mean(views) for views in inputs.by_scale]).mean(dim=0)

    def _mean(self, views: Tensor) -> Tensor:
        """Average class probabilities over views (N, V, C, h, w), to (N, K)."""
        height, width = views.shape[-2:]
        parts = torch.split(views.flatten(0, 1), max(1, self._pixels // (height * width)))
        probabilities = torch.cat([self._probabilities(Images(part)) for part in parts])
        return probabilities.view(*views.shape[:2], -1).mean(dim=1)

    def _probabilities(self, inputs: Images) -> Tensor:
        if not self._dense:
            probabilities: Tensor = self.classifier.predict(inputs)
            return probabilities.float()
        assert isinstance(self.classifier, Classifier), "as `apply` has seen"
        return self.classifier.class_map(inputs).mean(dim=(2, 3)).softmax(dim=1)


def _require_any_size(name: str, model: Model, view: SquareView) -> None:
    """Raise SettingsError for a model whose net takes squares of one size alone."""
    net = deepcopy(model.system.net).to("meta").eval()
    side = view.crop_px
    try:
        with torch.no_grad():
            net(torch.empty(1, view.channels, side, side + 1, device="meta"))
    except SettingsError as error:
        crops = ", ".join(other.name for other in PRESETS if other.crops)
        raise SettingsError(f"{name}: {model.name} takes images of one size: {error}; choose one of {crops}") from None


def _scales(preset: Preset, view: SquareView) -> tuple[int, ...]:
    return tuple(proportional(scale, view.crop_px) for scale in preset.scales) or (view.resize_px,)
