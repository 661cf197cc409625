"""Boxes drawn over their image, with captions that can be read whatever its size.

Glossary
    box      x1 y1 x2 y2 in continuous pixels of the image
    caption  the text of a box on a ground of its colour, above it where there is room
"""

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from resvision.core.errors import printable
from resvision.core.images import VOID, Pixels
from resvision.core.masks import label_colours

Rectangle = tuple[float, float, float, float]
Colour = tuple[int, int, int]

SMALLEST_PX = 480
"""The longer side up to which an image is enlarged, so that captions leave something of it to be seen."""
LARGEST_TIMES = 16
"""The largest factor by which an image is enlarged."""
_FONT_PX, _FONT_SHARE = 12, 1 / 50  # at least, and of the longer side
_LINE_PX, _LINE_SHARE = 2, 1 / 7  # at least, and of the height of captions
_LETTERS = 40  # of a caption
_HALO = (0, 0, 0)  # below each line, so that it is seen on every ground


class Outline(NamedTuple):
    """A box that is drawn, with its colour and caption, "" for none; a dashed one is not what the net said."""

    box: NDArray[np.float64]
    colour: Colour
    caption: str = ""
    dashed: bool = False


@cache
def class_colours(count: int) -> tuple[Colour, ...]:
    """A colour for each of so many classes; beyond 255 they come round again."""
    names = [f"class {label}" for label in range(min(count, VOID))]
    rows = label_colours(names)[: len(names)].tolist()
    return tuple((rows[k % VOID][0], rows[k % VOID][1], rows[k % VOID][2]) for k in range(count))


def hex_of(colour: Colour) -> str:
    """A colour as `#rrggbb`."""
    return f"#{bytes(colour).hex()}"


def drawn(
    image: Pixels,
    outlines: Sequence[Outline],
    *,
    longest_px: int | None = None,
    letters_px: int | None = None,
    dark: float = 1.0,
) -> Image.Image:
    """The image, RGB, with the boxes over it; the first ones lie on top.

    image       (H, W) or (H, W, 1 or 3) uint8
    longest_px  the longer side of the picture; None keeps the image's, but enlarges small ones
    letters_px  the height of captions; None follows from the size of the picture
    dark        the brightness that is left to the image, 0..1
    """
    height, width = image.shape[:2]
    times = _times(max(height, width)) if longest_px is None else longest_px / max(height, width)
    size = max(1, round(width * times)), max(1, round(height * times))
    photo = Image.fromarray(np.ascontiguousarray(np.broadcast_to(_three(image), (height, width, 3))))
    way = Image.Resampling.NEAREST if times >= 2 and times == int(times) else Image.Resampling.LANCZOS
    picture = photo if size == photo.size else photo.resize(size, way)
    if dark < 1:
        picture = picture.point(lambda value: value * dark)
    _draw(picture, outlines, (size[0] / width, size[1] / height), letters_px or _letters_px(max(size)))
    return picture


def _draw(picture: Image.Image, outlines: Sequence[Outline], scales: tuple[float, float], letters_px: int) -> None:
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(letters_px)
    line = max(_LINE_PX, round(letters_px * _LINE_SHARE))
    boxes = [tuple((np.asarray(outline.box) * (*scales, *scales)).tolist()) for outline in outlines]
    for outline, box in [*zip(outlines, boxes, strict=True)][::-1]:
        _rectangle(draw, box, outline, line)
    taken: list[Rectangle] = []
    for outline, box in zip(outlines, boxes, strict=True):
        if outline.caption:
            taken.append(_caption(draw, box, outline, font, picture.size, taken))


def _rectangle(draw: ImageDraw.ImageDraw, box: tuple[float, ...], outline: Outline, line: int) -> None:
    """Draw the lines of a box, in dashes where it is dashed; its outer edge is the box's."""
    x1, y1, x2, y2 = box
    right, bottom = max(x1, x2 - 1), max(y1, y2 - 1)
    if not outline.dashed:
        draw.rectangle((x1 - 1, y1 - 1, right + 1, bottom + 1), outline=_HALO)
        draw.rectangle((x1, y1, right, bottom), outline=outline.colour, width=line)
        return
    dash = 4 * line
    for start in np.arange(x1, right, 2 * dash).tolist():
        end = min(start + dash, right)
        for y in (y1, bottom - line + 1):
            draw.rectangle((start, y, end, y + line - 1), fill=outline.colour)
    for start in np.arange(y1, bottom, 2 * dash).tolist():
        end = min(start + dash, bottom)
        for x in (x1, right - line + 1):
            draw.rectangle((x, start, x + line - 1, end), fill=outline.colour)


def _caption(
    draw: ImageDraw.ImageDraw,
    box: tuple[float, ...],
    outline: Outline,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
    taken: Sequence[Rectangle],
) -> Rectangle:
    """Write the caption where it hides no other one, if there is such a place at its box; the place."""
    text = _shown(outline.caption)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    wide, high = right - left + 6, bottom - top + 5
    x1, y1, x2, y2 = box
    places = [
        (min(max(x, 0), max(0, size[0] - wide)), min(max(y, 0), max(0, size[1] - high)))
        for y, x in product((y1 - high, y1, y2, y2 - high), (x1, x2 - wide))
    ]
    rectangles = [(x, y, x + wide, y + high) for x, y in places]
    free = [place for place in rectangles if not any(_meet(place, other) for other in taken)]
    place = (free or rectangles)[0]
    draw.rectangle((*place[:2], place[2] - 1, place[3] - 1), fill=outline.colour)
    draw.text((place[0] + 3 - left, place[1] + 2 - top), text, fill=_ink(outline.colour), font=font)
    return place


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _ink(colour: Colour) -> str:
    """Black on bright colours, white on dark ones."""
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"


def _shown(caption: str) -> str:
    """The caption, not too long, with a question mark for each letter that the built-in font lacks."""
    text = printable(caption)
    text = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 3]}..."
    return text.encode("latin-1", errors="replace").decode("latin-1")


def _letters_px(longest: int) -> int:
    """The height of the captions of a picture with this longer side."""
    return max(_FONT_PX, round(longest * _FONT_SHARE))


def _times(longest: int) -> int:
    """The whole factor by which an image is enlarged."""
    return min(LARGEST_TIMES, max(1, -(-SMALLEST_PX // longest)))


def _three(image: Pixels) -> Pixels:
    """The image with a last axis of 1 or 3."""
    return image[:, :, None] if image.ndim == 2 else image
