"""CIFAR-10: 50,000 + 10,000 RGB images of 32x32 pixels in ten classes."""

from resvision.core.views import Stretch
from resvision.data.cifar import CifarSet

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
VIEW = Stretch(
    channels=3,
    resize_px=32,
    crop_px=32,
    mean=(0.4914, 0.4822, 0.4465),  # of the training images, as is std
    std=(0.2470, 0.2435, 0.2616),
)
CIFAR10 = CifarSet(
    name="cifar10",
    folder="cifar-10-batches-py",
    files={"train": ([f"data_batch_{number}" for number in range(1, 6)], 10_000), "test": (["test_batch"], 10_000)},
    labels=b"labels",
    classes=CLASSES,
    view=VIEW,
)
open_splits, find = CIFAR10.open_splits, CIFAR10.find
