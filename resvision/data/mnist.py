"""MNIST: 60,000 + 10,000 handwritten digits, grey, 28x28 pixels (LeCun, Bottou, Bengio, Haffner 1998)."""

from resvision.core.views import Stretch
from resvision.data.idx import IdxSet

MNIST = IdxSet(
    name="mnist",
    folder="MNIST",
    classes=tuple("0123456789"),
    view=Stretch(
        channels=1,
        resize_px=28,
        crop_px=28,
        mean=(0.1307,),  # of the training images, as is std
        std=(0.3081,),
    ),
)
open_splits, find = MNIST.open_splits, MNIST.find
