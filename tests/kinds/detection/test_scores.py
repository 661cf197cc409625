"""VOC's average precision, faults and confusion of detections, and scores as JSON, from small sets made by hand."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from resvision.core.errors import DataError, NonFiniteLossError
from resvision.kinds.detection.boxes import BoxTargets, RawDetections
from resvision.kinds.detection.scores import MOST_CURVES, DetectionScores
from resvision.kinds.detection.tally import Tally

SQUARE = (10.0, 10.0, 20.0, 20.0)
FAR = (60.0, 60.0, 90.0, 90.0)
NOTHING = BoxTargets.of(np.zeros((0, 4)), np.zeros(0, np.int64))


def truth(*boxes: Sequence[float], labels: Sequence[int] | None = None, **flags: Sequence[bool]) -> BoxTargets:
    targets = BoxTargets.of(np.array(boxes), np.array(labels or [0] * len(boxes)))
    return targets._replace(**{name: np.array(values) for name, values in flags.items()})


def found(*boxes: Sequence[float], labels: Sequence[int] | None = None, scores: Sequence[float] | None = None) -> Any:
    """Detections whose scores fall by default."""
    given = scores or [0.9 - 0.1 * place for place in range(len(boxes))]
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    return RawDetections(corners, np.array(given, np.float32), np.array(labels or [0] * len(boxes), np.int64))


def scored(*samples: tuple[RawDetections, BoxTargets], classes: int = 2, **options: str) -> DetectionScores:
    tally = Tally(len(samples), classes)
    for index, sample in enumerate(samples):
        tally.add(index, *sample)
    return tally.scores(tuple("abcdefgh"[:classes]), lambda index: f"image {index}", **options)


def test_right_wrong_right_of_three_boxes_is_the_known_vector_by_each_rule() -> None:
    three = truth(SQUARE, FAR, (0.0, 50.0, 9.0, 59.0))
    scores = scored((found(SQUARE, (30.0, 30.0, 40.0, 40.0), FAR), three))
    assert scores.voc07 == pytest.approx(0.545455, abs=1e-6)
    assert scores.voc_area == pytest.approx(0.555556, abs=1e-6)
    assert scores.ap50 == pytest.approx(0.554455, abs=1e-6)
    assert scores.ap == pytest.approx(0.554455, abs=1e-6)  # its boxes are exact, so all thresholds are alike


def brute_force_voc(samples: list[tuple[RawDetections, BoxTargets]], label: int) -> tuple[float, float]:
    """VOC's rule one detection after the other, on boxes of whole pixels with both ends included, as VOC has them."""
    rows = [
        (float(score), image, box)
        for image, (detections, _) in enumerate(samples)
        for box, score, of in zip(*detections, strict=True)
        if of == label
    ]
    rows.sort(key=lambda row: -row[0])
    used: set[tuple[int, int]] = set()
    hits: list[int] = []
    positives = sum(int((~t.difficult[t.labels == label]).sum()) for _, t in samples)
    for _, image, box in rows:
        targets = samples[image][1]
        best, nearest = 0.0, -1
        x1, y1, x2, y2 = box[0] + 1, box[1] + 1, box[2], box[3]  # VOC's own numbers, from 1
        for index in np.flatnonzero(targets.labels == label).tolist():
            left, top, right, bottom = targets.boxes[index] + (1, 1, 0, 0)
            wide, high = min(x2, right) - max(x1, left) + 1, min(y2, bottom) - max(y1, top) + 1
            if wide > 0 and high > 0:
                areas = (x2 - x1 + 1) * (y2 - y1 + 1) + (right - left + 1) * (bottom - top + 1)
                iou = wide * high / (areas - wide * high)
                if iou > best:
                    best, nearest = iou, index
        if best > 0.5 and targets.difficult[nearest]:
            continue
        hits.append(int(best > 0.5 and (image, nearest) not in used))
        if best > 0.5:
            used.add((image, nearest))
    recall = np.cumsum(hits) / positives
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    points = [max(precision[recall >= tenth / 10 - 1e-9], default=0.0) for tenth in range(11)]
    area = sum(
        (after - before) * max(precision[recall >= after])
        for before, after in zip([0.0, *recall], recall, strict=False)
        if after > before
    )
    return float(np.mean(points)), float(area)


