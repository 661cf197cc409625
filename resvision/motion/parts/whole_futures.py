"""Windows of a training set whose future is known to the end, of which sets of trajectories are made.

Glossary
    K  windows that are taken, T steps
"""

from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import shuffled
from resvision.core.errors import DataError, printable
from resvision.core.samples import Reader
from resvision.kinds.motion.window_arrays import futures_of, pasts_of, steady_positions
from resvision.kinds.motion.windows import Window
from resvision.motion.forecaster import Reference


class WholeFutures(NamedTuple):
    """Windows with their futures from a net's reference.

    windows    K of them, in the order of their draw
    positions  (K, T, 2) float32, metres
    """

    windows: list[Window]
    positions: NDArray[np.float32]


def whole_futures(reader: Reader[Window], most: int, *, seed: int, reference: Reference) -> WholeFutures:
    """At most so many windows that are known to their end, drawn by the seed; DataError where there is none."""
    order = (reader.target(index) for index in shuffled(len(reader), seed=seed).tolist())
    windows = [*islice((window for window in order if window.future().present.all()), most)]
    if not windows:
        raise DataError(
            f"{printable(reader.name)}: no training window is known to its end; ask for a shorter one by"
            " data.horizon_seconds"
        )
    positions, _ = futures_of(windows)
    if reference == "constant-velocity":
        positions = positions - steady_positions(windows, pasts_of(windows))
    return WholeFutures(windows, positions.astype(np.float32))
