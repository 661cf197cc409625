"""EXIF orientation: points and boxes go where the pixels go."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from resvision.core.images import decode, header
from resvision.core.masks import mask_header, read_mask
from resvision.core.orientation import upright_boxes, upright_points

WIDTH, HEIGHT = 8, 6
STORED = np.arange(WIDTH * HEIGHT, dtype=np.uint8).reshape(HEIGHT, WIDTH)


def tagged(orientation: int, kind: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = BytesIO()
    Image.fromarray(STORED).save(stream, kind, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_and_boxes_are_turned_as_the_pixels_are(orientation: int) -> None:
    image = decode(tagged(orientation))
    x, y = 5, 1
    centre = upright_points(np.array([[x + 0.5, y + 0.5]]), orientation, WIDTH, HEIGHT)[0]
    column, row = np.floor(centre).astype(int)
    assert image[row, column] == STORED[y, x]
    left, top, right, bottom = upright_boxes(np.array([2, 1, 5, 3]), orientation, WIDTH, HEIGHT).tolist()
    assert {*image[top:bottom, left:right].ravel()} == {*STORED[1:3, 2:5].ravel()}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_header_has_the_stored_sides_and_those_of_the_upright_image(orientation: int, kind: str) -> None:
    head = header(tagged(orientation, kind))
    assert (head.width, head.height, head.orientation) == (WIDTH, HEIGHT, orientation)
    assert head.upright == decode(tagged(orientation, kind)).shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_by_its_own_orientation_as_an_image_is(orientation: int) -> None:
    assert np.array_equal(read_mask(tagged(orientation)), decode(tagged(orientation)))
    assert mask_header(tagged(orientation)).upright == read_mask(tagged(orientation)).shape


def test_orientation_behind_the_pixels_of_a_png_is_found_too() -> None:
    png = tagged(6)
    start = png.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", png[start : start + 4])[0]
    last = png.index(b"IEND") - 4
    late = png[:start] + png[end:last] + png[start:end] + png[last:]
    assert header(late).orientation == 6
    assert header(late).upright == decode(late).shape == (WIDTH, HEIGHT)


def test_an_orientation_that_is_none_leaves_the_image_as_it_is() -> None:
    assert header(tagged(9)).orientation == 1
    chunk = b"eXIf" + b"damaged"
    png = tagged(1)
    at = png.index(b"IDAT") - 4
    damaged = png[:at] + struct.pack(">I", 7) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[at:]
    assert header(damaged).orientation == 1
