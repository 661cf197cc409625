"""Results as plain numpy dataclasses: what `predict` and `evaluate` give back, and what goes to JSON.

Glossary
    probabilities  (N, K) float, rows sum to 1
    confusion      (K, K) counts, row = true class, column = predicted class
"""

from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

Count = Annotated[int, Meta(ge=0, le=2**53)]
Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """What a classifier says of one image: the K classes with their probabilities, most probable first."""

    source: str
    labels: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.labels[0]

    @property
    def score(self) -> float:
        """Its probability, 0..1."""
        return self.scores[0]

    def to_json(self) -> dict[str, Any]:
        """Plain data: source, label, score and the ranked classes."""
        ranked = [{"label": label, "score": score} for label, score in zip(self.labels, self.scores, strict=True)]
        return {"source": self.source, "label": self.label, "score": self.score, "classes": ranked}


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One wrongly classified image; `score` is the probability given to the wrong class."""

    index: Count
    source: str
    true: str
    predicted: str
    score: Share


_Row = TypedDict("_Row", {"class": str})


class _Document(TypedDict):
    """What `ClassificationScores.to_json` writes, as far as reading it needs."""

    images: Count
    loss: Annotated[float, Meta(ge=0, le=1e300)]
    top1_error: Share
    top5_error: Share
    per_class: Annotated[list[_Row], Meta(min_length=1)]
    confusion: list[list[Count]]
    mistakes: list[Mistake]


@dataclass(frozen=True, kw_only=True)
class ClassificationScores:
    """Scores of a classifier over a data set. Errors are shares 0..1; `loss` is mean cross-entropy in nats.

    `top5_error` is the share of images whose class is not among the five most probable; with five classes
    or fewer it is 0 by definition. `confusion` is (K, K) with true classes in rows. `mistakes` holds the worst
    ones, the surest error first.
    """

    classes: tuple[str, ...]
    images: int
    loss: float
    top1_error: float
    top5_error: float
    confusion: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of each class's images that were recognised, (K,); NaN for a class without images."""
        return shares(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of each class's predictions that were right, (K,); NaN for a class never predicted."""
        return shares(np.diag(self.confusion), self.confusion.sum(axis=0))

    def figures(self) -> dict[str, float]:
        """What a line of the history says."""
        return {"loss": self.loss, "top1_error": self.top1_error, "top5_error": self.top5_error}

    def summary(self) -> str:
        """Errors and loss in a line."""
        top5 = f", top-5 error {self.top5_error:.2%}" if len(self.classes) > 5 else ""
        return f"top-1 error {self.top1_error:.2%}{top5}, loss {self.loss:.4f} on {self.images:,} test images"

    def to_json(self) -> dict[str, Any]:
        """Plain data, per-class rows included."""
        rows = zip(self.classes, self.confusion.sum(axis=1), self.recall, self.precision, strict=True)
        return {
            "images": self.images,
            "loss": self.loss,
            "top1_error": self.top1_error,
            "top5_error": self.top5_error,
            "per_class": [
                {
                    "class": name,
                    "images": int(images),
                    "recall": number(recall),
                    "precision": number(precision),
                }
                for name, images, recall, precision in rows
            ],
            "confusion": self.confusion.tolist(),
            "mistakes": [vars(mistake) for mistake in self.mistakes],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ClassificationScores":
        """The scores that `to_json` wrote; ValueError for anything else."""
        try:
            read = msgspec.convert(data, _Document)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        classes = tuple(row["class"] for row in read["per_class"])
        confusion = np.array(read["confusion"], dtype=np.int64)
        if confusion.shape != (len(classes), len(classes)):
            raise ValueError(f"confusion of shape {confusion.shape} for {len(classes)} classes")
        if any(mistake.index >= read["images"] for mistake in read["mistakes"]):
            raise ValueError("a mistake in an image that is not there")
        return cls(
            classes=classes,
            images=read["images"],
            loss=read["loss"],
            top1_error=read["top1_error"],
            top5_error=read["top5_error"],
            confusion=confusion,
            mistakes=tuple(read["mistakes"]),
        )


def shares(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """part / whole, element by element; NaN where the whole is 0."""
    found = np.full(len(part), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def number(value: float) -> float | None:
    """The value as JSON knows it: None for NaN."""
    return None if np.isnan(value) else float(value)
