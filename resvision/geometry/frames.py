"""Plane frames and the motions between them, in metres and radians.

A frame has its x axis forward and its y axis to the left, so that headings and turns are counter-clockwise; the world's
own is whatever a recording uses. Transforms are named target first: `agent_from_world` turns points of the world into
points of the agent's frame.

Glossary
    points   (..., 2) x and y in metres
    heading  the angle from the x axis of the frame to the forward direction, in radians
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Pose(NamedTuple):
    """The place of an agent in the world: x and y in metres, heading in radians."""

    x: float
    y: float
    heading: float


def agent_from_world(points: ArrayLike, pose: Pose) -> Floats:
    """Points of the world in the frame of an agent: x ahead of it, y to its left."""
    shifted = np.asarray(points, dtype=np.float64) - (pose.x, pose.y)
    return shifted @ _rotation(pose.heading)


def world_from_agent(points: ArrayLike, pose: Pose) -> Floats:
    """Points of an agent's frame in the world."""
    return np.asarray(np.asarray(points, dtype=np.float64) @ _rotation(pose.heading).T + (pose.x, pose.y))


def vectors_to_agent(vectors: ArrayLike, pose: Pose) -> Floats:
    """Vectors of the world, such as velocities, in the directions of an agent's frame."""
    return np.asarray(vectors, dtype=np.float64) @ _rotation(pose.heading)


def wrapped(angles: ArrayLike) -> Floats:
    """Angles brought to -pi <= angle < pi."""
    return np.asarray((np.asarray(angles, dtype=np.float64) + np.pi) % (2 * np.pi) - np.pi)


def _rotation(heading: float) -> Floats:
    """The matrix that turns vectors of an agent's frame into those of the world, written for columns."""
    cosine, sine = np.cos(heading), np.sin(heading)
    return np.array([[cosine, -sine], [sine, cosine]])
