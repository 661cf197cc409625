"""COCO 2017 instances as label maps (Lin et al. 2014, arXiv:1405.0312): 80 classes and background.

coco/{train2017,val2017}/*.jpg with coco/annotations/instances_{train,val}2017.json as they are published. Labels follow
the order of category ids, background being 0; where instances of two classes overlap, the data do not say which is in
front, so that is void. A pixel belongs to a polygon if its centre lies inside (even-odd rule), up to half a pixel from
what pycocotools draws. Images without instances are all background.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.images import VOID, Header, Pixels, decode, header
from resvision.core.views import View
from resvision.data import class_list, mask_folder
from resvision.data.cache import stamp
from resvision.data.class_list import Labels
from resvision.data.faults import Fault, fault, listing
from resvision.data.mask_folder import MaskScan
from resvision.data.mask_headers import MaskFiles
from resvision.data.mask_sets import MaskSet

CROP_PX = 512


class _Image(msgspec.Struct):
    id: int
    file_name: str
    height: int
    width: int


class _Category(msgspec.Struct):
    id: int
    name: str


class Instance(msgspec.Struct):
    """An object of an image; its segmentation stays undecoded until it is drawn."""

    image_id: int
    category_id: int
    segmentation: msgspec.Raw


class _Annotations(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[Instance]


class _Rle(msgspec.Struct):
    size: tuple[int, int]
    counts: list[int]


Polygon = list[float]  # x0, y0, x1, y1, ... in pixels, (0, 0) being the corner of the first
_SEGMENTATION = msgspec.json.Decoder(list[Polygon] | _Rle)


@dataclass(kw_only=True)
class CocoReader(MaskFiles):
    """One split of COCO; masks are drawn when they are asked for.

    records    images in the order of their ids, and `instances` those of each
    label_of   the label of each category id
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None
    folder: Path
    annotations: Path
    records: list[_Image]
    instances: dict[int, list[Instance]]
    label_of: dict[int, int]
    labels: Labels

    def __len__(self) -> int:
        return len(self.records)

    def target(self, index: int) -> Pixels:
        """The mask of sample `index`, (H, W) of 0..80 and VOID. Raises DataError for what cannot be drawn."""
        record = self.records[index]
        mask = np.zeros((record.height, record.width), dtype=np.uint8)
        try:
            for instance in self.instances.get(record.id, []):
                label = self.label_of[instance.category_id]
                inside = drawn(_SEGMENTATION.decode(instance.segmentation), record.height, record.width)
                others = inside & (mask != 0) & (mask != label)
                mask[inside] = label
                mask[others] = VOID
        except KeyError as error:
            raise DataError(f"{printable(self.target_source(index))}: an instance of no category, {error}") from None
        except ValueError as error:  # msgspec raises kinds of it
            raise DataError(
                f"{printable(self.target_source(index))}: a segmentation that cannot be drawn ({error})"
            ) from None
        return mask

    def source(self, index: int) -> str:
        """The path of the image."""
        return str(self.path(index))

    def target_source(self, index: int) -> str:
        """The annotations of the image, as `annotations.json[image id]`."""
        return f"{self.annotations}[{self.records[index].id}]"

    def path(self, index: int) -> Path:
        """The path of the image."""
        return self.folder / self.records[index].file_name

    def header(self, index: int) -> Header:
        """The header of the image file."""
        return header(self.path(index))

    def mask_header(self, index: int) -> Header:
        """The sides of the mask, as the annotations give them."""
        return Header("JSON", self.records[index].width, self.records[index].height, False)

    def image(self, index: int) -> Pixels:
        """The decoded image."""
        return decode(self.path(index))

    def stored(self, index: int) -> Pixels:
        """The mask, since drawn masks hold labels."""
        return self.target(index)

    def stamp(self, index: int) -> tuple[int, ...]:
        """The sizes and times of change in ns of the image and of the annotations; -1 for what is missing."""
        return *stamp(self.path(index)), *stamp(self.annotations)


