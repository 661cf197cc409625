"""Facts in the headers of images with boxes: sides, orientation and colour, kept while the files stay as they are."""

from statistics import median_low
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core.orientation import UPRIGHT
from resvision.core.views import LARGEST_PX, Letterbox
from resvision.data import cache
from resvision.data.box_parts import BoxPart
from resvision.data.deep_images import sample_is_dark
from resvision.data.faults import Fault, attempt
from resvision.data.folder_reader import PHOTOS

LARGEST_VIEW_PX = 640
"""The side of the usual square view of large images."""
MULTIPLE_PX = 32
"""Sides of views are multiples of it, the stride of a net's last stage."""

_Sides = tuple[cache.Count, cache.Count, Annotated[int, Meta(ge=1, le=8)]]


class HeaderFacts(NamedTuple):
    """The facts in the headers of all images, one part after the other.

    images  width and height as stored, and orientation of each; 0, 0, 1 for one that cannot be read
    colour  whether an image has colour
    dark    whether the images of 16 bits, by a sample, fill 12 of them
    """

    images: list[_Sides]
    colour: bool
    dark: bool

    def parted(self, parts: list[BoxPart]) -> list[NDArray[np.int64]]:
        """Width, height and orientation of the images of each part, (N, 3)."""
        rows = np.array(self.images, dtype=np.int64).reshape(-1, 3)
        ends = np.cumsum([len(part) for part in parts])
        return np.split(rows, ends[:-1])

    def view(self) -> Letterbox:
        """The usual view: whole images in a square, no larger than the usual longer side in multiples of 32 pixels."""
        longer = [max(wide, high) for wide, high, _ in self.images if wide]
        usual = median_low(longer) if longer else LARGEST_VIEW_PX
        side = min(LARGEST_VIEW_PX, LARGEST_PX, -(-usual // MULTIPLE_PX) * MULTIPLE_PX)
        photos = PHOTOS if self.colour else PHOTOS.coloured(1)
        return Letterbox(channels=photos.channels, size_px=side, mean=photos.mean, std=photos.std)


def look(parts: list[BoxPart]) -> tuple[HeaderFacts, list[Fault]]:
    """Read the facts in the headers of all images, and their faults."""
    fingerprint = cache.fingerprint(*parts)
    cached = cache.read("box-headers", fingerprint, HeaderFacts)
    if cached is not None and len(cached.images) == sum(map(len, parts)):
        return cached, []
    faults: list[Fault] = []
    images: list[_Sides] = []
    colour = dark = False
    for part in parts:
        deep: list[int] = []
        for index in range(len(part)):
            head = attempt(part.header, index, part.source(index), faults)
            if head is None:
                images.append((0, 0, UPRIGHT))
                continue
            images.append((head.width, head.height, head.orientation))
            colour |= head.colour
            deep += [index] if head.deep else []
        dark |= sample_is_dark(part.image, deep)
    facts = HeaderFacts(images, colour, dark)
    if not faults:
        cache.write("box-headers", fingerprint, facts)
    return facts, faults
