"""Explanations as pictures: the image, and beside it the image under the heat of each class, with a bar of the colours.

The box of the object that a score is about is drawn over its heat.

The heat of Grad-CAM begins at nothing; that of occlusion has two ends, for what speaks for a class and against it.
"""

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from resvision.core.errors import printable
from resvision.core.images import Pixels
from resvision.core.view_geometry import Floats
from resvision.inference.explain import Explanation, Heat

LEAST_PX, MOST_PX = 256, 512
"""The bounds of a panel's longer side: smaller images are enlarged by a whole number, larger ones shrunk."""
UNSEEN = 0.3
"""The brightness that is left to what the net does not see."""
GAP, LINE, SIZE = 12, 20, 14
OPAQUE = 0.75
"""The share of the colour where the heat is greatest."""


class HeatPictures:
    """The files of explanations in a folder: a PNG for each image."""

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The path of the picture."""
        return (out / f"{source.stem}-explained.png",)

    def contents(self, result: Explanation, image: Pixels) -> Iterator[bytes]:
        """Yield the picture as PNG."""
        stream = BytesIO()
        picture(result, image).save(stream, "PNG")
        yield stream.getvalue()


def picture(explanation: Explanation, image: Pixels) -> Image.Image:
    """The image and a panel for each class, side by side, above their captions and the bar of colours."""
    panels = [original(image, explanation), *(overlay(image, explanation, heat) for heat in explanation.heats)]
    captions = [[Path(explanation.source).name, _way(explanation)], *map(_caption, explanation.heats)]
    width, height = panels[0].size
    lines = [line for caption in captions for line in caption]
    column = max(width, *(int(_font().getlength(_shown(line))) for line in lines))
    whole = Image.new("RGB", (len(panels) * (column + GAP) + GAP, height + 4 * LINE + 3 * GAP), "white")
    draw = ImageDraw.Draw(whole)
    for number, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left = GAP + number * (column + GAP)
        whole.paste(panel, (left, GAP))
        for line, text in enumerate(caption):
            draw.text((left, height + GAP + 4 + line * LINE), _shown(text), fill="black", font=_font())
    _draw_bar(whole, explanation, left=2 * GAP + column, top=height + 2 * GAP + 2 * LINE)
    return whole


def original(image: Pixels, explanation: Explanation) -> Image.Image:
    """The image at the size of a panel, dark where the net does not see it."""
    photo = _photo(image)
    seen = ~np.isnan(_spread(explanation, np.zeros(explanation.geometry.view_sides), photo.shape[:2]))
    return Image.fromarray(np.where(seen[:, :, None], photo, UNSEEN * photo).astype(np.uint8))


def overlay(image: Pixels, explanation: Explanation, heat: Heat) -> Image.Image:
    """The grey image at the size of a panel under the colours of a heat; the stronger it is, the more they cover."""
    photo = _photo(image)
    strength = _spread(explanation, heat.values / (float(np.abs(heat.values).max()) or 1.0), photo.shape[:2])
    grey = photo @ np.array([0.299, 0.587, 0.114])
    panel = Image.fromarray(_blended(np.repeat(grey[:, :, None], 3, axis=2), strength, explanation))
    if heat.box is not None:
        factors = np.array(panel.size) / explanation.geometry.image_sides[::-1]
        outline(panel, np.array(heat.box) * [*factors, *factors])
    return panel


def outline(panel: Image.Image, box: Floats) -> None:
    """Draw a box (4,), in pixels of the panel, in white between black."""
    x1, y1, x2, y2 = np.rint(box).astype(int).tolist()
    draw = ImageDraw.Draw(panel)
    for inset, colour in enumerate(("black", "white", "white", "black")):
        left, top, right, bottom = x1 + inset, y1 + inset, x2 - 1 - inset, y2 - 1 - inset
        if right >= left and bottom >= top:  # of a box that is smaller than its lines, only the outer ones
            draw.rectangle((left, top, right, bottom), outline=colour)


def _blended(photo: Floats, strength: Floats, explanation: Explanation) -> Pixels:
    """Colours over a photo (H, W, 3) for strengths (H, W) of -1..1, NaN where the net does not see it."""
    known = np.nan_to_num(strength)
    colours = 255 * _colours(explanation, known)
    share = (OPAQUE * np.abs(known) ** 0.7)[:, :, None]
    mixed = np.where(np.isnan(strength)[:, :, None], UNSEEN * photo, (1 - share) * photo + share * colours)
    return np.asarray(np.rint(mixed), dtype=np.uint8)


def _colours(explanation: Explanation, strength: Floats) -> Floats:
    """Colours (..., 3) in 0..1: violet over red to yellow, or blue for what speaks against, red for what speaks for."""
    if explanation.method == "gradcam":
        return np.asarray(colormaps["plasma"](strength)[..., :3])
    return np.asarray(colormaps["RdBu_r"](0.5 + 0.45 * strength)[..., :3])


def _spread(explanation: Explanation, values: NDArray[np.floating], sides: tuple[int, ...]) -> Floats:
    return explanation.geometry.resized(sides[0], sides[1]).values_to_image(values)


def _photo(image: Pixels) -> Pixels:
    """The image (h, w, 3) at the size of a panel; of other numbers of channels than 3, the first."""
    colour = image if image.ndim == 3 and image.shape[2] == 3 else np.atleast_3d(image)[:, :, :1].repeat(3, axis=2)
    longest = max(colour.shape[:2])
    factor = -(-LEAST_PX // longest) if longest < LEAST_PX else min(1.0, MOST_PX / longest)
    size = tuple(max(1, round(side * factor)) for side in colour.shape[1::-1])
    how = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(colour).resize((size[0], size[1]), how))


def _way(explanation: Explanation) -> str:
    return f"Grad-CAM at {explanation.layer}" if explanation.method == "gradcam" else "occlusion"


def _caption(heat: Heat) -> list[str]:
    score = f"{heat.words}: {heat.score:,.2f}"
    return [f"{heat.label}  {heat.share:.1%}", score if heat.values.max() > 0 else f"{score}, nothing speaks for it"]


def _draw_bar(whole: Image.Image, explanation: Explanation, *, left: int, top: int) -> None:
    """Draw the colours from no heat, or from what speaks against, to the strongest, over a mid grey."""
    two_ended = explanation.method == "occlusion"
    width = min(200, whole.width - left - GAP)
    strength = np.linspace(-1.0 if two_ended else 0.0, 1.0, width)[None].repeat(12, axis=0)
    bar = Image.fromarray(_blended(np.full((12, width, 3), 128.0), strength, explanation))
    whole.paste(bar, (left, top))
    words = ("against", "for") if two_ended else ("none", "strongest")
    draw = ImageDraw.Draw(whole)
    draw.text((left, top + 14), words[0], fill="black", font=_font())
    draw.text((left + width - _font().getlength(words[1]), top + 14), words[1], fill="black", font=_font())


def _shown(text: str, letters: int = 60) -> str:
    text = printable(text)
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings along, which has more letters than Pillow's."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), SIZE)
