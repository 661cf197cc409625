"""Results of single images as plain numpy dataclasses, which `predict`, a bundle and a server give back.

Each goes to JSON. Scores over a data set are in `resvision.kinds`, with their task.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core import notebooks
from resvision.core.masks import count_values, encode_mask, label_colours, write_mask
from resvision.core.terminal import visible

Count = Annotated[int, Meta(ge=0, le=2**53)]
Share = Annotated[float, Meta(ge=0, le=1)]

SHOWN = 3
"""Classes that a short text of a result names."""


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """The K classes of one image with their probabilities, most probable first."""

    source: str
    labels: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.labels[0]

    @property
    def score(self) -> float:
        """The probability of the most probable class, 0..1."""
        return self.scores[0]

    def __repr__(self) -> str:
        shown = [f"{label} {score:.1%}" for label, score in zip(self.labels, self.scores, strict=True)]
        rest = ", ..." if len(shown) > SHOWN else ""
        return visible(f"ClassScores({self.source}: {', '.join(shown[:SHOWN])}{rest})")

    def _repr_html_(self) -> str:
        return notebooks.table(self.source, ("class", "probability"), [*zip(self.labels, self.scores, strict=True)])

    def best(self, count: int | None) -> "ClassScores":
        """The result cut to its `count` most probable classes; None keeps all."""
        return ClassScores(source=self.source, labels=self.labels[:count], scores=self.scores[:count])

    def to_json(self) -> dict[str, Any]:
        """Plain data: source, label, score and the ranked classes."""
        ranked = [{"label": label, "score": score} for label, score in zip(self.labels, self.scores, strict=True)]
        return {"source": self.source, "label": self.label, "score": self.score, "classes": ranked}


@dataclass(frozen=True, kw_only=True)
class Areas:
    """The area of each class in one image: K pixel counts, in the order of the classes."""

    source: str
    width: int
    height: int
    classes: tuple[str, ...]
    pixels: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; `share` is a class's part of the whole image."""
        whole = self.width * self.height
        rows = zip(self.classes, self.pixels, strict=True)
        return {
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "classes": [{"class": name, "pixels": count, "share": count / whole} for name, count in rows],
        }


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """The labels of one image, (H, W) uint8 of 0..K-1, each the index of one of `classes`."""

    source: str
    classes: tuple[str, ...]
    labels: NDArray[np.uint8]

    @property
    def areas(self) -> Areas:
        """The area of each class in the image."""
        height, width = self.labels.shape
        pixels = count_values(self.labels)[: len(self.classes)].tolist()
        return Areas(source=self.source, width=width, height=height, classes=self.classes, pixels=tuple(pixels))

    def __repr__(self) -> str:
        height, width = self.labels.shape
        return visible(f"LabelMap({self.source}: {height}x{width} labels of {len(self.classes)} classes)")

    def _repr_html_(self) -> str:
        shares = [(row["class"], row["share"]) for row in self.to_json()["classes"]]
        picture = notebooks.picture(encode_mask(self.labels, label_colours(self.classes)), f"labels of {self.source}")
        return notebooks.table(self.source, ("class", "share"), shares) + picture

    def to_json(self) -> dict[str, Any]:
        """The areas of the classes, as plain data."""
        return self.areas.to_json()

    def save(self, path: str | Path) -> None:
        """Write the labels as a PNG of palette indices, in the colours of the overlays: whole, or RunError."""
        write_mask(Path(path), self.labels, label_colours(self.classes))


@dataclass(frozen=True, kw_only=True)
class Detections:
    """The M objects that were found in one image, the surest first.

    width, height  of the image as it is seen, in pixels
    boxes          (M, 4) float64, x1 y1 x2 y2 in continuous pixels of the image, (0, 0) being its upper left corner
    labels         (M,) int64, each the index of one of `classes`
    scores         (M,) float64, 0..1
    """

    source: str
    width: int
    height: int
    classes: tuple[str, ...]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """The class of each object."""
        return tuple(self.classes[label] for label in self.labels)

    def __repr__(self) -> str:
        shown = [f"{name} {score:.1%}" for name, score in zip(self.names, self.scores, strict=True)]
        rest = f", ... {len(shown)} in all" if len(shown) > SHOWN else ""
        return visible(f"Detections({self.source}: {', '.join(shown[:SHOWN]) or 'nothing'}{rest})")

    def _repr_html_(self) -> str:
        corners = (" ".join(f"{corner:.1f}" for corner in box) for box in self.boxes)
        rows = [*zip(self.names, self.scores.tolist(), corners, strict=True)]
        return notebooks.table(self.source, ("class", "score", "x1 y1 x2 y2"), rows)

    def at_least(self, score: float) -> "Detections":
        """The objects of this score or more."""
        return self.at(np.flatnonzero(self.scores >= score))

    def at(self, chosen: NDArray[np.int64]) -> "Detections":
        """The objects at these indices."""
        return replace(self, boxes=self.boxes[chosen], labels=self.labels[chosen], scores=self.scores[chosen])

    def to_json(self) -> dict[str, Any]:
        """Plain data: each object with its class, score and box, to a thousandth of a pixel."""
        rows = zip(self.names, self.scores.tolist(), np.round(self.boxes, 3).tolist(), strict=True)
        return {
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "objects": [{"label": name, "score": score, "box": box} for name, score, box in rows],
        }


def shares(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """The shares part / whole, element by element; NaN where the whole is 0."""
    quotients = np.full(len(part), np.nan)
    np.divide(part, whole, out=quotients, where=whole > 0)
    return quotients


def number(value: float) -> float | None:
    """The value as JSON knows it: None for NaN."""
    return None if np.isnan(value) else float(value)
