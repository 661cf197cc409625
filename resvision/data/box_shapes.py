"""Widths and heights of the boxes of a set, as a net sees them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.samples import Reader
from resvision.core.views import CentreCrop, Stretch
from resvision.data.image_sides import image_sides
from resvision.geometry import boxes as geometry
from resvision.geometry.placements import letterboxed


def box_shapes(reader: Reader[Any], side_px: int) -> NDArray[np.float64]:
    """Width and height of the objects of a set of boxes in squares of this side, (M, 2) float64 pixels, above 0.

    Crowd regions are left out; boxes are those of whole images, not cut off where a view shows the centre alone.
    """
    shapes = [np.zeros((0, 2))]
    for index in range(len(reader)):
        truth = reader.target(index)
        height, width = image_sides(reader, index)
        shapes.append(geometry.sides(truth.boxes[~truth.crowd]) * _scales(reader, height, width, side_px))
    together = np.concatenate(shapes)
    return np.asarray(together[(together > 0).all(axis=1)])


def _scales(reader: Reader[Any], height: int, width: int, side_px: int) -> tuple[float, float]:
    """The scales of x and y at which squares of this side show an image."""
    if isinstance(reader.view, Stretch | CentreCrop):
        place = reader.view.sized(side_px).geometry(height, width)
        return place.scale_x, place.scale_y
    letterbox = letterboxed((0.0, 0.0, float(width), float(height)), side_px)
    return letterbox.scale_x, letterbox.scale_y
