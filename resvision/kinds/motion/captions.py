"""What is written into a picture of traffic: the moment, probabilities, the legend and the scale."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import ImageDraw, ImageFont
from PIL.Image import Image

from resvision.kinds.motion.results import Motion
from resvision.kinds.motion.stage import BORDER, GROUND, INK, LABELLED, OTHER, PREDICTED, TARGET, TRUTH, Stage
from resvision.kinds.motion.windows import Window

Rectangle = tuple[float, float, float, float]

LEGEND = (("target, and its past", TARGET), ("what came true", TRUTH), ("predicted", PREDICTED), ("others", OTHER))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def write(picture: Image, window: Window, forecast: Motion | None, frame: int, stage: Stage) -> None:
    """Write probabilities, the legend, the moment and the scale."""
    draw, size = ImageDraw.Draw(picture), max(11, stage.side // 48)
    taken = [_write_legend(draw, forecast, stage, size), _write_scale(draw, stage, size)]
    seconds = (frame - window.frame) * window.scene.frame_seconds
    moment = f"{window.name}   {seconds:+.1f} s" if frame != window.frame else window.name
    draw.text((size, size), moment.encode("latin-1", "replace").decode("latin-1"), fill=INK, font=_font(size))
    if forecast is not None and frame >= window.frame:
        _write_probabilities(draw, forecast, stage, size, taken)


def _write_legend(draw: ImageDraw.ImageDraw, forecast: Motion | None, stage: Stage, size: int) -> Rectangle:
    """Write the meanings of the colours into the lower left corner; the place."""
    rows = [(text, colour) for text, colour in LEGEND if forecast is not None or colour != PREDICTED]
    line, wide = round(1.5 * size), max(draw.textlength(text, font=_font(size)) for text, _ in rows)
    top = stage.side - size - line * len(rows)
    place = (size / 2, top - size / 2, 3 * size + wide, stage.side - size / 2)
    draw.rectangle(place, fill=GROUND, outline=BORDER)
    for number, (text, colour) in enumerate(rows):
        y = top + line * number
        draw.rectangle((size, y + 0.25 * size, 2 * size, y + size), fill=colour)
        draw.text((2.5 * size, y), text, fill=INK, font=_font(size))
    return place


def _write_scale(draw: ImageDraw.ImageDraw, stage: Stage, size: int) -> Rectangle:
    """Draw a bar of a round length into the lower right corner; the place."""
    longest = stage.side / 4 / stage.scale
    metres = max(length for length in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if length <= max(longest, 1))
    right, bottom = stage.side - size, stage.side - size
    left = right - metres * stage.scale
    place = (left - size / 2, bottom - 2 * size, right + size / 2, bottom + size / 2)
    draw.rectangle(place, fill=GROUND, outline=BORDER)
    draw.line(
        [(left, bottom - size / 2), (left, bottom), (right, bottom), (right, bottom - size / 2)], fill=INK, width=2
    )
    draw.text(((left + right) / 2, bottom - size / 2), f"{metres} m", fill=INK, font=_font(size), anchor="mb")
    return place


def _write_probabilities(
    draw: ImageDraw.ImageDraw, forecast: Motion, stage: Stage, size: int, taken: list[Rectangle]
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
        x, y = stage.pixels(forecast.positions[mode, -1:])[0]
        for right, down in _places(wide, size):
            place = (x + right - 2, y + down - 1, x + right + wide + 2, y + down + 1.2 * size)
            if _inside(place, stage.side) and not any(_meet(place, other) for other in taken):
                draw.rectangle(place, fill=GROUND, outline=PREDICTED)
                draw.text((place[0] + 2, place[1]), text, fill=PREDICTED, font=_font(size))
                taken.append(place)
                break


def _places(wide: float, size: int) -> Sequence[tuple[float, float]]:
    """Offsets of a text from the end of a trajectory, the nearest first."""
    sides = (size, -wide - size)
    return [(right, (step - 0.6) * 1.4 * size) for step in (0, -1, 1, -2, 2, -3, 3) for right in sides]


def _inside(place: Rectangle, side: int) -> bool:
    return min(place) >= 0 and max(place) < side


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
