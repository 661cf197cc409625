"""Scores of detections over a data set.

Glossary
    K          classes
    AP         average precision of a class: the mean of its precision over recall
    confusion  (K + 1, K + 1) boxes, true class in rows, predicted class in columns, the background last
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core import notebooks
from resvision.core.plurals import counted
from resvision.core.results import Count, Share, number
from resvision.kinds.detection.average_precision import RECALLS
from resvision.kinds.detection.matches import AREAS, THRESHOLDS
from resvision.kinds.detection.presets import PRESETS, find

Floats = NDArray[np.float64]

WORST = 12
"""The number of images that are kept by name."""
MOST_CURVES = 100
"""The largest number of classes whose curves of precision are kept."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Numbers of boxes by what they are, at an IoU of 0.5 and some least score.

    right        detections of the class and at the place of an object
    missed       objects that no detection is about
    invented     detections that are about no object
    wrong_class  detections at the place of an object of another class
    wrong_place  detections that touch an object of their class
    twice        detections of an object that a surer one has found
    """

    right: Count
    missed: Count
    invented: Count
    wrong_class: Count
    wrong_place: Count
    twice: Count

    @property
    def total(self) -> int:
        """The number of all that is wrong."""
        return self.missed + self.invented + self.wrong_class + self.wrong_place + self.twice


@dataclass(frozen=True, kw_only=True)
class WorstImage:
    """One image with the numbers of its boxes by what they are, and of its objects."""

    index: Count
    source: str
    objects: Count
    boxes: Faults


@dataclass(frozen=True, kw_only=True)
class ClassPrecision:
    """The average precision of one class by each rule, None where no box of it is to be found.

    boxes          true boxes, crowds apart
    ap             COCO's, the mean over ten thresholds of IoU
    ap50, ap75     COCO's at an IoU of 0.50 and 0.75
    voc07          VOC's at 11 points of recall
    voc_area       VOC's as the area below the curve
    """

    name: str
    boxes: Count
    ap: Share | None
    ap50: Share | None
    ap75: Share | None
    voc07: Share | None
    voc_area: Share | None


@dataclass(frozen=True, kw_only=True)
class SizePrecision:
    """COCO's figures of the objects of one size; None where no box is to be found.

    size   all, small (up to 32 x 32 pixels), medium (up to 96 x 96) or large
    boxes  true boxes, crowds apart
    ap     AP of these objects
    ar100  their recall, over ten thresholds of IoU, with at most 100 detections of a class in an image
    """

    size: str
    boxes: Count
    ap: Share | None
    ar100: Share | None


_Curve = Annotated[list[Share], Meta(min_length=len(RECALLS), max_length=len(RECALLS))]


class _Document(msgspec.Struct):
    """The document that `DetectionScores.to_json` writes, as far as reading it needs."""

    protocol: str
    images: Count
    per_class: Annotated[list[ClassPrecision], Meta(min_length=1)]
    sizes: Annotated[list[SizePrecision], Meta(min_length=len(AREAS), max_length=len(AREAS))]
    ar1: Share
    ar10: Share
    score: Share
    f1: Share
    boxes: Faults
    confusion: list[list[Count]]
    precision: Annotated[list[_Curve], Meta(min_length=len(THRESHOLDS), max_length=len(THRESHOLDS))]
    class_precision: Annotated[list[_Curve | None], Meta(max_length=MOST_CURVES)]
    worst: Annotated[list[WorstImage], Meta(max_length=1000)]


@dataclass(frozen=True, kw_only=True)
class DetectionScores:
    """Scores of detections over a data set, by the rules of COCO and of VOC at once.

    protocol         the one of `presets` that was asked for, whose figure comes first
    per_class        in the order of the classes; a class without a box to find has no part in the means
    sizes            in the order of AREAS, all objects first
    ar1, ar10        recall with at most so many detections of a class in an image, as ar100 of `sizes`
    score, f1        the least score at which the F1 of all boxes is highest at an IoU of 0.5, and that F1; `boxes`,
                     `confusion` and `worst` are of the detections from this score on
    precision        (10, 101) mean over the classes at each threshold of IoU, over recall 0, 0.01 ... 1
    class_precision  the same of each class at an IoU of 0.5; empty where there are more than 100 classes
    """

    protocol: str
    images: int
    per_class: tuple[ClassPrecision, ...]
    sizes: tuple[SizePrecision, ...]
    ar1: float
    ar10: float
    score: float
    f1: float
    boxes: Faults
    confusion: NDArray[np.int64]
    precision: Floats
    class_precision: tuple[Floats | None, ...]
    worst: tuple[WorstImage, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, background apart."""
        return tuple(row.name for row in self.per_class)

    @property
    def ap(self) -> float:
        """COCO's AP, the mean over the classes and ten thresholds of IoU, 0..1."""
        return _mean([row.ap for row in self.per_class])

    @property
    def ap50(self) -> float:
        """COCO's AP at an IoU of 0.50."""
        return _mean([row.ap50 for row in self.per_class])

    @property
    def ap75(self) -> float:
        """COCO's AP at an IoU of 0.75."""
        return _mean([row.ap75 for row in self.per_class])

    @property
    def voc07(self) -> float:
        """VOC's mean AP at 11 points of recall; NaN where every box is difficult."""
        return _mean([row.voc07 for row in self.per_class])

    @property
    def voc_area(self) -> float:
        """VOC's mean AP as the area below the curve; NaN where every box is difficult."""
        return _mean([row.voc_area for row in self.per_class])

    def figures(self) -> dict[str, float]:
        """The figures of a line of the history; that of VOC is missing where every box is difficult."""
        means = {name: number(getattr(self, name)) for name in ("ap", "ap50", "ap75", "f1", "voc07")}
        return {name: value for name, value in means.items() if value is not None}

    def all_figures(self) -> dict[str, float]:
        """Every figure, without those of sizes and rules by which there is nothing to find."""
        of_sizes = {f"ap_{row.size}": row.ap for row in self.sizes[1:]}
        recalls = {"ar1": self.ar1, "ar10": self.ar10, "ar100": self.sizes[0].ar100}
        of_sizes |= {f"ar_{row.size}": row.ar100 for row in self.sizes[1:]}
        means = {name: number(getattr(self, name)) for name in ("ap", "ap50", "ap75", "f1", "voc07", "voc_area")}
        return {name: value for name, value in (means | recalls | of_sizes).items() if value is not None}

    def summary(self) -> str:
        """The figures in a line, that of the protocol first."""
        preset = find(self.protocol)
        main = "" if preset.figure == "ap" else f"{preset.noun} {getattr(self, preset.figure):.2%}, "
        return (
            f"{main}AP {self.ap:.2%}, AP50 {self.ap50:.2%}, AP75 {self.ap75:.2%}, F1 {self.f1:.2%} from a score of"
            f" {self.score:.2f} on, on {counted(self.images, 'test image')}"
        )

    def __repr__(self) -> str:
        return f"DetectionScores({self.summary()})"

    def _repr_html_(self) -> str:
        return notebooks.class_table(self.summary(), self.to_json()["per_class"])

    def to_json(self) -> dict[str, Any]:
        """Plain data; the means over the classes stand beside what they follow from."""
        means = {preset.figure: number(getattr(self, preset.figure)) for preset in PRESETS}
        return {
            "protocol": self.protocol,
            "images": self.images,
            **means,
            "ap50": number(self.ap50),
            "ap75": number(self.ap75),
            "sizes": [asdict(row) for row in self.sizes],
            "ar1": self.ar1,
            "ar10": self.ar10,
            "per_class": [asdict(row) for row in self.per_class],
            "score": self.score,
            "f1": self.f1,
            "boxes": asdict(self.boxes),
            "confusion": self.confusion.tolist(),
            "precision": self.precision.tolist(),
            "class_precision": [None if curve is None else curve.tolist() for curve in self.class_precision],
            "worst": [asdict(image) for image in self.worst],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "DetectionScores":
        """The scores that `to_json` wrote; ValueError for anything else."""
        try:
            document = msgspec.convert(data, _Document)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        classes = len(document.per_class)
        if document.protocol not in {preset.name for preset in PRESETS}:
            raise ValueError(f"protocol {document.protocol!r:.60}")
        confusion = np.array(document.confusion, dtype=np.int64)
        if confusion.shape != (classes + 1, classes + 1):
            raise ValueError(f"confusion of shape {confusion.shape} for {classes} classes and the background")
        if len(document.class_precision) != (classes if classes <= MOST_CURVES else 0):
            raise ValueError(f"{len(document.class_precision)} curves of {classes} classes")
        if [row.size for row in document.sizes] != [*AREAS]:
            raise ValueError(f"sizes that are not {', '.join(AREAS)}")
        if all(row.ap is None for row in document.per_class):
            raise ValueError("no box was to be found")
        if any(image.index >= document.images for image in document.worst):
            raise ValueError("an image among the worst that is not there")
        curves = tuple(None if curve is None else np.array(curve) for curve in document.class_precision)
        return cls(
            protocol=document.protocol,
            images=document.images,
            per_class=tuple(document.per_class),
            sizes=tuple(document.sizes),
            ar1=document.ar1,
            ar10=document.ar10,
            score=document.score,
            f1=document.f1,
            boxes=document.boxes,
            confusion=confusion,
            precision=np.array(document.precision),
            class_precision=curves,
            worst=tuple(document.worst),
        )


def _mean(values: Sequence[float | None]) -> float:
    """The mean of the values that are there, NaN where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")
