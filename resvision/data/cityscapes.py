"""Cityscapes: street scenes of 2048x1024 pixels (Cordts et al. 2016, arXiv:1604.01685), finely annotated.

leftImg8bit/{train,val}/<city>/*_leftImg8bit.png with gtFine/{train,val}/<city>/*_gtFine_labelIds.png. Of the ids that
are stored, the nineteen of the benchmark are classes and all others are void.
"""

from pathlib import Path

from resvision.data import class_list, mask_pairs, mask_scan
from resvision.data.faults import Fault, listing
from resvision.data.mask_scan import MaskScan
from resvision.data.mask_sets import MaskSet
from resvision.data.places import Place

CLASSES = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
"""The stored id of each class, in the order of the benchmark."""
VOID_VALUES = {*range(34), 255} - {*CLASSES.values()}  # 255 is -1, number plates, in eight bits
ENDINGS = "_leftImg8bit.png", "_gtFine_labelIds.png"
CROP_PX = 768


def read(folder: Path) -> MaskScan:
    """The set's folders train and val, with all cities."""
    faults: list[Fault] = []
    readers = []
    for split in ("train", "val"):
        folders = folder / "leftImg8bit" / split, folder / "gtFine" / split
        readers.append(
            mask_pairs.folder_reader(
                "cityscapes",
                split,
                *folders,
                mask_pairs.partners(*folders, faults, _by_scene),
                classes=tuple(CLASSES),
                labels=class_list.labels_of(CLASSES.values(), VOID_VALUES),
                crop_px=CROP_PX,
            )
        )
    return mask_scan.scanned(folder, *readers, rule="from the folders train and val", faults=faults)


def _by_scene(folder: Place, faults: list[Fault], litter: list[str]) -> dict[str, str]:
    """The files of images or of label maps, city/scene -> city/file; other files beside them are passed over."""
    files: dict[str, str] = {}
    for city, is_folder in listing(folder, faults):
        for name, _ in listing(folder / city, faults) if is_folder else []:
            for ending in ENDINGS:
                if name.endswith(ending):
                    files[f"{city}/{name.removesuffix(ending)}"] = f"{city}/{name}"
    return files


CITYSCAPES = MaskSet(name="cityscapes", folders=("cityscapes", ""), marker="leftImg8bit", read=read)
open_splits, scan, find = CITYSCAPES.open_splits, CITYSCAPES.scan, CITYSCAPES.find
