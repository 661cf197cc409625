"""The detections of one image held against its true boxes: by COCO's rule, by VOC's, and by the kind of their error.

Glossary
    D, G     detections and true boxes of the image
    A, T     ranges of area and thresholds of IoU: `AREAS`, `THRESHOLDS`
    IoU      intersection over union of two boxes; with a crowd region, intersection over the area of the detection
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.geometry.boxes import area, iou, share_inside
from resvision.kinds.detection.boxes import BoxTargets

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREAS = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Ranges of area in square pixels by name, both ends included, as COCO has them."""
MOST = 100
"""Detections of a class in an image that COCO's rule looks at, those of the highest scores."""
PLACED, TOUCHED = 0.5, 0.1
"""IoU from which a box is where its object is, and from which it is about an object at all (Bolya et al. 2020)."""

_RANGES = np.array([*AREAS.values()])


class Outcome(IntEnum):
    """The judgement of a detection at an IoU of 0.5.

    RIGHT        its class and place are an object's that no surer detection has found
    TWICE        those of an object that a surer detection has found
    WRONG_CLASS  its place is that of an object of another class
    WRONG_PLACE  it touches an object of its class, at an IoU of 0.1 to 0.5
    INVENTED     none of these
    NEITHER      it lies in a region of many objects, which is judged neither way
    """

    RIGHT = 0
    TWICE = 1
    WRONG_CLASS = 2
    WRONG_PLACE = 3
    INVENTED = 4
    NEITHER = 5


class CocoMatches(NamedTuple):
    """The detections of one image by COCO's rule.

    matched  (D, A, T), whether a true box of its class is assigned to it
    ignored  (D, A, T), whether it counts neither way: on a crowd, or on a box, or itself, outside the range of area
    partner  (D,), the true box that it has at the lowest threshold over all areas, -1 for none
    """

    matched: Flags
    ignored: Flags
    partner: Ints


class Judgement(NamedTuple):
    """The detections of one image by descending score, judged by every rule.

    ranks     (D,), the place of each among those of its class, from 0
    looked_at (D,), whether COCO's rule looks at it: it is among the MOST of its class
    coco      of those (D', ...)
    voc       (D,) uint8: VOC_RIGHT, VOC_WRONG or VOC_NEITHER
    errors    of all
    """

    ranks: Ints
    looked_at: Flags
    coco: CocoMatches
    voc: NDArray[np.uint8]
    errors: "Errors"


def judged(boxes: Floats, labels: Ints, targets: BoxTargets) -> Judgement:
    """Judge the detections of one image, boxes (D, 4) and labels (D,) by descending score, in pixels of the image."""
    ious = overlaps(boxes, targets)
    same = labels[:, None] == targets.labels
    places = ranks(labels)
    first = places < MOST
    coco = coco_matches(ious[first], same[first], area(boxes[first]), targets)
    partner = np.full(len(labels), -1)
    partner[first] = coco.partner
    voc = voc_outcomes(ious, same, targets)
    return Judgement(places, first, coco, voc, errors_of(ious, same, partner, targets))


def overlaps(boxes: Floats, targets: BoxTargets) -> Floats:
    """IoU of every detection with every true box, (D, G), of boxes (D, 4)."""
    plain = iou(boxes, targets.boxes)
    return np.where(targets.crowd, share_inside(boxes, targets.boxes), plain) if targets.crowd.any() else plain


