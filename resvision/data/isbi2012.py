"""ISBI 2012: membranes of nerve cells under the electron microscope, the data of the U-Net paper.

Arganda-Carreras et al. 2015, https://doi.org/10.3389/fnana.2015.00142. Thirty slices of one stack, 512x512 grey, as
isbi2012/images/ and isbi2012/labels/ (https://github.com/zhixuhao/unet): 0 membrane, 255 cell. The challenge keeps the
labels of its test images to itself, so the last six slices are held out.
"""

from pathlib import Path

from resvision.data import class_list, mask_pairs, mask_scan
from resvision.data.faults import Fault
from resvision.data.mask_scan import MaskScan
from resvision.data.mask_sets import MaskSet

CLASSES = ("membrane", "cell")
STORED = (0, 255)
HELD_OUT = 6
CROP_PX = 512


def read(folder: Path) -> MaskScan:
    """The slices in the order of the stack, all but the last six for training."""
    faults: list[Fault] = []
    folders = folder / "images", folder / "labels"
    pairs = sorted(mask_pairs.partners(*folders, faults), key=lambda pair: (len(pair[0]), pair[0]))  # 9 before 10
    readers = [
        mask_pairs.folder_reader(
            "isbi2012",
            split,
            *folders,
            part,
            classes=CLASSES,
            labels=class_list.labels_of(STORED, ()),
            crop_px=CROP_PX,
            channels=1,
        )
        for split, part in (("train", pairs[:-HELD_OUT]), ("val", pairs[-HELD_OUT:]))
    ]
    return mask_scan.scanned(folder, *readers, rule=f"the last {HELD_OUT} slices are val", faults=faults)


ISBI2012 = MaskSet(name="isbi2012", folders=("isbi2012", ""), marker="labels", read=read)
open_splits, scan, find = ISBI2012.open_splits, ISBI2012.scan, ISBI2012.find
