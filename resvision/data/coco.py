"""COCO 2017, photographs with boxes of 80 classes (Lin et al. 2014, arXiv:1405.0312).

coco/{train2017,val2017}/*.jpg with coco/annotations/instances_{train,val}2017.json as they are published. Images
without an object are background, and train with the others. Classes are in the order of their ids, 1 to 90 with gaps.
"""

from resvision.data import coco_boxes
from resvision.data.box_sets import BoxSet

COCO = BoxSet(
    name="coco",
    folders=("coco", ""),
    marker="annotations/instances_train2017.json",
    parts=coco_boxes.find,
    known=("degenerate-boxes", "outside-boxes", "duplicate-boxes"),
)
open_splits, scan, find = COCO.open_splits, COCO.scan, COCO.find
