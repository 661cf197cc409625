"""Rasters of a training batch are shown as the net sees them."""

import numpy as np
from motion.traffic import Windows, scene, view

from resvision.motion.augment import MotionAugment
from resvision.motion.batches import MotionTrainBatches
from resvision.motion.task import TASK


def test_rasters_of_both_kinds_show_the_target_in_red_in_the_same_place() -> None:
    pictures = []
    for shown in (view(), view(past="channels")):
        batches = MotionTrainBatches(Windows([scene()], shown), batch_size=4, seed=0, augment=MotionAugment())
        exhibits = TASK.training_exhibits(batches[0], ())
        assert len(exhibits) == 4
        pictures.append([np.asarray(one.panels[0].picture) for one in exhibits])
        assert " m/s, " in exhibits[0].text
    for fading, channels in zip(*pictures, strict=True):
        assert fading.shape == channels.shape == (224, 224, 3)
        places = [np.argwhere(one[..., 0] > 80).mean(axis=0) for one in (fading, channels)]
        np.testing.assert_allclose(*places, atol=8)
