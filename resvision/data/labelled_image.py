"""One image with the boxes that are to be written for it, whatever the form of the file, and numbers as text.

Glossary
    M  boxes of an image
"""

from typing import NamedTuple

from resvision.kinds.detection.boxes import BoxTargets, Floats

DECIMALS = 4
"""Decimals of a coordinate in pixels: a hundredth of what the coarsest image shows, and what an annotator can mean."""


class LabelledImage(NamedTuple):
    """An image by its file name and sides, and its boxes.

    name           as the file of labels names it: with its ending, below the folder of images
    width, height  pixels of the upright image, in which the boxes lie
    channels       1 grey, 3 RGB
    targets        its boxes; labels are indices of the classes that are written
    scores         (M,) of boxes that a net has found, 0..1; None for boxes that are true
    number         the id that the image has in a document of COCO's form; None where it has none
    """

    name: str
    width: int
    height: int
    channels: int
    targets: BoxTargets
    scores: Floats | None = None
    number: int | None = None


def number(value: float, decimals: int = DECIMALS) -> str:
    """The number as text: whole ones without a point, others with as many decimals as they need, `decimals` at most."""
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
