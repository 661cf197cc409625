"""Facts in the headers of images and masks, and the values of masks, each read once and kept while the files stay.

Glossary
    stored values   the numbers in a mask file, 0..255
"""

from abc import abstractmethod
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.images import Header, Pixels
from resvision.core.masks import count_values
from resvision.core.samples import Mask, Reader, Sample
from resvision.data import cache
from resvision.data.class_list import Labels
from resvision.data.faults import Fault, attempt


class MaskFiles(Reader[Mask]):
    """A reader of label maps that can read image and mask apart. Abstract.

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
        """The sizes and times of change in ns of image and mask, or of the tar they are in; -1 for what is missing."""


class FileFacts(NamedTuple):
    """The facts in all files: colour, the shortest side of an image, and the values in every mask.

    values  a hexadecimal text of 256 bits for each mask; none where masks were not decoded
    """

    colour: bool
    shortest_px: cache.Side
    values: list[Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]]

    @property
    def present_values(self) -> NDArray[np.bool_]:
        """Whether each stored value is in each mask, (M, 256)."""
        packed = np.frombuffer(bytes.fromhex("".join(self.values)), dtype=np.uint8)
        return np.unpackbits(packed).reshape(-1, 256).astype(bool)


def look(*readers: MaskFiles, decoded: bool) -> tuple[FileFacts, list[Fault]]:
    """Read the facts in the headers of images and masks, or in the masks themselves if `decoded`; and their faults.

    The facts are kept in the cache while the files stay as they are.
    """
    check, fingerprint = ("masks" if decoded else "mask-headers"), cache.fingerprint(*readers)
    cached = cache.read(check, fingerprint, FileFacts)
    if cached is not None and len(cached.values) == decoded * sum(map(len, readers)):
        return cached, []
    faults: list[Fault] = []
    colour, shortest = False, 2**31
    values: list[str] = []
    for reader, index in ((files, index) for files in readers for index in range(len(files))):
        head = attempt(reader.header, index, reader.source(index), faults)
        sides: tuple[int, ...] | None = None
        if decoded:
            if (stored := attempt(reader.stored, index, reader.target_source(index), faults)) is not None:
                sides = stored.shape
                values.append(np.packbits(present(stored)).tobytes().hex())
        elif (mask_head := attempt(reader.mask_header, index, reader.target_source(index), faults)) is not None:
            sides = mask_head.height, mask_head.width
        if head is not None and sides is not None:
            colour |= head.colour
            shortest = min(shortest, head.height, head.width)
            # Where EXIF turns the image upright its stored sides are swapped, so only decoding both tells a fault.
            if sides != (head.height, head.width):
                attempt(reader.__getitem__, index, reader.target_source(index), faults)
    facts = FileFacts(colour, shortest, values)
    if not faults:
        cache.write(check, fingerprint, facts)
    return facts, faults


def present(stored: Pixels) -> NDArray[np.bool_]:
    """Whether each of the 256 values is in a mask, (256,)."""
    return count_values(stored) > 0


def check_sides(image: tuple[int, ...], mask: tuple[int, ...], where: str) -> None:
    """Raise DataError, named after the mask, where image and mask differ in shape; height and width come first."""
    if image[:2] != mask:
        raise DataError(f"{printable(where)}: {other_sides(image, mask)}")


def other_sides(image: tuple[int, ...], mask: tuple[int, ...]) -> str:
    """The fault of an image and a mask of different shapes, in words."""
    hint = "; the image is turned upright by its EXIF orientation" if image[:2] == mask[::-1] else ""
    return f"a mask of {mask[1]:,} x {mask[0]:,} pixels for an image of {image[1]:,} x {image[0]:,}{hint}"
