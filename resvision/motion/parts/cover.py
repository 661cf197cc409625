"""A few trajectories of which one lies near any of many: the greedy cover of CoverNet.

Phan-Minh et al. 2020, https://arxiv.org/abs/1911.10298, section 3.2: of all trajectories that were driven, take the one
that has the most uncovered ones within epsilon, and again, until none is left. Trajectories lie as far apart as their
farthest positions at one time.

Glossary
    K  trajectories that were driven
    T  steps
    M  trajectories of the cover, in the order in which they were taken
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROWS = 32
"""Trajectories whose distances from all others are worked out at a time: as many as a core's cache holds."""


class Cover(NamedTuple):
    """The chosen trajectories.

    positions  (M, T, 2) float32
    share      of the driven trajectories that lie within epsilon of one of them, 0..1
    """

    positions: NDArray[np.float32]
    share: float


def greedy_cover(trajectories: NDArray[np.float32], *, epsilon_m: float, most: int) -> Cover:
    """The greedy cover of trajectories (K, T, 2), cut off at `most`; of equally good ones the first is taken."""
    near = neighbours(trajectories, epsilon_m)
    uncovered = np.ones(len(near), dtype=np.bool_)
    counts = near.sum(axis=0, dtype=np.int64)
    chosen: list[int] = []
    while uncovered.any() and len(chosen) < most:
        chosen.append(int(counts.argmax()))
        newly = near[chosen[-1]] & uncovered
        counts -= near[newly].sum(axis=0, dtype=np.int64)
        uncovered &= ~newly
    return Cover(trajectories[chosen], 1 - float(uncovered.mean()))


def neighbours(trajectories: NDArray[np.float32], epsilon_m: float) -> NDArray[np.bool_]:
    """Whether two trajectories (K, T, 2) are nowhere farther apart than epsilon, (K, K)."""
    near = np.empty((len(trajectories),) * 2, dtype=np.bool_)
    by_step = np.ascontiguousarray(trajectories.transpose(1, 2, 0))  # (T, 2, K)
    for start in range(0, len(trajectories), ROWS):
        rows = slice(start, min(start + ROWS, len(trajectories)))
        farthest, squared, of_y = np.zeros((3, rows.stop - start, len(trajectories)), dtype=np.float32)
        for x, y in by_step:
            np.subtract(x[rows, None], x, out=squared)
            np.square(squared, out=squared)
            np.subtract(y[rows, None], y, out=of_y)
            np.square(of_y, out=of_y)
            np.add(squared, of_y, out=squared)
            np.maximum(farthest, squared, out=farthest)
        near[rows] = farthest <= epsilon_m**2
    return near
