"""BCCD: blood cells under the microscope, 640x480 (Shenggan Cheng, https://github.com/Shenggan/BCCD_Dataset).

bccd/ or BCCD/ in the layout of Pascal VOC, with the lists train.txt and val.txt, or trainval.txt and test.txt. The
published files have boxes of a single pixel. All images have one shape, so a square of them, stretched, loses no
pixel of it to a border.
"""

from resvision.core.views import Stretch
from resvision.data import voc_boxes
from resvision.data.box_sets import BoxSet
from resvision.data.folder_reader import PHOTOS

SIDE_PX = 320

BCCD = BoxSet(
    name="bccd",
    folders=("bccd", "BCCD", "BCCD_Dataset/BCCD"),
    marker="Annotations",
    parts=voc_boxes.find,
    known=("degenerate-boxes",),
    view=Stretch(channels=3, resize_px=SIDE_PX, crop_px=SIDE_PX, mean=PHOTOS.mean, std=PHOTOS.std),
)
open_splits, scan, find = BCCD.open_splits, BCCD.scan, BCCD.find
