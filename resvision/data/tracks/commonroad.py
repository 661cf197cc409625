"""Scenarios of CommonRoad in XML, versions 2018b and 2020a (https://commonroad.in.tum.de).

Lanes come from lanelets, vehicles from obstacles: dynamic ones with a trajectory, static ones that stand through all
frames. States are exact; regions and intervals, which CommonRoad allows as well, are refused. A position is that of the
vehicle's centre.
"""

from math import isfinite
from typing import NamedTuple

import numpy as np

from resvision.core.files import DOCUMENT
from resvision.data.places import Place, read_file
from resvision.data.tracks.recorded import PARKED, Recorded, Track
from resvision.data.xml_documents import UnexpectedXmlError, guarded_parser, parse, require_shallow
from resvision.kinds.motion.scenes import Lane

VERSIONS = ("2018b", "2020a")
LARGEST = 1e9
"""The limit of a number, metres or frames."""

KIND_OF = {
    "car": "car",
    "taxi": "car",
    "priorityVehicle": "car",
    "truck": "truck",
    "bus": "bus",
    "motorcycle": "motorcycle",
    "bicycle": "bicycle",
    "pedestrian": "pedestrian",
    "parkedVehicle": PARKED,
    "train": "unknown",
    "unknown": "unknown",
}
"""The kind of each type of obstacle that moves or may."""

FIXTURES = ("constructionZone", "roadBoundary", "building", "pillar", "median_strip", "medianStrip")
"""Types of obstacles that are no vehicles; they are left out."""

_ROLES = {"obstacle": "", "dynamicObstacle": "dynamic", "staticObstacle": "static"}
_STATES = ("initialState", "state")
_BOUNDS = ("leftBound", "rightBound")
_VALUES = frozenset({"x", "y", "exact", "length", "width", "radius", "type", "role"})


class State(NamedTuple):
    """One state of an obstacle: its frame, metres, radians, and metres a second where they are stated."""

    frame: int
    x: float
    y: float
    heading: float
    speed: float | None


def read_scenario(place: Place) -> Recorded:
    """Read the scenario in a file. Raises DataError, with the file, the line and the reason."""
    return parse_scenario(read_file(place, DOCUMENT), str(place))


def parse_scenario(document: bytes, where: str) -> Recorded:
    """The scenario in an XML document. Raises DataError, with `where` and the line."""
    reader = _ScenarioReader(where)
    return parse(reader.parser, document, where, reader.recorded)


def recording_of(benchmark: str) -> str:
    """The recording of a scenario by its benchmark ID.

    `USA_US101-3_2_T-1` is part 2 of map 3 of US101, and its recording is `USA_US101-3`; an ID of another form is one.
    """
    country, *rest = benchmark.split("_")
    return f"{country}_{rest[0]}" if len(rest) >= 2 and rest[1].isdigit() else benchmark


