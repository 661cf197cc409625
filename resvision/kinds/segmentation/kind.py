"""Segmentation without torch: a class for every pixel, judged by mean IoU."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.images import VOID, Pixels
from resvision.core.masks import encode_mask, label_colours
from resvision.core.plurals import counted
from resvision.core.results import LabelMap
from resvision.core.samples import Mask, Reader
from resvision.core.settings import Scalar
from resvision.core.view_geometry import Geometry
from resvision.geometry.tiles import TILE_OVERLAP_PX, InputRule, Tiling, labels_in_windows, tiling_of
from resvision.kinds.graph import PIXELS, Graph
from resvision.kinds.kind import (
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
    Seen,
    Table,
    percent,
)
from resvision.kinds.segmentation.exam import SegmentationExam
from resvision.kinds.segmentation.overlays import overlay
from resvision.kinds.segmentation.panels import WRONG, asked_of, panels, require_same_error
from resvision.kinds.segmentation.presets import PRESETS
from resvision.kinds.segmentation.scores import SegmentationScores, pooled

CONFUSION_UP_TO = 20
"""The largest number of classes whose confusion is printed."""
PERCENT_UP_TO = 25
"""The largest number of classes whose cells hold whole percents on the page."""
EXAMPLES = 6
"""The number of images on the page."""


class Segmentation(Kind[SegmentationScores, LabelMap, Mask]):
    """The task whose systems predict class probabilities of every pixel; its results are label maps."""

    name = "segmentation"
    layouts = ("resvision.data.mask_folder:LAYOUT", "resvision.data.listed_masks:TABLE")
    judged_by = ("-mean_iou", "loss")
    main_name = "mean IoU"
    figures = ("loss", "mean_iou", "pixel_accuracy")
    shares = frozenset({"error", "mean_iou", "pixel_accuracy"})
    nouns: ClassVar[dict[str, str]] = {"error": "pixel error", "mean_iou": "mean IoU"}
    columns = (
        Column("train pixel error", "training", "error", "lower"),
        Column("best validation mean IoU", "validation", "mean_iou", "higher"),
        Column("mean IoU", "test", "mean_iou", "higher"),
        Column("pixel accuracy", "test", "pixel_accuracy", "higher"),
        Column("f.w. IoU", "result", "frequency_weighted_iou", "higher"),
    )
    curves = (
        Curve("mean IoU", "rising", lambda figures: figures["mean_iou"]),
        Curve("pixel error", "falling", lambda figures: 1 - figures["pixel_accuracy"], trained="error"),
        Curve("loss", "logarithmic", lambda figures: figures["loss"], trained="loss", unit=""),
    )
    footnote = "F.w. IoU is the frequency-weighted one: every class counts by its pixels."
    options = frozenset({"out"})
    refused: ClassVar[dict[str, str]] = {
        "csv": "areas of classes come as --json",
        "top": "a pixel has one class; leave it out",
        "scales": "scales are those of the protocol; leave them out",
        "compile": "nothing is compiled; leave it out",
        "ensemble": "label maps of several runs are not averaged; leave it out",
    }
    compared: ClassVar[dict[str, str]] = {"mean_iou": "mean IoU", "pixel_accuracy": "pixel accuracy"}
    protocols = tuple(ListedProtocol(preset.name, preset.summary, preset.source) for preset in PRESETS)

    def target_fault(self, target: Any, classes: Sequence[str]) -> str:
        """The fault of a target that is no label map, in words."""
        if not isinstance(target, np.ndarray) or target.ndim != 2 or target.dtype != np.uint8:
            return f"a {type(target).__name__} where a label map, uint8 (H, W), is due"
        wrong = target[(target >= len(classes)) & (target != VOID)]
        return f"label {wrong[0]}, not one of 0..{len(classes) - 1}" if wrong.size else ""

    def decode(self, raw: NDArray[Any], geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> LabelMap:
        """The label map at the size of the image, of labels (h, w) uint8 of its view."""
        return LabelMap(source=source, classes=classes, labels=geometry.map_to_image(raw))

    def answers(self, graph: Graph, seen: Sequence[Seen], fixed: Mapping[str, Scalar]) -> list[Pixels]:
        """The label maps of views, (h, w) uint8, in windows of the graph's size where it has one and they another."""
        side_px, *_ = graph.inputs[PIXELS]
        names = ("multiple", "offset", "border_px")
        rule = InputRule(*(int(fixed.get(name) or default) for name, default in zip(names, (1, 0, 0), strict=True)))

        def labels_of(windows: Pixels) -> Pixels:
            (labels,) = graph({PIXELS: windows}).values()
            return labels

        if rule.border_px == 0 and all(one.pixels.shape[:2] == (side_px, side_px) for one in seen):
            return [*labels_of(np.stack([one.pixels for one in seen]))]
        if side_px is None:
            tilings = [tiling_of(one.pixels.shape[:2], rule) for one in seen]
        else:
            rule = replace(rule, fixed_px=side_px)
            tilings = [Tiling(side_px, min(TILE_OVERLAP_PX, side_px // 8))] * len(seen)
        return [
            labels_in_windows(labels_of, one.pixels, rule=rule, tiling=tiling)
            for one, tiling in zip(seen, tilings, strict=True)
        ]

    def answer_fault(self, answer: Pixels, classes: Sequence[str]) -> str:
        """The fault of an answer that is no map of the classes' labels, in words."""
        return self.target_fault(answer, classes) or ("label 255, which means void" if (answer == VOID).any() else "")

    def agreement(self, one: LabelMap, other: LabelMap) -> float:
        """The share of the pixels that both label alike."""
        return float((one.labels == other.labels).mean())

    def exam(self, model: ModelCard, reader: Reader[Mask], protocol: str | None = None) -> SegmentationExam:
        """IoU of whole images, each seen once; label maps have no loss."""
        return SegmentationExam(model, reader, protocol)

    def pooled(self, scores: Sequence[SegmentationScores]) -> SegmentationScores:
        """Add up the confusions; the loss is that of a pixel."""
        return pooled(scores)

    amount_noun = "pixels"
    counted_targets = 100

    def amounts(self, target: Mask, classes: int) -> NDArray[np.int64]:
        """The pixels of each class in a label map, void ones left out."""
        return np.bincount(target[target != VOID], minlength=classes)

    def read_scores(self, data: Any) -> SegmentationScores:
        """Read confusion and worst images."""
        return SegmentationScores.from_json(data)

    def sentence(self, scores: SegmentationScores, data: str) -> str:
        """The share of right pixels and the mean IoU."""
        images = counted(scores.images, "test image")
        return (
            f"labels {100 * scores.pixel_accuracy:.2f} % of the pixels of {images}{data} right"
            f" (mean IoU {100 * scores.mean_iou:.2f} %)"
        )

    def lines(self, scores: SegmentationScores) -> list[tuple[str, str]]:
        """The four figures of Long et al. 2015, loss where it is known, images."""
        lines = [
            ("mean IoU", f"{scores.mean_iou:.2%}"),
            ("pixel accuracy", f"{scores.pixel_accuracy:.2%}"),
            ("mean accuracy", f"{scores.mean_accuracy:.2%}"),
            ("frequency-weighted IoU", f"{scores.frequency_weighted_iou:.2%}"),
            ("loss", f"{scores.loss:.4f}"),
            ("images", f"{scores.images:,}"),
        ]
        return [(name, value) for name, value in lines if value != "nan"]  # an exported net gives no loss

    def tables(self, scores: SegmentationScores) -> list[Table]:
        """A table of the pixels, IoU and accuracy of every class, and the confusion in percent of the true class."""
        pixels = scores.confusion.sum(axis=1)
        columns = zip(scores.classes, pixels, scores.iou, scores.accuracy, strict=True)
        rows = [(name, f"{count:,}", percent(iou), percent(accuracy)) for name, count, iou, accuracy in columns]
        tables = [Table(("class", "pixels", "IoU", "accuracy"), rows, ("pixels", "IoU", "accuracy"))]
        if len(scores.classes) <= CONFUSION_UP_TO:
            indices = tuple(str(k) for k in range(len(scores.classes)))
            named = zip(indices, scores.classes, scores.confusion, pixels, strict=True)
            cells = [(index, name, *(_percent(cell, count) for cell in row)) for index, name, row, count in named]
            title = "% of pixels by true class (rows) and predicted class (columns), zeros left blank"
            tables.append(Table(("", "true class", *indices), cells, indices, title, ("true class",)))
        return tables

    def class_table(self, scores: SegmentationScores) -> ClassTable:
        """The pixels, IoU and accuracy of every class, with the colours of its label maps, and the means."""
        colours = [_hex(colour) for colour in label_colours(scores.classes)]
        columns = zip(scores.classes, scores.confusion.sum(axis=1), scores.iou, scores.accuracy, strict=True)
        rows = [
            ClassRow(name, int(pixels), (iou, accuracy), colours[label])
            for label, (name, pixels, iou, accuracy) in enumerate(columns)
        ]
        return ClassTable(("pixels", "IoU", "accuracy"), rows, (scores.mean_iou, scores.mean_accuracy))

    def matrix(self, scores: SegmentationScores) -> Matrix:
        """The confusion matrix in whole percents of the true class's pixels."""
        caption = "Percent of the true class's pixels, below half a percent left out"
        return Matrix(scores.classes, scores.confusion, True, PERCENT_UP_TO, caption)

    predicts_examples = True

    def worst(self, scores: SegmentationScores) -> list[Example]:
        """The images with the most wrong pixels."""
        return [Example(image.index, image.source) for image in scores.worst[:EXAMPLES]]

    def none_wrong(self, scores: SegmentationScores) -> str:
        """The sentence that all pixels are right."""
        return f"None: every pixel of all {counted(scores.images, 'test image')} is right."

    def exhibit(
        self, scores: SegmentationScores, rank: int, image: Pixels, target: Mask, result: LabelMap | None
    ) -> Exhibit:
        """Photo, truth, prediction and difference, side by side."""
        assert result is not None, "predicts_examples"
        worst = scores.worst[rank]
        require_same_error(worst, target, result.labels)
        text = f"{100 * worst.pixel_error:.2f} % of the pixels wrong"
        pictures = panels(image, target, result.labels, label_colours(scores.classes))
        asked = asked_of(target, result.labels, scores.classes)
        return Exhibit(worst.source, PurePath(worst.source).name, text, pictures, asked=asked)

    def legend(
        self, scores: SegmentationScores, shown: Sequence[tuple[Mask, LabelMap | None]]
    ) -> list[tuple[str, str]]:
        """The classes that occur, void, and the colour of wrong pixels."""
        occurring = {
            label
            for target, result in shown
            for labels in (target, *([] if result is None else [result.labels]))
            for label in np.unique(labels).tolist()
        }
        names = {**dict(enumerate(scores.classes)), VOID: "void, not judged"}
        colours = label_colours(scores.classes)
        legend = [(names[label], _hex(colours[label])) for label in sorted(occurring)]
        return [*legend, ("wrong, in the difference", _hex(np.array(WRONG, dtype=np.uint8)))]

    def line(self, result: LabelMap) -> str:
        """The share of the image that each class covers, the largest first."""
        areas = result.areas
        whole = areas.width * areas.height
        ranked = sorted(zip(areas.pixels, areas.classes, strict=True), key=lambda area: -area[0])
        return f"{areas.source}: {', '.join(f'{name} {count / whole:.1%}' for count, name in ranked if count)}"

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The paths of the label map and of its overlay."""
        return out / f"{source.stem}.png", out / f"{source.stem}-overlay.png"

    def contents(self, result: LabelMap, image: Pixels) -> Iterator[bytes]:
        """Yield the labels as palette indices, and the image with the labels laid over it, both as PNG."""
        colours = label_colours(result.classes)
        yield encode_mask(result.labels, colours)
        stream = BytesIO()
        picture = overlay(image, result.labels, colours, result.classes)
        picture.save(stream, "PNG", compress_level=1)  # a fifth of the time, for files a seventh larger
        yield stream.getvalue()


def _percent(cell: int, count: int) -> str:
    """The share of a true class in percent, blank where it is nothing, - where the class never occurs."""
    if not count:
        return "-"
    return f"{100 * cell / count:.1f}" if cell else ""


def _hex(colour: NDArray[np.uint8]) -> str:
    return f"#{bytes(colour).hex()}"


KIND = Segmentation()
