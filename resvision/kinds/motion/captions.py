"""Writing in pictures of traffic: the moment, probabilities, the legend and the scale."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import ImageDraw, ImageFont
from PIL.Image import Image

from resvision.kinds.motion.results import Motion
from resvision.kinds.motion.viewport import BORDER, GROUND, INK, LABELLED, OTHER, PREDICTED, TARGET, TRUTH, Viewport
from resvision.kinds.motion.windows import Window

Rectangle = tuple[float, float, float, float]

LEGEND = (("target, and its past", TARGET), ("what came true", TRUTH), ("predicted", PREDICTED), ("others", OTHER))


class Lettering(NamedTuple):
    """The size of letters in pixels, and whether the picture has a legend of its own."""

    size_px: int
    has_legend: bool = True


def usual_lettering(side_px: int) -> Lettering:
    """The lettering of a picture that is seen in its own size."""
    return Lettering(max(11, side_px // 48))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write(
    picture: Image, window: Window, forecast: Motion | None, frame: int, viewport: Viewport, lettering: Lettering
) -> None:
    """Write probabilities, the legend, the moment and the scale."""
    draw, size = ImageDraw.Draw(picture), lettering.size_px
    occupied = [_write_scale(draw, viewport, size)]
    if lettering.has_legend:
        occupied.append(_write_legend(draw, window, forecast, viewport, size))
    seconds = (frame - window.frame) * window.scene.frame_seconds
    moment = f"{window.name}   {seconds:+.1f} s" if frame != window.frame else window.name
    draw.text((size, size), moment.encode("latin-1", "replace").decode("latin-1"), fill=INK, font=_font(size))
    if forecast is not None and frame >= window.frame:
        _write_probabilities(draw, forecast, viewport, size, occupied)


def _write_legend(
    draw: ImageDraw.ImageDraw, window: Window, forecast: Motion | None, viewport: Viewport, size: int
) -> Rectangle:
    """Write the meanings of the colours that the picture may have into the lower left corner; its rectangle."""
    is_there = {PREDICTED: forecast is not None, TRUTH: bool(window.future().present.any())}
    rows = [(text, colour) for text, colour in LEGEND if is_there.get(colour, True)]
    line, wide = round(1.5 * size), max(draw.textlength(text, font=_font(size)) for text, _ in rows)
    top = viewport.side - size - line * len(rows)
    rectangle = (size / 2, top - size / 2, 3 * size + wide, viewport.side - size / 2)
    draw.rectangle(rectangle, fill=GROUND, outline=BORDER)
    for number, (text, colour) in enumerate(rows):
        y = top + line * number
        draw.rectangle((size, y + 0.25 * size, 2 * size, y + size), fill=colour)
        draw.text((2.5 * size, y), text, fill=INK, font=_font(size))
    return rectangle


def _write_scale(draw: ImageDraw.ImageDraw, viewport: Viewport, size: int) -> Rectangle:
    """Draw a bar of a round length into the lower right corner; its rectangle."""
    longest = viewport.side / 4 / viewport.scale
    metres = max(length for length in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if length <= max(longest, 1))
    right, bottom = viewport.side - size, viewport.side - size
    left = right - metres * viewport.scale
    rectangle = (left - size / 2, bottom - 2 * size, right + size / 2, bottom + size / 2)
    draw.rectangle(rectangle, fill=GROUND, outline=BORDER)
    draw.line(
        [(left, bottom - size / 2), (left, bottom), (right, bottom), (right, bottom - size / 2)], fill=INK, width=2
    )
    draw.text(((left + right) / 2, bottom - size / 2), f"{metres} m", fill=INK, font=_font(size), anchor="mb")
    return rectangle


def _write_probabilities(
    draw: ImageDraw.ImageDraw, forecast: Motion, viewport: Viewport, size: int, occupied: list[Rectangle]
) -> None:
    """Write each likely trajectory's probability near its end, the most probable first, where no other one stands."""
    order = np.argsort(-forecast.probabilities, kind="stable").tolist()
    if len(order) == 1:
        return
    for mode in order:
        if forecast.probabilities[mode] < LABELLED:
            break
        text = f"{forecast.probabilities[mode]:.0%}"
        wide = draw.textlength(text, font=_font(size))
        x, y = viewport.pixels(forecast.positions[mode, -1:])[0]
        for right, down in _label_offsets(wide, size):
            rectangle = (x + right - 2, y + down - 1, x + right + wide + 2, y + down + 1.2 * size)
            if _inside(rectangle, viewport.side) and not any(_meet(rectangle, other) for other in occupied):
                draw.rectangle(rectangle, fill=GROUND, outline=PREDICTED)
                draw.text((rectangle[0] + 2, rectangle[1]), text, fill=PREDICTED, font=_font(size))
                occupied.append(rectangle)
                break


def _label_offsets(wide: float, size: int) -> Sequence[tuple[float, float]]:
    """Offsets of a text from the end of a trajectory, the nearest first."""
    sides = (size, -wide - size)
    return [(right, (step - 0.6) * 1.4 * size) for step in (0, -1, 1, -2, 2, -3, 3) for right in sides]


def _inside(rectangle: Rectangle, side: int) -> bool:
    return min(rectangle) >= 0 and max(rectangle) < side


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