def read(folder: Path) -> MaskScan:
    """The set's splits of 2017."""
    faults: list[Fault] = []
    train, test = (_reader(folder, split, faults) for split in ("train", "val"))
    if train.classes != test.classes:
        faults.append(fault(test.annotations, "other categories than those of training"))
    return mask_folder.scanned(folder, train, test, rule="as published, train2017 and val2017", faults=faults)


def drawn(segmentation: list[Polygon] | _Rle, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels that an object covers, (H, W). Raises ValueError for runs or polygons of another form."""
    if isinstance(segmentation, _Rle):
        if segmentation.size != (height, width) or min(segmentation.counts, default=0) < 0:
            raise ValueError(f"runs of an image of {segmentation.size[1]} x {segmentation.size[0]} pixels")
        runs = np.arange(len(segmentation.counts)) % 2 == 1  # of 0 first, then of 1, in turn, down the columns
        pixels = np.repeat(runs, segmentation.counts) if sum(segmentation.counts) == height * width else runs[:0]
        if pixels.size != height * width:
            raise ValueError(f"runs of {sum(segmentation.counts):,} pixels in place of {height * width:,}")
        return pixels.reshape(width, height).T
    covered = np.zeros((height, width), dtype=bool)
    for polygon in segmentation:
        if len(polygon) % 2:
            raise ValueError("a polygon of an odd number of coordinates")
        covered |= inside_polygon(np.array(polygon).reshape(-1, 2), height, width)
    return covered


def inside_polygon(corners: NDArray[Any], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels with their centre inside a polygon of corners (n, 2), x and y, by the even-odd rule, (H, W)."""
    x, y = corners.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    rows = np.arange(height)[:, None] + 0.5
    row, edge = np.nonzero((y <= rows) != (next_y <= rows))  # edges that cross a line of centres
    crossing_x = x[edge] + (row + 0.5 - y[edge]) * (next_x - x)[edge] / (next_y - y)[edge]
    first = np.ceil(crossing_x - 0.5).clip(0, width).astype(int)  # the first centre to the right of the crossing
    crossings = np.zeros((height, width + 1), dtype=np.int64)
    np.add.at(crossings, (row, first), 1)
    return np.asarray(crossings.cumsum(axis=1)[:, :width] % 2 == 1)


def _reader(folder: Path, split: str, faults: list[Fault]) -> CocoReader:
    path = folder / "annotations" / f"instances_{split}2017.json"
    content = _Annotations([], [], [])
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_Annotations)
    except OSError as error:
        faults.append(fault(path, f"cannot be read ({error.strerror})"))
    except ValueError as error:
        faults.append(fault(path, f"no annotations of COCO ({error})"))
    categories = sorted(content.categories, key=lambda category: category.id)
    if not 0 < len(categories) < VOID or not all(category.name.isprintable() for category in categories):
        faults.append(fault(path, f"{len(categories)} categories, or names with line breaks"))
    instances: dict[int, list[Instance]] = {}
    for instance in content.annotations:
        instances.setdefault(instance.image_id, []).append(instance)
    images = folder / f"{split}2017"
    files = {name for name, _ in listing(images, faults)}
    missing = [record.file_name for record in content.images if record.file_name not in files]
    faults += [fault(images / name, f"no such file, but {path.name} names it") for name in missing]
    return CocoReader(
        name="coco-seg",
        split=split,
        classes=("background", *(category.name for category in categories)),
        view=mask_folder.whole(),
        crop_px=CROP_PX,
        folder=images,
        annotations=path,
        records=sorted(
            (record for record in content.images if record.file_name in files), key=lambda record: record.id
        ),
        instances=instances,
        label_of={category.id: label for label, category in enumerate(categories, start=1)},
        labels=class_list.labels_of(range(len(categories) + 1)),
    )


COCO = MaskSet(name="coco-seg", folders=("coco", ""), marker="annotations/instances_train2017.json", read=read)
open_splits, scan, find = COCO.open_splits, COCO.scan, COCO.find
