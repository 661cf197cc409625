"""MNIST: 60,000 + 10,000 handwritten digits, grey, 28x28 pixels (LeCun, Bottou, Bengio, Haffner 1998)."""

from resvision.core.images import Preprocess
from resvision.data.idx import IdxSet

MNIST = IdxSet(
    name="mnist",
    folder="MNIST",
    classes=tuple("0123456789"),
    preprocess=Preprocess(
        channels=1,
        resize="stretch",
        resize_px=28,
        crop_px=28,
        mean=(0.1307,),  # of the training images, as is std
        std=(0.3081,),
    ),
)
open_splits, find, fetch = MNIST.open_splits, MNIST.find, MNIST.fetch
