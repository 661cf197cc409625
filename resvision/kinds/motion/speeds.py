"""Groups of windows by the speed of the vehicle at the last observed frame."""

import numpy as np
from numpy.typing import NDArray

BOUNDS = (1.0, 5.0, 10.0, 15.0, 20.0)
"""In metres a second; a group has its lower bound."""
SPEEDS = ("below 1 m/s", "1 to 5 m/s", "5 to 10 m/s", "10 to 15 m/s", "15 to 20 m/s", "20 m/s and more")


def speed_groups(speeds: NDArray[np.float64]) -> NDArray[np.int8]:
    """The index in SPEEDS of each speed (n,), in metres a second."""
    return np.asarray(np.digitize(speeds, BOUNDS), dtype=np.int8)