def test_voc_is_its_rule_one_detection_after_the_other() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        samples = []
        for _ in range(6):
            corners = draw.integers(0, 60, (5, 2))
            boxes = np.concatenate([corners, corners + draw.integers(5, 30, (5, 2))], axis=1).astype(float)
            targets = truth(*boxes, labels=draw.integers(0, 2, 5).tolist(), difficult=(draw.random(5) < 0.2).tolist())
            moved = np.tile(boxes, (3, 1)) + draw.integers(-2, 3, (15, 4))
            scores = (draw.permutation(90)[:15] + 1 + 100 * len(samples)) / 1000
            samples.append((found(*moved, labels=draw.integers(0, 2, 15).tolist(), scores=scores.tolist()), targets))
        scores = scored(*samples)
        for label, row in enumerate(scores.per_class):
            assert (row.voc07, row.voc_area) == pytest.approx(brute_force_voc(samples, label), abs=1e-12)


def test_voc_looks_at_the_nearest_box_alone_and_asks_for_more_than_half() -> None:
    half = (10.0, 10.0, 20.0, 15.0)
    scores = scored((found(half), truth(SQUARE)))
    assert (scores.voc07, scores.ap50) == (0.0, pytest.approx(1.0))  # COCO takes 0.5 itself
    again = scored((found(SQUARE, (10.0, 10.0, 20.0, 19.0)), truth(SQUARE, (10.0, 10.0, 20.0, 16.0))))
    assert again.voc_area == pytest.approx(0.5)  # the second is nearest to the box that is taken
    assert again.ap50 == pytest.approx(1.0)


def test_difficult_boxes_count_neither_way_by_voc_and_as_others_by_coco() -> None:
    targets = truth(SQUARE, FAR, difficult=[False, True])
    assert scored((found(SQUARE), targets)).voc_area == pytest.approx(1.0)
    assert scored((found(FAR, SQUARE), targets)).voc_area == pytest.approx(1.0)
    assert scored((found(SQUARE), targets)).ap50 == pytest.approx(51 / 101)
    alone = scored((found(SQUARE), truth(SQUARE, FAR, labels=[0, 1], difficult=[True, False])))
    assert (alone.per_class[0].voc07, alone.per_class[0].ap50) == (None, pytest.approx(1.0))


def test_every_box_is_of_one_kind() -> None:
    targets = truth(SQUARE, FAR, (40.0, 10.0, 50.0, 20.0), (70.0, 5.0, 80.0, 15.0), labels=[0, 0, 1, 1])
    detections = found(
        SQUARE,  # right
        (11.0, 10.0, 20.0, 20.0),  # the same again
        (40.0, 10.0, 50.0, 20.0),  # b, said to be a
        (60.0, 60.0, 75.0, 75.0),  # a quarter of the box
        (0.0, 80.0, 5.0, 85.0),  # nothing
        scores=[0.9, 0.9, 0.9, 0.9, 0.9],
    )
    scores = scored((detections, targets))
    kinds = {"right": 1, "missed": 1, "invented": 1, "wrong_class": 1, "wrong_place": 1, "twice": 1}
    assert asdict(scores.boxes) == kinds
    assert scores.boxes.total == 5
    assert scores.confusion.tolist() == [[1, 0, 1], [1, 0, 1], [3, 0, 0]]
    assert scores.confusion.sum() == len(targets.labels) + 3  # each box once, and what is about none
    (worst,) = scores.worst
    assert (worst.index, worst.source, worst.objects, worst.boxes) == (0, "image 0", 4, scores.boxes)


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong() -> None:
    targets = truth(SQUARE, (50.0, 50.0, 100.0, 100.0), crowd=[False, True])
    scores = scored((found(SQUARE, FAR, (55.0, 55.0, 65.0, 65.0)), targets))
    assert (scores.boxes.right, scores.boxes.total) == (1, 0)
    assert (scores.ap, scores.f1, scores.voc07) == (pytest.approx(1.0), 1.0, pytest.approx(1.0))
    assert scores.worst == ()


def test_faults_are_those_from_the_score_where_f1_is_highest() -> None:
    right = [(found(SQUARE, (80.0, 0.0, 99.0, 9.0), scores=[0.8, 0.3]), truth(SQUARE)) for _ in range(4)]
    scores = scored(*right)
    assert (scores.score, scores.f1) == (pytest.approx(0.8), 1.0)
    assert scores.boxes.total == 0
    none = scored((found(FAR), truth(SQUARE)))
    assert (none.f1, none.score, none.boxes.missed, none.boxes.invented) == (0.0, 0.5, 1, 1)


