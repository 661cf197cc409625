"""Formulas of convolutional layers: weights, sides of maps, receptive fields, bins.

Glossary
    side    height or width of a map, in pixels
    field   receptive field: pixels of the input, along one side, on which one position depends
    weight  a number of a convolution or a linear layer; biases and normalization are not counted
"""

from collections.abc import Sequence


def conv_weights(kernel: int, entering: int, leaving: int, *, groups: int = 1) -> int:
    """The weights of a square convolution between so many channels."""
    return kernel * kernel * entering // groups * leaving


def side_after_conv(side: int, kernel: int, *, stride: int = 1, padding: int = 0) -> int:
    """The side of the map that a convolution or pooling gives."""
    return (side + 2 * padding - kernel) // stride + 1


def side_after_deconv(side: int, kernel: int, *, stride: int = 1, padding: int = 0) -> int:
    """The side of the map that a transposed convolution gives."""
    return (side - 1) * stride - 2 * padding + kernel


def field_after(windows: Sequence[tuple[int, int, int]]) -> int:
    """The receptive field after windows of (kernel, stride, dilation)."""
    field, jump = 1, 1
    for kernel, stride, dilation in windows:
        field, jump = field + (kernel - 1) * dilation * jump, jump * stride
    return field


def bins(side: int, count: int) -> list[tuple[int, int]]:
    """The bounds of each bin, the first inside and the last outside, when a side is pooled into so many.

    He et al. 2014, SPP-net, https://arxiv.org/abs/1406.4729, appendix A: rounded down, and up.
    """
    return [(i * side // count, -(-(i + 1) * side // count)) for i in range(count)]
