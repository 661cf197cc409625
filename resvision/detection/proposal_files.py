"""Files of proposals: regions that another algorithm found, in a safetensors file with one tensor an image.

A tensor is (P, 4) float32: x1 y1 x2 y2 in continuous pixels of the upright image, those of highest rank first; (0, 4)
for an image without any. Its name is the image's: the path below the folder of the set, `train/cat/7.jpg`, however much
of it the file gives. So the longest end of an image's path that the file names is taken; where it names none, an image
is known by its file name alone if no other entry has that.

Glossary
    P      regions of an image, there may be none
    entry  the name of a tensor in the file
    sides  height and width of an upright image
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from resvision.core.drafts import draft_file
from resvision.core.errors import DataError, nearest, printable
from resvision.core.files import require_tensors
from resvision.core.tensor_files import tensor_bytes
from resvision.kinds.detection.boxes import Flags, Floats

SLACK_PX = 0.5
"""Pixels by which boxes may pass an edge of their image, as those of rounding programs do; they are cut off there."""

FORMS = ("F32", "F64", "F16", "I64", "I32", "I16")
"""The types of numbers that are read, as safetensors names them."""

SHOWN = 3


class ProposalFile:
    """The regions in a file, by images' names. It is opened once in each process, and read image by image."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tensors: Any = None
        self._owner = 0
        entries = self._opened().keys()
        if not entries:
            raise DataError(f"{printable(path)}: holds no tensors; a file of proposals has one (P, 4) for each image")
        self._entries = Entries(entries)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_tensors": None}

    def entry(self, name: str) -> str:
        """The entry of an image; DataError where it has none, or where several have its file name."""
        entry = self._entries.of(name)
        if entry is None:
            raise DataError(f"{printable(self.path)}: {self._entries.missing(name)}")
        return entry

    def regions(self, name: str, sides: tuple[int, int]) -> Floats:
        """The regions of an image, (P, 4) in its pixels. Raises DataError, with its name, where they are no such."""
        entry = self.entry(name)
        boxes = self._boxes(entry)
        if fault := fault_of(boxes, sides):
            raise DataError(f"{printable(self.path)}: {printable(entry)}: {fault}")
        height, width = sides
        return boxes.clip(0, (width, height, width, height))

    def require(self, names: Iterable[str]) -> None:
        """Raise DataError unless each image has an entry of its own; contents are not read."""
        taken: dict[str, str] = {}
        for name in names:
            entry = self.entry(name)
            if (other := taken.setdefault(entry, name)) != name:
                raise DataError(
                    f"{printable(self.path)}: {printable(entry)} would be the entry of {printable(other)} and of"
                    f" {printable(name)}; name images by their paths below the set's folder"
                )

    def _boxes(self, entry: str) -> Floats:
        """The numbers of an entry, (P, 4)."""
        try:
            part = self._opened().get_slice(entry)
            form, shape = part.get_dtype(), tuple(part.get_shape())
            if len(shape) != 2 or shape[1] != 4 or form not in FORMS:
                has = f"{form} {' x '.join(map(str, shape))}"
                hint = "; leave out what is no corner, such as scores" if len(shape) == 2 and shape[1] > 4 else ""
                raise DataError(
                    f"{printable(self.path)}: {printable(entry)}: is {has}, not P x 4 numbers x1 y1 x2 y2{hint}"
                )
            return np.asarray(self._opened().get_tensor(entry), dtype=np.float64)
        except (SafetensorError, OSError) as error:
            raise DataError(f"{printable(self.path)}: {printable(entry)}: cannot be read ({error})") from None

    def _opened(self) -> Any:
        # a handle that was open when a worker was forked is not shared with it
        if self._tensors is None or self._owner != os.getpid():
            try:
                require_tensors(self.path)
                self._tensors, self._owner = safe_open(self.path, framework="numpy"), os.getpid()
            except (OSError, SafetensorError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                raise DataError(
                    f"{printable(self.path)}: cannot be read as safetensors ({printable(reason)});"
                    " `resvision data proposals` writes such files"
                ) from None
        return self._tensors


class Entries:
    """The names of a file's tensors, found by those of images."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._by_file: dict[str, list[str]] = {}
        for name in sorted(self._names):
            self._by_file.setdefault(_parts(name)[-1], []).append(name)

    def of(self, image: str) -> str | None:
        """The name that an image has here: the longest end of its path, or else its file name where only one has it."""
        parts = _parts(image)
        for start in range(len(parts)):
            if (end := "/".join(parts[start:])) in self._names:
                return end
        same = self._by_file.get(parts[-1], [])
        return same[0] if len(same) == 1 else None

    def missing(self, image: str) -> str:
        """The reason why an image has no name here."""
        same = self._by_file.get(_parts(image)[-1], [])
        if same:
            shown = ", ".join(map(printable, same[:SHOWN])) + (", ..." if len(same) > SHOWN else "")
            return f"{printable(image)} might be any of {shown}; give it by a path that ends in one of these"
        close = nearest(_parts(image)[-1], self._by_file, limit=1) or [min(self._names)]
        return (
            f"has no regions of {printable(image)}, but of {len(self._names):,} other images, such as"
            f" {printable(close[0])}; `resvision data proposals` writes a file for a set"
        )


def _parts(name: str) -> list[str]:
    return name.replace(os.sep, "/").split("/")


def fault_of(boxes: Floats, sides: tuple[int, int]) -> str:
    """The reason why boxes (P, 4) cannot be regions of an image of these sides; "" where they can."""
    height, width = sides
    broken = np.asarray(~np.isfinite(boxes).all(axis=1))
    if broken.any():
        return f"box {_first(broken)} has a corner that is no number"
    if len(boxes) and boxes.max() <= 1 and min(sides) > 1:
        return "all corners lie in 0..1, which is the image's first pixel; pixels are needed, not shares of its sides"
    flat = np.asarray(~(boxes[:, :2] < boxes[:, 2:]).all(axis=1))
    if flat.any():
        hint = "; corners x1 y1 x2 y2 are needed, not widths and heights" if flat.mean() > 0.1 else ""
        return f"box {_first(flat)} has no area ({_shown(boxes, flat)}){hint}"
    limits = np.array([width, height, width, height])
    beyond = np.asarray(((boxes < -SLACK_PX) | (boxes > limits + SLACK_PX)).any(axis=1))
    if beyond.any():
        return (
            f"box {_first(beyond)} ({_shown(boxes, beyond)}) lies outside of the image of {width} x {height} pixels;"
            " regions of another image, or of one that was resized or not turned upright"
        )
    return ""


def _first(chosen: Flags) -> int:
    return int(chosen.argmax())


def _shown(boxes: Floats, chosen: Flags) -> str:
    return " ".join(f"{number:g}" for number in boxes[_first(chosen)])


def write(path: Path, regions: Mapping[str, Floats]) -> None:
    """Write regions (P, 4) by images' names. Raises DataError where the file cannot be written."""
    try:
        with draft_file(path) as file:
            file.write(tensor_bytes({name: boxes.astype(np.float32) for name, boxes in regions.items()}))
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be written ({error.strerror})") from None
