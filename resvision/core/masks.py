"""Label maps in files: PNG whose values, grey or palette indices, are labels and no colours.

They pass the same checks as images. Nothing is scaled or converted: the stored values are the values read.

Glossary
    mask    (H, W) uint8, one stored value a pixel
"""

from collections.abc import Sequence
from colorsys import hls_to_rgb
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from resvision.core.bit_depth import GREY_STEPS, coding
from resvision.core.images import VOID, Header, Pixels, RefusedError, check_work, reading
from resvision.core.orientation import orientation_in_header, upright
from resvision.core.rundir import write_bytes

_MODES = {"1", "L", "P", "I;16", "I"}
_SHOWN_AS = {"RGB": "an RGB image", "RGBA": "an RGBA image", "LA": "a grey image with transparency"}

COUNTED = 2**20
"""Values that are counted at a time, since `bincount` turns each into an integer of eight bytes."""

_BLACK = ("background", "void")
_GOLDEN_ANGLE = (3 - 5**0.5) / 2  # of a turn
_FIRST_HUE, _LIGHTNESSES, _SATURATION = 0.1, (0.5, 0.75, 0.35), 0.85


def mask_header(source: Path | bytes, *, name: str | None = None) -> Header:
    """The header of a label map, read without decoding; DataError for a file that `read_mask` refuses by its header."""
    with reading(source, name) as (format_name, image):
        _check(image)
        palette = image.palette.getdata()[1] if image.mode == "P" and image.palette else b""
        return Header(format_name, *image.size, False, orientation_in_header(image), False, bytes(palette))


def read_mask(source: Path | bytes, *, name: str | None = None) -> Pixels:
    """The values of a label map as they are stored, (H, W) uint8, upright by its own EXIF orientation.

    Grey values of 1 to 8 bits and palette indices are kept; 16 bits are taken where no value is above 255.
    `name` stands in errors for bytes that have no path. Raises DataError, with the name and the reason, for another
    format than PNG, for colour, and for whatever is not one whole image.
    """
    with reading(source, name) as (_, image):
        _check(image)
        check_work(image)
        step = GREY_STEPS.get(coding(image) or "", 1)
        image.load()
        values = np.array(upright(image))
        if values.dtype != np.uint8 and values.max() > 255:
            raise RefusedError(f"a label map with values up to {values.max():,}; 0..255 can be stored")
        stored = values.astype(np.uint8, copy=False)
        return stored if step == 1 else stored // np.uint8(step)


def encode_mask(labels: Pixels, colours: NDArray[np.uint8]) -> bytes:
    """Labels, (H, W) uint8, as a PNG of palette indices; `colours`, (256, 3) uint8, is the palette."""
    image = Image.fromarray(labels)
    image.putpalette(colours.tobytes())
    stream = BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def write_mask(path: Path, labels: Pixels, colours: NDArray[np.uint8]) -> None:
    """Write labels as `encode_mask` has them, whole or not at all; RunError where that fails."""
    write_bytes(path, encode_mask(labels, colours), option="another path")


def count_values(values: Pixels) -> NDArray[np.int64]:
    """The number of times that each of 0..255 occurs in an array of bytes, (256,)."""
    counts = np.zeros(256, dtype=np.int64)
    flat = values.ravel()
    for start in range(0, len(flat), COUNTED):
        counts += np.bincount(flat[start : start + COUNTED], minlength=256)
    return counts


def label_colours(classes: Sequence[str]) -> NDArray[np.uint8]:
    """A colour for each stored value, (256, 3): one per class, mid grey for VOID, black for values that are no label.

    Hues are the golden angle apart in three lightnesses that take turns, so that neighbours, and all of some twenty
    classes, are told apart. A class called background or void is black.
    """
    colours = np.zeros((256, 3), dtype=np.uint8)
    for label, name in enumerate(classes):
        if name.lower() not in _BLACK:
            hue = (_FIRST_HUE + label * _GOLDEN_ANGLE) % 1
            colours[label] = np.rint(255 * np.array(hls_to_rgb(hue, _LIGHTNESSES[label % 3], _SATURATION)))
    colours[VOID] = 128
    return colours


def _check(image: ImageFile.ImageFile) -> None:
    if image.format != "PNG":
        raise RefusedError(f"a {image.format} where a label map is due; save the labels as a PNG")
    if image.mode not in _MODES:
        fault = _SHOWN_AS.get(image.mode, f"pixels of kind {image.mode}")
        raise RefusedError(f"{fault} where a label map is due; save the labels, not colours, as grey or palette PNG")
