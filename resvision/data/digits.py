"""Handwritten digits: 1,797 grey images of 8x8 pixels inside scikit-learn, so nothing needs to be downloaded.

The test part of "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak 1998,
https://doi.org/10.24432/C50P49). The set has no official split of its own; ours is 1,400 / 397, stated below.
"""

from pathlib import Path

import numpy as np

from resvision.core.draws import shuffled
from resvision.core.views import Stretch
from resvision.data.arrays import ArrayReader
from resvision.data.splits import Splits

TRAIN_IMAGES = 1400
VIEW = Stretch(
    channels=1,
    resize_px=32,
    crop_px=32,
    mean=(0.3054,),  # of the training images at 32 px, as is std
    std=(0.3228,),
)


def open_splits(root: Path | None = None) -> Splits:
    """1,400 training and 397 test images after a seeded shuffle; `root` is not needed."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # values are counts of 0..16
    targets = digits.target.astype(np.int64)
    order = shuffled(len(images), seed=0)
    train, test = (
        ArrayReader(
            name="digits",
            split=split,
            classes=tuple("0123456789"),
            view=VIEW,
            images=images[indices],
            targets=targets[indices],
        )
        for split, indices in (("train", order[:TRAIN_IMAGES]), ("test", order[TRAIN_IMAGES:]))
    )
    return Splits(train, test, f"{len(train):,} train / {len(test):,} test images after a shuffle with seed 0")
