"""ImageNet (ILSVRC 2012, Russakovsky et al. 2015, arXiv:1409.0575) in torchvision's layout.

train/<wnid>/*.JPEG and val/<wnid>/*.JPEG; classes are named by the first English word of `meta.bin`, where
torchvision has left that file, and by WordNet id otherwise. Class order is the order of the ids either way.
"""

from pathlib import Path

from resvision.core.errors import DataError, printable
from resvision.data import folder
from resvision.data.layouts import Scan
from resvision.data.pickles import read_saved
from resvision.data.roots import default_root
from resvision.data.splits import Splits


def open_splits(root: Path | None = None) -> Splits:
    """The set with its official folders train and val. Raises DataError where they are missing or at fault."""
    location = _folder(root)
    splits = folder.open_splits(location, name="imagenet")
    if (location / "meta.bin").is_file():
        classes = english_names(location / "meta.bin", splits.train.classes)
        splits.train.classes = splits.test.classes = classes
    return splits


def find(root: Path | None) -> Path | None:
    """The folder that holds train and val: `root` or root/imagenet, or imagenet in the data root."""
    for path in _folders(root):
        if (path / "train").is_dir() and (path / "val").is_dir():
            return path
    return None


def scan(root: Path | None = None) -> Scan:
    """Scan the folders train and val by structure and names. Raises DataError where they are missing."""
    return folder.scan(_folder(root), name="imagenet")


def english_names(meta: Path, wnids: tuple[str, ...]) -> tuple[str, ...]:
    """An English name for every WordNet id; the id stands for a missing name, and follows a repeated one."""
    try:
        words = read_saved(meta)[0]
        first = [str(words[wnid][0]) if wnid in words else wnid for wnid in wnids]
    except Exception as error:  # noqa: BLE001 - damaged archives, pickles and a foreign structure raise nearly anything
        reason = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise DataError(f"{printable(meta)}: not torchvision's table of class names ({reason})") from None
    return tuple(
        f"{word} {wnid}" if first.count(word) > 1 and word != wnid else word
        for word, wnid in zip(first, wnids, strict=True)
    )


def _folder(root: Path | None) -> Path:
    location = find(root)
    if location is None:
        folders = ", ".join(map(str, _folders(root)))
        raise DataError(
            f"imagenet: no train and val folders in {folders}; `--root FOLDER` names the folder that holds "
            "them (the images need a registration at image-net.org)"
        )
    return location


def _folders(root: Path | None) -> list[Path]:
    return [default_root() / "imagenet"] if root is None else [root, root / "imagenet"]
