"""The evidence of a data set for its scores, gathered image by image, in any order and on any number of processes.

Of a detection 22 bytes are kept, of a true box 20, and some 600 of an image: 100 detections and ten boxes of each of
5,000 images are 15 MB. Boxes themselves are not kept.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, NonFiniteLossError
from resvision.kinds.detection.boxes import BoxTargets, RawDetections
from resvision.kinds.detection.matches import AREAS, THRESHOLDS, Errors, Outcome, judged
from resvision.kinds.detection.presets import COCO
from resvision.kinds.detection.scores import DetectionScores
from resvision.kinds.detection.scoring import Evidence, scores_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LANES = len(AREAS) * len(THRESHOLDS)
FOUND = np.dtype(
    [
        ("score", np.float32),
        ("label", np.int32),
        ("rank", np.uint16),  # among those of its class in its image, from 0
        ("matched", np.uint8, (_LANES // 8,)),
        ("ignored", np.uint8, (_LANES // 8,)),
        ("voc", np.uint8),
        ("outcome", np.uint8),
    ]
)
"""A detection as it is kept; `matched` and `ignored` are the bits of `CocoMatches`, A by T."""
TRUE = np.dtype(
    [
        ("label", np.int32),
        ("found", np.float32),  # the score of the detection that is right about it
        ("covered", np.float32),  # the highest score of one that has its place, or its class, wrong
        ("rival", np.float32),  # the highest score of one that takes it for another class, and that class
        ("rival_label", np.int32),
    ]
)
"""A true box as it is kept, crowds apart; a score is -1 where there is no such detection."""


class _Image(NamedTuple):
    found: NDArray[np.void]
    true: NDArray[np.void]


class Tally:
    """The evidence of a data set; scores are the same bits whatever the order of images and the processes.

    images, classes  numbers of them
    """

    def __init__(self, images: int, classes: int) -> None:
        self._images: list[_Image | None] = [None] * images
        self._positives = np.zeros((classes, len(AREAS)), dtype=np.int64)
        self._voc_positives = np.zeros(classes, dtype=np.int64)
        self._finite = True

    def add(self, index: int, detections: RawDetections, targets: BoxTargets) -> None:
        """Add an image by its detections and its true boxes, both in pixels of the image."""
        assert self._images[index] is None, "an image was counted twice"
        if not (np.isfinite(detections.boxes).all() and np.isfinite(detections.scores).all()):
            self._finite = False
            return
        boxes, scores, labels = _by_score(detections)
        judgement = judged(boxes, labels, targets)
        found = np.zeros(len(labels), dtype=FOUND)
        found["score"], found["label"] = scores, labels
        found["rank"] = judgement.ranks.clip(max=np.iinfo(np.uint16).max)
        for name, bits in (("matched", judgement.coco.matched), ("ignored", judgement.coco.ignored)):
            found[name][judgement.looked_at] = np.packbits(bits.reshape(len(bits), _LANES), axis=1)
        found["voc"], found["outcome"] = judgement.voc, judgement.errors.outcomes
        self._images[index] = _Image(found, _true_boxes(found, judgement.errors, targets))
        self._count(targets)

    def merge(self, other: "Tally") -> None:
        """Add the images that another process counted."""
        self._finite &= other._finite
        self._images = [mine or theirs for mine, theirs in zip(self._images, other._images, strict=True)]
        self._positives += other._positives
        self._voc_positives += other._voc_positives

    def scores(
        self, classes: tuple[str, ...], source: Callable[[int], str], *, protocol: str = COCO
    ) -> DetectionScores:
        """The scores of all images; `source(i)` names image i, `protocol` is one of `presets`.

        Raises DataError where there is not one box to find, NonFiniteLossError where predictions were not numbers.
        """
        if not self._finite:
            raise NonFiniteLossError(
                "the net's predictions are not finite: its weights are damaged or its training diverged"
            )
        images = [image for image in self._images if image is not None]
        assert len(images) == len(self._images), "an image was not counted"
        if not self._positives[:, 0].any():
            raise DataError("no box to find: no image of the set has one")
        evidence = Evidence(
            found=np.concatenate([image.found for image in images]),
            true=np.concatenate([image.true for image in images]),
            found_of=np.repeat(np.arange(len(images)), [len(image.found) for image in images]),
            true_of=np.repeat(np.arange(len(images)), [len(image.true) for image in images]),
            images=len(images),
            positives=self._positives,
            voc_positives=self._voc_positives,
        )
        return scores_of(evidence, classes, source, protocol=protocol)

    def _count(self, targets: BoxTargets) -> None:
        """Count the boxes that are to be found, by class."""
        labels, areas, objects = targets.labels, targets.areas, ~targets.crowd
        for column, (least, most) in enumerate(AREAS.values()):
            inside = objects & (areas >= least) & (areas <= most)
            self._positives[:, column] += np.bincount(labels[inside], minlength=len(self._positives))
        self._voc_positives += np.bincount(labels[objects & ~targets.difficult], minlength=len(self._positives))


def _by_score(detections: RawDetections) -> tuple[Floats, NDArray[np.float32], Ints]:
    """Boxes, scores and labels by descending score; equal ones keep their order."""
    order = np.argsort(-detections.scores, kind="stable")
    boxes = detections.boxes.astype(np.float64).reshape(-1, 4)
    return boxes[order], detections.scores[order], detections.labels[order].astype(np.int64)


def _true_boxes(found: NDArray[np.void], errors: Errors, targets: BoxTargets) -> NDArray[np.void]:
    """The true boxes of an image as they are kept, from its detections by descending score."""
    true = np.zeros(len(targets.labels), dtype=TRUE)
    true["label"] = targets.labels
    for name in ("found", "covered", "rival"):
        true[name] = -1
    chances = errors.outcomes[:, None] == np.arange(len(Outcome))
    groups = (
        ("found", (Outcome.RIGHT,)),
        ("covered", (Outcome.WRONG_CLASS, Outcome.WRONG_PLACE)),
        ("rival", (Outcome.WRONG_CLASS,)),
    )
    for name, outcomes in groups:
        chosen = np.flatnonzero(chances[:, outcomes].any(axis=1))[::-1]
        true[name][errors.truths[chosen]] = found["score"][chosen]  # the surest is written last
    true["rival_label"][errors.truths[chosen]] = found["label"][chosen]
    return true[~targets.crowd]
