"""COCO JSON, written: one document for the images of a split (Lin et al. 2014, arXiv:1405.0312).

A document has its images before its boxes, so images are kept as records, one a line in a file, and read again for
each part: memory does not grow with their number. Images keep the ids that they had, or are numbered from 1, as boxes
are: the metric's reference code takes a box of the number 0 for one that was not found. The form holds regions of
crowds, areas and the ids of classes, and scores beside boxes that a net has found; it has no place for difficult
objects.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from resvision.core.errors import printable
from resvision.data.labelled_image import DECIMALS, LabelledImage

IMAGES_FIRST = b'{"info": {"description": "boxes written by resvision"}, "licenses": [],\n"categories": '


class Record(msgspec.Struct):
    """One image and its boxes, as its annotations say them; `boxes` are x y width height, `number` is its own id."""

    file_name: str
    width: int
    height: int
    boxes: list[tuple[float, float, float, float]]
    labels: list[int]
    crowd: list[bool]
    areas: list[float]
    scores: list[float] | None = None
    number: int | None = None


class _Image(msgspec.Struct):
    id: int
    file_name: str
    width: int
    height: int


class _Annotation(msgspec.Struct):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: int
    segmentation: tuple[()] = ()  # of boxes alone there is none, and readers of masks look for the key
    score: float | UnsetType = UNSET


_DECODER = msgspec.json.Decoder(Record)


def record_of(image: LabelledImage) -> Record:
    """The record of an image."""
    targets = image.targets
    corners = np.column_stack([targets.boxes[:, :2], targets.boxes[:, 2:] - targets.boxes[:, :2]])
    return Record(
        file_name=printable(image.name),
        width=image.width,
        height=image.height,
        boxes=np.round(corners, DECIMALS).tolist(),
        labels=targets.labels.tolist(),
        crowd=targets.crowd.tolist(),
        areas=np.round(targets.areas, DECIMALS).tolist(),
        scores=None if image.scores is None else np.round(image.scores, 6).tolist(),
        number=image.number,
    )


def encoded(record: Record) -> bytes:
    """The record as a line."""
    return msgspec.json.encode(record) + b"\n"


def decoded(line: bytes) -> Record:
    """The record that a line holds; ValueError for any other line."""
    return _DECODER.decode(line)


def write_document(
    file: IO[bytes], records: Callable[[], Iterable[Record]], classes: tuple[str, ...], ids: tuple[int, ...]
) -> None:
    """Write the document of the images that `records` gives, each time that it is called, in one order."""
    categories = [{"id": number, "name": name} for number, name in zip(ids, classes, strict=True)]
    file.write(IMAGES_FIRST + msgspec.json.encode(categories))
    file.write(b',\n"images": ')
    _write_list(file, _images(records()))
    file.write(b',\n"annotations": ')
    _write_list(file, _annotations(records(), ids))
    file.write(b"}\n")


def _numbered(records: Iterable[Record]) -> Iterator[tuple[int, Record]]:
    """Yield each record with the id of its image: all have one of their own, or none has."""
    for position, record in enumerate(records, start=1):
        yield position if record.number is None else record.number, record


def _images(records: Iterable[Record]) -> Iterator[_Image]:
    for number, record in _numbered(records):
        yield _Image(number, record.file_name, record.width, record.height)


def _annotations(records: Iterable[Record], ids: tuple[int, ...]) -> Iterator[_Annotation]:
    numbers = count(1)
    for image, record in _numbered(records):
        scores: Sequence[float | UnsetType] = [UNSET] * len(record.boxes) if record.scores is None else record.scores
        rows = zip(record.boxes, record.labels, record.crowd, record.areas, scores, strict=True)
        for box, label, crowd, area, score in rows:
            yield _Annotation(next(numbers), image, ids[label], box, area, int(crowd), score=score)


def _write_list(file: IO[bytes], items: Iterable[msgspec.Struct]) -> None:
    """Write a list, one item a line."""
    start = b"[\n"
    for item in items:
        file.write(start + msgspec.json.encode(item))
        start = b",\n"
    file.write(b"[]" if start == b"[\n" else b"\n]")


class CocoWriter:
    """Writes a folder: images of each split in a folder of its name, and annotations/instances_SPLIT.json."""

    holds = frozenset({"crowd", "areas", "ids"})
    shares_names = False

    def __init__(self, folder: Path, classes: tuple[str, ...], ids: tuple[int, ...]) -> None:
        self._folder, self._classes, self._ids = folder, classes, ids
        self._records: dict[str, IO[bytes]] = {}

    def images(self, split: str) -> Path:
        """The folder for the images of a split."""
        return self._folder / split

    def add(self, split: str, image: LabelledImage) -> None:
        """Keep the labels of an image."""
        if split not in self._records:
            self._records[split] = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by `finish`
        self._records[split].write(encoded(record_of(image)))

    def finish(self) -> None:
        """Write the document of each split."""
        annotations = self._folder / "annotations"
        annotations.mkdir()
        for split, file in self._records.items():
            with file, (annotations / f"instances_{split}.json").open("wb") as document:
                write_document(document, lambda: _lines(file), self._classes, self._ids)  # noqa: B023 - called at once


def _lines(file: IO[bytes]) -> Iterator[Record]:
    """Yield the records in a file from its start."""
    file.seek(0)
    yield from map(decoded, file)
