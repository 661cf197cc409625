"""Images of training batches as pictures, with the boxes that the net is to find in them."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from resvision.core.plurals import counted
from resvision.detection.detector import TrueBoxes
from resvision.kinds.detection.pictures import Outline, class_colours, drawn
from resvision.kinds.kind import Exhibit, Panel

SHOWN_PX, LETTERS_PX = 384, 18
"""The longer side of a picture and the height of its captions; a page shows it at some six tenths of its size."""


def training_exhibits(images: Tensor, targets: TrueBoxes, classes: Sequence[str]) -> list[Exhibit]:
    """Each of the images (N, C, H, W) uint8 with its boxes; those of crowd regions are dashed."""
    colours = class_colours(len(classes))
    exhibits = []
    for image, boxes, labels, crowd in zip(images, *targets, strict=True):
        outlines = [
            Outline(box.numpy().astype(np.float64), colours[label], classes[label], dashed=is_crowd)
            for box, label, is_crowd in zip(boxes, labels.tolist(), crowd.tolist(), strict=True)
            if label >= 0
        ]
        pixels = image.permute(1, 2, 0).numpy()
        shown = pixels if pixels.shape[2] == 3 else pixels[..., :1]
        picture = drawn(shown, outlines, longest_px=SHOWN_PX, letters_px=LETTERS_PX)
        words = counted(len(outlines), "box")
        exhibits.append(Exhibit("crop", "", words, (Panel("crop", picture, lettered=True),)))
    return exhibits
