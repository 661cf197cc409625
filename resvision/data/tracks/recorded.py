"""Tracks as a file has them, and the scene that they make.

Glossary
    n  states of a track
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.plurals import counted
from resvision.data.fault_kinds import Ledger
from resvision.kinds.motion.scenes import Floats, Lane, Scene

MOST_CELLS = 20_000_000
"""Limit of vehicles times frames of a scene, a gigabyte of memory."""

KINDS = ("car", "truck", "bus", "motorcycle", "bicycle", "pedestrian", "parked", "unknown")

PARKED = "parked"
"""The kind of what stands through all frames, where a file gives one state of it."""


class Track(NamedTuple):
    """One vehicle as a file has it, in the world's frame: metres and radians.

    where      the file and the line where it begins, for errors
    size       length and width
    frames     (n,) whole numbers in the file's own count, in any order
    positions  (n, 2)
    headings   (n,)
    speeds     (n,) metres a second; None where the file states none
    """

    name: str
    where: str
    kind: str
    size: tuple[float, float]
    frames: NDArray[np.int64]
    positions: Floats
    headings: Floats
    speeds: Floats | None


class Recorded(NamedTuple):
    """A scenario as a file has it; `Scene` says what each is. `split` is the file's own word, "" for none."""

    name: str
    source: str
    recording: str
    frame_seconds: float
    tracks: Sequence[Track]
    lanes: tuple[Lane, ...] = ()
    focal: tuple[str, ...] = ()
    split: str = ""


def scene_of(recorded: Recorded, ledger: Ledger) -> Scene:
    """The scene of a scenario, whose first frame is number 0; a frame that a track has twice adds to the ledger.

    Raises DataError for a scenario without a vehicle, or without those that it asks about, one so long that it would
    not fit into memory, or one with two vehicles of one name.
    """
    tracks = [track for track in recorded.tracks if len(track.frames)]
    if missing := {*recorded.focal} - {track.name for track in tracks}:
        raise DataError(
            f"{printable(recorded.source)}: asks about track {printable(min(missing))}, and shows none such"
        )
    first, length = _frames(recorded, tracks)
    shape = len(tracks), length
    present = np.zeros(shape, dtype=np.bool_)
    positions, headings, speeds = np.zeros((*shape, 2)), np.zeros(shape), np.zeros(shape)
    for number, track in enumerate(tracks):
        frames, once = np.unique(track.frames, return_index=True)
        if len(frames) < len(track.frames):
            numbers, counts = np.unique(track.frames, return_counts=True)
            again = int(numbers[counts > 1][0])
            ledger.add("duplicate-frames", track.where, f"vehicle {track.name} has frame {again} more than once")
        standing = track.kind == PARKED and len(frames) == 1
        columns = slice(None) if standing else frames - first
        present[number, columns] = True
        positions[number, columns] = track.positions[once]
        headings[number, columns] = track.headings[once]
        if track.speeds is not None:
            speeds[number, columns] = track.speeds[once]
    return Scene(
        name=recorded.name,
        source=recorded.source,
        recording=recorded.recording,
        frame_seconds=recorded.frame_seconds,
        vehicles=tuple(track.name for track in tracks),
        kinds=tuple(track.kind for track in tracks),
        present=present,
        positions=positions,
        headings=headings,
        speeds=speeds if all(track.speeds is not None for track in tracks) else None,
        sizes=np.array([track.size for track in tracks]),
        lanes=recorded.lanes,
        focal=tuple(number for number, track in enumerate(tracks) if track.name in recorded.focal),
    )


def _frames(recorded: Recorded, tracks: Sequence[Track]) -> tuple[int, int]:
    """The first frame of all tracks, and the number of frames up to the last. Raises as `scene_of` does."""
    if not tracks:
        raise DataError(f"{printable(recorded.source)}: {printable(recorded.name)} has no vehicle")
    names = set[str]()
    for track in tracks:
        if track.name in names:
            raise DataError(f"{printable(track.where)}: vehicle {printable(track.name)} is there twice")
        names.add(track.name)
    first, last = min(int(t.frames.min()) for t in tracks), max(int(t.frames.max()) for t in tracks)
    frames = last - first + 1
    if len(tracks) * frames > MOST_CELLS:
        vehicles = counted(len(tracks), "vehicle")
        raise DataError(
            f"{printable(recorded.source)}: {vehicles} over {frames:,} frames are more than fit into memory,"
            f" {MOST_CELLS:,} of both together; cut the recording into scenes"
        )
    return first, frames
