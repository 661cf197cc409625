import json

import numpy as np
from detection.box_scenes import CLASSES, targets

from resvision.detection.recall import ALL, NUMBERS, Recall, best_overlaps
from resvision.geometry.boxes import iou


def test_best_overlaps_are_those_of_the_first_regions() -> None:
    draws = np.random.default_rng(0)
    boxes, regions = (np.sort(draws.random((count, 2, 2)), axis=1).reshape(-1, 4) for count in (5, 30))
    best = best_overlaps(boxes, regions)
    for column, number in enumerate((*NUMBERS, ALL)):
        first = regions if number == ALL else regions[:number]
        np.testing.assert_allclose(best[:, column], [iou(box[None], first).max() for box in boxes])
    assert not best_overlaps(boxes, regions[:0]).any()
    assert best_overlaps(boxes[:0], regions).shape == (0, len(NUMBERS) + 1)


def test_recall_is_counted_over_all_boxes_by_number_and_by_class() -> None:
    recall = Recall(CLASSES)
    truth = targets([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 1])
    far = np.tile([50.0, 50.0, 51.0, 51.0], (10, 1))
    recall.add(truth, np.concatenate([far, [[0, 0, 10, 8], [20, 0, 30, 6]]]))  # behind ten that cover nothing
    recall.add(truth, np.array([[0.0, 0.0, 10.0, 10.0]]))
    recall.add(truth._replace(crowd=np.array([True, True])), far)
    document = recall.to_json()
    assert document["boxes"] == 4
    assert document["recall"] == [
        {"regions": 10, "iou_0.5": 0.25, "iou_0.7": 0.25},
        {"regions": None, "iou_0.5": 0.75, "iou_0.7": 0.5},
    ]
    assert [row["iou_0.5"] for row in document["classes"]] == [1.0, 0.5]
    by_number, by_class = recall.tables()
    assert by_number.rows == [("10", "25.0%", "25.0%"), ("all", "75.0%", "50.0%")]
    assert by_class.rows == [("wide", "2", "100.0%", "100.0%"), ("high", "2", "50.0%", "0.0%")]


def test_a_set_without_boxes_has_no_shares() -> None:
    recall = Recall(CLASSES)
    recall.add(targets([]), np.empty((0, 4)))
    assert recall.to_json()["recall"] == [{"regions": None, "iou_0.5": None, "iou_0.7": None}]
    assert recall.tables()[0].rows == [("all", "-", "-")]
    json.dumps(recall.to_json(), allow_nan=False)
