"""Scores of a classifier over a data set, added up from its probabilities for batch after batch.

Glossary
    probabilities  (N, K) float, rows sum to 1
    confusion      (K, K) counts, row = true class, column = predicted class
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core import notebooks
from resvision.core.errors import NonFiniteLossError
from resvision.core.plurals import counted
from resvision.core.results import Count, Share, number, shares
from resvision.kinds.worst_images import WorstImages

Ints = NDArray[np.int64]

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
        return f"top-1 error {self.top1_error:.2%}{top5}, loss {self.loss:.4f} on {counted(self.images, 'test image')}"

    def __repr__(self) -> str:
        return f"ClassificationScores({self.summary()})"

    def _repr_html_(self) -> str:
        return notebooks.class_table(self.summary(), self.to_json()["per_class"])

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
    """Score probabilities (N, K) against class indices (N,); `source(i)` names image i. Raises what
    `Tally.scores` does."""
    tally = Tally(len(targets), len(classes))
    tally.add(np.arange(len(targets)), probabilities, targets)
    return tally.scores(classes, source)


def pooled(scores: Sequence[ClassificationScores]) -> ClassificationScores:
    """The scores of several sets taken together, of the same classes; an index of a mistake is that in its own set."""
    images = np.array([part.images for part in scores])
    mistakes = sorted((mistake for part in scores for mistake in part.mistakes), key=lambda mistake: -mistake.score)

    def mean(figures: list[float]) -> float:
        return float(np.dot(figures, images) / images.sum())

    return ClassificationScores(
        classes=scores[0].classes,
        images=int(images.sum()),
        loss=mean([part.loss for part in scores]),
        top1_error=mean([part.top1_error for part in scores]),
        top5_error=mean([part.top5_error for part in scores]),
        confusion=np.sum([part.confusion for part in scores], axis=0),
        mistakes=tuple(mistakes[:WORST]),
    )


class Tally:
    """The counts of a data set, added up batch by batch.

    Of each image the probability of its true class is kept, besides the surest mistakes. Sums do not depend on the
    order of images, nor on the processes that counted them.
    """

    def __init__(self, images: int, classes: int) -> None:
        self._confusion = np.zeros((classes, classes), dtype=np.int64)
        self._true_class_probability = np.full(images, np.nan, dtype=np.float32)
        self._behind: Ints = np.zeros(2, dtype=np.int64)  # images whose class is not the first, not among five
        self._worst: WorstImages[tuple[int, int]] = WorstImages(WORST)
        self._finite = True

    def add(self, indices: Ints, probabilities: NDArray[np.float32], targets: Ints) -> None:
        """Add images by their indices (N,) in the set, probabilities (N, K) and class indices (N,).

        A class tied with the true one does not push it out: the true class is among the top k when fewer than
        k classes are more probable, ties broken towards the lower index as argmax does.
        """
        if not np.isfinite(probabilities).all():
            self._finite = False  # raised by `scores`, in all processes alike
            return
        assert np.isnan(self._true_class_probability[indices]).all(), "an image was counted twice"
        of_truth = probabilities[np.arange(len(targets)), targets]
        ahead = probabilities > of_truth[:, None]
        ahead |= (probabilities == of_truth[:, None]) & (np.arange(probabilities.shape[1]) < targets[:, None])
        rank = ahead.sum(axis=1)
        predicted = probabilities.argmax(axis=1)
        np.add.at(self._confusion, (targets, predicted), 1)
        self._true_class_probability[indices] = of_truth
        self._behind += [int((rank >= 1).sum()), int((rank >= 5).sum())]
        for i in np.flatnonzero(rank > 0).tolist():
            self._worst.add(
                int(indices[i]), float(probabilities[i, predicted[i]]), (int(targets[i]), int(predicted[i]))
            )

    def merge(self, other: "Tally") -> None:
        """Add the images that another process counted."""
        self._finite &= other._finite
        self._confusion += other._confusion
        own = self._true_class_probability
        self._true_class_probability = np.where(np.isnan(own), other._true_class_probability, own)
        self._behind += other._behind
        self._worst.merge(other._worst)

    def scores(self, classes: tuple[str, ...], source: Callable[[int], str]) -> ClassificationScores:
        """The scores of all images; `source(i)` names image i.

        Raises NonFiniteLossError where probabilities were not numbers.
        """
        if not self._finite:
            raise NonFiniteLossError(
                "the net's predictions are not finite: its weights are damaged or its training diverged"
            )
        probability = self._true_class_probability
        assert not np.isnan(probability).any(), "an image was not counted"
        top1_error, top5_error = (int(count) / len(probability) for count in self._behind)
        return ClassificationScores(
            classes=classes,
            images=len(probability),
            loss=float(-np.log(np.maximum(probability.astype(np.float64), np.finfo(np.float32).tiny)).mean()),
            top1_error=top1_error,
            top5_error=top5_error,
            confusion=self._confusion,
            mistakes=tuple(
                Mistake(
                    index=worst.image,
                    source=source(worst.image),
                    true=classes[worst.value[0]],
                    predicted=classes[worst.value[1]],
                    score=worst.badness,
                )
                for worst in self._worst.ranked()
            ),
        )
