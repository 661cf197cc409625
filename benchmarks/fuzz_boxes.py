"""Mutated labels of boxes into their readers: VOC's XML, COCO's JSON, YOLO's text and its data.yaml.

    python benchmarks/fuzz_boxes.py --seconds 120 --save found

Expected: nothing crashed, nothing hung.
"""

import json
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
from fuzz_data import encoded, picture, put, refuse
from fuzzing import Target, main
from mutations import mutated_bytes, mutated_json, mutated_lines, pick
from numpy.random import Generator

from resvision.core.errors import DataError
from resvision.data import coco_boxes, voc_boxes, yolo_boxes
from resvision.data.box_scan import BoxScan
from resvision.data.data_yaml import parse_description
from resvision.data.fault_kinds import FRAMES, KINDS
from resvision.data.layouts import Layout

ALLOWED = [kind for kind in KINDS if kind not in FRAMES[1:]]
NAMES = "abcd"
_OTHERS = [b"0", b"1", b"-1", b"5", b"0.5", b".25", b"1e3", b"1e999", b"nan", b"7.49", b"1_0", b"6", b"2", b"3", b""]


def annotations() -> list[bytes]:
    """Objects with parts, flags and comments, in UTF-8, UTF-16 and Latin-1."""
    box = "<bndbox><xmin>{}</xmin><ymin>2</ymin><xmax>4.5</xmax><ymax>5</ymax></bndbox>"
    part = f"<part><name>head</name>{box.format(1)}</part>"
    objects = f"<object><name>c\xe4t</name><difficult>1</difficult>{part}{box.format(1)}</object>\n"
    text = f"<annotation><size><width>6</width><height>6</height></size><!-- x -->\n{objects}{objects}</annotation>"
    heads = {"utf-8": "", "utf-16": "", "latin-1": '<?xml version="1.0" encoding="ISO-8859-1"?>'}
    return [(head + text).encode(encoding) for encoding, head in heads.items()]


def documents() -> list[bytes]:
    """Boxes, crowds, polygons and runs."""
    rows = [
        {"id": 0, "image_id": 0, "category_id": 7, "bbox": [1, 1, 3, 3], "iscrowd": 0, "area": 4.5},
        {"id": 1, "image_id": 0, "category_id": 9, "bbox": [0.25, 1, 3, 3.5], "iscrowd": 1},
        {"id": 2, "image_id": 1, "category_id": 7, "segmentation": [[1, 1, 4, 1, 4, 4]]},
    ]
    images = [{"id": number, "file_name": f"{name}.png", "width": 6, "height": 6} for number, name in enumerate(NAMES)]
    categories = [{"id": 7, "name": "cat", "supercategory": "pet"}, {"id": 9, "name": "dog", "supercategory": "pet"}]
    document = {"info": {"year": 2017}, "images": images, "categories": categories, "annotations": rows}
    return [json.dumps(document).encode()]


def texts() -> list[bytes]:
    """Boxes and polygons."""
    return [b"0 .5 .5 .5 .5\n1 0.25 0.25 0.5 0.5\n\n", b"\xef\xbb\xbf1 0.1 0.1 0.5 0.2 0.3 0.9\r\n0 5e-1 .5 .1 .1 "]


def descriptions() -> list[bytes]:
    """Lists and mappings in blocks and in brackets, quotes, comments, keys that are skipped."""
    block = (
        "# a set\npath: ../x # root\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: 'dog: it''s' # c\n"
    )
    flow = 'train: ../images/train\nval: [images/val, "images/val"]\nnc: 2\nnames: [cat, "d\\u00f6g"]\n'
    return [
        f"{block}x: |\n  y: [\n".encode(),
        f"{flow}roboflow:\n  a: {{b: 1}}\n".encode(),
        b"names:\n- cat\n- dog\ntrain: images/train\nvalid: images/val\n",
        b"names: {0: cat,\n  1: dog}\ntrain: train.txt\nval: images/val\n",
    ]


def mutated_xml(corpus: list[bytes], draws: Generator) -> bytes:
    """Mostly other numbers, else other bytes, or a document type in front, with an entity that grows."""
    if draws.random() < 0.05:
        return b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'
    return (_other_numbers if draws.random() < 0.6 else mutated_bytes)(corpus, draws)


def mutated_text(corpus: list[bytes], draws: Generator) -> bytes:
    """Other numbers, other lines or other bytes."""
    return pick([_other_numbers, mutated_lines, mutated_bytes], draws)(corpus, draws)


def _other_numbers(corpus: list[bytes], draws: Generator) -> bytes:
    """An entry with other numbers in the place of some."""
    data = pick(corpus, draws)
    share = draws.random() / 2
    return re.sub(rb"[0-9.]+", lambda match: pick(_OTHERS, draws) if draws.random() < share else match[0], data)


def read_voc(data: bytes, folder: Path) -> None:
    _images(folder / "JPEGImages")
    for name in NAMES:
        put(folder / "Annotations" / f"{name}.xml", data)
    _read(voc_boxes.LAYOUT, folder, folder)


def read_coco(data: bytes, folder: Path) -> None:
    _images(folder)
    put(folder / "boxes.json", data)
    _read(coco_boxes.LAYOUT, folder / "boxes.json", folder)


def read_yolo(data: bytes, folder: Path) -> None:
    _images(folder / "images")
    for name in NAMES:
        put(folder / "labels" / f"{name}.txt", data)
    put(folder / "classes.txt", b"cat\ndog\n")
    _read(yolo_boxes.LAYOUT, folder, folder)


def read_yaml(data: bytes, folder: Path) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DataError("data.yaml: not a text in UTF-8") from None
    description = parse_description(text, "data.yaml")
    assert description.names
    for split in ("train", "val"):
        _images(folder / "images" / split)
        put(folder / "labels" / split / "a.txt", texts()[0])
    put(folder / "train.txt", b"images/train/a.png\n./images/train/b.png")
    put(folder / "data.yaml", data)
    _read(yolo_boxes.LAYOUT, folder / "data.yaml", folder)


def _images(folder: Path) -> None:
    for number, name in enumerate(NAMES):
        if not (folder / f"{name}.png").exists():
            put(folder / f"{name}.png", encoded(picture(number).resize((6, 6))))


def _read(layout: Layout, place: Path, folder: Path) -> None:
    """The targets of a set, which lie in their images and name their classes; DataError for a set with faults."""
    assert layout.allowing is not None
    scan = layout.allowing(ALLOWED).scan(place, ())
    assert isinstance(scan, BoxScan)
    refuse(scan.faults, folder)
    for reader in scan.readers:
        for index in range(len(reader)):
            targets, (wide, high) = reader.target(index), reader.sides[index]
            assert ((targets.labels >= 0) & (targets.labels < len(reader.classes))).all()
            assert (targets.boxes >= 0).all()
            assert (targets.boxes[:, 2:] > targets.boxes[:, :2]).all()
            assert (targets.boxes <= np.array([wide, high, wide, high])).all()


TARGETS = [
    Target(name="XML of VOC", seeds=cache(annotations), read=read_voc, mutate=mutated_xml),
    Target(name="boxes of COCO", seeds=cache(documents), read=read_coco, mutate=mutated_json),
    Target(name="text of YOLO", seeds=cache(texts), read=read_yolo, mutate=mutated_text),
    Target(name="data.yaml", seeds=cache(descriptions), read=read_yaml, mutate=mutated_text),
]

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
