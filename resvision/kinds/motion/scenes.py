"""Recorded traffic: vehicles over the frames of a recording, and the lanes that they drive on.

Everything is in the frame of the world that the recording uses: metres, radians, seconds, metres a second.

Glossary
    V  vehicles of a scene
    F  its frames, evenly spaced in time
    P  points of a line
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Lane(NamedTuple):
    """A lane between its two borders, whose points run in the direction of driving.

    left, right  (P, 2) metres; the two may have different numbers of points
    """

    left: Floats
    right: Floats


@dataclass(frozen=True, eq=False)
class Scene:
    """One scenario: all vehicles over all frames. Where a vehicle is not present, its numbers are 0, never NaN.

    name           of the scenario, as results name it
    source         the file that it was read from
    recording      what scenarios share that were cut from one recording, and so may show the same cars
    frame_seconds  time between two frames
    vehicles       their names, V of them, as the file has them
    kinds          what each is: car, truck, bus, motorcycle, bicycle, pedestrian, parked, unknown
    present        (V, F) whether a vehicle was seen in a frame
    positions      (V, F, 2) metres, of its centre
    headings       (V, F) radians
    speeds         (V, F) metres a second, as the file states them; None where it states none
    sizes          (V, 2) length and width in metres
    lanes          of the map; none where it is not known
    focal          positions in `vehicles` of those that the scenario asks about; empty where it asks about none
    """

    name: str
    source: str
    recording: str
    frame_seconds: float
    vehicles: tuple[str, ...]
    kinds: tuple[str, ...]
    present: Flags
    positions: Floats
    headings: Floats
    speeds: Floats | None
    sizes: Floats
    lanes: tuple[Lane, ...] = ()
    focal: tuple[int, ...] = ()

    @property
    def frames(self) -> int:
        """The number of frames."""
        return int(self.present.shape[1])