class _ScenarioReader:
    """Gathers lanes and tracks from the events of the parser; handlers raise UnexpectedXmlError."""

    def __init__(self, where: str) -> None:
        self.parser = guarded_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.where = where
        self.name, self.frame_seconds = "", 0.0
        self.lanes: list[Lane] = []
        self.tracks: list[Track] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self.parser.CharacterDataHandler = self._text.append  # not by way of Python: it is called most often by far
        self._values: dict[str, str] = {}
        self._states: list[State] = []
        self._size: tuple[float, float] | None = None
        self._bounds: dict[str, list[tuple[float, float]]] = {}
        self._id, self._line = "", 0

    def recorded(self) -> Recorded:
        """The scenario once all of it was read."""
        return Recorded(
            name=self.name,
            source=self.where,
            recording=recording_of(self.name),
            frame_seconds=self.frame_seconds,
            tracks=self.tracks,
            lanes=tuple(self.lanes),
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        depth = len(self._path)
        if depth > 1:
            require_shallow(depth)
        elif depth == 1:
            self._begin(name, attributes)
        else:
            self._begin_scenario(name, attributes)
        self._path.append(name)
        self._text.clear()

    def _end(self, name: str) -> None:
        path = self._path
        path.pop()
        if name in _VALUES:
            self._values[f"{path[-1]}/{name}"] = "".join(self._text)
        elif name in _STATES and path[1:2] and path[1] in _ROLES:
            self._states.append(self._state())
        elif name == "point" and path[-1] in _BOUNDS:
            self._bounds[path[-1]].append((self._number("point/x"), self._number("point/y")))
        elif name == "shape" and path[-1] in _ROLES:
            self._size = self._shape()
        elif len(path) == 1:
            self._finish(name)

    def _begin_scenario(self, name: str, attributes: dict[str, str]) -> None:
        if name != "commonRoad":
            raise UnexpectedXmlError(f"an element {name:.60} where <commonRoad> is due")
        version = attributes.get("commonRoadVersion", "")
        if version not in VERSIONS:
            raise UnexpectedXmlError(f"version {version!r:.40} of CommonRoad; {' and '.join(VERSIONS)} are read here")
        step = attributes.get("timeStepSize", "")
        if not step:
            raise UnexpectedXmlError("no timeStepSize, the seconds from one frame to the next; add it to <commonRoad>")
        self.frame_seconds = _number(step, "timeStepSize")
        if self.frame_seconds <= 0:
            raise UnexpectedXmlError(f"timeStepSize is {step:.40}, not above 0")
        self.name = attributes.get("benchmarkID") or self.where.rpartition("/")[2].removesuffix(".xml")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a lane or an obstacle."""
        self._id, self._line = attributes.get("id", ""), self.parser.CurrentLineNumber
        self._values.clear()
        self._states, self._size, self._bounds = [], None, {bound: [] for bound in _BOUNDS}

    def _finish(self, name: str) -> None:
        """End a lane or an obstacle; other parts are left out."""
        if name == "lanelet":
            left, right = (np.array(self._bounds[bound]).reshape(-1, 2) for bound in _BOUNDS)
            if min(len(left), len(right)) < 2:
                raise UnexpectedXmlError(f"lanelet {self._id:.40} without two points of each border")
            self.lanes.append(Lane(left, right))
        elif name in _ROLES:
            self._add_track(_ROLES[name] or self._values.get(f"{name}/role", "").strip(), name)

    def _add_track(self, role: str, name: str) -> None:
        kind = self._values.get(f"{name}/type", "").strip()
        if kind in FIXTURES:
            return
        if kind not in KIND_OF:
            raise UnexpectedXmlError(f"obstacle {self._id:.40} of type {kind!r:.40}; known are {', '.join(KIND_OF)}")
        if self._size is None or not self._states:
            raise UnexpectedXmlError(f"obstacle {self._id:.40} without {'a state' if self._size else 'its shape'}")
        speeds = [state.speed for state in self._states if state.speed is not None]
        self.tracks.append(
            Track(
                name=self._id,
                where=f"{self.where}:{self._line}",
                kind=PARKED if role == "static" else KIND_OF[kind],
                size=self._size,
                frames=np.array([state.frame for state in self._states], dtype=np.int64),
                positions=np.array([(state.x, state.y) for state in self._states]),
                headings=np.array([state.heading for state in self._states]),
                speeds=np.array(speeds) if len(speeds) == len(self._states) else None,
            )
        )

    def _state(self) -> State:
        frame = self._number("time/exact")
        if not frame.is_integer() or frame < 0:
            raise UnexpectedXmlError(f"obstacle {self._id:.40} has time {frame:g}, no number of a frame")
        has_speed = "velocity/exact" in self._values
        state = State(
            int(frame),
            self._number("point/x"),
            self._number("point/y"),
            self._number("orientation/exact"),
            self._number("velocity/exact") if has_speed else None,
        )
        for key in _OF_STATES:
            self._values.pop(key, None)  # a state that lacks one must not show that of the state before
        return state

    def _shape(self) -> tuple[float, float]:
        """Length and width of an obstacle, in metres."""
        if "circle/radius" in self._values:
            radius = self._number("circle/radius")
            size = 2 * radius, 2 * radius
        else:
            size = self._number("rectangle/length"), self._number("rectangle/width")
        if min(size) <= 0:
            raise UnexpectedXmlError(f"obstacle {self._id:.40} of {size[0]:g} x {size[1]:g} m")
        return size

    def _number(self, key: str) -> float:
        if key not in self._values:
            raise UnexpectedXmlError(f"{self._path[1]} {self._id:.40} without {_MEANINGS[key]}")
        return _number(self._values[key], f"{key} of {self._path[1]} {self._id:.40}")


_OF_STATES = ("time/exact", "point/x", "point/y", "orientation/exact", "velocity/exact")
_MEANINGS = {
    "time/exact": "an exact time",
    "point/x": "x of a point",
    "point/y": "y of a point",
    "orientation/exact": "an exact orientation",
    "velocity/exact": "an exact velocity",
    "circle/radius": "the radius of its circle",
    "rectangle/length": "a rectangle or a circle as its shape",
    "rectangle/width": "the width of its rectangle",
}


def _number(text: str, what: str) -> float:
    try:
        number = float(text.replace("_", "?"))  # which Python takes between digits, and XML does not
    except ValueError:
        raise UnexpectedXmlError(f"{what} is {text.strip()!r:.40}, no number") from None
    if not isfinite(number) or abs(number) > LARGEST:
        raise UnexpectedXmlError(f"{what} is {text.strip():.40}, out of all bounds")
    return number
