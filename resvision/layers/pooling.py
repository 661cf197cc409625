"""Poolings that nets of two papers share; `stages` can take away their strides and dilate their windows.

Glossary
    h, w     height and width of the result
    stretch  distance between the pixels of a window once strides before it were taken away
"""

import torch.nn.functional as F
from torch import Tensor, nn


class CeilMaxPool2d(nn.Module):
    """Max pooling without padding whose last window may hang over the far edge, as in Caffe.

    taken  the stride that was taken away: the result then has every position of the grid that the strided pooling
           chose from, and none beyond, so that the next layer meets the same far edge
    """

    def __init__(self, size: int, *, stride: int) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.dilation, self.taken = size, stride, 1, 1

    def take_stride(self, stretch: int) -> None:
        """Give every position from now on, over a map whose pixels lie `stretch` apart."""
        self.taken, self.stride, self.dilation = self.stride, 1, stretch

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, h, w), h = ceil((H - size) / stride) + 1; h is about H once the stride is taken."""
        if self.taken == 1:
            return F.max_pool2d(x, self.kernel_size, stride=self.stride, ceil_mode=True)
        bottom, right = (self._overhang(side) for side in x.shape[2:])
        padded = F.pad(x, (0, right, 0, bottom), value=float("-inf"))
        return F.max_pool2d(padded, self.kernel_size, stride=1, dilation=self.dilation)

    def _overhang(self, side: int) -> int:
        """Pixels beyond the far edge that windows reach on a map of `side` pixels."""
        # The strided pooling would see every dilation-th pixel: so many pixels, and so many windows.
        subsampled = -(-side // self.dilation)
        strided = -(-(subsampled - self.kernel_size) // self.taken) + 1
        # Each of its windows stands for taken x dilation positions here, but no position lies beyond the map.
        positions = min(strided * self.taken * self.dilation, side)
        return positions + self.dilation * (self.kernel_size - 1) - side

    def extra_repr(self) -> str:
        """The text that `print` adds to the class name."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, dilation={self.dilation}, taken={self.taken}"


class SameMaxPool2d(nn.Module):
    """The maximum of the size x size pixels around every pixel, or around every stride-th.

    dilation  distance between those pixels
    """

    def __init__(self, size: int, *, stride: int = 1) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.dilation = size, stride, 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        padding = self.dilation * (self.kernel_size // 2)
        if self.dilation > 1:  # torch's own padding is half a window at most
            x, padding = F.pad(x, (padding,) * 4, value=float("-inf")), 0
        return F.max_pool2d(x, self.kernel_size, stride=self.stride, padding=padding, dilation=self.dilation)

    def extra_repr(self) -> str:
        """The text that `print` adds to the class name."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, dilation={self.dilation}"


class SameAvgPool2d(nn.Module):
    """The average of the size x size pixels around every pixel; those beyond the edge count as zeros."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.dilation = size, 1, 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        padding = self.dilation * (self.kernel_size // 2)
        if self.dilation == 1:
            return F.avg_pool2d(x, self.kernel_size, stride=1, padding=padding)
        span = 2 * padding + 1  # torch's average pooling knows no dilation
        windows = F.pad(x, (padding,) * 4).unfold(2, span, 1).unfold(3, span, 1)  # views (N, C, H, W, span, span)
        return windows[..., :: self.dilation, :: self.dilation].mean(dim=(-2, -1))

    def extra_repr(self) -> str:
        """The text that `print` adds to the class name."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}"


class EvenAvgPool2d(nn.Module):
    """Average pooling to side x side values, by windows of equal size at equal strides that reach both edges.

    The stride is the length of the map divided by `side`, rounded down: 14 pixels give 4 windows of 5 pixels at
    stride 3, where adaptive pooling has uneven windows. A map of fewer than `side` pixels is pooled adaptively.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, side, side)."""
        strides = [length // self.side for length in x.shape[2:]]
        if min(strides) == 0:
            return F.adaptive_avg_pool2d(x, self.side)
        windows = [length - (self.side - 1) * stride for length, stride in zip(x.shape[2:], strides, strict=True)]
        return F.avg_pool2d(x, windows, strides)

    def extra_repr(self) -> str:
        """The text that `print` adds to the class name."""
        return f"side={self.side}"
