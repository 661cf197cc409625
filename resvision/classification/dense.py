"""The contract of a net for dense testing, with N images and K classes."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class FullyConvolutional(Protocol):
    """A net that can be applied at every position of a larger image at once."""

    def class_map(self, images: Tensor) -> Tensor:
        """Logits at each position, (N, K, h, w), of images (N, C, H, W) at least as large as the net's input."""
        ...
