"""The anchors of a net as a person is shown them: those of each map over an image, and the boxes of a set they miss."""

import torch
from PIL import Image

from resvision.core.errors import SettingsError, printable
from resvision.core.images import Pixels
from resvision.core.plurals import counted
from resvision.core.samples import Reader
from resvision.detection.anchor_cells import Cell, in_words, middle_cells, picture, shape
from resvision.detection.detector import Detector
from resvision.detection.unmatched import SizeGroup, Unmatched, unmatched
from resvision.geometry.boxes import iou, sides
from resvision.kinds.detection.boxes import BoxTargets
from resvision.kinds.detection.pictures import Colour, Outline, drawn
from resvision.kinds.forms import Showing, Table

WORST_IMAGES = 4
"""The images whose unmatched boxes are shown."""

MISSED: Colour = (255, 176, 0)
NEAREST: Colour = (255, 255, 255)

SHOWN_PX = 900
"""The longer side of a picture with captions."""


def anchors_shown(system: Detector, pixels: Pixels) -> Showing:
    """The anchors of each map, over an image (H, W, C) as the net sees it; SettingsError for a net that has none."""
    height, width = pixels.shape[:2]
    anchors = system.anchors((height, width))
    cells = middle_cells(anchors, (height, width))
    if not cells:
        raise SettingsError("--anchors: this net has no anchors; its boxes are referred to nothing")
    columns = ("map", "stride", "cells", "anchors", "of a cell", "sizes in px", "width:height")
    table = Table(columns, [_row(cell) for cell in cells], columns[2:5], f"Anchors of an image of {width} x {height}")
    total = sum(len(boxes) for boxes in anchors.values())
    lines = (f"{counted(total, 'anchor')}; a size is the square root of an anchor's area",)
    photo = pixels if pixels.shape[2] == 3 else pixels[..., :1]
    document = {"width": width, "height": height, "anchors": total, "maps": [_document(cell) for cell in cells]}
    return Showing((table,), lines, {"anchors": picture(cells, photo)}, document)


def unmatched_shown(system: Detector, reader: Reader[BoxTargets]) -> Showing:
    """The boxes of a set that no anchor would be trained to find, by size, and images with the most of them."""
    if len(reader) and not system.anchors(reader.view.geometry(64, 64).view_sides):
        raise SettingsError("--anchors: this net has no anchors; its boxes are referred to nothing")
    matches = unmatched(system, reader)
    columns = ("side in px", "boxes", "unmatched", "share", "mean best overlap")
    title = f"Boxes of {printable(reader.name)}, {reader.split}, as the net sees them"
    table = Table(columns, [_group_row(group) for group in matches.groups], columns[1:], title)
    missing, boxes = int(matches.unmatched.sum()), len(matches.boxes)
    line = f"{missing:,} of {counted(boxes, 'box')} would be matched by no anchor in training"
    worst = matches.worst_images(WORST_IMAGES)
    pictures = {
        f"unmatched-{rank}": _worst(system, reader, index, matches) for rank, index in enumerate(worst, start=1)
    }
    document = {
        "data": reader.name,
        "split": reader.split,
        "boxes": boxes,
        "unmatched": missing,
        "sizes": [group._asdict() for group in matches.groups],
        "worst_images": [reader.source(index) for index in worst],
    }
    lines = [
        f"unmatched-{rank}, {counted(int((matches.images == index)[matches.unmatched].sum()), 'box')}: "
        + printable(reader.source(index))
        for rank, index in enumerate(worst, start=1)
    ]
    return Showing((table,), (line, *lines), pictures, document)


def _row(cell: Cell) -> tuple[str, ...]:
    sizes = ", ".join(dict.fromkeys(f"{size:.0f}" for size in sorted(cell.sizes)))
    shapes = ", ".join(dict.fromkeys(shape(ratio) for ratio in sorted(cell.ratios)))
    count = len(cell.boxes)
    stride = in_words(cell.stride_px).removeprefix("stride ") or "-"
    return cell.name, stride, f"{cell.cells:,}", f"{cell.cells * count:,}", str(count), sizes, shapes


def _document(cell: Cell) -> dict[str, object]:
    width_height = sides(cell.boxes).round(3).tolist()
    across, down = cell.stride_px
    return {
        "name": cell.name,
        "stride_px": [across and round(across, 3), down and round(down, 3)],
        "cells": cell.cells,
        "anchors": [{"width": width, "height": height} for width, height in width_height],
    }


def _group_row(group: SizeGroup) -> tuple[str, ...]:
    size = f"{group.least_px} and more" if group.end_px is None else f"{group.least_px} to {group.end_px}"
    share = f"{group.unmatched / group.boxes:.1%}"
    return size, f"{group.boxes:,}", f"{group.unmatched:,}", share, f"{group.overlap:.0%}"


@torch.no_grad()
def _worst(system: Detector, reader: Reader[BoxTargets], index: int, matches: Unmatched) -> Image.Image:
    """An image as the net sees it with its unmatched boxes; the anchor that overlaps each most is dashed."""
    shown = reader.view.show(reader[index].image, name=reader.source(index), grey=True)
    chosen = (matches.images == index) & matches.unmatched
    anchors = torch.cat([*system.anchors(shown.geometry.view_sides).values()]).double().cpu().numpy()
    outlines: list[Outline] = []
    nearest: list[Outline] = []
    for box, overlap in zip(matches.boxes[chosen], matches.overlaps[chosen], strict=True):
        wide, high = sides(box[None])[0]
        outlines.append(Outline(box, MISSED, f"{wide:.0f} x {high:.0f}, {overlap:.0%}"))
        nearest.append(Outline(anchors[iou(box[None], anchors)[0].argmax()], NEAREST, dashed=True))
    pixels = shown.pixels if shown.pixels.shape[2] == 3 else shown.pixels[..., :1]
    return drawn(pixels, [*outlines, *nearest], longest_px=SHOWN_PX, dark=0.7)
