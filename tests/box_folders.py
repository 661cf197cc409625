"""Small sets with boxes, written in each of the three forms by the rules of their papers alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Boxes = Sequence[tuple[str, float, float, float, float]]
"""Class and x1 y1 x2 y2 in continuous pixels."""

WIDE, HIGH = 80, 60
SCENES: Mapping[str, Boxes] = {
    "a": [("cat", 8, 6, 40, 36), ("dog", 16, 12, 24, 30)],
    "b": [("dog", 0, 0, 80, 60)],
    "c": [],
    "d": [("cat", 4, 3, 12, 9), ("cat", 40, 30, 56, 33)],
    "e": [("cat", 2, 3, 42, 39)],
}
CLASSES = ("cat", "dog")


def picture(path: Path, wide: int = WIDE, high: int = HIGH) -> Path:
    """An image of noise, another one for each name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng([*path.name.encode()])
    Image.fromarray(draws.integers(0, 256, (high, wide, 3), dtype=np.uint8)).save(path)
    return path


def text(path: Path, content: str) -> Path:
    """A file of text, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def voc_xml(boxes: Boxes, size: str = f"<width>{WIDE}</width><height>{HIGH}</height>", more: str = "") -> str:
    """An annotation as VOC writes it, whose pixels count from 1."""
    objects = "".join(
        f"\n<object><name>{name}</name>{more}<bndbox><xmin>{x1 + 1:g}</xmin><ymin>{y1 + 1:g}</ymin>"
        f"<xmax>{x2:g}</xmax><ymax>{y2:g}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2 in boxes
    )
    return f"<annotation><size>{size}<depth>3</depth></size>{objects}\n</annotation>\n"


def voc(folder: Path, train: str = "abc", val: str = "de") -> Path:
    """A folder as VOC has it."""
    for name, boxes in SCENES.items():
        picture(folder / "JPEGImages" / f"{name}.png")
        text(folder / "Annotations" / f"{name}.xml", voc_xml(boxes))
    for split, names in (("train", train), ("val", val)):
        text(folder / "ImageSets" / "Main" / f"{split}.txt", "\n".join(names))
    return folder


def coco_json(names: str, ids: Mapping[str, int], first: int = 1) -> dict[str, list[dict[str, object]]]:
    """Annotations as COCO has them, whose ids begin at `first`."""
    rows = [(number, *box) for number, name in enumerate(names) for box in SCENES[name]]
    return {
        "images": [
            {"id": number + first, "file_name": f"{name}.png", "width": WIDE, "height": HIGH}
            for number, name in enumerate(names)
        ],
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
        "annotations": [
            {
                "id": row + first,
                "image_id": number + first,
                "category_id": ids[name],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1) / 2,
                "iscrowd": 0,
            }
            for row, (number, name, x1, y1, x2, y2) in enumerate(rows)
        ],
    }


def coco(folder: Path, train: str = "abc", val: str = "de", first: int = 1) -> Path:
    """A folder as COCO is published, its categories 18 and 17 in train, 3 and 5 in val."""
    ids = {"train": {"dog": 18, "cat": 17}, "val": {"dog": 3, "cat": 5}}
    for split, names in (("train", train), ("val", val)):
        for name in names:
            picture(folder / f"{split}2017" / f"{name}.png")
        document = coco_json(names, ids[split], first)
        text(folder / "annotations" / f"instances_{split}2017.json", json.dumps(document))
    return folder


def yolo_lines(boxes: Boxes) -> str:
    """The lines of a text of YOLO."""
    lines = [
        f"{CLASSES.index(name)} {(x1 + x2) / 2 / WIDE:.9f} {(y1 + y2) / 2 / HIGH:.9f} {(x2 - x1) / WIDE:.9f}"
        f" {(y2 - y1) / HIGH:.9f}\n"
        for name, x1, y1, x2, y2 in boxes
    ]
    return "".join(lines)


def yolo(folder: Path, train: str = "abc", val: str = "de") -> Path:
    """A folder of images/ and labels/ with data.yaml."""
    for split, names in (("train", train), ("val", val)):
        for name in names:
            picture(folder / "images" / split / f"{name}.png")
            text(folder / "labels" / split / f"{name}.txt", yolo_lines(SCENES[name]))
    text(folder / "data.yaml", "train: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n")
    return folder


FORMS = {"voc": voc, "coco": coco, "yolo": yolo}
