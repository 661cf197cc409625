"""A small classifier of photos, and photos for it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

import resvision
from resvision.classification.classifier import Classifier
from resvision.core.views import CentreCrop, View
from resvision.data.arrays import ArrayReader
from resvision.inference.load import Trained
from resvision.launch import Finished

PHOTO = CentreCrop(channels=3, resize_px=40, crop_px=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def reader_of(images: Sequence[NDArray[np.uint8]], view: View = PHOTO) -> ArrayReader:
    return ArrayReader(
        name="made",
        split="test",
        classes=("a", "b", "c"),
        view=view,
        images=images,
        targets=np.arange(len(images)) % 3,
    )


def photo_classifier(finished: Finished) -> Trained:
    """A small residual net for photos of 32 pixels, with statistics that are not those of a fresh net."""
    torch.manual_seed(0)
    net = resvision.build("resnet20", num_classes=3, width=4).train()
    for _ in range(3):
        net(torch.randn(8, 3, 32, 32))
    system = Classifier(net, mean=PHOTO.mean, std=PHOTO.std).eval()
    loaded = resvision.load(finished.folder)
    run = replace(loaded.run, model=replace(loaded.run.model, options={}))
    return replace(loaded, run=run, system=system, classes=("a", "b", "c"), view=PHOTO)
