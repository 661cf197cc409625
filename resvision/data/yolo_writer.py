"""YOLO text, written: a file of lines for each image, `class cx cy width height` in shares of the image's sides.

Classes are numbers; `data.yaml` names them, and the folders of images of each split. The form has no place for
difficult objects, regions of crowds, areas, ids and scores.
"""

import json
from pathlib import Path

from resvision.data.labelled_image import LabelledImage, number

DECIMALS = 8
"""Decimals of a share of a side: a ten-thousandth of a pixel of the largest images."""


def lines(image: LabelledImage) -> bytes:
    """The lines of one image's boxes; none at all for an image that is all background."""
    rows = []
    for (x1, y1, x2, y2), label in zip(image.targets.boxes.tolist(), image.targets.labels.tolist(), strict=True):
        across = (x1 + x2) / 2 / image.width, (x2 - x1) / image.width
        down = (y1 + y2) / 2 / image.height, (y2 - y1) / image.height
        shares = [number(share, DECIMALS) for pair in zip(across, down, strict=True) for share in pair]
        rows.append(f"{label} {' '.join(shares)}\n")
    return "".join(rows).encode()


def listing(classes: tuple[str, ...], splits: dict[str, str]) -> bytes:
    """The content of `data.yaml`: the folder of the images of each split, and the names of the classes in order."""
    folders = "".join(f"{split}: {folder}\n" for split, folder in splits.items())
    names = "".join(f"  - {json.dumps(name, ensure_ascii=False)}\n" for name in classes)
    return f"{folders}nc: {len(classes)}\nnames:\n{names}".encode()


class YoloWriter:
    """Writes a folder: images/SPLIT/, labels/SPLIT/*.txt and data.yaml."""

    holds: frozenset[str] = frozenset()
    shares_names = False

    def __init__(self, folder: Path, classes: tuple[str, ...], ids: tuple[int, ...]) -> None:
        self._folder, self._classes = folder, classes
        self._splits: dict[str, str] = {}

    def images(self, split: str) -> Path:
        """The folder for the images of a split."""
        return self._folder / "images" / split

    def add(self, split: str, image: LabelledImage) -> None:
        """Write the labels of an image."""
        labels = self._folder / "labels" / split
        if split not in self._splits:
            labels.mkdir(parents=True)
            self._splits[split] = f"images/{split}"
        (labels / f"{Path(image.name).stem}.txt").write_bytes(lines(image))

    def finish(self) -> None:
        """Write `data.yaml`."""
        (self._folder / "data.yaml").write_bytes(listing(self._classes, self._splits))
