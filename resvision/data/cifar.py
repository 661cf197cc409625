"""The batches of CIFAR-10 and CIFAR-100, 32x32 RGB (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html).

The Python version of the sets is made of pickles, which can run code, or end the process. Here they are read by an
unpickler that takes plain values and the bytes of numpy arrays out of them, and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.files import open_regular
from resvision.core.views import Stretch
from resvision.data.arrays import ArrayReader
from resvision.data.pickles import StoredArray, read_arrays
from resvision.data.roots import default_root
from resvision.data.splits import Splits


@dataclass(frozen=True, kw_only=True)
class CifarSet:
    """One of the two sets in torchvision's layout.

    folder  with the batches
    files   batches of each split, and how many images one holds
    labels  the key of the class indices in a batch
    """

    name: str
    folder: str
    files: Mapping[str, tuple[Sequence[str], int]]
    labels: bytes
    classes: tuple[str, ...]
    view: Stretch

    def open_splits(self, root: Path | None = None) -> Splits:
        """The set with its official split. Raises DataError where files are missing or damaged."""
        folder = self.find(root)
        if folder is None:
            folders = ", ".join(map(str, self._folders(root)))
            raise DataError(
                f"{self.name}: no batches in {folders}; `resvision data fetch {self.name}` downloads them, "
                f"`--root FOLDER` names the folder that holds {self.folder}"
            )
        readers = []
        for split, (files, count) in self.files.items():
            parts = [
                read_batch(folder / file, labels=self.labels, images=count, classes=len(self.classes)) for file in files
            ]
            readers.append(
                ArrayReader(
                    name=self.name,
                    split=split,
                    classes=self.classes,
                    view=self.view,
                    images=np.concatenate([images for images, _ in parts]),
                    targets=np.concatenate([targets for _, targets in parts]),
                )
            )
        train, test = readers
        return Splits(train, test, f"{len(train):,} train / {len(test):,} test images, the official split")

    def find(self, root: Path | None) -> Path | None:
        """The folder with all batches, under `root` or the data root."""
        needed = [file for files, _ in self.files.values() for file in files]
        for folder in self._folders(root):
            if all((folder / file).is_file() for file in needed):
                return folder
        return None

    def _folders(self, root: Path | None) -> list[Path]:
        return [default_root() / self.folder] if root is None else [root, root / self.folder]


def read_batch(path: Path, *, labels: bytes, images: int, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The images (M, 32, 32, 3) and class indices (M,) of a batch file; DataError if it holds anything else.

    labels   the key of the class indices
    images   M
    classes  K; the indices are 0..K-1
    """
    try:
        with open_regular(path) as file:
            batch = read_arrays(file)
    except DataError as error:
        raise DataError(f"{printable(path)}: {error}") from None
    except Exception as error:  # noqa: BLE001 - damaged pickles raise nearly anything
        raise DataError(f"{printable(path)}: a damaged batch ({printable(str(error))})") from None
    if not isinstance(batch, dict) or not {b"data", labels} <= batch.keys():
        raise DataError(f"{printable(path)}: not a batch of CIFAR, data or {labels.decode()} are missing")
    stored, targets = batch[b"data"], batch[labels]
    planes = stored.pixels() if isinstance(stored, StoredArray) else None
    if planes is None:
        raise DataError(f"{printable(path)}: data is not an array of bytes")
    if planes.shape != (images, 3072):
        raise DataError(f"{printable(path)}: data has shape {planes.shape}, expected ({images}, 3072)")
    if not isinstance(targets, list) or len(targets) != images:
        raise DataError(f"{printable(path)}: {labels.decode()} are not a list of {images:,}")
    if not all(isinstance(target, int) and 0 <= target < classes for target in targets):
        raise DataError(f"{printable(path)}: {labels.decode()} are not all whole numbers of 0..{classes - 1}")
    pixels = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), np.array(targets, dtype=np.int64)