def test_worst_images_have_the_most_errors_and_of_equal_ones_come_in_order() -> None:
    wrong = (found(FAR), truth(SQUARE))
    more = (found(FAR, (0.0, 0.0, 5.0, 5.0)), truth(SQUARE))
    scores = scored((found(SQUARE), truth(SQUARE)), wrong, more, wrong, (found(), NOTHING))
    assert scores.score == pytest.approx(0.9)
    assert [image.index for image in scores.worst] == [1, 2, 3]
    assert scores.images == 5


def random_samples(count: int) -> list[tuple[RawDetections, BoxTargets]]:
    draw = np.random.default_rng(0)
    samples = []
    for _ in range(count):
        corners = draw.integers(0, 50, (4, 2))
        boxes = np.concatenate([corners, corners + 20], axis=1)
        scores = (draw.integers(1, 9, 12) / 10).tolist()
        moved = np.tile(boxes, (3, 1)) + draw.integers(-5, 6, (12, 4))
        targets = truth(*boxes.astype(float), labels=draw.integers(0, 3, 4).tolist())
        samples.append((found(*moved, labels=draw.integers(0, 3, 12).tolist(), scores=scores), targets))
    return samples


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_any_order_and_any_number_of_processes_give_the_same_bits(parts: int) -> None:
    samples = random_samples(12)
    order = np.random.default_rng(parts).permutation(len(samples)).tolist()
    tallies = [Tally(len(samples), 3) for _ in range(parts)]
    for place, index in enumerate(order):
        tallies[place % parts].add(index, *samples[index])
    for other in tallies[1:]:
        tallies[0].merge(other)
    together = tallies[0].scores(("a", "b", "c"), lambda index: f"image {index}")
    assert together.to_json() == scored(*samples, classes=3).to_json()


def test_an_image_takes_the_bytes_that_are_stated() -> None:
    samples = random_samples(1)
    tally = Tally(1, 3)
    tally.add(0, *samples[0])
    kept = tally._images[0]
    assert kept is not None
    assert (kept.found.nbytes, kept.true.nbytes) == (12 * 22, 4 * 20)
    assert sum(map(sys.getsizeof, (kept, kept.found, kept.true))) < 12 * 22 + 4 * 20 + 600


def test_scores_survive_json() -> None:
    scores = scored(*random_samples(6), classes=3, protocol="voc07")
    again = DetectionScores.from_json(scores.to_json())
    assert again.to_json() == scores.to_json()
    assert again.all_figures() == scores.all_figures()
    assert scores.all_figures().items() >= scores.figures().items()
    assert again.summary() == scores.summary()
    assert scores.summary().startswith(f"VOC07 AP {scores.voc07:.2%}")


@pytest.mark.parametrize(
    "damage",
    [
        {"confusion": [[1]]},
        {"f1": 1.5},
        {"protocol": "prophecy"},
        {"worst": [{"index": 0}]},
        {"per_class": []},
        {"precision": [[0.5] * 101] * 9},
        {"class_precision": [[0.5] * 100]},
        {"class_precision": [None]},
        {"sizes": []},
        {"images": 0},
        {"score": float("nan")},
    ],
    ids=str,
)
def test_damaged_scores_are_refused(damage: dict[str, Any]) -> None:
    whole = scored((found(FAR, SQUARE), truth(SQUARE))).to_json()
    DetectionScores.from_json(whole)
    with pytest.raises(ValueError, match=r"."):
        DetectionScores.from_json({**whole, **damage})


def test_scores_of_nothing_to_find_are_refused() -> None:
    with pytest.raises(DataError, match="no box to find"):
        scored((found(SQUARE), NOTHING))
    whole = scored((found(SQUARE), truth(SQUARE))).to_json()
    rows = [{**row, "ap": None} for row in whole["per_class"]]
    with pytest.raises(ValueError, match="no box was to be found"):
        DetectionScores.from_json({**whole, "per_class": rows})


def test_predictions_that_are_no_numbers_are_refused() -> None:
    tally = Tally(1, 1)
    tally.add(0, found((0.0, 0.0, float("nan"), 1.0)), truth(SQUARE))
    with pytest.raises(NonFiniteLossError, match="not finite"):
        tally.scores(("a",), str)


def test_curves_of_very_many_classes_are_not_kept() -> None:
    classes = MOST_CURVES + 1
    tally = Tally(1, classes)
    tally.add(0, found(SQUARE), truth(SQUARE))
    scores = tally.scores(tuple(map(str, range(classes))), str)
    assert scores.class_precision == ()
    assert DetectionScores.from_json(scores.to_json()).to_json() == scores.to_json()
