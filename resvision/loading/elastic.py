"""Elastic deformation and rotation of an image and its mask: Ronneberger et al. 2015, section 3.1.

https://arxiv.org/abs/1505.04597.

Displacements are drawn on a coarse grid of 3 x 3 points that spans the image, and interpolated bicubically at every
pixel. The paper does not say which cubic: it is Keys' here (1981, https://doi.org/10.1109/TASSP.1981.1163711) with
a = -1/2, and the outer points of the grid repeated.

Glossary
    field   (2, H, W) displacements in pixels, downward and to the right: a pixel of the result shows the pixel of the
            image at its own place plus its displacement
    draws   (ELASTIC_SLOTS,) float64 in [0, 1)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

GRID = 3
ELASTIC_SLOTS = 2 * GRID**2
"""The number of draws for a deformation: two displacements at each point of the grid."""

_LEAST = 2.0**-54
"""Stands in place of a draw of 0, whose normal deviate is infinite; draws are multiples of 2^-53."""

Field = NDArray[np.float64]


def displacements(height: int, width: int, draws: NDArray[np.float64], *, sigma_px: float = 10.0) -> Field:
    """The field of the draws; displacements at the grid's points are normal with standard deviation `sigma_px`."""
    grid = sigma_px * special.ndtri(np.maximum(draws, _LEAST)).reshape(2, GRID, GRID)
    return np.asarray(_cubic_weights(height) @ grid @ _cubic_weights(width).T)


def rotation(height: int, width: int, degrees: float) -> Field:
    """The field that turns an image about its centre, counter-clockwise as it is seen."""
    radians = np.deg2rad(degrees)
    y = np.arange(height)[:, None] - (height - 1) / 2
    x = np.arange(width)[None, :] - (width - 1) / 2
    cosine, sine = np.cos(radians), np.sin(radians)
    return np.stack([y * cosine + x * sine - y, x * cosine - y * sine - x])


def warped(pixels: NDArray[np.uint8], field: Field, *, order: int) -> NDArray[np.uint8]:
    """Warp (H, W) or (H, W, C) by a field; order 1 is linear, 0 takes the nearest pixel. Edges are mirrored."""
    coordinates: NDArray[Any] = field + np.indices(field.shape[1:])
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    result = np.empty_like(channels)
    for channel in range(channels.shape[2]):
        result[..., channel] = ndimage.map_coordinates(channels[..., channel], coordinates, order=order, mode="mirror")
    return result.reshape(pixels.shape)


def _cubic_weights(length: int) -> Field:
    """The weight of each point of the grid at each of `length` pixels along one axis, (length, GRID); rows sum to 1."""
    position = np.linspace(0, GRID - 1, length)
    weights = np.zeros((length, GRID))
    for tap in range(-1, GRID + 1):
        weights[:, min(max(tap, 0), GRID - 1)] += _keys(np.abs(position - tap))
    return weights


def _keys(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic kernel with a = -1/2."""
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
