"""The boxes of a training that no anchor would be trained to find, told to a person before it begins.

Glossary
    boxes  (M, 4) float64, x1 y1 x2 y2 in pixels of the squares that the net is trained on
"""

from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.samples import Reader
from resvision.data.image_sides import image_sides
from resvision.detection.augment import Square
from resvision.detection.detector import Detector
from resvision.geometry.boxes import area
from resvision.kinds.detection.boxes import BoxTargets

MOST = 5_000
"""About the most boxes that are held against the anchors; those of a large set are taken from all over it."""

STRETCH = 64
"""The images of a large set between two that are looked at first."""

REMEDY = (
    "data.image_size changes the boxes, options of the model its anchors;"
    " `resvision inspect MODEL --anchors IMAGE` shows both"
)


def anchor_advice(system: Detector, reader: Reader[BoxTargets], side_px: int) -> dict[str, str]:
    """A line about the boxes that no anchor matches, by its heading; none where all are matched.

    system   its net may be on the meta device
    side_px  of the squares that are trained on

    Raises SettingsError where no box at all is matched, DataError where there is no box.
    """
    boxes = shown_boxes(reader, side_px)
    if not len(boxes):
        raise DataError(f"{printable(reader.name)}: no training image has a box, so there is nothing to find")
    placed = copy(system)
    placed._buffers = dict(system._buffers)  # which a copy of a module shares
    placed.mean = torch.zeros_like(system.mean, device="cpu")  # anchors lie where it is, and on meta are no numbers
    with torch.device("cpu"):
        is_unmatched = placed.unmatched(torch.from_numpy(boxes).float(), (side_px, side_px)).numpy()
        anchors = placed.anchors((side_px, side_px))
    if not is_unmatched.any():
        return {}
    lengths = np.sort(np.sqrt(area(boxes[is_unmatched])))
    which = "all" if is_unmatched.all() else f"{is_unmatched.sum():,} of"
    said = (
        f"{which} {len(boxes):,} training boxes match no anchor in squares of {side_px} px:"
        f" they are {lengths[0]:.0f} to {lengths[-1]:.0f} px long, half of them less than {np.median(lengths):.0f},"
        f" and anchors {_range(anchors)}"
    )
    if is_unmatched.all():
        raise SettingsError(f"{printable(reader.name)}: {said}; {REMEDY}")
    return {"anchors": f"{said}. The net is not trained to find these; {REMEDY}"}


def shown_boxes(reader: Reader[BoxTargets], side_px: int, *, most: int = MOST) -> NDArray[np.float64]:
    """The boxes of `boxes_by_image`, those of all images together."""
    return np.concatenate([np.zeros((0, 4)), *boxes_by_image(reader, side_px, most=most)])


def boxes_by_image(reader: Reader[BoxTargets], side_px: int, *, most: int = MOST) -> list[NDArray[np.float64]]:
    """The boxes of objects, crowds apart, as evaluation shows them in squares of this side, about `most` of them."""
    square = Square.of(reader.view, side_px)
    boxes: list[NDArray[np.float64]] = []
    for start in range(min(STRETCH, len(reader))):
        for index in range(start, len(reader), STRETCH):
            truth = reader.target(index)
            height, width = image_sides(reader, index)
            place = square.of_whole((0.0, 0.0, float(width), float(height)))
            boxes.append(place.boxes(truth.boxes[~truth.crowd]))
        if sum(map(len, boxes)) >= most:
            break
    return boxes


def _range(anchors: dict[str, Tensor]) -> str:
    """The lengths of the anchors in words."""
    lengths = np.sqrt(area(torch.cat([*anchors.values()]).double().numpy()))
    return f"{lengths.min():.0f} to {lengths.max():.0f} px"
