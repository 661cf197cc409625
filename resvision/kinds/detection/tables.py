"""The tables of detection: of classes, of sizes, of faults, and the confusion with the background."""

from collections.abc import Callable
from math import nan

from resvision.kinds.detection.pictures import class_colours, hex_of
from resvision.kinds.detection.presets import find
from resvision.kinds.detection.scores import ClassPrecision, DetectionScores
from resvision.kinds.kind import ClassRow, ClassTable, Matrix, Table, percent
from resvision.kinds.terminal_tables import as_text

BACKGROUND = "background"
CONFUSION_UP_TO = 20
"""The largest number of classes whose confusion is printed, and whose cells hold counts on the page."""
_SIZES = {
    "all": "all",
    "small": "small, to 32 x 32 px",
    "medium": "medium, to 96 x 96 px",
    "large": "large",
}
_FAULTS = {
    "right": "right",
    "missed": "missed objects",
    "invented": "invented",
    "wrong_class": "wrong class",
    "wrong_place": "wrong place (IoU 0.1 to 0.5)",
    "twice": "found twice",
}


def for_terminal(scores: DetectionScores) -> list[Table]:
    """Tables of the classes, the sizes, the faults, and of the confusion where it is small enough."""
    numbers = ("boxes", "AP", "AP50", "AP75", "VOC07 AP", "VOC AP")
    rows = [(row.name, f"{row.boxes:,}", *map(_percent, _precisions(row))) for row in scores.per_class]
    tables = [Table(("class", *numbers), rows, numbers), *map(as_text, of_sizes_and_faults(scores))]
    if len(scores.classes) <= CONFUSION_UP_TO:
        names = (*scores.classes, BACKGROUND)
        indices = tuple(str(k) for k in range(len(names)))
        named = zip(indices, names, scores.confusion, strict=True)
        cells = [(index, name, *(f"{cell or ''}" for cell in row)) for index, name, row in named]
        title = "Boxes by true class (rows) and predicted class (columns), zeros left blank"
        tables.append(Table(("", "true class", *indices), cells, indices, title, ("true class",)))
    return tables


def of_sizes_and_faults(scores: DetectionScores) -> list[ClassTable]:
    """Tables of the figures by size, and of the boxes by what is wrong with them."""
    sizes = [ClassRow(_SIZES[row.size], row.boxes, _shares(row.ap, row.ar100)) for row in scores.sizes]
    faults = [ClassRow(words, getattr(scores.boxes, name), ()) for name, words in _FAULTS.items()]
    return [
        ClassTable(("boxes", "AP", "recall at 100"), sizes, title="AP by the size of objects", noun="objects"),
        ClassTable(("number",), faults, title=f"Boxes from a score of {scores.score:.2f} on", noun="boxes"),
    ]


def of_classes(scores: DetectionScores, *, noun: Callable[[str], str]) -> ClassTable:
    """The boxes of every class, and the average precision by the rule of the protocol, with the means.

    noun  the name of a figure in text
    """
    names = [*dict.fromkeys((find(scores.protocol).figure, "ap", "ap50", "ap75"))]
    rows = [
        ClassRow(row.name, row.boxes, _shares(*(getattr(row, name) for name in names)), hex_of(colour))
        for row, colour in zip(scores.per_class, class_colours(len(scores.classes)), strict=True)
    ]
    means = tuple(getattr(scores, name) for name in names)
    return ClassTable(("boxes", *map(noun, names)), rows, means)


def confusion(scores: DetectionScores) -> Matrix:
    """The confusion of the classes and the background, in counts of boxes."""
    caption = (
        f"Counts of boxes at an IoU of 0.5, of detections from a score of {scores.score:.2f} on. The column of the"
        " background holds objects that were not found, its row detections that are about no object"
    )
    return Matrix((*scores.classes, BACKGROUND), scores.confusion, False, CONFUSION_UP_TO, caption)


def _precisions(row: ClassPrecision) -> tuple[float | None, ...]:
    return row.ap, row.ap50, row.ap75, row.voc07, row.voc_area


def _percent(share: float | None) -> str:
    return percent(nan if share is None else share)


def _shares(*shares: float | None) -> tuple[float, ...]:
    return tuple(nan if share is None else share for share in shares)
