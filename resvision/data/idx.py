"""Sets in the idx format of MNIST (http://yann.lecun.com/exdb/mnist).

A file is a magic number that says type and dimensions, the sides as big-endian 32-bit numbers, then bytes.
"""

import gzip
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.files import open_regular
from resvision.core.views import Stretch
from resvision.data.arrays import ArrayReader
from resvision.data.roots import default_root
from resvision.data.splits import Splits

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 60_000),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 10_000),
}


@dataclass(frozen=True, kw_only=True)
class IdxSet:
    """A set of 60,000 + 10,000 grey images of 28x28 pixels in four idx files, plain or gzipped.

    folder   under which torchvision keeps the files
    debian   the folder of Debian's package, if there is one
    package  its name
    """

    name: str
    folder: str
    classes: tuple[str, ...]
    view: Stretch
    debian: Path | None = None
    package: str = ""

    def open_splits(self, root: Path | None = None) -> Splits:
        """Open the official split. Raises DataError for damaged or missing files, with the folders searched."""
        folder = self.find(root)
        if folder is None:
            folders = ", ".join(map(str, self._folders(root)))
            raise DataError(
                f"{self.name}: no idx files in {folders}; `resvision data fetch {self.name}` downloads them, "
                "`--root FOLDER` names another place"
                + (f", and Debian has the package {self.package}" if self.package else "")
            )
        train, test = (
            ArrayReader(
                name=self.name,
                split=split,
                classes=self.classes,
                view=self.view,
                images=read_idx(_file(folder, images), shape=(count, 28, 28)),
                targets=read_idx(_file(folder, labels), shape=(count,)).astype(np.int64),
            )
            for split, (images, labels, count) in FILES.items()
        )
        return Splits(train, test, "60,000 train / 10,000 test images, the official split")

    def find(self, root: Path | None) -> Path | None:
        """The folder with all four files: under `root`, or else under the data root or Debian's folder."""
        needed = [name for images, labels, _ in FILES.values() for name in (images, labels)]
        for folder in self._folders(root):
            if all(_file(folder, name).is_file() for name in needed):
                return folder
        return None

    def _folders(self, root: Path | None) -> list[Path]:
        if root is not None:
            return [root, root / "raw", root / self.folder / "raw"]
        return [default_root() / self.folder / "raw", *([self.debian] if self.debian else [])]


def read_idx(path: Path, *, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array in an idx file of bytes, plain or gzipped; DataError where it is not whole or has another shape."""
    start = 4 + 4 * len(shape)
    size = start + prod(shape)
    try:
        with open_regular(path) as file:
            # a byte more tells a longer file, of which the rest may be without end
            data = (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{printable(path)}: cannot be read ({error})") from None
    if len(data) < start or data[:4] != bytes((0, 0, 8, len(shape))):  # type 8 is unsigned bytes
        raise DataError(f"{printable(path)}: not an idx file of bytes in {len(shape)} dimensions")
    sides = tuple(np.frombuffer(data[4:start], dtype=">u4").tolist())
    if sides != shape:
        raise DataError(f"{printable(path)}: holds {_by(sides)} values, expected {_by(shape)}")
    if len(data) != size:
        count = f"more than {prod(shape):,}" if len(data) > size else f"{len(data) - start:,}"
        raise DataError(
            f"{printable(path)}: {count} bytes of values, expected {prod(shape):,}; the file is cut off or damaged"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _file(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _by(sides: tuple[int, ...]) -> str:
    return " x ".join(f"{side:,}" for side in sides)
