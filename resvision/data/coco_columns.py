"""The boxes of one JSON file of COCO's form as columns; annotations live as objects only while they are read.

A box is x, y, width and height there, in continuous pixels. Ids of images, annotations and categories are any numbers.
An annotation without a box has the extent of its polygons.
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from resvision.data.box_columns import NO_LABEL, BoxColumns
from resvision.data.coco_json import CocoCategory, CocoImage, Id, category_faults, image_faults, read_json
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import fault
from resvision.data.places import Place
from resvision.kinds.detection.boxes import Flags, Floats, Ints

LARGEST = 1e9
"""The limit of a coordinate."""
FEWEST_CORNERS = 3
NO_ID = -(2**62)
"""Stands in place of the id that an annotation lacks."""


class _Annotation(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id
    id: Id = NO_ID
    bbox: tuple[float, float, float, float] | None = None
    iscrowd: int | bool = 0
    area: Annotated[float, msgspec.Meta(ge=0)] | None = None


class _Content(msgspec.Struct):
    images: list[CocoImage]
    categories: list[CocoCategory]
    annotations: list[_Annotation] = []


class _Outline(msgspec.Struct, gc=False):
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


class _Outlines(msgspec.Struct):
    annotations: list[_Outline] = []


_POLYGONS = msgspec.json.Decoder(list[list[float]])


class CocoFile(NamedTuple):
    """The content of a file.

    images      in the order of their ids, (N,)
    categories  in the order of their ids; the labels of `columns` index them
    columns     the boxes of `images`, in pixels; `lines` are the ids of annotations
    polygons    how many boxes are the extent of polygons
    unread      whether it cannot be read, and nothing is known of it
    """

    images: list[CocoImage]
    categories: list[CocoCategory]
    columns: BoxColumns
    polygons: int
    unread: bool


@dataclass
class _Raw:
    """The annotations of a file as columns, (B,) each, in its order."""

    image_ids: Ints
    category_ids: Ints
    ids: Ints
    boxes: Floats
    crowd: Flags
    areas: Floats

    def where(self, kept: Flags) -> "_Raw":
        return _Raw(*(column[kept] for column in vars(self).values()))


def read_coco(path: Place, ledger: Ledger) -> CocoFile:
    """Read a file; what is wrong with it is added to the ledger."""
    read = read_json(path, _Content, ledger.faults)
    content = read or _Content([], [], [])
    ledger.faults += [
        fault(path, what) for what in (*category_faults(content.categories), *image_faults(content.images))
    ]
    images = sorted(content.images, key=lambda image: image.id)
    categories = sorted(content.categories, key=lambda category: category.id)
    raw = _raw(content.annotations)
    del content.annotations
    polygons = _fill_extents(path, raw) if np.isnan(raw.boxes).any() else 0
    raw = _listed(path, raw, images, ledger)
    columns = _columns(path, raw, images, categories, ledger)
    return CocoFile(images, categories, columns, polygons, unread=read is None)


def _raw(annotations: list[_Annotation]) -> _Raw:
    """The annotations as columns; NaN stands in place of a box or an area that one lacks."""
    count = len(annotations)
    lacking = (np.nan,) * 4
    boxes = np.array([annotation.bbox or lacking for annotation in annotations], dtype=np.float64).reshape(-1, 4)
    return _Raw(
        np.fromiter((annotation.image_id for annotation in annotations), np.int64, count),
        np.fromiter((annotation.category_id for annotation in annotations), np.int64, count),
        np.fromiter((annotation.id for annotation in annotations), np.int64, count),
        boxes,
        np.fromiter((bool(annotation.iscrowd) for annotation in annotations), np.bool_, count),
        # Converters that know no outline write 0
        np.fromiter((annotation.area or np.nan for annotation in annotations), np.float64, count),
    )


def _fill_extents(path: Place, raw: _Raw) -> int:
    """Give annotations without a box the extent of their polygons, where they have some; how many."""
    outlines = read_json(path, _Outlines, []) or _Outlines()
    filled = 0
    for row in np.flatnonzero(np.isnan(raw.boxes).any(axis=1)).tolist():
        try:
            polygons = _POLYGONS.decode(outlines.annotations[row].segmentation)
        except (ValueError, RecursionError):
            continue  # runs of pixels, or nothing: the fault of an annotation without a box
        if any(len(polygon) % 2 or len(polygon) < 2 * FEWEST_CORNERS for polygon in polygons):
            continue
        corners = np.array([number for polygon in polygons for number in polygon], dtype=np.float64).reshape(-1, 2)
        if len(corners):
            raw.boxes[row] = [*corners.min(axis=0), *np.ptp(corners, axis=0)]
            filled += 1
    return filled


def _listed(path: Place, raw: _Raw, images: list[CocoImage], ledger: Ledger) -> _Raw:
    """The annotations that have a box, an image and an id of their own; the others are faults, or left out."""
    bad: Flags = ~np.asarray((np.abs(raw.boxes) <= LARGEST).all(axis=1))
    for row in np.flatnonzero(bad).tolist():
        what = "no bbox, and no polygons" if np.isnan(raw.boxes[row]).any() else "no coordinates of an image"
        ledger.faults.append(fault(place_of(path, raw.image_ids[row], raw.ids[row]), what))
    raw = raw.where(~bad)
    known = np.array([image.id for image in images], dtype=np.int64)
    stray = ~np.isin(raw.image_ids, known)
    for image_id, count in zip(*np.unique(raw.image_ids[stray], return_counts=True), strict=True):
        what = f"annotations of an image that is not listed: {count:,}"
        ledger.add("missing-images", place_of(path, image_id), what)
    raw = raw.where(~stray)
    first = np.zeros(len(raw.ids), dtype=np.bool_)
    first[np.unique(raw.ids, return_index=True)[1]] = True
    clashing = ~first & (raw.ids != NO_ID)
    for row in np.flatnonzero(clashing).tolist():
        ledger.add(
            "clashing-ids", place_of(path, raw.image_ids[row], raw.ids[row]), "an earlier annotation has this id"
        )
    return raw.where(~clashing)


def _columns(
    path: Place, raw: _Raw, images: list[CocoImage], categories: list[CocoCategory], ledger: Ledger
) -> BoxColumns:
    """The columns of listed annotations, those of each image side by side in the order of the file."""
    image = np.searchsorted(np.array([image.id for image in images], dtype=np.int64), raw.image_ids)
    ids = np.array([category.id for category in categories], dtype=np.int64)
    labels = np.searchsorted(ids, raw.category_ids)
    unknown = np.append(ids, NO_ID)[labels] != raw.category_ids
    labels = np.where(unknown, NO_LABEL, labels)
    hint = _shift(raw.category_ids, ids)
    for row in np.flatnonzero(unknown).tolist():
        where = place_of(path, raw.image_ids[row], raw.ids[row])
        ledger.add("unknown-classes", where, f"category {raw.category_ids[row]}, which is not listed{hint}")
    order = np.argsort(image, kind="stable")
    x, y, width, height = raw.boxes[order].T
    counts = np.bincount(image, minlength=len(images))
    return BoxColumns(
        ends=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=np.stack([x, y, x + width, y + height], axis=1),
        labels=labels[order].astype(np.int64),
        crowd=raw.crowd[order],
        difficult=np.zeros(len(order), dtype=np.bool_),
        areas=np.where(raw.areas > 0, raw.areas, np.nan)[order],
        lines=raw.ids[order],
    )


def _shift(used: Ints, ids: Ints) -> str:
    """The words on category ids that are all one off; "" where they are not."""
    for offset in (1, -1):
        if len(used) and not np.isin(used, ids).all() and np.isin(used + offset, ids).all():
            return f"; all ids would be listed if they were {abs(offset)} {'more' if offset > 0 else 'less'}"
    return ""


def place_of(path: Place, image_id: int | np.int64, annotation_id: int | np.int64 = NO_ID) -> str:
    """The place of an image, or of an annotation, in a file."""
    return f"{path}[{image_id}]" if annotation_id == NO_ID else f"{path}[{image_id}] annotation {annotation_id}"


@dataclass(frozen=True)
class CocoPlaces:
    """The places of images in one file, by their ids, (N,)."""

    path: Place
    image_ids: NDArray[np.int64]

    def source(self, index: int) -> str:
        """The file, and the id of the image."""
        return place_of(self.path, self.image_ids[index])

    def where(self, index: int, line: int) -> str:
        """The file, the id of the image and that of the annotation."""
        return place_of(self.path, self.image_ids[index], line)

    def file(self, index: int) -> Place:
        """The file of all images."""
        return self.path

    def at(self, indices: NDArray[np.int64]) -> "CocoPlaces":
        """The places of the images at these indices."""
        return CocoPlaces(self.path, self.image_ids[indices])
