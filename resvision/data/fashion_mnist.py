"""Fashion-MNIST: 60,000 + 10,000 grey images of 28x28 pixels (Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747).

Read from idx files, the format of MNIST (http://yann.lecun.com/exdb/mnist): a magic number that says type and
dimensions, the sides as big-endian 32-bit numbers, then bytes.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.core.images import Preprocess, printable
from resvision.data.sets import Splits, default_root

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
PREPROCESS = Preprocess(
    channels=1,
    resize="stretch",
    resize_px=28,
    crop_px=28,
    mean=(0.2860,),  # of the training images, as is std
    std=(0.3530,),
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 60_000),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 10_000),
}


def open_splits(root: Path | None = None) -> Splits:
    """The official split. Raises DataError where files are missing, with the places looked at, or damaged."""
    from resvision.data.arrays import ArrayReader

    folder = find(root)
    if folder is None:
        places = ", ".join(map(str, _places(root)))
        raise DataError(
            f"fashion-mnist: no idx files in {places}; `resvision data fetch fashion-mnist` downloads them, "
            "`--root FOLDER` names another place, and Debian has the package dataset-fashion-mnist"
        )
    train, test = (
        ArrayReader(
            name="fashion-mnist",
            split=split,
            classes=CLASSES,
            preprocess=PREPROCESS,
            images=read_idx(_file(folder, images), shape=(count, 28, 28)),
            targets=read_idx(_file(folder, labels), shape=(count,)).astype(np.int64),
        )
        for split, (images, labels, count) in FILES.items()
    )
    return Splits(train, test, "60,000 train / 10,000 test images, the official split")


def find(root: Path | None) -> Path | None:
    """The folder with all four idx files: under `root`, or else under the data root or Debian's folder."""
    needed = [name for images, labels, _ in FILES.values() for name in (images, labels)]
    for place in _places(root):
        if all(_file(place, name).is_file() for name in needed):
            return place
    return None


def fetch(root: Path | None) -> Path:
    """Download into `root` or the data root through torchvision, which checks the sums; the folder."""
    from torchvision.datasets import FashionMNIST

    base = root or default_root()
    for train in (True, False):
        FashionMNIST(str(base), train=train, download=True)
    return base / "FashionMNIST" / "raw"


def read_idx(path: Path, *, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array in an idx file of bytes, plain or gzipped; DataError if it is not one whole of that shape."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{printable(path)}: cannot be read ({error})") from None
    start = 4 + 4 * len(shape)
    if len(data) < start or data[:4] != bytes((0, 0, 8, len(shape))):  # type 8 is unsigned bytes
        raise DataError(f"{printable(path)}: not an idx file of bytes in {len(shape)} dimensions")
    sides = tuple(np.frombuffer(data[4:start], dtype=">u4").tolist())
    if sides != shape:
        raise DataError(f"{printable(path)}: holds {_by(sides)} values, expected {_by(shape)}")
    if len(data) - start != np.prod(shape):
        raise DataError(
            f"{printable(path)}: {len(data) - start:,} bytes of values, expected {np.prod(shape):,}; "
            "the file is cut off or damaged"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _places(root: Path | None) -> list[Path]:
    if root is None:
        return [default_root() / "FashionMNIST" / "raw", DEBIAN]
    return [root, root / "raw", root / "FashionMNIST" / "raw"]


def _file(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _by(sides: tuple[int, ...]) -> str:
    return " x ".join(f"{side:,}" for side in sides)
