"""The evidence of a whole data set, made into scores.

Glossary
    N, B     detections and true boxes of all images, in the order of the images
    K        classes
    A, T, R  ranges of area, thresholds of IoU, points of recall
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.results import number
from resvision.kinds.detection.average_precision import RECALLS, coco_precision, voc07_ap, voc_area_ap
from resvision.kinds.detection.matches import AREAS, MOST, THRESHOLDS, VOC_NEITHER, VOC_RIGHT, Outcome
from resvision.kinds.detection.scores import (
    MOST_CURVES,
    WORST,
    ClassPrecision,
    DetectionScores,
    Faults,
    Floats,
    SizePrecision,
    WorstImage,
)

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_LIMITS = (1, 10, MOST)
_SHAPE = (len(AREAS), len(THRESHOLDS))
_USUAL_SCORE = 0.5  # where not one detection is right


class Evidence(NamedTuple):
    """The facts that are kept of every detection and of every true box.

    found, true        (N,) of `tally.FOUND` and (B,) of `tally.TRUE`
    found_of, true_of  (N,) and (B,), the image of each
    positives          (K, A), boxes to be found, by class and range of area
    voc_positives      (K,), those that are not difficult
    """

    found: NDArray[np.void]
    true: NDArray[np.void]
    found_of: Ints
    true_of: Ints
    images: int
    positives: Ints
    voc_positives: Ints


class _OfClass(NamedTuple):
    """One class: precision (A, T, R) and recall (3, A, T) of COCO, NaN without boxes to find, and VOC's two APs."""

    precision: Floats
    recall: Floats
    voc07: float
    voc_area: float


def scores_of(
    evidence: Evidence, classes: tuple[str, ...], source: Callable[[int], str], *, protocol: str
) -> DetectionScores:
    """The scores; `source(i)` names image i."""
    every = [*_by_class(evidence)]
    precision, recall = np.stack([one.precision for one in every]), np.stack([one.recall for one in every])
    overall = precision[:, 0]  # (K, T, R)
    score, f1 = _best_f1(evidence)
    boxes, confusion, worst = _faults(evidence, score, source)
    return DetectionScores(
        protocol=protocol,
        images=evidence.images,
        per_class=tuple(
            ClassPrecision(
                name=name,
                boxes=int(evidence.positives[k, 0]),
                ap=number(overall[k].mean()),
                ap50=number(overall[k, 0].mean()),
                ap75=number(overall[k, 5].mean()),
                voc07=number(every[k].voc07),
                voc_area=number(every[k].voc_area),
            )
            for k, name in enumerate(classes)
        ),
        sizes=_sizes(precision, recall, evidence.positives),
        ar1=float(np.nanmean(recall[:, 0, 0])),
        ar10=float(np.nanmean(recall[:, 1, 0])),
        score=score,
        f1=f1,
        boxes=boxes,
        confusion=confusion,
        precision=np.asarray(np.round(np.nanmean(overall, axis=0), 4)),
        class_precision=_class_curves(overall[:, 0]),
        worst=worst,
    )


def _by_class(evidence: Evidence) -> Iterator[_OfClass]:
    """Yield the precision and recall of each class."""
    found = evidence.found
    order = np.lexsort((-found["score"], found["label"]))  # of equal scores, those of earlier images first
    starts = np.searchsorted(found["label"][order], np.arange(len(evidence.positives) + 1))
    for label, positives in enumerate(evidence.positives):
        rows = found[order[starts[label] : starts[label + 1]]]
        voc, voc_positives = rows["voc"], int(evidence.voc_positives[label])
        judged = (voc == VOC_RIGHT, voc != VOC_NEITHER, voc_positives)
        yield _OfClass(
            *_coco(rows[rows["rank"] < MOST], positives),
            voc07=voc07_ap(*judged) if voc_positives else np.nan,
            voc_area=voc_area_ap(*judged) if voc_positives else np.nan,
        )


