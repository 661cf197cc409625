"""Groups of windows by which errors are shown: by speed, and by what the vehicle does.

Glossary
    n  windows
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.baselines import mean_velocity
from resvision.kinds.motion.windows import Window

SPEEDS = ("below 1 m/s", "1 to 5 m/s", "5 to 10 m/s", "10 to 15 m/s", "15 to 20 m/s", "20 m/s and more")
_BOUNDS = (1.0, 5.0, 10.0, 15.0, 20.0)


def speed_groups(windows: Sequence[Window]) -> NDArray[np.int8]:
    """The index in SPEEDS of each window, (n,), by its mean speed over the last half second."""
    speeds = [np.hypot(*mean_velocity(window)) for window in windows]
    return np.asarray(np.digitize(speeds, _BOUNDS), dtype=np.int8)
