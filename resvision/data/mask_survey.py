"""Faults that label maps show together: soft edges, and palettes that swap colours from file to file.

Glossary
    stored values  the numbers in a mask file, 0..255
    soft value     one that nearly always lies between a lower and a higher one, a pixel or two wide, as in the edge of
                   a drawing that was smoothed or scaled; areas of a class are wider, whatever their neighbours
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from resvision.core.images import Pixels
from resvision.core.masks import count_values
from resvision.data.faults import Fault, fault

SOFT_SHARE = 0.6
"""The share of a value's pixels between others, which makes it soft: 1 in smoothed drawings, up to 0.5 in areas."""
PLATEAU_SHARE = 0.1
"""The least share of all pixels that the largest area has beside soft edges."""
MANY = 12
"""The fewest soft values of soft edges: a few classes may be thin layers, one upon the other."""
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
_STEPS = [(down * reach, across * reach) for reach, (down, across) in product((1, 2), _DIRECTIONS)]
"""Rows and columns from a pixel to one of two opposite neighbours."""


class MaskSurvey:
    """The values of all masks of a set, gathered mask by mask.

    present  whether each stored value is in each mask, (256,) each
    """

    def __init__(self) -> None:
        self.present: list[NDArray[np.bool_]] = []
        self._pixels = np.zeros(256, dtype=np.int64)
        self._between = np.zeros(256, dtype=np.int64)
        self._colours: dict[int, tuple[str, str]] = {}

    def add(self, stored: Pixels | None, palette: bytes, source: str, faults: list[Fault]) -> None:
        """Count the values of a mask, None where it cannot be read; a palette at odds with others adds to `faults`."""
        if stored is None:
            self.present.append(np.zeros(256, dtype=bool))
            return
        counts = count_values(stored)
        self.present.append(counts > 0)
        self._pixels += counts
        self._between += count_values(stored[between_others(stored)])
        faults += self._palette_faults(np.flatnonzero(counts).tolist(), palette, source)

    @property
    def soft_values(self) -> int:
        """The number of soft values, 0 unless they are many, most of all values, and beside a large area."""
        occurring = self._pixels > 0
        soft = occurring & (self._between >= SOFT_SHARE * self._pixels)
        many = soft.sum() >= max(MANY, occurring.sum() / 2)
        largest = self._pixels[~soft].max(initial=0)
        return int(soft.sum()) if many and largest >= PLATEAU_SHARE * self._pixels.sum() else 0

    def _palette_faults(self, values: list[int], palette: bytes, source: str) -> list[Fault]:
        """The fault of a palette in which a value of this mask has another colour than in an earlier mask."""
        for value in values:
            colour = palette[3 * value : 3 * value + 3].hex()
            if not colour:
                continue
            first, first_source = self._colours.setdefault(value, (colour, source))
            if colour != first:
                what = f"value {value} is the colour #{colour} here and #{first} in {first_source}"
                remedy = "save all masks with one palette, or as grey with the number of the class"
                return [fault(source, f"{what}: if colours mean classes, values do not; {remedy}")]
        return []


def between_others(stored: Pixels) -> NDArray[np.bool_]:
    """The pixels that lie between a lower and a higher value, one or two pixels away on both sides, (H, W)."""
    height, width = stored.shape
    between = np.zeros(stored.shape, dtype=bool)
    for down, across in _STEPS:
        side = abs(across)
        if height <= 2 * down or width <= 2 * side:
            continue
        left, right = slice(0, width - 2 * side), slice(2 * side, width)
        first = stored[: height - 2 * down, left if across >= 0 else right]
        second = stored[2 * down :, right if across >= 0 else left]
        centre = slice(down, height - down), slice(side, width - side)
        values = stored[centre]
        between[centre] |= ((first < values) & (values < second)) | ((second < values) & (values < first))
    return between
