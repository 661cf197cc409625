"""Tables of tracks: a CSV with a row for each vehicle and frame, in metres and radians.

A column is found by the name of its role, or named as `role=column`. Of `frame` and `timestamp`, in seconds, one is
enough; without `scene` the file is one scenario. Lanes may lie beside `NAME.csv` in `NAME_lanes.csv`: a row for each
point of a border, in the direction of driving, with `lane`, `side` (left or right), `x`, `y`, and `scene` where they
are not of all.

Glossary
    N  rows
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, SettingsError, printable, unknown_name
from resvision.core.files import DOCUMENT
from resvision.data.faults import Fault, fault
from resvision.data.places import Place, beside, exists
from resvision.data.table_columns import LEFT_OUT, SPLITS, stated
from resvision.data.table_files import Table, header, read_table
from resvision.data.tracks.recorded import KINDS, Recorded, Track
from resvision.kinds.motion.scenes import Floats, Lane

NEEDED = ("track", "x", "y", "heading", "length", "width")
TIMES = ("frame", "timestamp")
OPTIONAL = ("scene", "speed", "kind", "recording", "split")
ALONE = ("track", "heading")
TELLING = 4
"""A table of tracks has one of the first two, which no table of images has, and so many of all needed columns."""
ROLES = (*NEEDED, *TIMES, *OPTIONAL)
LANES = "_lanes.csv"
"""The end of the name of a table of lanes."""
SIDES = ("left", "right")
LARGEST = 1e9
"""The limit of a number."""
UNEVEN = 0.25
"""The share of a frame by which a timestamp may be off its place."""


def columns_of(table: Table, columns: Sequence[str] = ()) -> dict[str, str]:
    """The column of each role that a table has: as stated, or of that name in any case.

    Raises SettingsError for a stated column that the table lacks, DataError where a needed one is not there.
    """
    named = stated(columns, ROLES)
    for column in named.values():
        if column not in table.columns:
            raise SettingsError(
                f"data.columns: {printable(str(table.path))}: {unknown_name('column', column, table.columns)}"
            )
    by_name = {name.casefold(): name for name in table.columns}
    roles = {role: named.get(role) or by_name[role] for role in ROLES if role in named or role in by_name}
    missing = [role for role in NEEDED if role not in roles] + ([] if roles.keys() & {*TIMES} else ["frame"])
    if missing:
        some = f"{missing[0]}=COLUMN"
        raise DataError(
            f"{printable(str(table.path))}: no column {', '.join(missing)}; it has {', '.join(table.columns)}; if one"
            f" has another name, say `--columns {some}`"
        )
    return roles


def is_table_of_tracks(place: Place, columns: Sequence[str] = ()) -> bool:
    """Whether a table has most columns of tracks, or is said to have them by another name.

    One that lacks some is still taken for such, so that the missing ones are told.
    """
    roles = {text.partition("=")[0] for text in columns} | {name.casefold() for name in header(place)}
    return len(roles & {*NEEDED, *TIMES}) >= TELLING and not roles.isdisjoint(ALONE)


def read_tracks(place: Place, columns: Sequence[str], faults: list[Fault]) -> list[Recorded]:
    """Read the scenarios of a table; rows of a wrong length add to `faults`.

    Raises DataError, with the file and the line, for a cell that is no number where one is due.
    """
    own: list[Fault] = []
    table = read_table(place, place, own, limit=DOCUMENT)
    if table is None:
        raise DataError(str(own[0]))
    faults += own
    roles = columns_of(table, columns)
    cells = _Cells(table, roles)
    lanes = _lanes(place)
    stem = PurePath(place.name).stem
    return [
        cells.recorded(f"{stem}/{name}" if name else stem, rows, lanes.get(name, lanes.get("", ())), faults)
        for name, rows in _groups(cells.texts("scene"))
    ]


def _groups(names: NDArray[np.str_]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield each name with the rows that have it, in the order in which names first occur."""
    different, first, of = np.unique(names, return_index=True, return_inverse=True)
    order = np.argsort(of, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(of, minlength=len(different)))[:-1])
    for number in np.argsort(first, kind="stable").tolist():
        yield str(different[number]), rows[number]


