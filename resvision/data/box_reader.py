"""The reader of images with boxes, whatever the form of the files that hold these.

Glossary
    N  images of a split
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.images import Header, Pixels, decode, header
from resvision.core.samples import Reader, Sample
from resvision.core.views import View
from resvision.data import cache
from resvision.data.box_columns import BoxColumns
from resvision.data.excerpts import excerpt
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place, joined, read_image
from resvision.kinds.detection.boxes import BoxTargets


class LabelSources(Protocol):
    """The files that hold the boxes of a split."""

    def source(self, index: int) -> str:
        """The source of the boxes of image `index`: a file, and a place in it where it holds those of many images."""
        ...

    def where(self, index: int, line: int) -> str:
        """The place of one box: the file, and its line."""
        ...

    def file(self, index: int) -> Place:
        """The file itself."""
        ...

    def at(self, indices: NDArray[np.int64]) -> "LabelSources":
        """The sources of the images at these indices, in their order."""
        ...


@dataclass(frozen=True)
class LabelFiles:
    """A file of boxes for each image: `names` in a folder."""

    folder: Place
    names: PackedNames

    def source(self, index: int) -> str:
        """The path of the file."""
        return str(self.file(index))

    def where(self, index: int, line: int) -> str:
        """The path of the file, and the line."""
        return f"{self.file(index)}:{line}" if line else self.source(index)

    def file(self, index: int) -> Place:
        """The file of image `index`."""
        return self.folder / self.names[index]

    def at(self, indices: NDArray[np.int64]) -> "LabelFiles":
        """The files of the images at these indices."""
        return LabelFiles(self.folder, PackedNames(self.names[int(index)] for index in indices))


@dataclass(kw_only=True)
class BoxReader(Reader[BoxTargets]):
    """One split of images with boxes; an image is read when it is asked for.

    images        the folder of the images, on disk or inside an archive, and `image_names` below it
    sources       the files of the boxes
    columns       the boxes of all images, in pixels of the upright images
    sides         (N, 2) width and height of the upright images
    category_ids  the id that the files of this split have for each class
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None = None
    images: Place
    image_names: PackedNames
    sources: LabelSources
    columns: BoxColumns
    sides: NDArray[np.int64]
    category_ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.image_names)

    def __getitem__(self, index: int) -> Sample[BoxTargets]:
        image = self.image(index)
        wide, high = self.sides[index].tolist()
        if image.shape[:2] != (high, wide):
            what = f"{image.shape[1]:,} x {image.shape[0]:,} pixels where it had {wide:,} x {high:,}"
            raise DataError(f"{printable(self.source(index))}: {what}; it has changed since the set was opened")
        return Sample(image, self.target(index))

    def target(self, index: int) -> BoxTargets:
        """The boxes of sample `index`, in pixels of the upright image."""
        return self.columns.targets(index)

    def source(self, index: int) -> str:
        """The path of the image."""
        return joined(self.images, self.image_names[index])

    def target_source(self, index: int) -> str:
        """The file of the boxes."""
        return self.sources.source(index)

    def path(self, index: int) -> Place:
        """The path of the image."""
        return self.images / self.image_names[index]

    def image(self, index: int) -> Pixels:
        """The decoded image."""
        return read_image(decode, self.path(index))

    def header(self, index: int) -> Header:
        """The header of the image file."""
        return read_image(header, self.path(index))

    def content(self, index: int) -> bytes | None:
        """The stored image, or pieces of it."""
        return excerpt(self.path(index))

    def stamp(self, index: int) -> tuple[int, ...]:
        """The sizes and times of the image and of the file of its boxes; -1 for what is missing."""
        image = self.source(index) if isinstance(self.images, Path) else self.path(index)
        return *cache.stamp(image), *cache.stamp(self.sources.file(index))
