"""True boxes that no anchor of a net would be trained to find, counted by their size in the net's pixels.

Glossary
    M      true boxes of a set, crowd regions apart
    side   square root of a box's area, in pixels as the net sees it
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from resvision.core.samples import Reader
from resvision.data.image_sides import image_sides
from resvision.detection.detector import Detector
from resvision.detection.parts.matching import largest_overlaps
from resvision.geometry.boxes import area
from resvision.kinds.detection.boxes import BoxTargets

EDGES_PX = (0, 8, 16, 32, 64, 128, 256, 512)
"""The sides at which a group of sizes begins."""


class SizeGroup(NamedTuple):
    """Boxes whose sides lie from `least_px` up to `end_px`, None for any larger ones.

    overlap  the mean of their largest intersections over union with an anchor, 0..1
    """

    least_px: int
    end_px: int | None
    boxes: int
    unmatched: int
    overlap: float


class Unmatched(NamedTuple):
    """The matches of all boxes of a set.

    images     (M,) the image of each box
    boxes      (M, 4) float64 in pixels of the net's view
    overlaps   (M,) the largest intersection over union of each box with an anchor, 0..1
    unmatched  (M,) whether no anchor would be trained to find the box
    """

    images: NDArray[np.int64]
    boxes: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    unmatched: NDArray[np.bool_]

    @property
    def groups(self) -> list[SizeGroup]:
        """The boxes by size; groups without any are left out."""
        sizes = np.sqrt(area(self.boxes))
        groups = []
        for least, end in zip(EDGES_PX, (*EDGES_PX[1:], None), strict=True):
            chosen = (sizes >= least) & (sizes < (end or np.inf))
            if chosen.any():
                counts = int(chosen.sum()), int(self.unmatched[chosen].sum())
                groups.append(SizeGroup(least, end, *counts, float(self.overlaps[chosen].mean())))
        return groups

    def worst_images(self, most: int) -> list[int]:
        """The images with unmatched boxes, those with the most of them first, `most` of them at most."""
        images, counts = np.unique(self.images[self.unmatched], return_counts=True)
        worst: list[int] = images[np.argsort(-counts, kind="stable")][:most].tolist()
        return worst


@torch.no_grad()
def unmatched(system: Detector, reader: Reader[BoxTargets]) -> Unmatched:
    """The matches of all boxes of a reader as its view shows them; no image is decoded."""
    geometries = [reader.view.geometry(*image_sides(reader, index)) for index in range(len(reader))]
    objects = [truth.boxes[~truth.crowd] for truth in map(reader.target, range(len(reader)))]
    images = np.repeat(np.arange(len(reader)), [len(boxes) for boxes in objects])
    moved = [geometry.boxes_to_view(boxes) for geometry, boxes in zip(geometries, objects, strict=True)]
    boxes = np.concatenate([np.zeros((0, 4)), *moved])
    view_sides = np.array([geometry.view_sides for geometry in geometries]).reshape(-1, 2)[images]
    overlaps, missing = np.zeros(len(boxes)), np.zeros(len(boxes), dtype=np.bool_)
    for height, width in np.unique(view_sides, axis=0).tolist():
        chosen = (view_sides == (height, width)).all(axis=1)
        anchors = torch.cat([*system.anchors((height, width)).values()])
        some = torch.from_numpy(boxes[chosen]).to(anchors)
        overlaps[chosen] = largest_overlaps(some, anchors).double().cpu().numpy()
        missing[chosen] = system.unmatched(some, (height, width)).cpu().numpy()
    return Unmatched(images, boxes, overlaps, missing)
