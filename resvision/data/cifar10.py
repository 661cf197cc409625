"""CIFAR-10: 50,000 + 10,000 RGB images of 32x32 pixels (Krizhevsky 2009,
https://www.cs.toronto.edu/~kriz/cifar.html).

The Python version of the set is made of pickles, which can run code. Here they are read by an unpickler that
knows how to rebuild a numpy array and nothing else.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.core.images import Preprocess, printable
from resvision.data.sets import Splits, default_root

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PREPROCESS = Preprocess(
    channels=3,
    resize="stretch",
    resize_px=32,
    crop_px=32,
    mean=(0.4914, 0.4822, 0.4465),  # of the training images, as is std
    std=(0.2470, 0.2435, 0.2616),
)
FOLDER = "cifar-10-batches-py"
FILES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
IMAGES_PER_FILE = 10_000


def open_splits(root: Path | None = None) -> Splits:
    """The official split. Raises DataError where files are missing or damaged."""
    from resvision.data.arrays import ArrayReader

    folder = find(root)
    if folder is None:
        places = ", ".join(map(str, _places(root)))
        raise DataError(
            f"cifar10: no batches in {places}; `resvision data fetch cifar10` downloads them, "
            f"`--root FOLDER` names the folder that holds {FOLDER}"
        )
    readers = []
    for split, files in FILES.items():
        parts = [read_batch(folder / file) for file in files]
        readers.append(
            ArrayReader(
                name="cifar10",
                split=split,
                classes=CLASSES,
                preprocess=PREPROCESS,
                images=np.concatenate([images for images, _ in parts]),
                targets=np.concatenate([targets for _, targets in parts]),
            )
        )
    train, test = readers
    return Splits(train, test, f"{len(train):,} train / {len(test):,} test images, the official split")


def find(root: Path | None) -> Path | None:
    """The folder with all six batches, under `root` or the data root."""
    needed = [file for files in FILES.values() for file in files]
    for place in _places(root):
        if all((place / file).is_file() for file in needed):
            return place
    return None


def fetch(root: Path | None) -> Path:
    """Download into `root` or the data root through torchvision, which checks the sums; the folder."""
    from torchvision.datasets import CIFAR10

    base = root or default_root()
    CIFAR10(str(base), download=True)
    return base / FOLDER


def read_batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (10000, 32, 32, 3) and labels (10000,) of a batch file; DataError if it holds anything else."""
    try:
        with path.open("rb") as file:
            batch = _ArraysOnly(file, encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{printable(path)}: {error}") from None
    except Exception as error:  # noqa: BLE001 - damaged pickles raise nearly anything
        raise DataError(f"{printable(path)}: a damaged batch ({printable(str(error))})") from None
    if not isinstance(batch, dict) or not {b"data", b"labels"} <= batch.keys():
        raise DataError(f"{printable(path)}: not a CIFAR-10 batch, data or labels are missing")
    planes, labels = batch[b"data"], batch[b"labels"]
    if not isinstance(planes, np.ndarray) or planes.dtype != np.uint8:
        raise DataError(f"{printable(path)}: data is not an array of bytes")
    if planes.shape != (IMAGES_PER_FILE, 3072):
        raise DataError(f"{printable(path)}: data has shape {planes.shape}, expected ({IMAGES_PER_FILE}, 3072)")
    if not isinstance(labels, list) or len(labels) != IMAGES_PER_FILE:
        raise DataError(f"{printable(path)}: labels are not a list of {IMAGES_PER_FILE:,}")
    if not all(isinstance(label, int) and 0 <= label < 10 for label in labels):
        raise DataError(f"{printable(path)}: labels are not all whole numbers of 0..9")
    images = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, dtype=np.int64)


def _places(root: Path | None) -> list[Path]:
    return [default_root() / FOLDER] if root is None else [root, root / FOLDER]


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds numpy arrays and plain values; anything else is a DataError, and is not imported."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may call: the three names that an array of numbers needs."""
        from numpy._core.multiarray import _reconstruct

        known = {"_reconstruct": _reconstruct, "ndarray": np.ndarray, "dtype": np.dtype}
        homes = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray"}
        if module in homes and name in known:
            return known[name]
        if (module, name) == ("_codecs", "encode"):  # how newer pickles of protocol 2 write bytes
            return _latin_bytes
        raise DataError(f"a pickle that asks for {printable(f'{module}.{name}')}, refused")


def _latin_bytes(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")
