"""Roads for simulated traffic: parallel lanes along a line that is built of straights and arcs.

Glossary
    s  metres along the middle line of the road
    d  metres to the left of it
    S  samples of the middle line
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from resvision.kinds.motion.scenes import Floats, Lane

LANE_M = 3.5
SAMPLE_M = 0.5
BEND_M = 20.0
"""Length over which the curvature goes from one section's to the next's."""
SIDEWAYS = 2.0
"""Acceleration in metres a second squared that drivers accept in a bend."""
BRAKING = 1.5
"""Deceleration in metres a second squared with which drivers slow down before a bend."""


class Section(NamedTuple):
    """A piece of a road. Its curvature is that of an arc, 1 / radius in metres, positive to the left."""

    length: float
    curvature: float = 0.0


class RoadShape:
    """A road of parallel lanes; lane 0 is the rightmost.

    sections  from its begin to its end
    lanes     their number
    heading   of the begin, in radians
    """

    def __init__(self, sections: Sequence[Section], *, lanes: int, heading: float = 0.0) -> None:
        self.sections, self.lanes = tuple(sections), lanes
        self.length = sum(section.length for section in sections)
        self._s = np.arange(0, self.length + SAMPLE_M, SAMPLE_M)
        curvature = self.curvature
        self._heading = heading + np.concatenate([[0.0], np.cumsum((curvature[1:] + curvature[:-1]) / 2) * SAMPLE_M])
        middle = (self._heading[1:] + self._heading[:-1]) / 2
        steps = SAMPLE_M * np.stack([np.cos(middle), np.sin(middle)], axis=1)
        self._line = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])

    @cached_property
    def curvature(self) -> Floats:
        """The curvature at each sample of the middle line, (S,), smoothed between sections."""
        ends = np.cumsum([section.length for section in self.sections])
        section = np.searchsorted(ends, self._s, side="right").clip(max=len(ends) - 1)
        sharp = np.array([section.curvature for section in self.sections])[section]
        half = round(BEND_M / SAMPLE_M / 2)
        sums = np.cumsum(np.pad(sharp, (half + 1, half), mode="edge"))
        return np.asarray((sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1))

    @cached_property
    def _limits(self) -> Floats:
        """The speed of a careful driver at each sample, (S,): no faster than bends allow, those ahead included."""
        squares = SIDEWAYS / np.maximum(np.abs(self.curvature), 1e-4)
        for place in range(len(squares) - 2, -1, -1):
            squares[place] = min(squares[place], squares[place + 1] + 2 * BRAKING * SAMPLE_M)
        return np.sqrt(squares)

    def speed_limits(self, s: Floats) -> Floats:
        """The speed of a careful driver at places along the road, in metres a second."""
        return np.interp(s, self._s, self._limits)

    def headings(self, s: Floats) -> Floats:
        """The direction of the road at places along it."""
        return np.interp(s, self._s, self._heading)

    def points(self, s: Floats, d: Floats) -> Floats:
        """Points of the world, (..., 2), beside the middle line."""
        heading = self.headings(s)
        middle = np.stack([np.interp(s, self._s, self._line[:, axis]) for axis in (0, 1)], axis=-1)
        return np.asarray(middle + d[..., None] * np.stack([-np.sin(heading), np.cos(heading)], axis=-1))

    def offsets(self, lane: ArrayLike) -> Floats:
        """The distance of the middle of lanes from that of the road, to the left."""
        return np.asarray((np.asarray(lane) - (self.lanes - 1) / 2) * LANE_M)

    def as_lanes(self) -> tuple[Lane, ...]:
        """The lanes with their borders, from the right to the left."""
        s = np.arange(0, self.length + 1, 2.0)
        borders = [self.points(s, np.full(len(s), d)) for d in self.offsets(np.arange(self.lanes + 1) - 0.5)]
        return tuple(Lane(left, right) for right, left in pairwise(borders))
