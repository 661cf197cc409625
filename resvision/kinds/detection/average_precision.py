"""Average precision of one class from all its detections in descending order of score, as COCO and as VOC reckon it.

Glossary
    N      detections of a class over the data set
    R      points of recall, 0, 0.01 ... 1
    lanes  threshold of IoU and range of area, all at once
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

RECALLS = np.linspace(0.0, 1.0, 101)


def envelope(right: Flags, counted: Flags, positives: int) -> tuple[Floats, Floats]:
    """Recall and precision after each detection, (N,) each; precision is the highest at this recall or above it.

    right      (N,), whether a detection is right
    counted    (N,), whether it counts at all; those that do not change neither
    positives  the number of true boxes, at least 1
    """
    hits = np.cumsum(right & counted)
    total = np.cumsum(counted)
    precision = np.divide(hits, total, out=np.zeros(len(hits)), where=total > 0)
    return hits / positives, np.maximum.accumulate(precision[::-1])[::-1]


def coco_precision(right: Flags, counted: Flags, positives: int) -> Floats:
    """The precision at each of 101 points of recall, (R,), 0 where that recall is not reached; their mean is COCO's AP.

    Arguments are those of `envelope`. See Lin et al. 2014, arXiv:1405.0312.
    """
    recall, precision = envelope(right, counted, positives)
    first = np.searchsorted(recall, RECALLS, side="left")
    return np.append(precision, 0.0)[first]


def voc07_ap(right: Flags, counted: Flags, positives: int) -> float:
    """The mean of the precision at 11 points of recall (Everingham et al. 2010).

    Points are compared as whole numbers: VOC's own code compares recall with 0.1 x 3 in floating point, which a recall
    of 3/10 does not reach.
    """
    _, precision = envelope(right, counted, positives)
    tenths = 10 * np.cumsum(right & counted)
    first = np.searchsorted(tenths, positives * np.arange(11), side="left")
    return float(np.append(precision, 0.0)[first].mean())


def voc_area_ap(right: Flags, counted: Flags, positives: int) -> float:
    """The area below precision over recall, precision made to fall (Everingham et al. 2015)."""
    recall, precision = envelope(right, counted, positives)
    return float(np.dot(np.diff(recall, prepend=0.0), precision))