class _Cells:
    """The cells of a table by role."""

    def __init__(self, table: Table, roles: dict[str, str]) -> None:
        self.table, self.roles = table, roles
        self.tracks = self.texts("track")
        self.numbers = {role: self._numbers(role) for role in ("x", "y", "heading", "length", "width")}
        for role in (*TIMES, "speed"):
            if role in roles:
                self.numbers[role] = self._numbers(role)
        self.kinds = self.texts("kind", usual="car")
        self.recordings, self.splits = self.texts("recording"), self.texts("split")

    def texts(self, role: str, *, usual: str = "") -> NDArray[np.str_]:
        """The cells of a role, (N,); `usual` where the table has no such column."""
        if role not in self.roles:
            return np.full(len(self.table.rows), usual)
        return np.array(self.table.column(self.roles[role]))

    def recorded(self, name: str, rows: NDArray[np.int64], lanes: tuple[Lane, ...], faults: list[Fault]) -> Recorded:
        """The scenario of some rows."""
        frames, frame_seconds = self._frames(rows, faults)
        tracks = [self._track(track, rows[own], frames[own]) for track, own in _groups(self.tracks[rows])]
        recording, split = str(self.recordings[rows[0]]), str(self.splits[rows[0]]).casefold()
        if split and split not in {*SPLITS, LEFT_OUT}:
            what = f"the split {split!r:.40} is none of {', '.join(SPLITS)}; `{LEFT_OUT}` leaves a scene out"
            raise DataError(f"{self._where(rows[0])}: {what}")
        return Recorded(
            name=name,
            source=str(self.table.path),
            recording=recording or name,
            frame_seconds=frame_seconds,
            tracks=tracks,
            lanes=lanes,
            split=SPLITS.get(split, ""),
        )

    def _track(self, name: str, rows: NDArray[np.int64], frames: NDArray[np.int64]) -> Track:
        kind = str(self.kinds[rows[0]]).casefold()
        if kind not in KINDS:
            raise DataError(f"{self._where(rows[0])}: the kind {kind!r:.40} is none of {', '.join(KINDS)}")
        size = float(self.numbers["length"][rows[0]]), float(self.numbers["width"][rows[0]])
        if min(size) <= 0:
            raise DataError(f"{self._where(rows[0])}: a vehicle of {size[0]:g} x {size[1]:g} m")
        return Track(
            name=name,
            where=self._where(rows[0]),
            kind=kind,
            size=size,
            frames=frames,
            positions=np.column_stack([self.numbers["x"][rows], self.numbers["y"][rows]]),
            headings=self.numbers["heading"][rows],
            speeds=self.numbers["speed"][rows] if "speed" in self.numbers else None,
        )

    def _frames(self, rows: NDArray[np.int64], faults: list[Fault]) -> tuple[NDArray[np.int64], float]:
        """The number of each row's frame, and the seconds between two frames, 0 where no timestamp tells them."""
        if "timestamp" not in self.numbers:
            return self._whole_frames(rows), 0.0
        times = self.numbers["timestamp"][rows]
        if "frame" in self.numbers:
            frames = self._whole_frames(rows)
            passed = frames.max() - frames.min()
            seconds = float((times.max() - times.min()) / passed) if passed else 0.0
        else:
            steps = np.diff(np.unique(times))
            seconds = float(np.median(steps)) if len(steps) else 0.0
            frames = np.round((times - times.min()) / seconds).astype(np.int64) if seconds else np.zeros(len(rows), int)
        off = np.abs((times - times.min()) - (frames - frames.min()) * seconds) > UNEVEN * seconds
        if seconds and off.any():
            row = rows[int(np.flatnonzero(off)[0])]
            what = f"the timestamp is {self.numbers['timestamp'][row]:g} s, while frames are {seconds:.4g} s apart"
            faults.append(fault(self._where(row), f"{what}; bring the table to even time steps"))
        return frames, round(seconds, 6)

    def _whole_frames(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        frames = self.numbers["frame"][rows]
        odd = np.flatnonzero(frames != np.round(frames))
        if len(odd):
            row = rows[odd[0]]
            raise DataError(f"{self._where(row)}: the frame is {frames[odd[0]]:g}, no whole number")
        return frames.astype(np.int64)

    def _numbers(self, role: str) -> Floats:
        """The cells of a role as numbers, (N,). Raises DataError, with the line, where one is none."""
        column = self.table.column(self.roles[role])
        try:
            numbers = np.array([cell.replace("_", "?") for cell in column], dtype=np.float64)
        except ValueError:
            numbers = np.array([_number(cell) for cell in column])
        odd = np.flatnonzero(~(np.abs(numbers) <= LARGEST))
        if len(odd):
            raise DataError(f"{self._where(odd[0])}: {role} is {column[int(odd[0])]!r:.40}, no number that can be used")
        return numbers

    def _where(self, row: Any) -> str:
        return printable(f"{self.table.path}:{self.table.rows[int(row)].line}")


def _number(cell: str) -> float:
    try:
        return float(cell.replace("_", "?"))  # which Python takes between digits
    except ValueError:
        return float("nan")


def lanes_of(tracks: Place) -> Place:
    """The table of lanes that lies beside a table of tracks, whether it is there or not."""
    return beside(tracks, f"{PurePath(tracks.name).stem}{LANES}")


def _lanes(tracks: Place) -> dict[str, tuple[Lane, ...]]:
    """The lanes of each scenario, those of all under ""; none where no table of lanes lies beside the tracks."""
    place = lanes_of(tracks)
    if not exists(place):
        return {}
    own: list[Fault] = []
    table = read_table(place, place, own)
    if table is None or own:
        raise DataError(str(own[0]))
    if missing := [name for name in ("lane", "side", "x", "y") if name not in table.columns]:
        raise DataError(f"{printable(str(place))}: no column {missing[0]}; it has {', '.join(table.columns)}")
    borders: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    scenes = table.column("scene") if "scene" in table.columns else [""] * len(table.rows)
    cells = zip(scenes, *map(table.column, ("lane", "side", "x", "y")), strict=True)
    for row, (scene, lane, side, x, y) in zip(table.rows, cells, strict=True):
        point = _number(x), _number(y)
        if side.casefold() not in SIDES or not np.isfinite(point).all():
            raise DataError(f"{printable(str(place))}:{row.line}: a side, left or right, and numbers x and y are due")
        sides = borders.setdefault((scene, lane), {side: [] for side in SIDES})
        sides[side.casefold()].append(point)
    lanes: dict[str, tuple[Lane, ...]] = {}
    for (scene, lane), sides in borders.items():
        if min(map(len, sides.values())) < 2:
            raise DataError(f"{printable(str(place))}: lane {printable(lane)} without two points of each border")
        lanes[scene] = (*lanes.get(scene, ()), Lane(*(np.array(sides[side]) for side in SIDES)))
    return lanes
