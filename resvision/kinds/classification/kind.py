"""Classification without torch: one label an image, judged by top-1 error."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.core.plurals import counted
from resvision.core.results import ClassScores
from resvision.core.samples import Reader
from resvision.core.view_geometry import Geometry
from resvision.kinds.classification.exam import ClassificationExam
from resvision.kinds.classification.presets import PRESETS
from resvision.kinds.classification.scores import ClassificationScores, pooled
from resvision.kinds.kind import (
    Asked,
    ClassRow,
    ClassTable,
    Column,
    Curve,
    Example,
    Exhibit,
    Kind,
    ListedProtocol,
    Matrix,
    ModelCard,
    Panel,
    Table,
    percent,
)

CONFUSION_UP_TO = 20
"""The largest number of classes whose confusion is printed, and whose cells hold counts on the page."""


class Classification(Kind[ClassificationScores, ClassScores, int]):
    """The task whose systems predict class probabilities, (K,) for an image."""

    name = "classification"
    layouts = ("resvision.data.folder:LAYOUT", "resvision.data.image_table:TABLE")
    judged_by = ("top1_error", "loss")
    figures = ("loss", "top1_error", "top5_error")
    shares = frozenset({"error", "top1_error", "top5_error"})
    nouns: ClassVar[dict[str, str]] = {"top1_error": "top-1 error", "top5_error": "top-5 error"}
    told_from: ClassVar[dict[str, int]] = {"top5_error": 6}
    columns = (
        Column("train error", "training", "error", "lower"),
        Column("best validation top-1 error", "validation", "top1_error", "lower"),
        Column("top-1 error", "test", "top1_error", "lower"),
        Column("top-5 error", "test", "top5_error", "lower", classes=told_from["top5_error"]),
    )
    curves = (
        Curve("error", "falling", lambda figures: figures["top1_error"], trained="error"),
        Curve("loss", "logarithmic", lambda figures: figures["loss"], trained="loss", unit=""),
    )
    worst_title = "Worst mistakes"
    worst_note = "True → predicted, with the probability that was given to the wrong class; the surest first."
    options = frozenset({"scales", "compile", "ensemble", "csv", "top"})
    refused: ClassVar[dict[str, str]] = {
        "out": "gives classes of images, not label maps: leave --out away, or redirect the output"
    }
    compared: ClassVar[dict[str, str]] = {"top1_error": "top-1", "top5_error": "top-5"}
    protocols = tuple(
        ListedProtocol(preset.name, preset.summary, preset.source, ", ".join(map(str, preset.scales)))
        for preset in PRESETS
    )

    def target_fault(self, target: Any, classes: Sequence[str]) -> str:
        """The fault of a target that is no class index, in words."""
        if not isinstance(target, int | np.integer) or isinstance(target, bool):
            return f"a {type(target).__name__} where the index of a class is due"
        return "" if 0 <= target < len(classes) else f"class {target}, not one of 0..{len(classes) - 1}"

    def decode(self, raw: NDArray[Any], geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> ClassScores:
        """All classes ranked by their probabilities (K,); ties keep the order of the classes."""
        ranked = np.argsort(-raw, kind="stable")
        return ClassScores(
            source=source, labels=tuple(classes[k] for k in ranked), scores=tuple(float(raw[k]) for k in ranked)
        )

    def answer_fault(self, answer: NDArray[Any], classes: Sequence[str]) -> str:
        """The fault of an answer that is no probability of each class, in words."""
        fits = answer.shape == (len(classes),)
        return "" if fits else f"scores of shape {answer.shape}, for {len(classes)} classes"

    def agreement(self, one: ClassScores, other: ClassScores) -> float:
        """Whether both name the same class first."""
        return float(one.label == other.label)

    def exam(self, model: ModelCard, reader: Reader[int], protocol: str | None = None) -> ClassificationExam:
        """Top-1 and top-5 error, loss and confusion of one view of each image."""
        return ClassificationExam(model, reader, protocol)

    def pooled(self, scores: Sequence[ClassificationScores]) -> ClassificationScores:
        """Add up the confusions; means are over all images."""
        return pooled(scores)

    def amounts(self, target: int, classes: int) -> NDArray[np.int64]:
        """One image of the class."""
        return np.bincount([target], minlength=classes)

    def read_scores(self, data: Any) -> ClassificationScores:
        """Read errors, confusion and mistakes."""
        return ClassificationScores.from_json(data)

    def sentence(self, scores: ClassificationScores, data: str) -> str:
        """The number of wrong images and the top-1 error."""
        wrong = scores.images - int(np.trace(scores.confusion))
        images = counted(scores.images, "test image")
        return f"gets {wrong:,} of {images}{data} wrong (top-1 error {100 * scores.top1_error:.2f} %)"

    def lines(self, scores: ClassificationScores) -> list[tuple[str, str]]:
        """Top-1 error, top-5 error unless one of five is always right, loss, images."""
        top5 = [("top-5 error", f"{scores.top5_error:.2%}")] if len(scores.classes) > 5 else []
        return [
            ("top-1 error", f"{scores.top1_error:.2%}"),
            *top5,
            ("loss", f"{scores.loss:.4f}"),
            ("images", f"{scores.images:,}"),
        ]

    def tables(self, scores: ClassificationScores) -> list[Table]:
        """A table of the images, recall and precision of every class, and the confusion matrix."""
        numbers = ("images", "recall", "precision")
        columns = zip(scores.classes, scores.confusion.sum(axis=1), scores.recall, scores.precision, strict=True)
        rows = [
            (name, f"{images:,}", percent(recall), percent(precision)) for name, images, recall, precision in columns
        ]
        tables = [Table(("class", *numbers), rows, numbers)]
        if len(scores.classes) <= CONFUSION_UP_TO:
            indices = tuple(str(k) for k in range(len(scores.classes)))
            named = zip(indices, scores.classes, scores.confusion, strict=True)
            cells = [(index, name, *(f"{cell or ''}" for cell in row)) for index, name, row in named]
            title = "Images by true class (rows) and predicted class (columns), zeros left blank"
            tables.append(Table(("", "true class", *indices), cells, indices, title, ("true class",)))
        return tables

    def class_table(self, scores: ClassificationScores) -> ClassTable:
        """The images, recall and precision of every class."""
        columns = zip(scores.classes, scores.confusion.sum(axis=1), scores.recall, scores.precision, strict=True)
        rows = [ClassRow(name, int(images), (recall, precision)) for name, images, recall, precision in columns]
        return ClassTable(("images", "recall", "precision"), rows)

    def matrix(self, scores: ClassificationScores) -> Matrix:
        """The confusion matrix in counts of images."""
        return Matrix(scores.classes, scores.confusion, False, CONFUSION_UP_TO, "Counts of test images")

    def worst(self, scores: ClassificationScores) -> list[Example]:
        """The wrong images with the greatest probability of the wrong class."""
        return [Example(mistake.index, mistake.source) for mistake in scores.mistakes]

    def none_wrong(self, scores: ClassificationScores) -> str:
        """The sentence that all images are right."""
        return f"None: all {counted(scores.images, 'test image')} were recognised."

    def exhibit(
        self, scores: ClassificationScores, rank: int, image: Pixels, target: int, result: ClassScores | None
    ) -> Exhibit:
        """The image with its true and its predicted class."""
        mistake = scores.mistakes[rank]
        if scores.classes[target] != mistake.true:
            raise DataError(
                f"{mistake.source}: was {mistake.true!r} when the run was scored, is {scores.classes[target]!r}"
            )
        picture = Image.fromarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image)
        probability = f"{100 * mistake.score:.1f} %"
        asked = tuple(Asked(name, f"for {name}") for name in (mistake.predicted, mistake.true))
        panels = (Panel("", picture),)
        return Exhibit(mistake.source, mistake.predicted, probability, panels, f"{mistake.true} →", asked)

    usual_top = 5

    def limited(self, result: ClassScores, top: int | None) -> ClassScores:
        """The result with its `top` most probable classes."""
        return result.best(top)

    def line(self, result: ClassScores) -> str:
        """The source, and the classes with their probabilities."""
        ranked = ", ".join(f"{label} {score:.1%}" for label, score in zip(result.labels, result.scores, strict=True))
        return f"{result.source}: {ranked}"

    csv_header = ("source", "rank", "label", "score")

    def csv_rows(self, result: ClassScores) -> list[tuple[Any, ...]]:
        """A CSV row for each class."""
        ranked = enumerate(zip(result.labels, result.scores, strict=True), start=1)
        return [(result.source, rank, label, f"{score:.6f}") for rank, (label, score) in ranked]


KIND = Classification()
