"""Frames of boxes: pixels of the stored or of the upright image, as the size that a file states tells.

An EXIF orientation turns an image whose stored sides are swapped. A file that states the size of the image as it is
stored means boxes there, one that states the upright size means those; where the two are equal, or none is stated,
nothing tells, and a person is asked.

Glossary
    N  images
    B  boxes
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.orientation import UPRIGHT, upright_boxes
from resvision.data.box_columns import BoxColumns
from resvision.data.box_parts import BoxPart
from resvision.data.fault_kinds import Ledger
from resvision.kinds.detection.boxes import Flags

_SWAPPED = np.array([5, 6, 7, 8])


class Frames(NamedTuple):
    """The frames of N images.

    kept     whether an image is used
    sides    (N, 2) width and height of the frame of its boxes
    upright  (N, 2) those of the upright image
    turned   whether boxes are turned with the image
    """

    kept: Flags
    sides: NDArray[np.int64]
    upright: NDArray[np.int64]
    turned: Flags


def frames_of(part: BoxPart, heads: NDArray[np.int64], ledger: Ledger) -> Frames:
    """The frames of a part's images by their headers, (N, 3) of width, height and orientation."""
    stored, orientation = heads[:, :2], heads[:, 2]
    swapped = np.isin(orientation, _SWAPPED)
    upright = np.where(swapped[:, None], stored[:, ::-1], stored)
    readable, states = stored[:, 0] > 0, (part.stated != 0).all(axis=1)
    as_stored, as_upright = (part.stated == stored).all(axis=1), (part.stated == upright).all(axis=1)
    wrong = readable & states & ~as_stored & ~as_upright
    for index in np.flatnonzero(wrong).tolist():
        ledger.add("other-sizes", part.sources.source(index), _other_size(part, index, heads[index]))
    # An image without boxes has none that could lie in either frame
    unclear = readable & ~wrong & (orientation != UPRIGHT) & (part.columns.counts > 0) & (as_stored == as_upright)
    turned = readable & as_stored & ~as_upright
    kept = readable & ~wrong
    if "rotated-as-stored" in ledger.allow:
        turned |= unclear
        ledger.left_out["rotated-as-stored"] += int(unclear.sum())
    elif "rotated-upright" in ledger.allow:
        ledger.left_out["rotated-upright"] += int(unclear.sum())
    else:
        for index in np.flatnonzero(unclear).tolist():
            ledger.add("rotated-images", part.sources.source(index), _question(part, index, int(orientation[index])))
        kept &= ~unclear
    return Frames(kept, np.where(turned[:, None], stored, upright), upright, turned)


def in_pixels(part: BoxPart, sides: NDArray[np.int64]) -> BoxColumns:
    """The columns of a part in pixels of frames of these sides, (N, 2)."""
    if not part.normalized:
        return part.columns
    scale = np.tile(sides[part.columns.images], 2)
    return replace(part.columns, boxes=part.columns.boxes * scale)


def stood_upright(columns: BoxColumns, heads: NDArray[np.int64], turned: Flags) -> BoxColumns:
    """The columns with the boxes of `turned` images turned as their images are."""
    boxes = columns.boxes.copy()
    for index in np.flatnonzero(turned).tolist():
        width, height, orientation = heads[index].tolist()
        part = slice(columns.ends[index], columns.ends[index + 1])
        boxes[part] = upright_boxes(boxes[part], orientation, width, height)
    return replace(columns, boxes=boxes)


def _other_size(part: BoxPart, index: int, head: NDArray[np.int64]) -> str:
    (wide, high), (width, height, _) = part.stated[index].tolist(), head.tolist()
    return f"states {wide:,} x {high:,} pixels for {part.image_names[index]}, which has {width:,} x {height:,}"


def _question(part: BoxPart, index: int, orientation: int) -> str:
    return (
        f"{part.image_names[index]} is turned upright by EXIF orientation {orientation}, and no stated size tells"
        " whether its boxes lie in the stored or in the upright image: say --allow rotated-as-stored or --allow"
        " rotated-upright, or leave such images out by --allow rotated-images"
    )
