"""Argoverse 2 motion forecasting (Wilson et al. 2021, https://arxiv.org/abs/2301.00493): a parquet file a scenario.

A scenario lies in a folder of its own: `scenario_<id>.parquet` with a row for each object and frame, 110 frames of
0.1 s, of which 50 are seen, and beside it `log_map_archive_<id>.json` with the lanes. It asks about one focal track. No
sizes are given; `SIZES` has usual ones for each type of object.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.files import DOCUMENT, parse_json
from resvision.core.references import missing_extra
from resvision.core.samples import Timing
from resvision.data.places import Place, beside, exists, read_file
from resvision.data.tracks.recorded import PARKED, Recorded, Track
from resvision.kinds.motion.scenes import Floats, Lane

FRAME_SECONDS = 0.1
MAP = "log_map_archive_"
"""The beginning of the name of a map."""
USUAL = Timing(history_seconds=4.9, horizon_seconds=6.0, step_seconds=None, start_seconds=0.5)
"""Times of the benchmark: 50 frames are seen and 60 predicted, so that a scenario of 110 holds one window of its focal
track."""

COLUMNS = (
    "scenario_id",
    "track_id",
    "object_type",
    "timestep",
    "position_x",
    "position_y",
    "heading",
    "velocity_x",
    "velocity_y",
    "focal_track_id",
)

KIND_OF = {
    "vehicle": "car",
    "bus": "bus",
    "motorcyclist": "motorcycle",
    "cyclist": "bicycle",
    "pedestrian": "pedestrian",
    "static": PARKED,
    "riderless_bicycle": PARKED,
    "unknown": "unknown",
}
"""The kind of each type of object that moves or may."""
FIXTURES = ("background", "construction")
"""Types of objects that are no vehicles; they are left out."""

SIZES = {
    "car": (4.6, 1.9),
    "bus": (12.0, 2.6),
    "motorcycle": (2.2, 0.8),
    "bicycle": (1.8, 0.6),
    "pedestrian": (0.6, 0.6),
    PARKED: (1.8, 0.8),
    "unknown": (1.0, 1.0),
}
"""Usual lengths and widths in metres, chosen by us."""


def is_scenario(name: str) -> bool:
    """Whether a file is a scenario by its name."""
    return name.startswith("scenario_") and name.endswith(".parquet")


def read_scenario(place: Place) -> Recorded:
    """Read the scenario in a file, with the lanes of the map beside it where there is one.

    Raises DataError, with the file and the reason, and MissingExtraError without pyarrow.
    """
    where = str(place)
    columns = _columns(read_file(place, DOCUMENT), where)
    tracks = [*_tracks(columns, where)]
    return Recorded(
        name=str(columns["scenario_id"][0]),
        source=where,
        recording=str(columns["scenario_id"][0]),
        frame_seconds=FRAME_SECONDS,
        tracks=tracks,
        lanes=_lanes(place),
        focal=(str(columns["focal_track_id"][0]),),
    )


def _columns(content: bytes, where: str) -> dict[str, NDArray[Any]]:
    """The columns of a parquet file by name. Raises DataError."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise missing_extra(error) from None
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        if missing := [name for name in COLUMNS if name not in file.schema_arrow.names]:
            raise DataError(f"{printable(where)}: no column {missing[0]}; it has {', '.join(file.schema_arrow.names)}")
        table = file.read(columns=[*COLUMNS])
        columns = {name: table.column(name).to_numpy() for name in COLUMNS}
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = printable(str(error)).partition(". ")[0]
        raise DataError(f"{printable(where)}: no parquet file that can be read ({reason})") from None
    if not len(columns["timestep"]):
        raise DataError(f"{printable(where)}: no rows")
    for name in ("timestep", "position_x", "position_y", "heading", "velocity_x", "velocity_y"):
        numbers = _numbers(columns[name])
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise DataError(f"{printable(where)}: {name} of row {row} is {columns[name][row]}, no number")
        columns[name] = numbers
    return columns


def _numbers(column: NDArray[Any]) -> Floats:
    """A column as numbers; NaN where it holds none."""
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        return np.full(len(column), np.nan)


def _tracks(columns: dict[str, NDArray[Any]], where: str) -> Iterator[Track]:
    """Yield the tracks of a scenario, in the order in which the file has them."""
    names, first, of = np.unique(columns["track_id"].astype(str), return_index=True, return_inverse=True)
    speeds = np.hypot(columns["velocity_x"], columns["velocity_y"])
    for number in np.argsort(first, kind="stable").tolist():
        rows, kind = np.flatnonzero(of == number), str(columns["object_type"][first[number]])
        if kind in FIXTURES:
            continue
        if kind not in KIND_OF:
            raise DataError(
                f"{printable(where)}: track {printable(str(names[number]))} of type {printable(kind)}; known are"
                f" {', '.join(KIND_OF)}"
            )
        yield Track(
            name=str(names[number]),
            where=where,
            kind=KIND_OF[kind],
            size=SIZES[KIND_OF[kind]],
            frames=columns["timestep"][rows].astype(np.int64),
            positions=np.column_stack([columns["position_x"][rows], columns["position_y"][rows]]),
            headings=columns["heading"][rows],
            speeds=speeds[rows],
        )


def map_of(scenario: Place) -> Place:
    """The file of the map that lies beside a scenario, whether it is there or not."""
    return beside(scenario, f"{MAP}{scenario.name.removeprefix('scenario_').removesuffix('.parquet')}.json")


def _lanes(scenario: Place) -> tuple[Lane, ...]:
    """The lanes of the map beside a scenario; none where there is no map. Raises DataError for one of another form."""
    place = map_of(scenario)
    if not exists(place):
        return ()
    try:
        segments = parse_json(read_file(place, DOCUMENT))["lane_segments"].values()
        return tuple(Lane(_line(s["left_lane_boundary"]), _line(s["right_lane_boundary"])) for s in segments)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error.args[0]}" if isinstance(error, KeyError) else printable(str(error))
        raise DataError(f"{printable(str(place))}: no map of Argoverse 2 ({reason})") from None


def _line(points: Any) -> Floats:
    """A border, (P, 2), from points that have x, y and z."""
    line = np.array([(point["x"], point["y"]) for point in points], dtype=np.float64)
    if line.ndim != 2 or len(line) < 2 or not np.isfinite(line).all():
        raise ValueError("a border of less than two points")
    return line
