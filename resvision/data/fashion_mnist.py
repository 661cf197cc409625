"""Fashion-MNIST: 60,000 + 10,000 grey images of 28x28 pixels (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747)."""

from pathlib import Path

from resvision.core.views import Stretch
from resvision.data.idx import IdxSet

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
VIEW = Stretch(
    channels=1,
    resize_px=28,
    crop_px=28,
    mean=(0.2860,),  # of the training images, as is std
    std=(0.3530,),
)
FASHION_MNIST = IdxSet(
    name="fashion-mnist",
    folder="FashionMNIST",
    classes=CLASSES,
    view=VIEW,
    debian=Path("/usr/share/datasets/fashion-mnist"),
    package="dataset-fashion-mnist",
)
open_splits, find = FASHION_MNIST.open_splits, FASHION_MNIST.find
