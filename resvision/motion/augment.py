"""Augmentation of windows from counted draws: the raster and everything that is said in metres change together.

Glossary
    draws  (N, SLOTS) float64 in [0, 1), which follow from (seed, epoch, index)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from resvision.geometry.frames import Pose
from resvision.kinds.motion.windows import Window
from resvision.loading.augment import Augmentation

MIRROR, AHEAD, LEFT, TURN, CHOICE = range(5)
SLOTS = 5
"""The slots of a window's draws by change; a new change goes to the end, so that the other draws stay the same. The
last is no change: it is the number by which a loss chooses where it has to."""


@dataclass(frozen=True, kw_only=True)
class MotionAugment(Augmentation):
    """Changes of a window: the agent's frame is moved and turned, then left and right are swapped.

    mirror    left and right are swapped in half of the windows, in rasters, pasts, futures and yaw rates alike
    shift_m   the agent's frame moves ahead or back, and left or right, by up to so many metres
    turn_deg  the agent's frame turns by up to so many degrees either way, as if its heading had been misjudged
    """

    mirror: bool = False
    shift_m: Annotated[float, Meta(ge=0)] = 0.0
    turn_deg: Annotated[float, Meta(ge=0, le=180)] = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.shift_m < math.inf:
            raise ValueError(f"shift_m must be a number of at least 0, got {self.shift_m}")
        if not 0 <= self.turn_deg <= 180:
            raise ValueError(f"turn_deg must lie in 0..180, got {self.turn_deg}")

    def moved(self, windows: Sequence[Window], draws: NDArray[np.float64]) -> list[Window]:
        """The windows, each seen from a frame that is moved and turned as its draws say."""
        if not self.shift_m and not self.turn_deg:
            return [*windows]
        centred = 2 * draws[:, [AHEAD, LEFT, TURN]] - 1
        offsets = centred * (self.shift_m, self.shift_m, math.radians(self.turn_deg))
        return [window._replace(offset=Pose(*map(float, row))) for window, row in zip(windows, offsets, strict=True)]

    def mirrors(self, draws: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether left and right are swapped in each window, (N,)."""
        return (draws[:, MIRROR] < 0.5) & self.mirror
