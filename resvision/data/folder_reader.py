"""The reader of images with classes in files, and the facts in the headers of all of them, which say their view."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.images import Header, Pixels, decode, header
from resvision.core.samples import Reader, Sample
from resvision.core.views import CentreCrop, Stretch, View
from resvision.data import cache
from resvision.data.deep_images import sample_is_dark
from resvision.data.excerpts import excerpt
from resvision.data.faults import Fault, attempt
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place, read_image

PHOTOS = CentreCrop(
    channels=3,
    resize_px=256,
    crop_px=224,
    mean=(0.485, 0.456, 0.406),  # of ImageNet, as is std: what published weights were trained with
    std=(0.229, 0.224, 0.225),
)
SMALL_PX = 64
"""Square images of one size up to this are shown as they are, not enlarged to PHOTOS."""


@dataclass(kw_only=True)
class FolderReader(Reader[int]):
    """One split of a folder of class folders; an image is read when it is asked for.

    folder   on disk or inside an archive
    names    paths of the files below it, in order of class and name
    targets  class indices, (M,) int64
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None = None
    folder: Place
    names: PackedNames
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Sample[int]:
        return Sample(self.image(index), self.target(index))

    def image(self, index: int) -> Pixels:
        """The decoded image."""
        return read_image(decode, self.path(index))

    def header(self, index: int) -> Header:
        """The header of the image file."""
        return read_image(header, self.path(index))

    def target(self, index: int) -> int:
        """The class index of sample `index`."""
        return int(self.targets[index])

    def source(self, index: int) -> str:
        """The path of the image."""
        return str(self.path(index))

    def stratum(self, index: int) -> int:
        """The class of sample `index`."""
        return self.target(index)

    def path(self, index: int) -> Place:
        """The path of the image."""
        return self.folder / self.names[index]

    def content(self, index: int) -> bytes | None:
        """The stored image, or pieces of it."""
        return excerpt(self.path(index))

    def stamp(self, index: int) -> tuple[int, ...]:
        """The size and times of the file, or of the tar it is in; -1 for each if it is missing."""
        return cache.stamp(self.path(index))


class HeaderFacts(NamedTuple):
    """The facts in the headers of all images: the side of square images if all have one size, and colour.

    dark  whether the images of 16 bits, by a sample, fill 12 of them
    """

    square_px: cache.Side | None
    colour: bool
    dark: bool

    def view(self) -> View:
        """The view of such images."""
        photos = PHOTOS if self.colour else PHOTOS.coloured(1)
        if self.square_px is None or self.square_px > SMALL_PX:
            return photos
        return Stretch(
            channels=photos.channels,
            resize_px=self.square_px,
            crop_px=self.square_px,
            mean=photos.mean,
            std=photos.std,
        )


def header_facts(*readers: FolderReader) -> tuple[HeaderFacts, list[Fault]]:
    """The facts in all headers, and the faults of bad ones; kept in the cache while the files stay as they are."""
    fingerprint = cache.fingerprint(*readers)
    cached = cache.read("headers", fingerprint, HeaderFacts)
    if cached is not None:
        return cached, []
    faults: list[Fault] = []
    sides: set[tuple[int, int]] = set()
    colour = dark = False
    for reader in readers:
        deep: list[int] = []
        for index in range(len(reader)):
            if (head := attempt(reader.header, index, reader.source(index), faults)) is not None:
                colour |= head.colour
                sides.add((head.height, head.width))
                deep += [index] if head.deep else []
        dark |= sample_is_dark(reader.image, deep)
    height, width = sides.pop() if len(sides) == 1 else (0, 1)
    facts = HeaderFacts(width if height == width else None, colour, dark)
    if not faults:
        cache.write("headers", fingerprint, facts)
    return facts, faults