def ranks(labels: Ints) -> Ints:
    """The place of each detection among those of its class, from 0, (D,), of labels by descending score."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    firsts = np.flatnonzero(np.diff(ordered, prepend=-1))
    places = np.empty(len(labels), dtype=np.int64)
    places[order] = np.arange(len(labels)) - np.repeat(firsts, np.diff(firsts, append=len(labels)))
    return places


def coco_matches(ious: Floats, same: Flags, areas: Floats, targets: BoxTargets) -> CocoMatches:
    """COCO's assignment of detections, by descending score, to true boxes of their class.

    A detection gets the free true box of the largest IoU from the threshold on, one that counts before one that does
    not; a crowd region is never used up. Of equal IoU the last box is taken, as `pycocotools` does.

    ious   (D, G), of the MOST best detections of each class
    same   (D, G), whether detection and box have one class
    areas  (D,), of the detections
    """
    outside = (targets.areas < _RANGES[:, :1]) | (targets.areas > _RANGES[:, 1:])
    uncounted = outside | targets.crowd  # (A, G)
    chosen = _assigned(ious, same & (ious >= THRESHOLDS[0]), uncounted, targets.crowd)
    matched = chosen >= 0
    or_none = np.pad(uncounted, ((0, 0), (0, 1)))  # -1, no box, is its last column
    ignored = or_none[np.arange(len(_RANGES))[:, None], chosen]
    beyond = (areas[:, None] < _RANGES[:, 0]) | (areas[:, None] > _RANGES[:, 1])  # (D, A)
    return CocoMatches(matched, ignored | (~matched & beyond[:, :, None]), chosen[:, 0, 0])


def _assigned(ious: Floats, close: Flags, uncounted: Flags, crowd: Flags) -> Ints:
    """The true box of each detection, (D, A, T), -1 for none.

    close      (D, G), whether the two are of one class and overlap enough for the lowest threshold
    uncounted  (A, G), boxes that count neither way
    """
    chosen = np.full((len(ious), len(_RANGES), len(THRESHOLDS)), -1)
    choices = close.sum(axis=1)
    disputed = close[choices > 1].any(axis=0)  # boxes that a detection weighs against another box
    plain = close & ~disputed
    columns, rows = np.nonzero(plain.T)  # by box, and for each by descending score
    enough = ious[rows, columns][:, None] >= THRESHOLDS
    hits = np.cumsum(enough, axis=0)
    before = np.searchsorted(columns, columns)
    earlier = np.concatenate([np.zeros((1, len(THRESHOLDS)), dtype=hits.dtype), hits])[before]
    takes = enough & ((hits - earlier == 1) | crowd[columns][:, None])
    chosen[rows] = np.where(takes, columns[:, None], -1)[:, None]
    free = np.ones((*chosen.shape[1:], len(crowd)), dtype=np.bool_)
    for row in np.flatnonzero((close & disputed).any(axis=1)).tolist():
        near = np.flatnonzero(close[row])
        near = near[np.argsort(ious[row, near], kind="stable")]
        allowed = free[:, :, near] & (ious[row, near] >= THRESHOLDS[:, None])
        worth = np.where(allowed, np.arange(len(near)) + len(near) * ~uncounted[:, None, near], -1)
        sizes, lanes = np.nonzero(allowed.any(axis=2))
        taken = near[worth.argmax(axis=2)[sizes, lanes]]
        chosen[row, sizes, lanes] = taken
        free[sizes, lanes, taken] = crowd[taken]
    return chosen


VOC_WRONG, VOC_RIGHT, VOC_NEITHER = 0, 1, 2


def voc_outcomes(ious: Floats, same: Flags, targets: BoxTargets) -> NDArray[np.uint8]:
    """VOC's judgement of detections by descending score, (D,): VOC_RIGHT, VOC_WRONG or VOC_NEITHER.

    A detection is held against the true box of its class of the largest IoU alone, and finds it above 0.5. The first
    that finds a box is right, others are wrong, and those on a difficult box, or a crowd, count neither way. VOC's
    widths of whole pixels, x2 - x1 + 1, are ours: its box (x1, y1, x2, y2) is (x1 - 1, y1 - 1, x2, y2) here.
    """
    outcomes = np.zeros(len(ious), dtype=np.uint8)
    if not ious.size:
        return outcomes
    own = np.where(same, ious, -1.0)
    nearest = own.argmax(axis=1)
    finds = own[np.arange(len(own)), nearest] > PLACED
    excused = (targets.difficult | targets.crowd)[nearest]
    outcomes[finds & excused] = VOC_NEITHER
    hits = np.flatnonzero(finds & ~excused)
    _, first = np.unique(nearest[hits], return_index=True)
    outcomes[hits[first]] = VOC_RIGHT
    return outcomes


class Errors(NamedTuple):
    """The outcome of each detection of one image, and the true box that it is about.

    outcomes  (D,) uint8 of `Outcome`
    truths    (D,) index of the true box, -1 for none
    """

    outcomes: NDArray[np.uint8]
    truths: Ints


def errors_of(ious: Floats, same: Flags, partner: Ints, targets: BoxTargets) -> Errors:
    """The outcome of each detection, and the true box that it is about; `partner` is that of `coco_matches`, (D,).

    None of it depends on detections of lower score, so it holds for any least score.
    """
    outcomes = np.full(len(ious), Outcome.INVENTED, dtype=np.uint8)
    truths = np.full(len(ious), -1)
    if not len(targets.labels):
        return Errors(outcomes, truths)
    objects = ~targets.crowd
    found = (partner >= 0) & objects[partner]
    groups = (  # the later ones prevail
        (ious * (same & objects), TOUCHED, Outcome.WRONG_PLACE),
        (ious * ~objects, PLACED, Outcome.NEITHER),
        (ious * (~same & objects), PLACED, Outcome.WRONG_CLASS),
        (ious * (same & objects), PLACED, Outcome.TWICE),
    )
    for values, least, outcome in groups:
        nearest = values.argmax(axis=1)
        here = values[np.arange(len(values)), nearest] >= least
        outcomes[here], truths[here] = outcome, nearest[here]
    outcomes[found], truths[found] = Outcome.RIGHT, partner[found]
    outcomes[(partner >= 0) & ~objects[partner]] = Outcome.NEITHER
    truths[outcomes == Outcome.NEITHER] = -1
    return Errors(outcomes, truths)
