"""Suppression of a graph's candidates: the same boxes as torch's half keeps, whatever is asked."""

import numpy as np
import pytest
import torch

from resvision.detection.parts.suppression import suppress
from resvision.kinds.detection import suppression
from resvision.kinds.detection.boxes import RawDetections
from resvision.kinds.detection.suppression import Suppression, suppressed

RULES = [
    Suppression(score=0.05, iou=0.5, most=100),
    Suppression(score=0.0, iou=0.3, most=7),
    Suppression(score=0.5, iou=0.7, most=1000, groups=(0, 0, 1)),
    Suppression(score=0.05, iou=0.0, most=100, groups=(0, 0, 0)),
    Suppression(score=0.05, iou=1.0, most=100),
]


def crowded(seed: int, candidates: int = 300) -> RawDetections:
    """Boxes on a coarse grid, so that many are equal, some without area, with distinct scores."""
    draws = np.random.default_rng(seed)
    corners = draws.integers(0, 40, (candidates, 2))
    boxes = np.concatenate([corners, corners + draws.integers(0, 12, (candidates, 2))], axis=1).astype(np.float32)
    scores = draws.permutation(candidates).astype(np.float32) / candidates
    return RawDetections(boxes, scores, draws.integers(0, 3, candidates))


@pytest.mark.parametrize("at_a_time", [1000, 40])
@pytest.mark.parametrize("rules", RULES)
def test_it_keeps_the_boxes_that_torch_keeps(
    rules: Suppression, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppression, "AT_A_TIME", at_a_time)
    for seed in range(5):
        candidates = crowded(seed)
        found = suppressed(candidates, rules)
        expected = suppress(*(torch.from_numpy(member)[None] for member in candidates), rules)
        count = int(expected.counts[0])
        assert 0 < count == len(found.scores)
        np.testing.assert_array_equal(found.scores, expected.scores[0, :count].numpy())
        np.testing.assert_array_equal(found.boxes, expected.boxes[0, :count].numpy())
        np.testing.assert_array_equal(found.labels, expected.labels[0, :count].numpy())


def test_nothing_above_the_score_gives_no_boxes() -> None:
    found = suppressed(crowded(0), Suppression(score=1.0, iou=0.5, most=5))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)
