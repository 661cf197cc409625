"""NDArray[np.uint8] of 8 bits from whatever an image stores: 16 bits, palettes, CMYK, transparency."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

DEEPEST_GREY = 2**16 - 1
"""The largest grey value of 16 bits."""
BAND_PIXELS = 2**22
"""NDArray[np.uint8] that are converted to 8 bits at a time."""

GREY_MODES = {"1", "L", "LA", "I", "I;16", "I;16L", "I;16B"}
COLOUR_MODES = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
GREY_STEPS = {"L;2": 85, "L;4": 17}
"""The factors by which Pillow multiplies grey values of two and four bits."""
_GREY_CODINGS = {"LA;16B"}  # stored in grey, though Pillow gives them the mode RGBA
_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262


class Stored(NamedTuple):
    """Facts about the pixels of an image that its mode does not tell.

    black, white  values of 16-bit grey
    transparent   value, or index, or (r, g, b), that is transparent in the units of the mode; None if there is none
    """

    is_grey: bool
    black: int
    white: int
    transparent: int | tuple[int, ...] | bytes | None


def stored_facts(image: Image.Image) -> Stored:
    """The facts about the pixels of an image that is not decoded yet."""
    black, white = 0, 65535
    transparent = image.info.get("transparency")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        white = 4095 if image.tag_v2.get(_TIFF_BITS) == (12,) else 65535
        if image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0:
            black, white = white, black
    stored_as = coding(image)
    if isinstance(transparent, int) and stored_as in GREY_STEPS:  # as stored, and Pillow scales the pixels
        transparent *= GREY_STEPS[stored_as]
    if isinstance(transparent, tuple) and stored_as == "RGB;16B":
        transparent = tuple(value >> 8 for value in transparent)
    return Stored(is_grey(image), black, white, transparent)


def is_grey(image: Image.Image) -> bool:
    """Whether an image that is not decoded yet is stored in grey."""
    return image.mode in GREY_MODES or coding(image) in _GREY_CODINGS


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether an image that is not decoded yet has 16 bits a channel, of which a camera may use 12 alone."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return set(image.tag_v2.get(_TIFF_BITS, ())) == {16}
    return image.mode.startswith("I;16") or "16B" in (coding(image) or "")


def coding(image: Image.Image) -> str | None:
    """Pillow's name of the coding of a PNG's pixels, None for other formats."""
    tile = getattr(image, "tile", None)
    return str(tile[0].args) if image.format == "PNG" and tile else None


def eight_bits(image: Image.Image, stored: Stored) -> NDArray[np.uint8]:
    """Grey (H, W) or RGB (H, W, 3) uint8 of an image in any of the modes above.

    It is converted a band at a time, since whole copies take memory.
    """
    rows = max(1, BAND_PIXELS // image.width)
    if image.height <= rows:
        return _band(image, stored)
    pixels = np.empty((image.height, image.width) if stored.is_grey else (image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, rows):
        bottom = min(image.height, top + rows)
        pixels[top:bottom] = _band(image.crop((0, top, image.width, bottom)), stored)
    return pixels


def _band(image: Image.Image, stored: Stored) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        values = np.asarray(image)
        levels: NDArray[np.uint8] = _levels(stored.black, stored.white)[values]
        return levels if stored.transparent is None else np.where(values == stored.transparent, np.uint8(255), levels)
    mode = "L" if stored.is_grey else "RGB"
    if image.mode not in {"LA", "PA", "RGBA"} and stored.transparent is None:
        return np.array(image if image.mode == mode else image.convert(mode))
    image.info["transparency"] = stored.transparent
    with_alpha = image.convert("LA" if stored.is_grey else "RGBA")
    canvas = Image.new(mode, with_alpha.size, "white")
    canvas.paste(with_alpha.convert(mode), mask=with_alpha.getchannel("A"))
    return np.array(canvas)


@cache
def _levels(black: int, white: int) -> NDArray[np.uint8]:
    """The nearest of 256 grey levels for every 16-bit value, (65536,)."""
    levels = (np.arange(65536) - black) * 255 / (white - black)
    return np.asarray(np.rint(levels.clip(0, 255)), dtype=np.uint8)
