"""The boxes of one split as its files state them, before classes, frames and faults are settled.

Glossary
    N      images of a split
    own    as the files have it: labels that index the split's own list of names
    frame  the image in which a file's coordinates lie: upright, or as it is stored before EXIF turns it
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from resvision.core.images import Header, Pixels, decode, header
from resvision.data import cache
from resvision.data.box_columns import BoxColumns
from resvision.data.box_reader import LabelSources
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place, joined, read_image


@dataclass(kw_only=True)
class BoxPart:
    """One split by its files.

    images      the folder of the images, and `image_names` below it
    sources     the files of the boxes
    columns     their boxes in their own frame: pixels, or shares of its sides where `normalized`; own labels
    names, ids  of the own labels: the name of each, and the id that the files give it; no ids where they give none
    stated      (N, 2) width and height as the files state them; 0 where they state none
    shown       a box, in continuous pixels or shares, in the words of the files
    """

    split: str
    images: Place
    image_names: PackedNames
    sources: LabelSources
    columns: BoxColumns
    names: tuple[str, ...]
    ids: tuple[int, ...]
    stated: NDArray[np.int64]
    normalized: bool = False
    shown: Callable[[Sequence[float]], str]

    def __len__(self) -> int:
        return len(self.image_names)

    def path(self, index: int) -> Place:
        """The path of the image."""
        return self.images / self.image_names[index]

    def source(self, index: int) -> str:
        """The path of the image."""
        return joined(self.images, self.image_names[index])

    def stamp(self, index: int) -> tuple[int, ...]:
        """The size and times of the image; -1 for each if it is missing."""
        return cache.stamp(self.source(index) if isinstance(self.images, Path) else self.path(index))

    def header(self, index: int) -> Header:
        """The header of the image file."""
        return read_image(header, self.path(index))

    def image(self, index: int) -> Pixels:
        """The decoded image."""
        return read_image(decode, self.path(index))

    def at(self, indices: NDArray[np.int64]) -> Self:
        """The part with the images at these rising indices alone."""
        if len(indices) == len(self):
            return self
        return replace(
            self,
            image_names=PackedNames(self.image_names[int(index)] for index in indices),
            sources=self.sources.at(indices),
            columns=self.columns.of_images(indices),
            stated=self.stated[indices],
        )


def used_names(part: BoxPart) -> tuple[str, ...]:
    """The names that a part's boxes have, in the order of the alphabet: the classes of files that list none."""
    labels = np.unique(part.columns.labels)
    return tuple(sorted(part.names[label] for label in labels[labels >= 0].tolist()))
