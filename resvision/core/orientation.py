"""EXIF orientation: how a stored image is turned to stand upright, and points and boxes with it.

A camera stores the pixels as its sensor lay, and a number of 1..8 that says how to turn them (EXIF 2.32, tag 0x0112).

Glossary
    orientation  1 upright, 2 mirrored, 3 half a turn, 4 mirrored upside down, 5 transposed, 6 a quarter turn clockwise,
                 7 transposed over the other diagonal, 8 a quarter turn against the clock
    points       (..., 2), x and y in pixels, (0, 0) being the corner of the first pixel
    boxes        (..., 4), xyxy pixels
"""

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

UPRIGHT = 1
_TAG = 0x0112
_TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDES_SWAPPED = {5, 6, 7, 8}
_PNG_METADATA = {b"eXIf", b"tEXt", b"zTXt", b"iTXt"}


def upright(image: Image.Image) -> Image.Image:
    """The image turned by its orientation; it must be loaded."""
    transpose = _TRANSPOSED.get(_orientation(image))
    return image if transpose is None else image.transpose(transpose)


def orientation_in_header(image: Image.Image) -> int:
    """The orientation, 1..8, of an image that is not loaded, and stays so unless a PNG states it behind its pixels."""
    if isinstance(image, PngImagePlugin.PngImageFile) and not _metadata_follows(image):
        return _valid(Image.Image.getexif, image)  # Pillow's own method for PNG would decode the image
    return _orientation(image)


def stored_sides(image: Image.Image) -> tuple[int, int]:
    """Width and height as stored; those of a TIFF, which Pillow gives as they are once it is turned, are put back."""
    width, height = image.size
    turned = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_TAG) in _SIDES_SWAPPED
    return (height, width) if turned else (width, height)


def upright_sides(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Width and height once an image of these stored sides stands upright."""
    return (height, width) if orientation in _SIDES_SWAPPED else (width, height)


def upright_points(points: NDArray[Any], orientation: int, width: int, height: int) -> NDArray[Any]:
    """Points of the stored image, (..., 2), in the upright one; `width` and `height` are the stored sides."""
    x, y = points[..., 0], points[..., 1]
    mirrored_x, mirrored_y = width - x, height - y
    moved = {
        2: (mirrored_x, y),
        3: (mirrored_x, mirrored_y),
        4: (x, mirrored_y),
        5: (y, x),
        6: (mirrored_y, x),
        7: (mirrored_y, mirrored_x),
        8: (y, mirrored_x),
    }
    return np.stack(moved.get(orientation, (x, y)), axis=-1)


def upright_boxes(boxes: NDArray[Any], orientation: int, width: int, height: int) -> NDArray[Any]:
    """Boxes of the stored image, (..., 4) xyxy, in the upright one; `width` and `height` are the stored sides."""
    corners = upright_points(boxes.reshape(*boxes.shape[:-1], 2, 2), orientation, width, height)
    return np.concatenate([corners.min(axis=-2), corners.max(axis=-2)], axis=-1)


def _orientation(image: Image.Image) -> int:
    return _valid(type(image).getexif, image)


def _valid(exif_of: Any, image: Image.Image) -> int:
    """The orientation, UPRIGHT where there is none, where it is none of 1..8, or where the EXIF block is damaged."""
    try:
        orientation = int(exif_of(image).get(_TAG, UPRIGHT))
    except Exception:  # noqa: BLE001 - a damaged EXIF block does not make the pixels worse
        return UPRIGHT
    return orientation if orientation in _TRANSPOSED else UPRIGHT


def _metadata_follows(image: PngImagePlugin.PngImageFile) -> bool:
    """Whether a PNG has metadata behind its pixels, where `open` does not look."""
    assert image.fp is not None, "not loaded yet"
    position = image.fp.tell()
    try:
        return any(kind in _PNG_METADATA for kind in _kinds_behind_pixels(image.fp))
    finally:
        image.fp.seek(position)


def _kinds_behind_pixels(stream: IO[bytes]) -> list[bytes]:
    """The kinds of the chunks of a PNG that follow its pixels; the content of chunks is skipped."""
    stream.seek(8)
    kinds: list[bytes] = []
    pixels = False
    while len(head := stream.read(8)) == 8:
        kind = head[4:]
        pixels |= kind == b"IDAT"
        if pixels and kind != b"IDAT":
            kinds.append(kind)
        stream.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return kinds
