"""What the files of a set of label maps say of themselves, each looked at once and kept while they stay as they are.

Glossary
    stored values   what a mask file holds, 0..255
"""

from abc import abstractmethod
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.images import Header, Pixels
from resvision.core.masks import count_values
from resvision.core.samples import Mask, Reader, Sample
from resvision.data import cache
from resvision.data.class_list import Labels
from resvision.data.faults import Fault, attempt


class MaskFiles(Reader[Mask]):
    """A reader of masks whose images and masks can be looked at by themselves. Abstract.

    labels  of every stored value
    """

    labels: Labels

    def __getitem__(self, index: int) -> Sample[Mask]:
        image, mask = self.image(index), self.target(index)
        check_sides(image.shape[:2], mask.shape, self.target_source(index))
        return Sample(image, mask)

    @abstractmethod
    def header(self, index: int) -> Header:
        """The header of the image."""

    @abstractmethod
    def mask_header(self, index: int) -> Header:
        """The header of the mask."""

    @abstractmethod
    def image(self, index: int) -> Pixels:
        """The decoded image."""

    @abstractmethod
    def stored(self, index: int) -> Pixels:
        """The stored values of the mask, (H, W)."""

    @abstractmethod
    def stamp(self, index: int) -> tuple[int, ...]:
        """Sizes and times of change in ns of image and mask, or of the tar they are in; -1 for what is missing."""


class Looks(NamedTuple):
    """What all files say: colour, the shortest side of an image, and of every mask which values it holds.

    values  a hexadecimal text of 256 bits for each mask; none where masks were not decoded
    """

    colour: bool
    shortest_px: int
    values: list[str]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which stored values each mask holds, (M, 256)."""
        packed = np.frombuffer(bytes.fromhex("".join(self.values)), dtype=np.uint8)
        return np.unpackbits(packed).reshape(-1, 256).astype(bool)


def look(*readers: MaskFiles, decoded: bool) -> tuple[Looks, list[Fault]]:
    """What the headers of images and masks say, or the masks themselves if `decoded`; and faults.

    It is kept while the files stay as they are.
    """
    kind, mark = ("masks" if decoded else "mask-headers"), cache.fingerprint(*readers)
    known = _kept_looks(kind, mark)
    if known is not None and len(known.values) == decoded * sum(map(len, readers)):
        return known, []
    faults: list[Fault] = []
    colour, shortest = False, 2**31
    values: list[str] = []
    for reader, index in ((each, index) for each in readers for index in range(len(each))):
        head = attempt(reader.header, index, reader.source(index), faults)
        sides: tuple[int, ...] | None = None
        if decoded:
            if (stored := attempt(reader.stored, index, reader.target_source(index), faults)) is not None:
                sides = stored.shape
                values.append(np.packbits(present(stored)).tobytes().hex())
        elif (read := attempt(reader.mask_header, index, reader.target_source(index), faults)) is not None:
            sides = read.height, read.width
        if head is not None and sides is not None:
            colour |= head.colour
            shortest = min(shortest, head.height, head.width)
            if sides != (head.height, head.width):  # which is as it should be where the image is turned upright
                attempt(reader.__getitem__, index, reader.target_source(index), faults)
    looks = Looks(colour, shortest, values)
    if not faults:
        cache.write(kind, mark, looks)
    return looks, faults


def present(stored: Pixels) -> NDArray[np.bool_]:
    """Which of the 256 values a mask holds, (256,)."""
    return count_values(stored) > 0


def check_sides(image: tuple[int, ...], mask: tuple[int, ...], where: str) -> None:
    """DataError, named after the mask, where the shapes of an image and its mask, height and width first, differ."""
    if image[:2] != mask:
        raise DataError(f"{printable(where)}: {other_sides(image, mask)}")


def other_sides(image: tuple[int, ...], mask: tuple[int, ...]) -> str:
    """What is wrong where the shapes of an image and its mask differ."""
    turned = "; the image is turned upright by its EXIF orientation" if image[:2] == mask[::-1] else ""
    return f"a mask of {mask[1]:,} x {mask[0]:,} pixels for an image of {image[1]:,} x {image[0]:,}{turned}"


def _kept_looks(kind: str, mark: str) -> Looks | None:
    try:
        looks = msgspec.convert(cache.read(kind, mark), Looks)
        return looks if len(looks.seen) == len(looks.values) else None
    except ValueError:  # msgspec's own among them
        return None
