"""A label map laid over its image, with a legend of the classes that occur."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from resvision.core.errors import printable
from resvision.core.images import VOID, Pixels
from resvision.core.masks import count_values

OPACITY = 0.55
ROWS = 256  # of an image that are blended at a time: a large one would take several times its bytes at once
ENTRY_PX = 22


def overlay(image: Pixels, labels: Pixels, colours: NDArray[np.uint8], names: tuple[str, ...]) -> Image.Image:
    """The picture, RGB, of the image's size with the legend below.

    image    (H, W, 1 or 3) uint8
    labels   (H, W) uint8; VOID leaves the image as it is
    colours  (256, 3) uint8
    names    of the labels 0..K-1
    """
    height, width = labels.shape
    occurs = [label for label in np.flatnonzero(count_values(labels)).tolist() if label != VOID]
    legend = _legend([(names[label], tuple(colours[label].tolist())) for label in occurs], width)
    picture = Image.new("RGB", (width, height + legend.height))
    for top in range(0, height, ROWS):
        rows = slice(top, min(height, top + ROWS))
        photo = np.broadcast_to(image[rows], (*labels[rows].shape, 3)).astype(np.float32)
        tinted = (1 - OPACITY) * photo + OPACITY * colours[labels[rows]]
        blended = np.where(labels[rows, :, None] == VOID, photo, tinted).astype(np.uint8)
        picture.paste(Image.fromarray(blended), (0, top))
    picture.paste(legend, (0, height))
    return picture


def _legend(entries: list[tuple[str, tuple[int, ...]]], width: int) -> Image.Image:
    """Colour and name of each entry on white, in as many lines as the width asks for."""
    font = ImageFont.load_default(13)
    corners: list[tuple[int, int]] = []
    x = y = 0
    for name, _ in entries:
        needed = ENTRY_PX + int(font.getlength(_shown(name))) + 14
        if x and x + needed > width:
            x, y = 0, y + ENTRY_PX
        corners.append((x, y))
        x += needed
    picture = Image.new("RGB", (width, y + ENTRY_PX if entries else 0), "white")
    draw = ImageDraw.Draw(picture)
    for (name, colour), (x, y) in zip(entries, corners, strict=True):
        draw.rectangle((x + 5, y + 4, x + 18, y + 17), fill=colour, outline="black")
        draw.text((x + ENTRY_PX + 2, y + 3), _shown(name), fill="black", font=font)
    return picture


def _shown(name: str) -> str:
    """The name, with a question mark for each letter that the built-in font lacks."""
    return printable(name).encode("latin-1", errors="replace").decode("latin-1")
