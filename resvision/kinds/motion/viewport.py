"""The stretch of the world that a picture for people shows, and its colours."""

from typing import NamedTuple

import numpy as np

from resvision.geometry.frames import Pose, agent_from_world
from resvision.kinds.motion.results import Motion
from resvision.kinds.motion.scenes import Floats
from resvision.kinds.motion.windows import Window

Colour = tuple[int, int, int]

GROUND: Colour = (250, 250, 247)
SURFACE: Colour = (228, 230, 232)
BORDER: Colour = (176, 180, 184)
OTHER: Colour = (122, 132, 145)
OTHER_PAST: Colour = (190, 196, 203)
TARGET: Colour = (213, 94, 0)
TRUTH: Colour = (0, 140, 100)
PREDICTED: Colour = (0, 96, 178)
INK: Colour = (40, 44, 48)
"""Colours that people with weak colour vision can tell apart (Okabe, Ito 2008)."""

LEAST_M = 60.0
MARGIN_M = 12.0
LABELLED = 0.02
"""The probability below which a trajectory has no label."""


class Viewport(NamedTuple):
    """The stretch of the world that a picture shows, turned so that the target's heading points up.

    pose    the target's place, at `column` and `row` of the picture
    scale   pixels a metre
    """

    pose: Pose
    side: int
    scale: float
    column: float
    row: float

    def pixels(self, points: Floats) -> list[tuple[float, float]]:
        """Points (P, 2) of the world in the picture."""
        ahead, left = agent_from_world(points, self.pose).T * self.scale
        return [(float(x), float(y)) for x, y in zip(self.column - left, self.row - ahead, strict=True)]


def viewport_of(window: Window, forecast: Motion | None, side_px: int) -> Viewport:
    """The stretch that holds the past, the truth and the likely predictions of a window, and what is near them."""
    pose, past, future = window.pose(), window.past(), window.future()
    paths = [np.zeros((1, 2)), past.positions[past.present], future.positions[future.present]]
    if forecast is not None:
        likely = forecast.probabilities >= min(LABELLED, float(forecast.probabilities.max()))
        paths.append(agent_from_world(forecast.positions[likely], pose).reshape(-1, 2))
    points = np.concatenate(paths)
    low, high = points.min(axis=0) - MARGIN_M, points.max(axis=0) + MARGIN_M
    extent = max(LEAST_M, float((high - low).max()))
    middle = (low + high) / 2
    scale = side_px / extent
    return Viewport(pose, side_px, scale, side_px / 2 + middle[1] * scale, side_px / 2 + middle[0] * scale)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """A colour of which `share` is the first one."""
    red, green, blue = (round(share * a + (1 - share) * b) for a, b in zip(one, other, strict=True))
    return red, green, blue
