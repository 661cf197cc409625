"""Scores of label maps over a data set, from the confusion of each image's pixels.

Glossary
    confusion  (K, K) pixel counts, row = true class, column = predicted class; void pixels are in none
    IoU        of a class: pixels that both have over pixels that either has (intersection over union)
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypedDict

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core import notebooks
from resvision.core.errors import DataError, NonFiniteLossError
from resvision.core.images import VOID
from resvision.core.plurals import counted
from resvision.core.results import Count, Share, number, shares
from resvision.kinds.worst_images import WorstImages

Floats = NDArray[np.float64]

WORST = 12  # images that are kept by name


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
            f" on {counted(self.images, 'test image')}"
        )

    def __repr__(self) -> str:
        return f"SegmentationScores({self.summary()})"

    def _repr_html_(self) -> str:
        return notebooks.class_table(self.summary(), self.to_json()["per_class"])

    def to_json(self) -> dict[str, Any]:
        """Plain data, per-class rows included."""
        rows = zip(self.classes, self.confusion.sum(axis=1), self.accuracy, self.iou, strict=True)
        return {
            "images": self.images,
            "loss": number(self.loss),
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


def pooled(scores: Sequence[SegmentationScores]) -> SegmentationScores:
    """The scores of several sets taken together, of the same classes; an index of an image is that in its own set."""
    pixels = np.array([part.confusion.sum() for part in scores])
    worst = sorted((image for part in scores for image in part.worst), key=lambda image: -image.pixel_error)
    return SegmentationScores(
        classes=scores[0].classes,
        images=sum(part.images for part in scores),
        loss=float(np.dot([part.loss for part in scores], pixels) / pixels.sum()),
        confusion=np.sum([part.confusion for part in scores], axis=0),
        worst=tuple(worst[: max(len(part.worst) for part in scores)]),
    )


class Tally:
    """The counts of a data set, added up image by image; of each image its loss alone is kept, besides the worst.

    Sums do not depend on the order of images, nor on the processes that counted them.
    """

    def __init__(self, images: int, classes: int) -> None:
        self._confusion = np.zeros((classes, classes), dtype=np.int64)
        self._losses = np.full(images, np.nan)
        self._counted = np.zeros(images, dtype=np.bool_)
        self._worst: WorstImages[None] = WorstImages(WORST)
        self._finite = True

    def add(self, index: int, confusion: NDArray[np.int64], loss: float) -> None:
        """Add an image by its confusion (K, K) and the sum of its cross-entropies in nats, NaN where it has none."""
        assert not self._counted[index], "an image was counted twice"
        self._counted[index] = True
        self._confusion += confusion
        self._losses[index] = loss
        pixel_error = 1 - float(np.trace(confusion)) / max(1, int(confusion.sum()))
        if confusion.any() and pixel_error > 0:
            self._worst.add(index, pixel_error, None)

    def add_not_finite(self) -> None:
        """Note an image whose probabilities are not numbers; the scores of all processes are refused for it."""
        self._finite = False

    def merge(self, other: "Tally") -> None:
        """Add the images that another process counted."""
        self._finite &= other._finite
        self._confusion += other._confusion
        self._losses = np.where(self._counted, self._losses, other._losses)
        self._counted |= other._counted
        self._worst.merge(other._worst)

    def scores(self, classes: tuple[str, ...], source: Callable[[int], str]) -> SegmentationScores:
        """The scores of all images; `source(i)` names image i.

        Raises DataError where not one pixel is judged, NonFiniteLossError where probabilities were not numbers.
        """
        if not self._finite:
            raise NonFiniteLossError(
                "the net's predictions are not finite: its weights are damaged or its training diverged"
            )
        assert self._counted.all(), "an image was not counted"
        if not self._confusion.any():
            raise DataError("no pixel to judge: every mask is void throughout")
        return SegmentationScores(
            classes=classes,
            images=len(self._losses),
            # one after the other: `sum` of numpy adds in another order, that of Python in one of its version's
            loss=float(np.add.accumulate(self._losses)[-1]) / int(self._confusion.sum()),
            confusion=self._confusion,
            worst=tuple(
                WorstImage(index=worst.image, source=source(worst.image), pixel_error=worst.badness)
                for worst in self._worst.ranked()
            ),
        )
