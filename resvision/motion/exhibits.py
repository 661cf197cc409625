"""Rasters of training batches as pictures: the target in red, the others in green, the road in blue."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.images import Pixels
from resvision.kinds.kind import Exhibit, Panel
from resvision.kinds.motion.rasters import OLDEST
from resvision.motion.forecaster import MotionInputs, MotionTargets

SHOWN_PX = 224
"""The least side of a picture; a pixel of a smaller raster becomes a square of several."""

ROAD = 3
"""The last channels of a raster whose past has channels of its own."""


def training_exhibits(inputs: MotionInputs, targets: MotionTargets) -> list[Exhibit]:
    """Each raster of a batch as a net sees it, with the speed of its vehicle and how far that will drive."""
    exhibits = []
    for number, raster in enumerate(inputs.images.numpy()):
        known = targets.present[number] > 0
        ends = targets.positions[number][known]
        driven = f", {float(ends[-1].norm()):.1f} m to its last known place" if len(ends) else ""
        caption = f"{float(inputs.state[number, 0]):.1f} m/s{driven}"
        exhibits.append(Exhibit("raster", "", caption, (Panel("raster", picture(raster)),)))
    return exhibits


def picture(raster: NDArray[np.uint8]) -> Image.Image:
    """A raster (C, side, side) in colours, its pixels as squares where it is small."""
    coloured = raster if len(raster) == ROAD else _fading(raster)
    side = coloured.shape[-1] * max(1, -(-SHOWN_PX // coloured.shape[-1]))
    shown = Image.fromarray(np.ascontiguousarray(coloured.transpose(1, 2, 0)))
    return shown.resize((side, side), Image.Resampling.NEAREST)


def _fading(raster: NDArray[np.uint8]) -> Pixels:
    """A raster whose past has channels of its own as one whose past fades, (3, side, side)."""
    frames = (len(raster) - ROAD) // 2
    weights = np.linspace(1, OLDEST, frames)[:, None, None]
    others, target = ((weights * raster[start : start + frames]).max(axis=0) for start in (0, frames))
    return np.stack([target, others, raster[-ROAD:].max(axis=0)]).astype(np.uint8)
