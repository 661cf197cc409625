"""Changes of an image's colours, as one linear map of each pixel.

Brightness, contrast, saturation and hue are those of SSD (Liu et al. 2016, arXiv:1512.02325, and its code), where the
last two are a factor and a shift in HSV. Here they are linear as well: saturation is a distance from grey, hue a turn
about the axis of greys that keeps the luma. So all four are one matrix, and an image is rounded once.

Glossary
    image   (H, W, C) uint8
    matrix  (3, 3), from RGB to RGB
"""

from math import cos, radians, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.images import Pixels

_YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
"""From RGB to luma and the two axes of colour (NTSC, 1953)."""


class ColourChange(NamedTuple):
    """A change of colours; as it stands, none.

    levels       grey levels that are added
    contrast     the factor of all levels
    saturation   the factor of a colour's distance from grey; 0 leaves grey
    hue_degrees  the turn of the colours about the axis of greys
    """

    levels: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue_degrees: float = 0.0

    def of(self, image: Pixels) -> Pixels:
        """The image once it is changed, cut off at 0 and 255; other than RGB has no saturation and no hue."""
        if image.shape[2] == 3 and (self.saturation != 1 or self.hue_degrees):
            return self._turned(image)
        if self.levels == 0 and self.contrast == 1:
            return image
        levels = np.rint((np.arange(256) + self.levels) * self.contrast).clip(0, 255).astype(np.uint8)
        return np.take(levels, image)

    def _turned(self, image: Pixels) -> Pixels:
        # Greys stay greys under both, so the levels that are added are a constant of each channel.
        matrix = self.contrast * _hue(self.hue_degrees) @ _saturation(self.saturation)
        added = self.contrast * self.levels
        rows = [value for row in matrix for value in (*map(float, row), added)]
        return np.asarray(Image.fromarray(image).convert("RGB", tuple(rows)))


def _saturation(factor: float) -> NDArray[np.float64]:
    return factor * np.eye(3) + (1 - factor) * np.tile(_YIQ[0], (3, 1))


def _hue(degrees: float) -> NDArray[np.float64]:
    c, s = cos(radians(degrees)), sin(radians(degrees))
    # Hue of HSV goes from red over yellow to green, against the sense in which I turns to Q.
    return np.asarray(np.linalg.inv(_YIQ) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) @ _YIQ)
