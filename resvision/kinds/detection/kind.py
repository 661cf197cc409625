"""Detection without torch: boxes and their classes, judged by average precision."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from math import nan
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import SettingsError
from resvision.core.images import Pixels
from resvision.core.plurals import counted
from resvision.core.results import Detections
from resvision.core.samples import Reader
from resvision.core.settings import Scalar
from resvision.core.view_geometry import Geometry
from resvision.geometry.boxes import iou
from resvision.kinds.detection import tables
from resvision.kinds.detection.asked_suppression import suppression_of
from resvision.kinds.detection.boxes import BoxTargets, RawDetections
from resvision.kinds.detection.curves import plots
from resvision.kinds.detection.exam import DetectionExam
from resvision.kinds.detection.panels import ERRORS, in_words, judge_image, outlines_of, panels, require_same_objects
from resvision.kinds.detection.pictures import class_colours, drawn, hex_of
from resvision.kinds.detection.presets import PRESETS, find
from resvision.kinds.detection.scores import DetectionScores
from resvision.kinds.detection.suppression import Suppression, suppressed
from resvision.kinds.graph import PIXELS, Graph
from resvision.kinds.kind import (
    ClassTable,
    Column,
    Curve,
    Example,
    Exhibit,
    Kind,
    ListedProtocol,
    Matrix,
    ModelCard,
    Plot,
    Seen,
    Table,
    percent,
)
from resvision.kinds.prediction_options import PredictionOptions

ALIKE_IOU = 0.9
"""The overlap from which on two boxes count as the same."""

EXAMPLES = 6
"""The number of images on the page."""


class Detection(Kind[DetectionScores, Detections, BoxTargets]):
    """The task whose systems find objects: boxes with a class and a score."""

    name = "detection"
    layouts = (
        "resvision.data.voc_boxes:LAYOUT",
        "resvision.data.coco_boxes:LAYOUT",
        "resvision.data.yolo_boxes:LAYOUT",
    )
    judged_by = ("-ap", "-ap50")
    main_name = "AP"
    figures = ("ap", "ap50", "ap75", "f1", "voc07")
    metrics = ()
    shares = frozenset(figures)
    nouns: ClassVar[dict[str, str]] = {
        "ap": "AP",
        "ap50": "AP50",
        "ap75": "AP75",
        "ap_small": "AP small",
        "ap_medium": "AP medium",
        "ap_large": "AP large",
        "ar1": "recall at 1",
        "ar10": "recall at 10",
        "ar100": "recall at 100",
        "ar_small": "recall small",
        "ar_medium": "recall medium",
        "ar_large": "recall large",
        "f1": "F1",
        "voc07": "VOC07 AP",
        "voc_area": "VOC AP",
    }
    columns = (
        Column("best validation AP", "validation", "ap", "higher"),
        Column("AP", "test", "ap", "higher"),
        Column("AP50", "test", "ap50", "higher"),
        Column("AP75", "test", "ap75", "higher"),
        Column("F1", "test", "f1", "higher"),
    )
    curves = (
        Curve("AP", "rising", lambda figures: figures["ap"]),
        Curve("AP50", "rising", lambda figures: figures["ap50"]),
        Curve("loss", "logarithmic", trained="loss", unit=""),
    )
    footnote = (
        "AP is COCO's: the mean over the classes and over ten thresholds of IoU; AP50 and AP75 are those at an IoU of"
        " 0.50 and 0.75. F1 is that of all boxes at an IoU of 0.50, at the score where it is highest."
    )
    options = frozenset({"out", "csv", "score", "iou", "suppress", "most", "proposals"})
    refused: ClassVar[dict[str, str]] = {
        "top": "boxes are chosen by their score; leave it out",
        "scales": "images are shown as the run shows them; leave it out",
        "compile": "nothing is compiled; leave it out",
        "ensemble": "boxes of several runs are not averaged; leave it out",
    }
    graph_outputs = frozenset(RawDetections._fields)
    label_forms: ClassVar[dict[str, str]] = {
        "voc": "resvision.data.box_labels:VocLabels",
        "coco": "resvision.data.box_labels:CocoLabels",
        "yolo": "resvision.data.box_labels:YoloLabels",
    }
    compared: ClassVar[dict[str, str]] = {"ap": "AP", "ap50": "AP50", "voc07": "VOC07 AP"}
    protocols = tuple(ListedProtocol(preset.name, preset.summary, preset.source) for preset in PRESETS)

    def target_fault(self, target: Any, classes: Sequence[str]) -> str:
        """The fault of a target that is no BoxTargets, in words."""
        if not isinstance(target, BoxTargets):
            return f"a {type(target).__name__} where BoxTargets are due"
        boxes, labels = target.boxes, target.labels
        if not isinstance(boxes, np.ndarray) or boxes.ndim != 2 or boxes.shape[1] != 4:
            return "boxes that are no array (M, 4)"
        if any(not isinstance(member, np.ndarray) or member.shape != (len(boxes),) for member in target[1:]):
            return f"labels, crowd, difficult or areas that are no arrays ({len(boxes)},)"
        wrong = labels[(labels < 0) | (labels >= len(classes))]
        if wrong.size:
            return f"label {wrong[0]}, not one of 0..{len(classes) - 1}"
        bad = ~(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1))
        return f"box {boxes[bad][0].tolist()}, where x1 y1 x2 y2 with x1 < x2 and y1 < y2 is due" if bad.any() else ""

    def decode(self, raw: RawDetections, geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> Detections:
        """The boxes in pixels of the image, cut off at its edges; those that lie outside of it are left out."""
        boxes = geometry.boxes_to_image(raw.boxes.astype(np.float64))
        inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        height, width = geometry.image_sides
        return Detections(
            source=source,
            width=width,
            height=height,
            classes=classes,
            boxes=boxes[inside],
            labels=raw.labels[inside].astype(np.int64),
            scores=raw.scores[inside].astype(np.float64),
        )

    def answers(self, graph: Graph, seen: Sequence[Seen], fixed: Mapping[str, Scalar]) -> list[RawDetections]:
        """The candidates of views, of which none suppresses another yet."""
        found = graph({PIXELS: np.stack([one.pixels for one in seen])})
        candidates = zip(found["boxes"], found["scores"], found["labels"].astype(np.int64), strict=True)
        return [RawDetections(*one) for one in candidates]

    def answer_fault(self, answer: RawDetections, classes: Sequence[str]) -> str:
        """The fault of candidates of classes that there are not, in words."""
        count = len(answer.scores)
        if answer.boxes.shape != (count, 4) or answer.labels.shape != (count,):
            return f"boxes of shape {answer.boxes.shape} with {count} scores"
        wrong = answer.labels[(answer.labels < 0) | (answer.labels >= len(classes))]
        return f"label {wrong[0]}, not one of 0..{len(classes) - 1}" if wrong.size else ""

    def chosen(
        self, answer: RawDetections, fixed: Mapping[str, Scalar], options: PredictionOptions, *, classes: Sequence[str]
    ) -> RawDetections:
        """Of the candidates those that no better one suppresses."""
        return suppressed(answer, _rules(fixed, options, classes))

    def require_choosable(
        self, options: PredictionOptions, fixed: Mapping[str, Scalar], *, classes: Sequence[str]
    ) -> None:
        """Let pass everything but proposals, since graphs give candidates that are not suppressed yet."""
        _rules(fixed, options, classes)
        only_proposals = PredictionOptions(proposals=options.proposals)
        super().require_choosable(only_proposals, fixed, classes=classes)

    def agreement(self, one: Detections, other: Detections) -> float:
        """The share of the boxes that both find: of one class, with an IoU of 0.9 or more; 1 where none finds any."""
        if not len(one.boxes) + len(other.boxes):
            return 1.0
        alike = (iou(one.boxes, other.boxes) >= ALIKE_IOU) & (one.labels[:, None] == other.labels[None, :])
        return float(alike.any(axis=0).sum() + alike.any(axis=1).sum()) / (len(one.boxes) + len(other.boxes))

    def exam(self, model: ModelCard, reader: Reader[BoxTargets], protocol: str | None = None) -> DetectionExam:
        """Average precision and the faults by a protocol."""
        return DetectionExam(model, reader, protocol)

    amount_noun = "boxes"
    counted_targets = 20_000

    def amounts(self, target: BoxTargets, classes: int) -> NDArray[np.int64]:
        """The boxes of each class in an image, crowds left out."""
        return np.bincount(target.labels[~target.crowd], minlength=classes)

    def read_scores(self, data: Any) -> DetectionScores:
        """Read average precision, curves, confusion and worst images."""
        return DetectionScores.from_json(data)

    def sentence(self, scores: DetectionScores, data: str) -> str:
        """The AP, the AP50 and the boxes that are found."""
        boxes = sum(row.boxes for row in scores.per_class)
        images = counted(scores.images, "test image")
        return (
            f"finds {scores.boxes.right:,} of the {counted(boxes, 'box')} in {images}{data}"
            f" (AP {100 * scores.ap:.2f} %, AP50 {100 * scores.ap50:.2f} %)"
        )

    def lines(self, scores: DetectionScores) -> list[tuple[str, str]]:
        """The figure of the protocol first, then all others that have a value, and the images."""
        preset = find(scores.protocol)
        figures = scores.all_figures()
        main = {} if preset.figure == "ap" else {preset.figure: figures.pop(preset.figure, nan)}
        shown = [(self.noun(name), percent(value)) for name, value in {**main, **figures}.items()]
        return [*shown, ("F1 is from score", f"{scores.score:.3f}"), ("images", f"{scores.images:,}")]

    def tables(self, scores: DetectionScores) -> list[Table]:
        """Tables of the classes, the sizes, the faults, and of the confusion where it is small enough."""
        return tables.for_terminal(scores)

    def page_tables(self, scores: DetectionScores) -> list[ClassTable]:
        """Tables of the figures by size, and of the boxes by what is wrong with them."""
        return tables.of_sizes_and_faults(scores)

    def class_table(self, scores: DetectionScores) -> ClassTable:
        """The boxes of every class, and the average precision by the rule of the protocol, with the means."""
        return tables.of_classes(scores, noun=self.noun)

    def matrix(self, scores: DetectionScores) -> Matrix:
        """The confusion of the classes and the background, in counts of boxes."""
        return tables.confusion(scores)

    def plots(self, scores: DetectionScores) -> list[Plot]:
        """Precision over recall, by threshold of IoU and by class."""
        return plots(scores)

    predicts_examples = True
    worst_note = (
        "The images with the most errors. Detections are those from the score on at which F1 is highest; a dashed box"
        " is the object that an error is about. A box is in the wrong place where it touches an object of its class at"
        " an IoU of 0.1 to 0.5."
    )

    def worst(self, scores: DetectionScores) -> list[Example]:
        """The images with the most errors."""
        return [Example(image.index, image.source) for image in scores.worst[:EXAMPLES]]

    def none_wrong(self, scores: DetectionScores) -> str:
        """The sentence that all boxes are found."""
        return f"None: every box of all {counted(scores.images, 'test image')} is found, and nothing else."

    def exhibit(
        self, scores: DetectionScores, rank: int, image: Pixels, target: BoxTargets, result: Detections | None
    ) -> Exhibit:
        """Truth, detections and errors, side by side."""
        assert result is not None, "predicts_examples"
        worst = scores.worst[rank]
        require_same_objects(worst, target)
        judgement = judge_image(result, target, scores.score)
        pictures = panels(image, judgement, scores.classes)
        return Exhibit(worst.source, PurePath(worst.source).name, in_words(judgement.faults), pictures)

    def legend(
        self, scores: DetectionScores, shown: Sequence[tuple[BoxTargets, Detections | None]]
    ) -> list[tuple[str, str]]:
        """The classes that occur, and the colours of errors."""
        occurring = {
            label
            for target, result in shown
            for labels in (target.labels, *([] if result is None else [result.at_least(scores.score).labels]))
            for label in labels.tolist()
        }
        colours = class_colours(len(scores.classes))
        classes = [(scores.classes[label], hex_of(colours[label])) for label in sorted(occurring)]
        return [*classes, *((name, hex_of(colour)) for name, colour in ERRORS.items())]

    usual_score = 0.3

    def line(self, result: Detections) -> str:
        """The number of objects of each class, and their scores."""
        found = []
        for label, name in enumerate(result.classes):
            scores = result.scores[result.labels == label]
            if len(scores):
                least = f"{scores.min():.1%} to " if len(scores) > 1 else ""
                found.append(f"{len(scores)} {name} ({least}{scores.max():.1%})")
        return f"{result.source}: {', '.join(found) or 'nothing found'}"

    csv_header = ("source", "label", "score", "x1", "y1", "x2", "y2")

    def csv_rows(self, result: Detections) -> list[tuple[Any, ...]]:
        """A CSV row for each object."""
        rows = zip(result.names, result.scores, result.boxes, strict=True)
        return [
            (result.source, name, f"{score:.6f}", *(f"{corner:.2f}" for corner in box)) for name, score, box in rows
        ]

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The path of the picture with its boxes."""
        return (out / f"{source.stem}-boxes.png",)

    def contents(self, result: Detections, image: Pixels) -> Iterator[bytes]:
        """Yield the image with its boxes, names and scores over it, as PNG; a small image is enlarged."""
        stream = BytesIO()
        drawn(image, outlines_of(result)).save(stream, "PNG", compress_level=1)
        yield stream.getvalue()


def _rules(fixed: Mapping[str, Scalar], options: PredictionOptions, classes: Sequence[str]) -> Suppression:
    """The rules by which candidates of a graph become boxes; SettingsError for values that cannot be."""
    score, iou, most = (fixed.get(name) for name in ("score", "iou", "most"))
    if not (isinstance(score, float) and isinstance(iou, float) and isinstance(most, int)):
        raise SettingsError("a graph of boxes without score, iou and most as its options; export the run again")
    try:
        usual = Suppression(score=score, iou=iou, most=most)
    except ValueError as error:
        raise SettingsError(f"options of the graph: {error}; export the run again") from None
    return suppression_of(usual, options, classes)


KIND = Detection()
