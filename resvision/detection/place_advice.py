"""The boxes of a training that are not learned since another box of their image has their place, told beforehand."""

import torch

from resvision.core.samples import Reader
from resvision.detection.anchor_advice import boxes_by_image
from resvision.detection.detector import Detector
from resvision.kinds.detection.boxes import BoxTargets


def place_advice(system: Detector, reader: Reader[BoxTargets], side_px: int) -> dict[str, str]:
    """A line about the boxes that another one hides, by its heading; none where every box has a place of its own.

    side_px  of the squares that are trained on
    """
    hidden = total = 0
    for boxes in boxes_by_image(reader, side_px):
        with torch.device("cpu"):  # a system may be on the meta device
            hidden += int(system.hidden(torch.from_numpy(boxes).float(), (side_px, side_px)).sum())
        total += len(boxes)
    if not hidden:
        return {}
    return {
        "places": f"{hidden:,} of {total:,} training boxes have their centre in a cell with another's and are not"
        " learned; more cells part them, as by --set model.options.grid"
    }
