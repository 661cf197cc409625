"""Pairs of an image and a label map: their search in two folders, and their reader.

Glossary
    stored values   the numbers in a mask file, 0..255
    labels          the classes that a net is trained on, 0..K-1, and VOID
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from resvision.core.errors import DataError, printable
from resvision.core.images import Header, Pixels, decode, header
from resvision.core.masks import mask_header, read_mask
from resvision.core.views import View, Whole
from resvision.data import cache
from resvision.data.class_list import UNKNOWN, Labels, unknown_values
from resvision.data.excerpts import excerpt
from resvision.data.faults import Fault, fault, listing
from resvision.data.folder_reader import PHOTOS
from resvision.data.mask_headers import MaskFiles
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place, read_image

Pairs = Sequence[tuple[str, str]]
"""Names of images and of their masks, each in its folder."""


class PairFolders(NamedTuple):
    """The folder of images and the folder of masks of one split, and the pairs in them."""

    images: Place
    masks: Place
    pairs: Pairs


@dataclass(kw_only=True)
class MaskFolderReader(MaskFiles):
    """One split of images and label maps in files, which are read when they are asked for.

    images, masks  the folders, on disk or inside a tar
    image_names    of the files in their folder, of which `mask_names` are the partners in order
    labels         of every stored value
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None
    images: Place
    masks: Place
    image_names: PackedNames
    mask_names: PackedNames
    labels: Labels

    def __len__(self) -> int:
        return len(self.image_names)

    def target(self, index: int) -> Pixels:
        """The mask of sample `index`, (H, W) of 0..K-1 and VOID. Raises DataError for values that are neither."""
        stored = self.stored(index)
        labels = self.labels.take(stored)
        if labels.min() == UNKNOWN:
            fault_text = unknown_values(np.unique(stored), self.labels)
            raise DataError(f"{printable(self.target_source(index))}: {fault_text}")
        return labels.astype(np.uint8)

    def source(self, index: int) -> str:
        """The path of the image."""
        return str(self.image_path(index))

    def target_source(self, index: int) -> str:
        """The path of the mask."""
        return str(self.mask_path(index))

    def header(self, index: int) -> Header:
        """The header of the image file."""
        return read_image(header, self.image_path(index))

    def mask_header(self, index: int) -> Header:
        """The header of the mask file."""
        return read_image(mask_header, self.mask_path(index))

    def image(self, index: int) -> Pixels:
        """The decoded image."""
        return read_image(decode, self.image_path(index))

    def stored(self, index: int) -> Pixels:
        """The stored values of the mask, (H, W)."""
        return read_image(read_mask, self.mask_path(index))

    def image_path(self, index: int) -> Place:
        """The path of the image."""
        return self.images / self.image_names[index]

    def mask_path(self, index: int) -> Place:
        """The path of the mask."""
        return self.masks / self.mask_names[index]

    def content(self, index: int) -> bytes | None:
        """The stored image, or pieces of it."""
        return excerpt(self.image_path(index))

    def stamp(self, index: int) -> tuple[int, ...]:
        """The sizes and times of image and mask, or of the tar they are in; -1 for what is missing."""
        return *cache.stamp(self.image_path(index)), *cache.stamp(self.mask_path(index))


def folder_reader(
    name: str,
    split: str,
    images: Place,
    masks: Place,
    pairs: Pairs,
    *,
    classes: tuple[str, ...],
    labels: Labels,
    crop_px: int,
    channels: int = 3,
) -> MaskFolderReader:
    """The reader of the pairs of images and masks in two folders."""
    return MaskFolderReader(
        name=name,
        split=split,
        classes=classes,
        view=whole(channels=channels),
        crop_px=crop_px,
        images=images,
        masks=masks,
        image_names=PackedNames(image for image, _ in pairs),
        mask_names=PackedNames(mask for _, mask in pairs),
        labels=labels,
    )


def whole(*, channels: int = 3) -> Whole:
    """The view of whole images at their own size, with ImageNet's normalization."""
    photos = PHOTOS.coloured(channels)
    return Whole(channels=channels, mean=photos.mean, std=photos.std)


Names = dict[str, str]
"""Key -> name of a file in its folder; an image and its mask share the key."""


def by_stem(folder: Place, faults: list[Fault], litter: list[str]) -> Names:
    """Every file in a folder by its stem; folders in it and a second file of one stem add to `faults`."""
    files: Names = {}
    for name, is_folder in listing(folder, faults, litter):
        stem = PurePath(name).stem
        if is_folder:
            faults.append(fault(folder / name, f"a folder inside {folder.name}"))
        elif stem in files:
            faults.append(fault(folder / name, f"its name differs from {files[stem]} in the ending only"))
        else:
            files[stem] = name
    return files


def partners(
    images: Place,
    masks: Place,
    faults: list[Fault],
    names_in: Callable[[Place, list[Fault], list[str]], Names] = by_stem,
    litter: list[str] | None = None,
) -> list[tuple[str, str]]:
    """Pair the images and masks of two folders by key, in order of key; files without a partner add to `faults`."""
    beside_masks: list[str] = []
    litter = [] if litter is None else litter
    image_of, mask_of = names_in(images, faults, litter), names_in(masks, faults, beside_masks)
    litter += beside_masks
    if not image_of:
        faults.append(fault(images, "no images"))
    if image_of and not mask_of and beside_masks:
        what = f"no label maps, but {len(beside_masks):,} other files, such as {PurePath(beside_masks[0]).name}"
        faults.append(fault(masks, f"{what}; boxes and outlines are not read, draw them as a PNG of classes an image"))
        return []
    without_partner = [
        (images / image_of[key], f"no mask of that name in {masks}") for key in image_of.keys() - mask_of
    ]
    without_partner += [
        (masks / mask_of[key], f"no image of that name in {images}") for key in mask_of.keys() - image_of
    ]
    faults += sorted(fault(path, printable(text)) for path, text in without_partner)
    return [(image_of[key], mask_of[key]) for key in sorted(image_of.keys() & mask_of.keys())]
