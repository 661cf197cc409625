"""Selective search: Uijlings et al. 2013, https://doi.org/10.1007/s11263-013-0620-5, set up as R-CNN used it.

Girshick et al. 2014, https://arxiv.org/abs/1311.2524, took its "fast mode" at a width of 500 pixels: two colour spaces,
two sizes of the first segments, two measures by which neighbours are joined. The segments, and all that they are joined
to, are the regions. OpenCV finds them; what it calls "fast" has other sizes, so it is set up by hand.

The paper draws the order of the regions, those from the top of a hierarchy sooner, and so does OpenCV, from numbers
that no seed fixes; nor does it tell the level of a region. Here regions are sorted and then shuffled by counted draws:
all in one order that follows from the image alone, whatever the number of threads and of calls before.

Glossary
    P  regions of an image
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from resvision.core.draws import uniform
from resvision.core.images import Pixels
from resvision.core.references import missing_extra
from resvision.core.resampling import as_channels, resample
from resvision.kinds.detection.boxes import Floats

WIDTH_PX = 500
TALLEST_PX = 2000
"""The most rows that are searched: an image four times as high as wide is searched at a smaller width."""

SMALLEST_SEGMENTS = (50, 100)
SIGMA = 0.8
SHORTEST_PX = 20
"""Regions with a shorter side, at the width of the search, are left out, as in the released code; not a whole image."""


def selective_search(pixels: Pixels) -> Floats:
    """The regions of an image (H, W) or (H, W, C) uint8, (P, 4) in its pixels, in an order that the image decides.

    Grey stands for all three colours, and of images with other channels than 1 or 3 the first stands for them. The
    numbers are those that float32 can hold, so that a file of them is what was found.

    Raises MissingExtraError where OpenCV's contributed modules are not installed.
    """
    cv2 = _opencv()
    resized = _resized(pixels)
    with _on_one_thread(cv2):
        regions = _searched(cv2, resized)
    height, width = resized.shape[:2]
    is_large = np.minimum(regions[:, 2], regions[:, 3]) >= SHORTEST_PX
    is_whole = (regions == (0, 0, width, height)).all(axis=1)
    regions = regions[is_large | is_whole]
    regions = regions[np.argsort(uniform(0, 0, np.arange(len(regions)), 1)[:, 0], kind="stable")]
    boxes = np.concatenate([regions[:, :2], regions[:, :2] + regions[:, 2:]], axis=1).astype(np.float64)
    scale = np.array([pixels.shape[1] / width, pixels.shape[0] / height])
    return np.asarray(boxes * np.tile(scale, 2)).astype(np.float32).astype(np.float64)


def version() -> str:
    """The version of OpenCV, on which regions may depend. Raises MissingExtraError as `selective_search`."""
    return str(_opencv().__version__)


def _opencv() -> Any:
    try:
        import cv2
        from cv2 import ximgproc  # only the contributed modules have it
    except ImportError as error:
        missing = error if isinstance(error, ModuleNotFoundError) else ModuleNotFoundError(str(error), name="cv2")
        raise missing_extra(missing) from None
    assert ximgproc
    return cv2


def _resized(pixels: Pixels) -> Pixels:
    """The image in colour, (h, w, 3), at the width of the search."""
    layers = pixels if pixels.ndim == 3 else pixels[:, :, None]
    colour = as_channels(layers if layers.shape[2] == 3 else layers[:, :, :1], 3, name="image")
    scale = min(WIDTH_PX / colour.shape[1], TALLEST_PX / colour.shape[0])
    height, width = (max(1, round(side * scale)) for side in colour.shape[:2])
    return resample(colour, height, width, "bilinear")


def _searched(cv2: Any, resized: Pixels) -> Floats:
    """All regions of an image (h, w, 3), each once: x, y, width and height, sorted."""
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
    return np.unique(np.asarray(search.process(), dtype=np.int64).reshape(-1, 4), axis=0)


class _Searches:
    """The searches under way in this process, and the number of OpenCV's threads before the first of them."""

    lock = threading.Lock()
    under_way = 0
    threads = 1


@contextmanager
def _on_one_thread(cv2: Any) -> Iterator[None]:
    """Let OpenCV start no threads: images are searched beside one another, and a forked worker has lost the pool.

    A person's own number of threads is theirs again after the last of the searches.
    """
    with _Searches.lock:
        if _Searches.under_way == 0:
            _Searches.threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _Searches.under_way += 1
    try:
        yield
    finally:
        with _Searches.lock:
            _Searches.under_way -= 1
            if _Searches.under_way == 0:
                cv2.setNumThreads(_Searches.threads)
