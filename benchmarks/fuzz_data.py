"""Mutated files of data sets into their readers: class lists, annotations, lists, archives, arrays, the checks' cache.

    python benchmarks/fuzz_data.py --seconds 120 --long 600 --save found

Expected: nothing crashed, nothing hung.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import shutil
import sys
import tarfile
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing import Target, main
from mutations import changed, mutated_bytes, mutated_json, mutated_lines, pick
from numpy.random import Generator
from PIL import Image

from resvision.core.errors import DataError
from resvision.data import class_list, coco_seg, voc_seg
from resvision.data.archives import ArchivePlace, open_archive
from resvision.data.check import check
from resvision.data.cifar import read_batch
from resvision.data.faults import Fault, summary
from resvision.data.idx import read_idx
from resvision.data.layouts import Scan
from resvision.data.pixel_counts import pixel_counts
from resvision.data.sets import open_splits

SIDES = (20, 24)


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIDES, 3), dtype=np.uint8))


def mask(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 2, SIDES, dtype=np.uint8))


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, form)
    return stream.getvalue()


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def refuse(faults: Sequence[Fault], folder: Path) -> None:
    """Raise DataError where there are faults."""
    if faults:
        raise DataError(summary(folder, list(faults)))


def read_masks(scan: Scan) -> None:
    """The first images and masks of a scanned set; DataError where one of them, or the set, is at fault."""
    for reader in (scan.train, scan.test):
        for index in range(min(10, len(reader))):
            sample = reader[index]
            assert sample.target.dtype == np.uint8
            assert sample.target.shape == sample.image.shape[:2]
    refuse(scan.faults, Path("it"))


# ---------------------------------------------------------------------------------------------- lists


def class_lists() -> list[bytes]:
    """Names alone, with values, with void, of many kinds of letters."""
    texts = ["ground\nsquare\n", "0 ground\n7 square\n255 object\n", "road\nvoid\nsky\n", "3 \u9053\n4 caf\u00e9\r\n"]
    return [*(text.encode() for text in texts), b"\n".join(b"class %d" % number for number in range(150))]


def read_class_list(data: bytes, folder: Path) -> None:
    put(folder / class_list.CLASS_LIST, data)
    faults: list[Fault] = []
    listed = class_list.listed_classes(folder, faults)
    refuse(faults, folder)
    if listed is not None:
        classes, labels = listed[0], listed[1]
        assert 2 <= len(classes) < 256
        assert labels.shape == (256,)
        assert all(name.isprintable() for name in classes)


def voc_lists() -> list[bytes]:
    """The names of images, a line each."""
    return [b"a\nb\n", b"a\r\nb\r\n", b"b"]


def read_voc_list(data: bytes, folder: Path) -> None:
    for name in "ab":
        if not (folder / "SegmentationClass" / f"{name}.png").exists():
            put(folder / "JPEGImages" / f"{name}.jpg", encoded(picture(1), "JPEG"))
            put(folder / "SegmentationClass" / f"{name}.png", encoded(mask(1)))
    put(folder / "ImageSets/Segmentation/val.txt", b"a\n")
    put(folder / "ImageSets/Segmentation/train.txt", data)
    read_masks(voc_seg.VOC.scan(folder))


# ---------------------------------------------------------------------------------------------- COCO


def annotations() -> list[bytes]:
    """Two images with polygons, runs, overlaps, and one without instances."""
    height, width = SIDES
    size = {"height": height, "width": width}
    box, triangle = [2.0, 2.0, 10.0, 2.0, 10.0, 9.5, 2.0, 9.5], [4, 4, 20, 5, 8, 18]
    runs = {"size": [height, width], "counts": [30, 60, height * width - 90]}
    instances: list[dict[str, Any]] = [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [box], "iscrowd": 0, "bbox": [2, 2, 8, 7.5]},
        {"id": 2, "image_id": 1, "category_id": 18, "segmentation": [triangle, box], "area": 40.5},
        {"id": 3, "image_id": 1, "category_id": 18, "segmentation": runs, "iscrowd": 1},
    ]
    images = [{"id": number, "file_name": f"{number}.jpg", **size} for number in (1, 2)]
    categories = [{"id": 1, "name": "person", "supercategory": "person"}, {"id": 18, "name": "dog"}]
    whole = {"info": {"year": 2017}, "images": images, "categories": categories, "annotations": instances}
    return [json.dumps(whole).encode(), json.dumps({**whole, "annotations": instances[:1]}).encode()]


def read_annotations(data: bytes, folder: Path) -> None:
    for split in ("train", "val"):
        for number in (1, 2):
            if not (folder / f"{split}2017" / f"{number}.jpg").exists():
                put(folder / f"{split}2017" / f"{number}.jpg", encoded(picture(number), "JPEG"))
    put(folder / "annotations/instances_val2017.json", annotations()[0])
    put(folder / "annotations/instances_train2017.json", data)
    scan = coco_seg.COCO.scan(folder)
    for index in range(min(10, len(scan.train))):
        scan.train.header(index)
        scan.train.mask_header(index)
    read_masks(scan)


# ---------------------------------------------------------------------------------------------- tar


def tars() -> list[bytes]:
    """A folder of images as a tar of three formats, and compressed in three ways."""
    plain = [_tarred(form) for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)]
    return [*plain, gzip.compress(plain[0]), bz2.compress(plain[1]), lzma.compress(plain[2])]


def _tarred(form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        for name in ("cat/0.png", "cat/1.png", "dog/0.png", f"dog/{'long' * 20}.png", "dog/é.png", "cat/2.png"):
            data = encoded(picture(len(name)).resize((4, 4)))
            member = tarfile.TarInfo(f"pets/{name}")
            member.size = len(data)
            if name == "cat/2.png" and form != tarfile.USTAR_FORMAT:
                member.mtime, member.pax_headers = 1.5, {"comment": "x" * 200}
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def mutated_tar(corpus: list[bytes], draws: Generator) -> bytes:
    """Most of the time other heads of members under the right sums, packed again; else other bytes."""
    whole = pick(corpus, draws)
    if draws.random() < 0.15:
        return mutated_bytes([whole], draws)
    plain = bytearray(_unpacked(whole))
    for _ in range(int(draws.integers(1, 4))):
        start = 512 * int(draws.integers(max(1, len(plain) // 512)))
        if draws.random() < 0.5:
            plain[start : start + 512] = _other_head(plain[start : start + 512], draws)
        elif draws.random() < 0.5:
            plain[start:start] = plain[start : start + 512 * int(draws.integers(1, 4))] * int(draws.choice([1, 2, 200]))
        else:
            plain = changed(plain, draws)
    pack = pick([bytes, bytes, bytes, gzip.compress, bz2.compress, lzma.compress], draws)
    return bytes(pack(bytes(plain)))


def _unpacked(data: bytes) -> bytes:
    """The tar in a compressed one, or the bytes as they are."""
    for unpack in (gzip.decompress, bz2.decompress, lzma.decompress):
        try:
            return bytes(unpack(data))
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
            continue
    return data


FIELDS = {"name": (0, 100), "size": (124, 136), "type": (156, 157), "link": (157, 257), "prefix": (345, 500)}
VALUES: dict[str, list[bytes]] = {
    "name": [
        b"../x",
        b"/etc/x",
        b"a/../../x",
        b"\xff\xfe",
        b"pets/cat/0.png/x",
        b"pets/cat",
        b".",
        b"",
        b"a\nb\x1b[2J",
    ],
    "size": [
        b"77777777777",
        b"00000000000",
        b"-1",
        b"\x80" + b"\xff" * 11,
        b"\xff" * 12,
        b"\x80\0\0\0\0\0\0\0\0\0\0\7",
    ],
    "type": [b"1", b"2", b"3", b"5", b"6", b"7", b"g", b"x", b"L", b"K", b"S", b"D", b"V", b"\0", b"\xff"],
    "link": [b"/etc/passwd", b"pets/cat/0.png", b".."],
    "prefix": [b"..", b"/", b"x" * 155],
}


def _other_head(head: bytearray, draws: Generator) -> bytearray:
    """The head of a member with another value in one field, or other bytes, and most of the time the right sum."""
    if draws.random() < 0.7:
        field = str(draws.choice([*FIELDS]))
        start, end = FIELDS[field]
        head[start:end] = pick(VALUES[field], draws).ljust(end - start, b"\0")[: end - start]
    else:
        head = changed(head, draws)
    head = head[:512].ljust(512, b"\0")
    if draws.random() < 0.9:
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
    return head


def read_tar(data: bytes, folder: Path) -> None:
    path = folder / "pets.tar"
    put(path, data)
    shutil.rmtree(Path(os.environ["XDG_CACHE_HOME"]), ignore_errors=True)  # copies of earlier inputs
    read_archive(path)


def read_archive(path: Path) -> None:
    """All members of an archive, then its check; DataError where one of them, or the set, is at fault."""
    _read_all(open_archive(path))
    refuse(check(str(path), again=True).faults, path)


def _read_all(place: ArchivePlace) -> None:
    for name, is_folder in place.archive.names(place.inside):
        if is_folder:
            _read_all(place / name)
        else:
            (place / name).read_bytes()


# ---------------------------------------------------------------------------------------------- arrays


def idx_files() -> list[bytes]:
    """Two images of 3 x 3 pixels, plain and compressed."""
    plain = bytes((0, 0, 8, 3)) + np.array([2, 3, 3], ">u4").tobytes() + bytes(range(18))
    return [plain, gzip.compress(plain)]


def read_idx_file(data: bytes, folder: Path) -> None:
    path = folder / ("it.gz" if data.startswith(b"\x1f\x8b") else "it")
    put(path, data)
    read_idx(path, shape=(2, 3, 3))


def batches() -> list[bytes]:
    """Two images of CIFAR as Python 2 and 3 pickle them."""
    batch = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 1]}
    return [pickle.dumps(batch, protocol=protocol) for protocol in (0, 2, 4)]


def read_cifar(data: bytes, folder: Path) -> None:
    put(folder / "batch", data)
    read_batch(folder / "batch", labels=b"labels", images=2, classes=10)


# ---------------------------------------------------------------------------------------------- cache


def cached() -> list[bytes]:
    """The answers of all kinds of checks, as they are kept."""
    values = "c0" + "00" * 31
    documents: list[Any] = [
        [[["pets/cat/0.png", "damaged"]], [["pets/cat/0.png", "pets/dog/0.png"]]],
        {"square_px": 24, "colour": True},
        {"square_px": None, "colour": False},
        [True, 20, [values] * 4],
        [True, 20, []],
        {"colour": True, "shortest_px": 20, "values": [values] * 4},
        [1000, 920],
    ]
    return [json.dumps(document).encode() for document in documents]


def read_cached(data: bytes, folder: Path) -> None:
    """Whatever the cache holds, two folders are checked and opened."""
    for number in range(4):
        if not (folder / "pets" / "dog" / f"{number}.png").exists():
            put(folder / "pets" / "cat" / f"{number}.png", encoded(picture(number)))
            put(folder / "pets" / "dog" / f"{number}.png", encoded(picture(number + 4)))
            put(folder / "scenes" / "images" / f"{number}.png", encoded(picture(number)))
            put(folder / "scenes" / "masks" / f"{number}.png", encoded(mask(number)))
    for kept in Path(os.environ["XDG_CACHE_HOME"], "resvision", "checks").glob("*.json"):
        kept.write_bytes(data)
    for name in ("pets", "scenes"):
        check(str(folder / name))
    pixel_counts(open_splits(str(folder / "scenes"), task="segmentation").train)
    open_splits(str(folder / "pets"), task="classification")


TARGETS = [
    Target(name="class list", seeds=class_lists, read=read_class_list, mutate=mutated_lines),
    Target(name="VOC list", seeds=voc_lists, read=read_voc_list, mutate=mutated_lines),
    Target(name="COCO", seeds=annotations, read=read_annotations, mutate=mutated_json, long=True),
    Target(name="tar", seeds=cache(tars), read=read_tar, mutate=mutated_tar, long=True),
    Target(name="idx", seeds=idx_files, read=read_idx_file),
    Target(name="batch of CIFAR", seeds=cache(batches), read=read_cifar),
    Target(name="cached checks", seeds=cached, read=read_cached, mutate=mutated_json),
]

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
