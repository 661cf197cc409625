"""COCO 2017 instances as label maps (Lin et al. 2014, arXiv:1405.0312): 80 classes and background.

coco/{train2017,val2017}/*.jpg with coco/annotations/instances_{train,val}2017.json as they are published. Labels follow
the order of category ids, background being 0, and so is a category of that name; where instances of two classes
overlap, the data do not say which is in front, so that is void. A pixel belongs to a polygon if its centre lies inside
(even-odd rule), up to half a pixel from what pycocotools draws. Images without instances are all background.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.images import VOID, Header, Pixels, decode, header
from resvision.core.views import View
from resvision.data import class_list, mask_pairs, mask_scan
from resvision.data.cache import stamp
from resvision.data.class_list import Labels
from resvision.data.coco_json import CocoCategory, CocoImage, category_faults, image_faults, read_json, repeated
from resvision.data.faults import Fault, fault, listing
from resvision.data.mask_headers import MaskFiles, disagreement
from resvision.data.mask_scan import MaskScan
from resvision.data.mask_sets import MaskSet
from resvision.geometry.polygons import inside_polygon

T = TypeVar("T")

CROP_PX = 512

BACKGROUND = "background"


class Instance(msgspec.Struct):
    """An object of an image; its segmentation stays undecoded until it is drawn."""

    image_id: int
    category_id: int
    segmentation: msgspec.Raw


class _Annotations(msgspec.Struct):
    images: list[CocoImage]
    categories: list[CocoCategory]
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
    records: list[CocoImage]
    instances: dict[int, list[Instance]]
    label_of: dict[int, int]
    labels: Labels

    def __len__(self) -> int:
        return len(self.records)

    def target(self, index: int) -> Pixels:
        """The mask of sample `index`, (H, W) of 0..80 and VOID. Raises DataError for what cannot be drawn.

        Nothing is drawn before the image has said that its sides are those of the annotations.
        """
        record, where = self.records[index], printable(self.target_source(index))
        if what := disagreement(self.header(index), self.mask_header(index)):
            raise DataError(f"{where}: {what}")
        mask = np.zeros((record.height, record.width), dtype=np.uint8)
        try:
            for instance in self.instances.get(record.id, []):
                label = self.label_of[instance.category_id]
                inside = drawn(_SEGMENTATION.decode(instance.segmentation), record.height, record.width)
                if label == 0:  # what nothing covers is background anyhow
                    continue
                others = inside & (mask != 0) & (mask != label)
                mask[inside] = label
                mask[others] = VOID
        except KeyError as error:
            raise DataError(f"{where}: an instance of no category, {error}") from None
        except (ValueError, RecursionError) as error:  # msgspec raises kinds of the first
            raise DataError(f"{where}: a segmentation that cannot be drawn ({error})") from None
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
        """The sizes and times of the image and of the annotations; -1 for what is missing."""
        return *stamp(self.path(index)), *stamp(self.annotations)


def read(folder: Path) -> MaskScan:
    """The set's splits of 2017."""
    faults: list[Fault] = []
    notes: list[str] = []
    train, test = (_reader(folder, split, faults, notes) for split in ("train", "val"))
    if train.classes != test.classes:
        faults.append(fault(test.annotations, "other categories than those of training"))
    rule = "as published, train2017 and val2017"
    return mask_scan.scanned(folder, train, test, rule=rule, faults=faults, notes=notes)


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
        corners = np.array(polygon, dtype=np.float64).reshape(-1, 2)
        sides = np.array([width, height])
        # Annotators cross the border by some pixels, never by a whole image
        if not ((-sides <= corners) & (corners <= 2 * sides)).all():
            raise ValueError(f"a polygon with a corner far outside the image of {width:,} x {height:,} pixels")
        covered |= inside_polygon(corners, height, width)
    return covered


def _reader(folder: Path, split: str, faults: list[Fault], notes: list[str]) -> CocoReader:
    path = folder / "annotations" / f"instances_{split}2017.json"
    content = read_json(path, _Annotations, faults) or _Annotations([], [], [])
    faults += [fault(path, what) for what in (*_category_faults(content), *_image_faults(content))]
    categories = sorted(content.categories, key=lambda category: category.id)
    named = [category for category in categories if category.name.casefold() != BACKGROUND]
    named = named[: VOID - 1]  # more are a fault, and labels end there
    instances: dict[int, list[Instance]] = {}
    for instance in content.annotations:
        instances.setdefault(instance.image_id, []).append(instance)
    images = folder / f"{split}2017"
    files = {name for name, _ in listing(images, faults)}
    missing = [record.file_name for record in content.images if record.file_name not in files]
    faults += [fault(images / name, f"no such file, but {path.name} names it") for name in missing]
    if unnamed := len(files - {record.file_name for record in content.images}):
        notes.append(f"{unnamed:,} files in {images.name} are left out, since {path.name} does not name them")
    records = [record for record in content.images if record.file_name in files]
    return CocoReader(
        name="coco-seg",
        split=split,
        classes=(BACKGROUND, *(category.name for category in named)),
        view=mask_pairs.whole(),
        crop_px=CROP_PX,
        folder=images,
        annotations=path,
        records=sorted(records, key=lambda record: record.id),
        instances=instances,
        label_of=dict.fromkeys((category.id for category in categories), 0)
        | {category.id: label for label, category in enumerate(named, start=1)},
        labels=class_list.labels_of(range(len(named) + 1)),
    )


def _category_faults(content: _Annotations) -> Iterator[str]:
    """Yield the faults of categories and of what refers to them, in words."""
    ids, names = [category.id for category in content.categories], [category.name for category in content.categories]
    if not 0 < len(ids) < VOID:
        yield f"{len(ids)} categories; a label map holds 1 to {VOID - 1}"
    yield from (f"the category name {printable(name)} is not printable" for name in names if not name.isprintable())
    yield from category_faults(content.categories)
    folded = [name.casefold() if name.casefold() == BACKGROUND else name for name in names]
    yield from (f"two categories of the name {printable(name)}; join or rename them" for name in repeated(folded))
    unknown = {instance.category_id for instance in content.annotations} - {*ids}
    if unknown:
        yield f"instances of categories that are not listed: {len(unknown):,}, such as {min(unknown)}"


def _image_faults(content: _Annotations) -> Iterator[str]:
    """Yield the faults of images and of what refers to them, in words."""
    yield from image_faults(content.images)
    ids = [record.id for record in content.images]
    unknown = {instance.image_id for instance in content.annotations} - {*ids}
    if unknown:
        yield f"instances of images that are not listed: {len(unknown):,}, such as {min(unknown)}"
    if ids and not content.annotations:
        yield f"no instances: all {len(ids):,} images would be background throughout"


COCO = MaskSet(name="coco-seg", folders=("coco", ""), marker="annotations/instances_train2017.json", read=read)
open_splits, scan, find = COCO.open_splits, COCO.scan, COCO.find
