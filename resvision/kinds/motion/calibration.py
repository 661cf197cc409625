"""Whether the probabilities of modes can be believed: of those said to have p, a share p should be the nearest one.

The nearest mode of a window is that of least mean distance from the truth, over the steps that were seen.

Glossary
    n  windows
    M  modes
    B  ranges of probability
"""

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.metrics import AnyFloats, Flags, Floats, distances

EDGES = np.linspace(0, 1, 11)
"""The bounds of the ranges, (B + 1,); a range has its lower bound."""
_FINE = 2**40  # probabilities are added up as whole multiples of its inverse, in any order to the same sum


class Calibration:
    """A running sum over windows: of the modes in each range, their number, probability and nearest ones, (B,)."""

    def __init__(self) -> None:
        self.modes, self._probability, self.nearest = (np.zeros(len(EDGES) - 1, dtype=np.int64) for _ in range(3))

    def add(self, positions: AnyFloats, probabilities: AnyFloats, gt_positions: AnyFloats, gt_present: Flags) -> None:
        """Add the modes (n, M, T, 2) of windows of which anything is known."""
        seen = gt_present.any(axis=1)
        apart = np.where(gt_present[:, None], distances(positions, gt_positions), 0).sum(axis=2)[seen]
        said = np.asarray(probabilities, dtype=np.float64)[seen]
        ranges = np.digitize(said, EDGES[1:-1])
        nearest = apart.argmin(axis=1)
        self.modes += self._counts(ranges)
        self.nearest += self._counts(ranges[np.arange(len(ranges)), nearest])
        np.add.at(self._probability, ranges, np.rint(said * _FINE).astype(np.int64))

    def merge(self, other: "Calibration") -> None:
        """Add the windows of another process."""
        self.modes += other.modes
        self.nearest += other.nearest
        self._probability += other._probability

    @property
    def probability(self) -> Floats:
        """The sum of the probabilities in each range, (B,)."""
        return np.asarray(self._probability / _FINE)

    def _counts(self, ranges: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(ranges.ravel(), minlength=len(EDGES) - 1)
