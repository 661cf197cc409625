"""Regions that come from outside a net: where an image may hold an object, of whatever class.

R-CNN, SPP-net and Fast R-CNN look at regions that another algorithm found. These are regions of the upright image, as
it is stored; a view of it shows them where it shows the image. So one search of an image, or one file, serves nets with
whatever view, and training, evaluation and prediction look at the same regions.

Glossary
    P      regions of an image, those of highest rank first; there may be none
    boxes  (P, 4) float64, x1 y1 x2 y2 in continuous pixels of the upright image, or of its view, cut off at the edges
"""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resvision.core.images import Pixels
from resvision.core.samples import Reader
from resvision.data.selection import Subset
from resvision.detection import region_cache
from resvision.detection.parts import selective_search
from resvision.detection.proposal_files import ProposalFile
from resvision.geometry.boxes import clip, sides
from resvision.kinds.detection.boxes import BoxTargets, Floats

if TYPE_CHECKING:
    from resvision.tasks import Seen

LEAST_VIEW_PX = 1e-3
"""The least side of a region in a view, in its pixels; the part outside of a view is cut off."""


class Regions(ABC):
    """A source of regions. Abstract."""

    @abstractmethod
    def in_image(self, image: Pixels, name: str) -> Floats:
        """The regions of an upright image (H, W) or (H, W, C), (P, 4) in its pixels.

        Raises DataError, with the image's name, where the source has none for this image.
        """

    def of(self, seen: "Seen") -> Floats:
        """The regions of one image, (P, 4) in pixels of its view; those that it does not show are left out."""
        high, wide = seen.geometry.view_sides
        boxes = clip(seen.geometry.boxes_to_view(self.in_image(seen.image, seen.name)), (0, 0, wide, high))
        return np.asarray(boxes[sides(boxes).min(axis=1, initial=np.inf) >= LEAST_VIEW_PX])


class SearchedRegions(Regions):
    """The regions that selective search finds.

    times  a list to which the seconds of each search are added; None notes none
    kept   whether regions are kept for the next time; otherwise each image is searched anew
    """

    def __init__(self, times: list[float] | None = None, *, kept: bool = True) -> None:
        self._times, self._kept = times, kept

    def in_image(self, image: Pixels, name: str) -> Floats:
        """The regions of an upright image, in an order that it decides. Raises MissingExtraError without OpenCV."""
        if not self._kept:
            return self._searched(image)
        key = region_cache.key(image, SEARCH.format(selective_search.version()))
        regions = region_cache.read(key, (image.shape[0], image.shape[1]))
        if regions is None:
            regions = self._searched(image)
            region_cache.write(key, regions)
        return regions

    def _searched(self, image: Pixels) -> Floats:
        begun = time.monotonic()
        regions = selective_search.selective_search(image)
        if self._times is not None:
            self._times.append(time.monotonic() - begun)
        return regions


SEARCH = "selective search 1, OpenCV {}"
"""The set-up of the search, to which the kept regions belong; its number grows with every change of results."""


class FileRegions(Regions):
    """The regions in a file of proposals. Raises DataError where it cannot be read as one."""

    def __init__(self, path: Path) -> None:
        self.file = ProposalFile(path)

    def in_image(self, image: Pixels, name: str) -> Floats:
        """The regions of an upright image, those of highest rank first."""
        return self.file.regions(name, (image.shape[0], image.shape[1]))


def regions_from(source: str | None) -> Regions:
    """The regions of the file that a person names, or those of a search."""
    return SearchedRegions() if source is None else FileRegions(Path(source))


@dataclass(kw_only=True)
class ProposedReader(Subset[BoxTargets]):
    """A reader whose images come with regions.

    regions  where they come from
    most     the number of those that a net takes
    """

    regions: Regions
    most: int

    def in_view(self, seen: "Seen") -> Floats:
        """The regions that a net takes, in pixels of the view."""
        return self.regions.of(seen)[: self.most]

    def in_image(self, image: Pixels, name: str) -> Floats:
        """The regions that a net takes of an upright image, in its pixels."""
        return self.regions.in_image(image, name)[: self.most]


def with_regions(reader: Reader[BoxTargets], regions: Regions, most: int) -> ProposedReader:
    """The reader with regions for its images."""
    return ProposedReader(
        name=reader.name,
        split=reader.split,
        classes=reader.classes,
        view=reader.view,
        crop_px=reader.crop_px,
        whole=reader,
        indices=np.arange(len(reader)),
        regions=regions,
        most=most,
    )
