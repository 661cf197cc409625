"""Detection without torch: boxes and their classes, judged by average precision."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.plurals import counted
from resvision.core.results import Detections
from resvision.core.view_geometry import Geometry
from resvision.kinds.detection.boxes import BoxTargets, RawDetections
from resvision.kinds.detection.presets import PRESETS, find
from resvision.kinds.detection.scores import ClassPrecision, DetectionScores
from resvision.kinds.kind import Column, Curve, Kind, ListedProtocol, Table


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
    figures = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar100", "f1", "voc07", "voc_area")
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
    options = frozenset({"out", "csv", "score", "iou", "suppress", "most"})
    refused: ClassVar[dict[str, str]] = {
        "top": "boxes are chosen by their score; leave it out",
        "scales": "images are shown as the run shows them; leave it out",
        "compile": "nothing is compiled; leave it out",
        "ensemble": "boxes of several runs are not averaged; leave it out",
    }
    label_forms: ClassVar[dict[str, str]] = {
        "voc": "resvision.data.box_labels:VocLabels",
        "coco": "resvision.data.box_labels:CocoLabels",
        "yolo": "resvision.data.box_labels:YoloLabels",
    }
    compared: ClassVar[dict[str, str]] = {"ap": "AP", "ap50": "AP50", "ap75": "AP75"}
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
        """The figure of the protocol first, then COCO's twelve figures that have a value, F1, images."""
        preset = find(scores.protocol)
        figures = {**scores.figures()}
        main = {} if preset.figure == "ap" else {preset.figure: figures.pop(preset.figure, float("nan"))}
        shown = [(self.noun(name), f"{value:.2%}") for name, value in {**main, **figures}.items()]
        return [*shown, ("F1 is from score", f"{scores.score:.3f}"), ("images", f"{scores.images:,}")]

    def tables(self, scores: DetectionScores) -> list[Table]:
        """A table of the boxes and the average precision of every class."""
        numbers = ("boxes", "AP", "AP50", "AP75", "VOC07 AP", "VOC AP")
        rows = [(row.name, f"{row.boxes:,}", *map(_percent, _precisions(row))) for row in scores.per_class]
        return [Table(("class", *numbers), rows, numbers, least=("AP75", "VOC07 AP", "VOC AP"))]

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
        return ()


def _precisions(row: ClassPrecision) -> tuple[float | None, ...]:
    return row.ap, row.ap50, row.ap75, row.voc07, row.voc_area


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


KIND = Detection()
