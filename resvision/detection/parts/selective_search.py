"""Selective search: Uijlings et al. 2013, https://doi.org/10.1007/s11263-013-0620-5, set up as R-CNN used it.

Girshick et al. 2014, https://arxiv.org/abs/1311.2524, took its "fast mode" at a width of 500 pixels: two colour spaces,
two sizes of the first segments, two measures by which neighbours are joined. The segments, and all that they are joined
to, are the regions. OpenCV finds them; what it calls "fast" has other sizes, so it is set up by hand. Its order changes
from call to call, while the set does not: here boxes are sorted and then shuffled by counted draws.

Glossary
    P  regions of an image
"""

import numpy as np

from resvision.core.draws import uniform
from resvision.core.images import Pixels
from resvision.core.references import missing_extra
from resvision.core.resampling import as_channels, resample
from resvision.kinds.detection.boxes import Floats

WIDTH_PX = 500
SMALLEST_SEGMENTS = (50, 100)
SIGMA = 0.8
NARROWEST_PX = 20
"""Regions that are narrower, at a width of 500 pixels, are left out."""


def selective_search(pixels: Pixels) -> Floats:
    """The regions of an image (H, W, C) uint8, (P, 4) in its pixels, in an order that follows from the image alone.

    Raises MissingExtraError where OpenCV's contributed modules are not installed.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise missing_extra(error) from None
    height, width = pixels.shape[:2]
    colour = as_channels(pixels, 3, name="image")
    resized = resample(colour, max(1, round(height * WIDTH_PX / width)), WIDTH_PX, "bilinear")
    segmentation = cv2.ximgproc.segmentation
    search = segmentation.createSelectiveSearchSegmentation()
    for conversion in (cv2.COLOR_RGB2HSV, cv2.COLOR_RGB2Lab):
        search.addImage(cv2.cvtColor(resized, conversion))
    for size in SMALLEST_SEGMENTS:
        search.addGraphSegmentation(segmentation.createGraphSegmentation(SIGMA, float(size), size))
    colours, texture, size_, fill = (
        getattr(segmentation, f"createSelectiveSearchSegmentationStrategy{name}")
        for name in ("Color", "Texture", "Size", "Fill")
    )
    several = segmentation.createSelectiveSearchSegmentationStrategyMultiple
    search.addStrategy(several(colours(), texture(), size_(), fill()))
    search.addStrategy(several(texture(), size_(), fill()))
    found = np.unique(search.process(), axis=0)  # x, y, width, height; sorted, each once
    found = found[found[:, 2] >= NARROWEST_PX]
    found = found[np.argsort(uniform(0, 0, np.arange(len(found)), 1)[:, 0], kind="stable")]
    boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1).astype(np.float64)
    scale = np.array([width / resized.shape[1], height / resized.shape[0]])
    return np.asarray(boxes * np.tile(scale, 2))
