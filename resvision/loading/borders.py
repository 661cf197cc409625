"""Weights that keep touching objects apart: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, equation 2.

w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2))

Glossary
    d1, d2  distance of a pixel to the border of the nearest and of the second nearest object, in pixels, from inside an
            object as from outside; an object's outermost pixels are its border
    w_c     weight of the pixel's class
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.uint8]
Distances = NDArray[np.float64]

NEGLIGIBLE = 1e-8
"""The share of w0 below which a term counts as 0, so that distances are needed only near objects."""


def border_term(d1: Distances, d2: Distances, *, w0: float = 10.0, sigma_px: float = 5.0) -> Distances:
    """The weight added at a pixel for its two nearest objects: w0 at d1 = d2 = 0, 0 where there are no two."""
    return np.asarray(w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma_px**2)))


def border_weights(
    mask: Mask,
    *,
    foreground: int = 1,
    class_weights: Sequence[float] | None = None,
    w0: float = 10.0,
    sigma_px: float = 5.0,
) -> NDArray[np.float32]:
    """The weight of every pixel, (H, W), of a mask (H, W) of class indices.

    Objects are the parts of the class `foreground` that hang together by their sides. `class_weights` are w_c by class
    index, 1 for all if not given; a pixel of another value, void, has w_c = 0. With fewer than two objects nothing is
    added. Raises ValueError for a sigma_px that is not above 0.
    """
    if not sigma_px > 0:
        raise ValueError(f"sigma_px must be above 0, got {sigma_px}")
    reach_px = math.ceil(sigma_px * math.sqrt(-2 * math.log(NEGLIGIBLE)))
    d1, d2 = two_nearest(mask == foreground, reach_px=reach_px)
    return (_class_weights(mask, class_weights) + border_term(d1, d2, w0=w0, sigma_px=sigma_px)).astype(np.float32)


def two_nearest(objects: NDArray[np.bool_], *, reach_px: int) -> tuple[Distances, Distances]:
    """Distances (H, W) to the nearest and the second nearest border of a connected part of `objects`.

    They are inf beyond `reach_px`, and everywhere in a part without a border, which is the whole mask.
    """
    d1, d2 = np.full(objects.shape, np.inf), np.full(objects.shape, np.inf)
    labels, _ = ndimage.label(objects)
    for index, extent in enumerate(ndimage.find_objects(labels), start=1):
        neighbourhood = tuple(
            slice(max(0, span.start - reach_px), min(side, span.stop + reach_px))
            for span, side in zip(extent, objects.shape, strict=True)
        )
        inside = labels[neighbourhood] == index
        border = inside & ~ndimage.binary_erosion(inside, border_value=1)  # the mask's edge is no border
        if not border.any():
            continue
        distance = ndimage.distance_transform_edt(~border)
        distance[distance > reach_px] = np.inf
        d2[neighbourhood] = np.minimum(d2[neighbourhood], np.maximum(d1[neighbourhood], distance))
        d1[neighbourhood] = np.minimum(d1[neighbourhood], distance)
    return d1, d2


def _class_weights(mask: Mask, weights: Sequence[float] | None) -> Distances:
    """The class weight w_c of every pixel; 255 is void."""
    by_value = np.zeros(256)
    if weights is None:
        by_value[:255] = 1.0
    else:
        by_value[: len(weights)] = weights
    return np.asarray(by_value[mask])
