"""The anchors of one cell of each map of a net: their sizes and shapes, and as a picture over an image, to scale.

Glossary
    A       anchors of a cell
    cell    the anchors about one point, which every position of a map repeats
    size    square root of an anchor's area, in pixels as the net sees them
    ratio   height / width
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from resvision.core.images import Pixels
from resvision.core.plurals import counted
from resvision.geometry.boxes import area, centres, moved, sides
from resvision.kinds.detection.pictures import Colour, Outline, class_colours, drawn

SAME_PX = 1.0
"""The distance up to which anchors have one centre; those of torchvision are rounded to whole pixels."""

PICTURE_PX = 640
"""The longer side of the picture of each map."""

ROOM = 0.3
"""The share of the image's side that is shown on each side of it; larger anchors are cut off."""

LETTER_PX, LINE_PX = 15, 20

AROUND: Colour = (48, 52, 60)
"""The colour around an image that anchors reach beyond."""


class Cell(NamedTuple):
    """The anchors of the cell of a map that lies nearest to the middle of an image.

    name       of the map
    boxes      (A, 4) float64 pixels
    stride_px  pixels between neighbouring cells, across and down; None where there is one alone
    cells      the number of cells of the map
    """

    name: str
    boxes: NDArray[np.float64]
    stride_px: tuple[float | None, float | None]
    cells: int

    @property
    def sizes(self) -> NDArray[np.float64]:
        """The size of each anchor, (A,)."""
        return np.sqrt(area(self.boxes))

    @property
    def ratios(self) -> NDArray[np.float64]:
        """The ratio of each anchor, (A,)."""
        width, height = sides(self.boxes).T
        return np.asarray(height / width)

    @property
    def names(self) -> list[str]:
        """A name for each anchor by size and by width to height, such as `32 px 1:2`."""
        return [f"{size:.0f} px {shape(ratio)}" for size, ratio in zip(self.sizes, self.ratios, strict=True)]


def middle_cells(anchors: Mapping[str, Tensor], image_sides: tuple[int, int]) -> list[Cell]:
    """The cell nearest to the middle of an image of these sides, height and width, of each map."""
    height, width = image_sides
    cells = []
    for name, tensor in anchors.items():
        boxes = tensor.double().cpu().numpy()
        if not len(boxes):
            continue
        middle = centres(boxes)
        nearest = middle[np.abs(middle - (width / 2, height / 2)).max(axis=1).argmin()]
        same = (np.abs(middle - nearest) <= SAME_PX).all(axis=1)
        chosen = boxes[same]
        strides = _step(middle[:, 0], nearest[0]), _step(middle[:, 1], nearest[1])
        cells.append(Cell(name, chosen, strides, len(boxes) // len(chosen)))
    return cells


def shape(ratio: float) -> str:
    """Width to height of an anchor in whole numbers where there are small ones: `1:2`, `3:1`, else `1:1.4`."""
    wide, high = (1.0, ratio) if ratio >= 1 else (1 / ratio, 1.0)
    words = [f"{round(side)}" if abs(side - round(side)) < 0.08 * side else f"{side:.1f}" for side in (wide, high)]
    return ":".join(words)


def picture(cells: list[Cell], image: Pixels) -> Image.Image:
    """The anchors of each map over the image (H, W, 1 or 3), one map a panel, all at one scale."""
    canvas, left, top = _with_room(cells, image)
    panels = [_panel(cell, canvas, left, top) for cell in cells]
    columns = min(len(panels), 3)
    wide, high = panels[0].width, max(panel.height for panel in panels)
    rows = -(-len(panels) // columns)
    sheet = Image.new("RGB", (columns * wide, rows * high), "white")
    for position, panel in enumerate(panels):
        sheet.paste(panel, (position % columns * wide, position // columns * high))
    return sheet


def _with_room(cells: list[Cell], image: Pixels) -> tuple[Pixels, int, int]:
    """The image with room around it for the anchors, ROOM at most, and the image's left and upper edge in it."""
    height, width = image.shape[:2]
    boxes = np.concatenate([*(cell.boxes for cell in cells), [[0, 0, width, height]]])
    frame = np.array([width, height])
    left, top = np.ceil(np.minimum(-boxes[:, :2].min(axis=0), ROOM * frame)).astype(int).tolist()
    right, bottom = np.ceil(np.minimum(boxes[:, 2:].max(axis=0), (1 + ROOM) * frame)).astype(int).tolist()
    canvas = np.full((top + bottom, left + right, 3), AROUND, dtype=np.uint8)
    canvas[top : top + height, left : left + width] = image
    return canvas, left, top


def _panel(cell: Cell, canvas: Pixels, left: int, top: int) -> Image.Image:
    """The anchors of one cell over the canvas; below, their map, and the size and shape of each in its colour."""
    colours = class_colours(len(cell.boxes))
    boxes = moved(cell.boxes, left=left, top=top)
    photo = drawn(canvas, [*map(Outline, boxes, colours)], longest_px=PICTURE_PX, dark=0.75)
    edges = np.concatenate([boxes[:, :2], np.array(canvas.shape[1::-1]) - boxes[:, 2:]], axis=1)
    names = [
        name if most >= 0 else f"{name} (around all)"
        for name, most in zip(cell.names, edges.max(axis=1).tolist(), strict=True)
    ]
    font = ImageFont.load_default(LETTER_PX)
    wide = max(font.getlength(name) for name in names) + 34
    columns = max(1, int(photo.width // wide))
    panel = Image.new("RGB", (photo.width + 8, photo.height + LINE_PX * (-(-len(names) // columns) + 1) + 10), "white")
    panel.paste(photo, (4, 4))
    draw = ImageDraw.Draw(panel)
    words = f"{cell.name}: {len(cell.boxes)} anchors in each of {counted(cell.cells, 'cell')}"
    stride = in_words(cell.stride_px)
    draw.text((6, photo.height + 6), words + (f", {stride}" if stride else ""), fill="black", font=font)
    for position, (name, colour) in enumerate(zip(names, colours, strict=True)):
        x, y = 6 + position % columns * wide, photo.height + 6 + LINE_PX * (1 + position // columns)
        draw.rectangle((x, y + 3, x + 14, y + 15), fill=colour, outline="black")
        draw.text((x + 20, y), name, fill="black", font=font)
    return panel


def in_words(stride_px: tuple[float | None, float | None]) -> str:
    """`stride 8 px`; "" for a cell alone."""
    across, down = stride_px
    if across is None and down is None:
        return ""
    if across is None or down is None or abs(across - down) < 0.05:
        return f"stride {_number(across or down or 0.0)} px"
    return f"stride {_number(across)} x {_number(down)} px"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _step(positions: NDArray[np.float64], nearest: float) -> float | None:
    """The distance from the nearest centre to its neighbour on this axis; None where there is no other."""
    distances = np.abs(positions - nearest)
    others = distances[distances > SAME_PX]
    return float(others.min()) if len(others) else None
