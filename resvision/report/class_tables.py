"""The scores of every class as rows of text, of either task."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from resvision.core.label_maps import SegmentationScores
from resvision.core.masks import label_colours
from resvision.core.results import ClassificationScores
from resvision.report.record import Floats, Ints
from resvision.report.tables import hex_colour, percent


class ClassShare(NamedTuple):
    """A share as text, and as 0..100 for a bar."""

    text: str
    bar: float


class ClassRow(NamedTuple):
    """One class: how many images or pixels it has, and its two scores."""

    name: str
    amount: int
    shares: tuple[ClassShare, ClassShare]
    colour: str


class ClassTable(NamedTuple):
    """Headings of the count and of the two scores; all classes in order, and the worst by the first score.

    worst  empty where all are few enough to be shown
    means  of the two scores over the classes that have them, None where the task does not speak of means
    """

    headings: tuple[str, str, str]
    rows: list[ClassRow]
    worst: list[ClassRow]
    means: tuple[ClassShare, ClassShare] | None


def class_table(scores: ClassificationScores | SegmentationScores) -> ClassTable:
    """Images, recall and precision of every class; or pixels, IoU and accuracy, with the colours of its label maps."""
    counts = scores.confusion.sum(axis=1)
    if isinstance(scores, ClassificationScores):
        rows = _rows(scores.classes, counts, scores.recall, scores.precision, [""] * len(counts))
        return ClassTable(("images", "recall", "precision"), rows, _worst(rows), None)
    colours = [hex_colour(colour) for colour in label_colours(scores.classes)]
    rows = _rows(scores.classes, counts, scores.iou, scores.accuracy, colours)
    means = _share(scores.mean_iou), _share(scores.mean_accuracy)
    return ClassTable(("pixels", "IoU", "accuracy"), rows, _worst(rows), means)


def _rows(
    classes: Sequence[str], counts: Ints, first: Floats, second: Floats, colours: Sequence[str]
) -> list[ClassRow]:
    return [
        ClassRow(name, int(counts[k]), (_share(first[k]), _share(second[k])), colours[k])
        for k, name in enumerate(classes)
    ]


def _worst(rows: Sequence[ClassRow], *, many: int = 30, few: int = 15) -> list[ClassRow]:
    """The `few` classes that occur and have the lowest first score, worst first, where there are more than `many`."""
    seen = [row for row in rows if row.amount]
    return sorted(seen, key=lambda row: row.shares[0].bar)[:few] if len(rows) > many else []


def _share(share: float) -> ClassShare:
    return ClassShare(percent(share), round(100 * float(share), 2) if isfinite(share) else 0.0)
