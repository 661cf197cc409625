"""Scores of a classifier over a data set, from its probabilities for all images.

Glossary
    probabilities  (N, K) float, rows sum to 1
    confusion      (K, K) counts, row = true class, column = predicted class
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core.errors import NonFiniteLossError
from resvision.core.results import Count, Share, number, shares

WORST = 25  # mistakes that are kept by name


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
    """The document that `ClassificationScores.to_json` writes, as far as reading it needs."""

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
        """The share of each class's images that were recognised, (K,); NaN for a class without images."""
        return shares(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """The share of each class's predictions that were right, (K,); NaN for a class never predicted."""
        return shares(np.diag(self.confusion), self.confusion.sum(axis=0))

    def figures(self) -> dict[str, float]:
        """The figures of a line of the history."""
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
            document = msgspec.convert(data, _Document)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        classes = tuple(row["class"] for row in document["per_class"])
        confusion = np.array(document["confusion"], dtype=np.int64)
        if confusion.shape != (len(classes), len(classes)):
            raise ValueError(f"confusion of shape {confusion.shape} for {len(classes)} classes")
        if any(mistake.index >= document["images"] for mistake in document["mistakes"]):
            raise ValueError("a mistake in an image that is not there")
        return cls(
            classes=classes,
            images=document["images"],
            loss=document["loss"],
            top1_error=document["top1_error"],
            top5_error=document["top5_error"],
            confusion=confusion,
            mistakes=tuple(document["mistakes"]),
        )


def score(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    classes: tuple[str, ...],
    source: Callable[[int], str],
) -> ClassificationScores:
    """Score probabilities (N, K) against class indices (N,); `source(i)` names image i.

    A class tied with the true one does not push it out: the true class is among the top k when fewer than
    k classes are more probable, ties broken towards the lower index as argmax does. Raises NonFiniteLossError for
    probabilities that are not numbers.
    """
    if not np.isfinite(probabilities).all():
        raise NonFiniteLossError(
            "the net's predictions are not finite: its weights are damaged or its training diverged"
        )
    images = len(targets)
    true_class_probability = probabilities[np.arange(images), targets]
    ahead = probabilities > true_class_probability[:, None]
    ahead |= (probabilities == true_class_probability[:, None]) & (np.arange(len(classes)) < targets[:, None])
    rank = ahead.sum(axis=1)
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (targets, predicted), 1)
    wrong = np.flatnonzero(rank > 0)
    worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:WORST]
    return ClassificationScores(
        classes=classes,
        images=images,
        loss=float(-np.log(np.maximum(true_class_probability.astype(np.float64), np.finfo(np.float32).tiny)).mean()),
        top1_error=float((rank >= 1).mean()),
        top5_error=float((rank >= 5).mean()),
        confusion=confusion,
        mistakes=tuple(
            Mistake(
                index=int(i),
                source=source(int(i)),
                true=classes[targets[i]],
                predicted=classes[predicted[i]],
                score=float(probabilities[i, predicted[i]]),
            )
            for i in worst
        ),
    )
