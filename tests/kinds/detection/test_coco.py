"""COCO's average precision of random sets, with pycocotools as judge."""

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from resvision.kinds.detection.boxes import BoxTargets, RawDetections
from resvision.kinds.detection.scores import DetectionScores
from resvision.kinds.detection.tally import Tally

Sample = tuple[RawDetections, BoxTargets]

FIGURES = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
"""In the order of pycocotools' `stats`."""


def random_boxes(draw: np.random.Generator, count: int) -> Any:
    """Boxes of all sizes on a grid of quarter pixels, where IoU of detections and boxes is often the same number."""
    corners = draw.integers(0, 400, (count, 2))
    sides = draw.integers(1, draw.choice([40, 130, 600]), (count, 2))
    return np.concatenate([corners, corners + sides], axis=1) / 4 * draw.choice([1, 2, 4])


def random_sample(draw: np.random.Generator, classes: int) -> Sample:
    """Boxes, of which some are crowds, and detections that are shifted copies of them, or about nothing."""
    targets = BoxTargets.of(
        random_boxes(draw, count := int(draw.choice([0, 1, 3, 9]))), draw.integers(0, classes, count)
    )
    crowd = draw.random(count) < 0.2
    targets = targets._replace(crowd=crowd, areas=targets.areas * draw.choice([0.4, 1.0]))
    found = int(draw.choice([0, 5, 30, 250], p=[0.2, 0.35, 0.35, 0.1]))
    boxes, labels = random_boxes(draw, found), draw.integers(0, classes - 1, found)  # the last class is never said
    if count:
        near = draw.random(found) < 0.7
        chosen = draw.integers(0, count, found)
        moved = targets.boxes[chosen] + draw.integers(-3, 4, (found, 4)) / 4
        boxes = np.where(near[:, None] & (moved[:, 2:] > moved[:, :2]).all(axis=1)[:, None], moved, boxes)
        labels = np.where(near & (draw.random(found) < 0.8), targets.labels[chosen], labels)
    scores = draw.integers(1, draw.choice([5, 1000]), found).astype(np.float32) / 1000  # few different ones, or many
    return RawDetections(boxes.astype(np.float32), scores, labels), targets


def random_set(seed: int) -> tuple[int, list[Sample]]:
    draw = np.random.default_rng(seed)
    classes = int(draw.choice([2, 3]))
    return classes, [random_sample(draw, classes) for _ in range(draw.integers(1, 9))]


def judged(classes: int, samples: list[Sample]) -> COCOeval:
    """What pycocotools says. Ids begin with 1, since it takes an annotation of id 0 for none."""
    truth, found = [], []
    for image, (detections, targets) in enumerate(samples, start=1):
        for box, label, crowd, _, area in zip(*targets, strict=True):
            side = {"bbox": [*box[:2], *(box[2:] - box[:2])], "area": area}
            truth.append({"id": len(truth) + 1, "image_id": image, "category_id": label, "iscrowd": int(crowd)} | side)
        for box, score, label in zip(*detections, strict=True):
            bbox = [*map(float, (*box[:2], *(box[2:] - box[:2])))]
            found.append({"image_id": image, "category_id": label, "bbox": bbox, "score": float(score)})
    with redirect_stdout(StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image + 1} for image in range(len(samples))],
            "categories": [{"id": label} for label in range(classes)],
            "annotations": truth,
            "info": {},
        }
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge


def scored(classes: int, samples: list[Sample], *, order: Any = None, parts: int = 1) -> DetectionScores:
    tallies = [Tally(len(samples), classes) for _ in range(parts)]
    for place, index in enumerate(range(len(samples)) if order is None else order):
        tallies[place % parts].add(index, *samples[index])
    for other in tallies[1:]:
        tallies[0].merge(other)
    return tallies[0].scores(tuple(map(str, range(classes))), lambda index: f"image {index}")


def has_detections(samples: list[Sample]) -> bool:
    """Whether pycocotools, which knows no empty list of results, and we, who need a box, can judge a set."""
    return any(len(found.scores) for found, _ in samples) and any((~truth.crowd).any() for _, truth in samples)


SETS = [(seed, *drawn) for seed in range(130) if has_detections((drawn := random_set(seed))[1])][:100]


def test_a_hundred_sets_have_all_that_makes_them_hard() -> None:
    samples = [sample for _, _, drawn in SETS for sample in drawn]
    assert len(SETS) == 100
    assert any(truth.crowd.any() for _, truth in samples)
    assert any(not len(truth.labels) for _, truth in samples)
    assert any(np.bincount(found.labels).max(initial=0) > 100 for found, _ in samples)
    assert any(len(found.scores) > len({*found.scores.tolist()}) for found, _ in samples)
    sizes = {
        name
        for _, classes, drawn in SETS[:10]
        for name, value in scored(classes, drawn).all_figures().items()
        if value > 0
    }
    assert sizes >= {"ap_small", "ap_medium", "ap_large"}


@pytest.mark.parametrize("tens", range(10))
def test_average_precision_is_that_of_pycocotools(tens: int) -> None:
    for seed, classes, samples in SETS[10 * tens : 10 * tens + 10]:
        judge, ours = judged(classes, samples), scored(classes, samples)
        theirs = np.where(judge.stats == -1, np.nan, judge.stats)
        figures = [ours.all_figures().get(name, np.nan) for name in FIGURES]
        np.testing.assert_allclose(figures, theirs, rtol=0, atol=1e-12, err_msg=f"set {seed}")
        precision = judge.eval["precision"][..., 0, 2]  # (T, R, K)
        for label, row in enumerate(ours.per_class):
            of_class = precision[:, :, label]
            expected = [of_class.mean(), of_class[0].mean(), of_class[5].mean()]
            if row.ap is None:
                assert expected == [-1, -1, -1]
            else:
                np.testing.assert_allclose([row.ap, row.ap50, row.ap75], expected, rtol=0, atol=1e-12)
