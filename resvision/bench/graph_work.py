"""The multiply-adds of a graph, from the shapes of its convolutions and products."""

from collections.abc import Mapping
from math import prod
from pathlib import Path

from resvision.core.errors import MissingExtraError
from resvision.runtime.openvino_core import openvino_core

CONVOLUTIONS = {"Convolution": 1, "GroupConvolution": 2}
"""Dimensions of the weights that do not count for a number of the result: its channels, and before them the groups."""


def multiply_adds(file: Path, shapes: Mapping[str, tuple[int, ...]], batch: int | None) -> int | None:
    """The multiply-adds for one view; None where OpenVINO, which reads the graph, is not installed.

    shapes  of its inputs apart from the number of views, by name
    batch   the views that the graph takes at a time; None for any
    """
    try:
        model = openvino_core().read_model(file)
    except MissingExtraError:
        return None
    model.reshape({port: [batch or 1, *shapes[port.any_name]] for port in model.inputs})
    total = 0
    for operation in model.get_ops():
        name = operation.get_type_name()
        if name in CONVOLUTIONS:
            weights = tuple(operation.input(1).get_shape())
            total += prod(operation.output(0).get_shape()) * prod(weights[CONVOLUTIONS[name] :])
        elif name == "ConvolutionBackpropData":
            total += prod(operation.input(0).get_shape()) * prod(tuple(operation.input(1).get_shape())[1:])
        elif name == "MatMul" and operation.output(0).get_partial_shape().is_static:
            axis = -2 if operation.get_attributes()["transpose_a"] else -1
            total += prod(operation.output(0).get_shape()) * operation.input(0).get_shape()[axis]
    return total // (batch or 1)
