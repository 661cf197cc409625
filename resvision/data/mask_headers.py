"""Facts in the headers of images and masks, and the values of masks, each read once and kept while the files stay.

Glossary
    stored values   the numbers in a mask file, 0..255
"""

from abc import abstractmethod
from statistics import median_low
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.images import Header, Pixels
from resvision.core.orientation import UPRIGHT
from resvision.core.samples import Mask, Reader, Sample
from resvision.data import cache
from resvision.data.class_list import Labels
from resvision.data.deep_images import sample_is_dark
from resvision.data.faults import Fault, attempt, fault
from resvision.data.mask_survey import MaskSurvey


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
        """The sizes and times of image and mask, or of the tar they are in; -1 for what is missing."""


class FileFacts(NamedTuple):
    """The facts in all files.

    colour      whether an image has colour
    dark        whether the images of 16 bits, by a sample, fill 12 of them
    shorter_px  the shorter side of every image
    soft        the number of values that are soft edges; 0 where masks were not decoded
    values      a hexadecimal text of 256 bits for each mask; none where masks were not decoded
    """

    colour: bool
    dark: bool
    shorter_px: list[cache.Side]
    soft: cache.Count
    values: list[Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]]

    @property
    def present_values(self) -> NDArray[np.bool_]:
        """Whether each stored value is in each mask, (M, 256)."""
        packed = np.frombuffer(bytes.fromhex("".join(self.values)), dtype=np.uint8)
        return np.unpackbits(packed).reshape(-1, 256).astype(bool)

    def crop_px(self, largest: int) -> int:
        """The side of crops: the shortest of an image, those left out that have not half of the usual one, or less."""
        usual = median_low(self.shorter_px) if self.shorter_px else largest
        return min([largest, *(side for side in self.shorter_px if 2 * side >= usual)])


def look(*readers: MaskFiles, decoded: bool) -> tuple[FileFacts, list[Fault]]:
    """Read the facts in the headers of images and masks, or in the masks themselves if `decoded`; and their faults.

    The facts are kept in the cache while the files stay as they are.
    """
    check, fingerprint = ("masks" if decoded else "mask-headers"), cache.fingerprint(*readers)
    cached = cache.read(check, fingerprint, FileFacts)
    if cached is not None and len(cached.values) == decoded * sum(map(len, readers)):
        return cached, []
    faults: list[Fault] = []
    shorter: list[int] = []
    colour = dark = False
    survey = MaskSurvey()
    for reader in readers:
        deep: list[int] = []
        for index in range(len(reader)):
            head = _look_at(reader, index, survey if decoded else None, faults)
            if head is not None:
                colour |= head.colour
                shorter.append(min(head.height, head.width))
                deep += [index] if head.deep else []
        dark |= sample_is_dark(reader.image, deep)
    values = [np.packbits(present).tobytes().hex() for present in survey.present]
    facts = FileFacts(colour, dark, shorter, survey.soft_values, values)
    if not faults:
        cache.write(check, fingerprint, facts)
    return facts, faults


def _look_at(reader: MaskFiles, index: int, survey: MaskSurvey | None, faults: list[Fault]) -> Header | None:
    """The header of an image, once it and its mask were looked at; a `survey` has the mask decoded."""
    source, mask_source = reader.source(index), reader.target_source(index)
    head = attempt(reader.header, index, source, faults)
    mask_head = attempt(reader.mask_header, index, mask_source, faults)
    if head is not None and mask_head is not None and (what := disagreement(head, mask_head)):
        faults.append(fault(mask_source, what))
        mask_head = None  # not decoded by sides that are wrong
    if survey is not None:
        stored = None if mask_head is None else attempt(reader.stored, index, mask_source, faults)
        survey.add(stored, mask_head.palette if mask_head else b"", mask_source, faults)
    return head


def disagreement(head: Header, mask_head: Header) -> str:
    """The fault of an image and a mask that do not lie on one another, in words; empty where they do.

    A mask has its own EXIF orientation. Where only the image has one, the mask belongs to the upright image if the
    sides say so, and if they do not, nobody knows.
    """
    if head.upright != mask_head.upright:
        return other_sides(head.upright, mask_head.upright)
    if head.orientation == UPRIGHT or mask_head.orientation != UPRIGHT or head.upright != (head.height, head.width):
        return ""
    return (
        f"its image is turned upright by EXIF orientation {head.orientation}, and the mask has none: whether it was "
        "drawn on the stored or on the upright image is not to be seen; turn the pixels of the image and remove its "
        "tag, or give the mask the same tag"
    )


def check_sides(image: tuple[int, ...], mask: tuple[int, ...], where: str) -> None:
    """Raise DataError, named after the mask, where image and mask differ in shape; height and width come first."""
    if image[:2] != mask:
        raise DataError(f"{printable(where)}: {other_sides(image, mask)}")


def other_sides(image: tuple[int, ...], mask: tuple[int, ...]) -> str:
    """The fault of an image and a mask of different shapes, in words."""
    hint = "; the image is turned upright by its EXIF orientation" if image[:2] == mask[::-1] else ""
    return f"a mask of {mask[1]:,} x {mask[0]:,} pixels for an image of {image[1]:,} x {image[0]:,}{hint}"
