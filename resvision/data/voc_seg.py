"""Pascal VOC 2012 segmentation (Everingham et al. 2010, https://doi.org/10.1007/s11263-009-0275-4).

VOCdevkit/VOC2012 as it is published: JPEGImages, SegmentationClass (palette PNG, 255 void) and the lists train.txt and
val.txt in ImageSets/Segmentation.
"""

from pathlib import Path

from resvision.core.files import LIST, read_text
from resvision.data import class_list, mask_pairs, mask_scan
from resvision.data.faults import Fault, fault, listing
from resvision.data.mask_scan import MaskScan
from resvision.data.mask_sets import MaskSet

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
LISTS = "ImageSets/Segmentation"
CROP_PX = 513


def read(folder: Path) -> MaskScan:
    """The images that the set's lists name."""
    faults: list[Fault] = []
    folders = folder / "JPEGImages", folder / "SegmentationClass"
    files = [{name for name, _ in listing(base, faults)} for base in folders]
    readers = []
    for split in ("train", "val"):
        pairs = []
        for name in _names(folder / LISTS / f"{split}.txt", faults):
            pair = f"{name}.jpg", f"{name}.png"
            missing = [base / file for base, file, names in zip(folders, pair, files, strict=True) if file not in names]
            faults += [fault(file, f"no such file, but {split}.txt names it") for file in missing]
            pairs += [] if missing else [pair]
        readers.append(
            mask_pairs.folder_reader(
                "voc-seg",
                split,
                *folders,
                pairs,
                classes=CLASSES,
                labels=class_list.labels_of(range(len(CLASSES))),
                crop_px=CROP_PX,
            )
        )
    return mask_scan.scanned(folder, *readers, rule="by the lists of the set", faults=faults)


def _names(path: Path, faults: list[Fault]) -> list[str]:
    try:
        names = read_text(path, LIST).split()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(fault(path, f"cannot be read ({getattr(error, 'strerror', None) or 'not a text'})"))
        return []
    if not names:
        faults.append(fault(path, "an empty list"))
    return names


VOC = MaskSet(
    name="voc-seg", folders=("VOCdevkit/VOC2012", "VOC2012", ""), marker="ImageSets/Segmentation/train.txt", read=read
)
open_splits, scan, find = VOC.open_splits, VOC.scan, VOC.find