def _coco(rows: NDArray[np.void], positives: Ints) -> tuple[Floats, Floats]:
    """Precision (A, T, R) and recall (3, A, T) of one class, of its detections by descending score."""
    matched, ignored = (
        np.unpackbits(np.ascontiguousarray(rows[name]), axis=1).reshape(-1, *_SHAPE).astype(np.bool_)
        for name in ("matched", "ignored")
    )
    precision, recall = np.full((*_SHAPE, len(RECALLS)), np.nan), np.full((len(_LIMITS), *_SHAPE), np.nan)
    right = matched & ~ignored
    for area, count in enumerate(positives.tolist()):
        if not count:
            continue
        for lane in range(len(THRESHOLDS)):
            precision[area, lane] = coco_precision(right[:, area, lane], ~ignored[:, area, lane], count)
        for row, limit in enumerate(_LIMITS):
            recall[row, area] = right[rows["rank"] < limit, area].sum(axis=0) / count
    return precision, recall


def _sizes(precision: Floats, recall: Floats, positives: Ints) -> tuple[SizePrecision, ...]:
    """COCO's figures by size, of precision (K, A, T, R), recall (K, 3, A, T) and the boxes to find (K, A)."""
    return tuple(
        SizePrecision(
            size=name,
            boxes=int(positives[:, area].sum()),
            ap=_known_mean(precision[:, area]),
            ar100=_known_mean(recall[:, 2, area]),
        )
        for area, name in enumerate(AREAS)
    )


def _known_mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _class_curves(precision: Floats) -> tuple[Floats | None, ...]:
    """Precision over recall of each class, (K, R), to be kept; none of too many classes."""
    if len(precision) > MOST_CURVES:
        return ()
    return tuple(None if np.isnan(curve[0]) else np.round(curve, 4) for curve in precision)


def _best_f1(evidence: Evidence) -> tuple[float, float]:
    """The least score at which the F1 of all boxes, at an IoU of 0.5, is highest, and that F1."""
    counted = evidence.found[evidence.found["outcome"] != Outcome.NEITHER]
    ordered = counted[np.argsort(-counted["score"], kind="stable")]
    hits = np.cumsum(ordered["outcome"] == Outcome.RIGHT)
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + len(evidence.true))
    scores = ordered["score"]
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]  # of equal scores, all or none
    f1 = np.where(last, f1, 0.0)
    if not f1.any():
        return _USUAL_SCORE, 0.0
    best = int(f1.argmax())
    return float(scores[best]), float(f1[best])


def _faults(
    evidence: Evidence, score: float, source: Callable[[int], str]
) -> tuple[Faults, Ints, tuple[WorstImage, ...]]:
    """Faults of all images together, confusion and worst images, of the detections from a score on."""
    shown = evidence.found["score"] >= score
    outcomes, images = evidence.found["outcome"][shown], evidence.found_of[shown]
    true = evidence.true
    met = np.maximum(true["found"], true["covered"]) >= score
    counts = {
        "right": outcomes == Outcome.RIGHT,
        "invented": outcomes == Outcome.INVENTED,
        "wrong_class": outcomes == Outcome.WRONG_CLASS,
        "wrong_place": outcomes == Outcome.WRONG_PLACE,
        "twice": outcomes == Outcome.TWICE,
    }
    by_image = {name: np.bincount(images[here], minlength=evidence.images) for name, here in counts.items()}
    by_image["missed"] = np.bincount(evidence.true_of[~met], minlength=evidence.images)

    def faults(chosen: int | slice) -> Faults:
        return Faults(**{name: int(np.sum(amounts[chosen])) for name, amounts in by_image.items()})

    badness = np.sum([amounts for name, amounts in by_image.items() if name != "right"], axis=0)
    objects = np.bincount(evidence.true_of, minlength=evidence.images)
    ranked = np.argsort(-badness, kind="stable")[:WORST]
    worst = [
        WorstImage(index=index, source=source(index), objects=int(objects[index]), boxes=faults(index))
        for index in ranked.tolist()
        if badness[index]
    ]
    return faults(slice(None)), _confusion(evidence, shown, score), tuple(worst)


def _confusion(evidence: Evidence, shown: Flags, score: float) -> Ints:
    """Each true box once in the row of its class, each detection that is about none in that of the background."""
    true, background = evidence.true, len(evidence.positives)
    said = np.where(true["rival"] >= score, true["rival_label"], background)
    said = np.where(true["found"] >= score, true["label"], said)
    confusion = np.zeros((background + 1, background + 1), dtype=np.int64)
    np.add.at(confusion, (true["label"], said), 1)
    judged = evidence.found[shown & (evidence.found["outcome"] != Outcome.NEITHER)]
    surplus = np.bincount(judged["label"], minlength=background) - confusion[:background, :background].sum(axis=0)
    confusion[background, :background] = surplus
    return confusion
