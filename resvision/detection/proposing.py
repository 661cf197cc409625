"""Regions that come from outside a net: where an image may hold an object, of whatever class.

R-CNN, SPP-net and Fast R-CNN look at regions that another algorithm found. They are found in what the net sees, so that
training, evaluation and prediction look at the same ones.

Glossary
    P      regions of an image, those of highest rank first; there may be none
    boxes  (P, 4) float64, x1 y1 x2 y2 in continuous pixels, cut off at the edges
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from resvision.core.images import Pixels
from resvision.core.samples import Reader
from resvision.data.selection import Subset
from resvision.detection.parts.selective_search import selective_search
from resvision.kinds.detection.boxes import BoxTargets, Floats
from resvision.tasks import Seen


class Regions(ABC):
    """A source of regions. Abstract."""

    @abstractmethod
    def of(self, seen: Seen) -> Floats:
        """The regions of one image, (P, 4) in pixels of its view.

        Raises DataError, with the image's name, where the source has none for this image.
        """


class SearchedRegions(Regions):
    """The regions that selective search finds."""

    def of(self, seen: Seen) -> Floats:
        """The regions of one image, in an order that is drawn."""
        return selective_search(seen.pixels)


def regions_from(source: str | None) -> Regions:
    """The regions of the file that a person names, or those of a search."""
    assert source is None, "files of regions come next"
    return SearchedRegions()


@dataclass(kw_only=True)
class ProposedReader(Subset[BoxTargets]):
    """A reader whose images come with regions.

    regions  where they come from
    most     the number of those that a net takes
    """

    regions: Regions
    most: int

    def in_view(self, seen: Seen) -> Floats:
        """The regions that a net takes, in pixels of the view."""
        return self.regions.of(seen)[: self.most]

    def in_image(self, image: Pixels, name: str, *, grey: bool) -> Floats:
        """The regions that a net takes of an image (H, W, C), found in its view, in pixels of the image."""
        shown = self.view.show(image, name=name, grey=grey)
        return shown.geometry.boxes_to_image(self.in_view(Seen(*shown, name)))


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
