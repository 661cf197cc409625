"""Scores of label maps over a data set, from the confusion of each image's pixels.

Glossary
    confusion  (K, K) pixel counts, row = true class, column = predicted class; void pixels are in none
    IoU        of a class: pixels that both have over pixels that either has (intersection over union)
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NamedTuple, TypedDict

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.core.images import VOID
from resvision.core.results import Count, Share, number, shares

Floats = NDArray[np.float64]

WORST = 12  # images that are kept by name


class ImageCounts(NamedTuple):
    """The counts of one image: its index in the set, its confusion (K, K), the sum of its cross-entropies in nats."""

    image: int
    confusion: NDArray[np.int64]
    loss: float

    @property
    def pixel_error(self) -> float:
        """The share of wrong pixels; 0 where all are void."""
        return 1 - float(np.trace(self.confusion)) / max(1, int(self.confusion.sum()))


@dataclass(frozen=True, kw_only=True)
class WorstImage:
    """One image with the share of its pixels, void left out, that were given the wrong class."""

    index: Count
    source: str
    pixel_error: Share


_Row = TypedDict("_Row", {"class": str})


class _Document(TypedDict):
    """The document that `SegmentationScores.to_json` writes, as far as reading it needs."""

    images: Count
    loss: Annotated[float, Meta(ge=0, le=1e300)]
    per_class: Annotated[list[_Row], Meta(min_length=1)]
    confusion: list[list[Count]]
    worst: list[WorstImage]


@dataclass(frozen=True, kw_only=True)
class SegmentationScores:
    """Scores of label maps over a data set, all from one confusion matrix (Long et al. 2015, section 5).

    `loss` is the mean cross-entropy of a pixel in nats. `worst` holds the images with the most wrong pixels. A class
    that neither occurs nor is predicted has no IoU, and one that does not occur no accuracy: NaN, not in the means.
    """

    classes: tuple[str, ...]
    images: int
    loss: float
    confusion: NDArray[np.int64]
    worst: tuple[WorstImage, ...]

    @property
    def pixel_accuracy(self) -> float:
        """The share of all pixels that are right."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def accuracy(self) -> Floats:
        """The share of each class's pixels that are right, (K,)."""
        return shares(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def iou(self) -> Floats:
        """The IoU of each class, (K,)."""
        right = np.diag(self.confusion)
        return shares(right, self.confusion.sum(axis=1) + self.confusion.sum(axis=0) - right)

    @property
    def mean_accuracy(self) -> float:
        """The mean of the classes' accuracies."""
        return float(np.nanmean(self.accuracy))

    @property
    def mean_iou(self) -> float:
        """The mean of the classes' IoU."""
        return float(np.nanmean(self.iou))

    @property
    def frequency_weighted_iou(self) -> float:
        """The mean of the classes' IoU, each weighted by its pixels."""
        pixels = self.confusion.sum(axis=1)
        return float(np.nansum(pixels * self.iou) / pixels.sum())

    def figures(self) -> dict[str, float]:
        """The figures of a line of the history."""
        return {"loss": self.loss, "mean_iou": self.mean_iou, "pixel_accuracy": self.pixel_accuracy}

    def summary(self) -> str:
        """The four figures of Long et al. and the loss in a line."""
        return (
            f"mean IoU {self.mean_iou:.2%}, pixel accuracy {self.pixel_accuracy:.2%}, mean accuracy"
            f" {self.mean_accuracy:.2%}, frequency-weighted IoU {self.frequency_weighted_iou:.2%}, loss {self.loss:.4f}"
            f" on {self.images:,} test images"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, per-class rows included."""
        rows = zip(self.classes, self.confusion.sum(axis=1), self.accuracy, self.iou, strict=True)
        return {
            "images": self.images,
            "loss": self.loss,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": self.mean_accuracy,
            "mean_iou": self.mean_iou,
            "frequency_weighted_iou": self.frequency_weighted_iou,
            "per_class": [
                {"class": name, "pixels": int(pixels), "accuracy": number(accuracy), "iou": number(iou)}
                for name, pixels, accuracy, iou in rows
            ],
            "confusion": self.confusion.tolist(),
            "worst": [asdict(image) for image in self.worst],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SegmentationScores":
        """The scores that `to_json` wrote; ValueError for anything else."""
        try:
            document = msgspec.convert(data, _Document)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        classes = tuple(row["class"] for row in document["per_class"])
        if len(classes) > VOID:
            raise ValueError(f"{len(classes):,} classes, where a label map holds at most {VOID}")
        confusion = np.array(document["confusion"], dtype=np.int64)
        if confusion.shape != (len(classes), len(classes)):
            raise ValueError(f"confusion of shape {confusion.shape} for {len(classes)} classes")
        if not confusion.any():
            raise ValueError("no pixel was judged")
        if any(image.index >= document["images"] for image in document["worst"]):
            raise ValueError("an image among the worst that is not there")
        return cls(
            classes=classes,
            images=document["images"],
            loss=document["loss"],
            confusion=confusion,
            worst=tuple(document["worst"]),
        )


def scores_of(
    counts: Sequence[ImageCounts], *, classes: tuple[str, ...], source: Callable[[int], str]
) -> SegmentationScores:
    """Add the images' counts up to scores; DataError where not one pixel is judged."""
    confusion = np.sum([image.confusion for image in counts], axis=0)
    if not confusion.any():
        raise DataError("no pixel to judge: every mask is void throughout")
    worst = sorted(counts, key=lambda image: -image.pixel_error)[:WORST]
    return SegmentationScores(
        classes=classes,
        images=len(counts),
        loss=sum(image.loss for image in counts) / int(confusion.sum()),
        confusion=confusion,
        worst=tuple(
            WorstImage(index=image.image, source=source(image.image), pixel_error=image.pixel_error)
            for image in worst
            if image.pixel_error > 0
        ),
    )
