"""Training crops are shown with the boxes that are learned in them."""

import numpy as np
import torch

from resvision.detection.batches import padded
from resvision.detection.exhibits import training_exhibits
from resvision.kinds.detection.boxes import BoxTargets


def test_a_crop_is_shown_with_its_boxes_alone() -> None:
    one = BoxTargets.of(np.array([[8, 8, 40, 40.0]]), np.zeros(1, dtype=np.int64))
    none = BoxTargets.of(np.zeros((0, 4)), np.zeros(0, dtype=np.int64))
    images = torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    exhibits = training_exhibits(images, padded([one, none]), ["cell"])
    assert [exhibit.text for exhibit in exhibits] == ["1 box", "0 boxes"]
    pictures = [np.asarray(exhibit.panels[0].picture) for exhibit in exhibits]
    assert pictures[0].max() > 0
    assert pictures[1].max() == 0
