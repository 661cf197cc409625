"""Faults of recorded tracks that reading a file does not show: what no car can do, and what no recording should have.

They are looked for before headings are held at standstill, and before anything is left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import printable
from resvision.core.plurals import counted
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import fault
from resvision.data.tracks.headings import speeds_of
from resvision.data.tracks.shared_cars import SharedCar
from resvision.kinds.motion.scenes import Flags, Scene
from resvision.kinds.motion.windows import STANDSTILL

FASTEST = 100.0
"""Metres a second that no car in traffic drives; beyond it units are mixed."""
HARDEST = 50.0
"""Metres a second squared, five times what tyres hold: a step that changes by more is a jump."""
LEAST_JUMP = 0.5
"""Metres by which a step has to be off at least, since positions are known to some decimetres."""
TURNED = np.deg2rad(5.0)
"""The turn of a standing car that is no noise of a measurement."""
MOST_TURNS = 2.0
"""Full turns that a heading in radians can hold; degrees hold more."""


def check_tracks(scenes: Sequence[Scene], ledger: Ledger) -> None:
    """Add the faults of every track: mixed units, gaps, jumps, and headings that turn at standstill."""
    for scene in scenes:
        speeds = speeds_of(scene)
        for vehicle in range(len(scene.vehicles)):
            which = f"vehicle {scene.vehicles[vehicle]} of {scene.name}"
            seen = np.flatnonzero(scene.present[vehicle])
            if what := _mixed_units(scene, vehicle, seen):
                ledger.faults.append(fault(scene.source, f"{which} {what}"))
                continue
            for kind, what in _faults(scene, vehicle, seen, speeds[vehicle]):
                ledger.add(kind, scene.source, f"{which} {what}")


def check_paces(scenes: Sequence[Scene], ledger: Ledger) -> tuple[Scene, ...]:
    """The scenes of the usual time step; others add to the ledger."""
    paces = Counter(round(scene.frame_seconds, 6) for scene in scenes)
    if len(paces) < 2:
        return tuple(scenes)
    usual = paces.most_common(1)[0][0]
    others = [scene for scene in scenes if round(scene.frame_seconds, 6) != usual]
    for scene in others:
        what = f"{printable(scene.name)} has frames {scene.frame_seconds:g} s apart, but most have {usual:g} s"
        ledger.add("other-steps", scene.source, what)
    return tuple(scene for scene in scenes if scene not in others)


def check_splits(
    splits: Mapping[str, Sequence[Scene]], cars: Sequence[SharedCar], ledger: Ledger
) -> dict[str, Sequence[Scene]]:
    """The splits without the scenes that show a car of a later one; each such scene adds to the ledger.

    cars  those that several of all scenes show, the splits taken one after the other: training first, then those that
          judge
    """
    every = [(split, scene) for split, scenes in splits.items() for scene in scenes]
    showing: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for car in cars:
        first = car.first_scene, car.first_vehicle
        showing.setdefault(first, [first]).append((car.scene, car.vehicle))
    clashes: dict[int, str] = {}
    for tracks in showing.values():
        number, vehicle = max(tracks)
        split, scene = every[number]
        judging = f"vehicle {scene.vehicles[vehicle]} of {scene.name}, in {split}"
        for other, own in tracks:
            if every[other][0] != split:
                what = f"vehicle {every[other][1].vehicles[own]} of {every[other][1].name}, in {every[other][0]}"
                clashes.setdefault(other, f"{what}, is the same car as {judging}")
    for number in sorted(clashes):
        ledger.add("shared-cars", every[number][1].source, clashes[number])
    numbers = iter(range(len(every)))
    return {split: [scene for scene in scenes if next(numbers) not in clashes] for split, scenes in splits.items()}


def _mixed_units(scene: Scene, vehicle: int, seen: NDArray[np.int64]) -> str:
    """The fault of a track that is not in metres, seconds and radians, in words; "" where there is none."""
    headings = np.abs(scene.headings[vehicle, seen])
    if headings.max() > MOST_TURNS * 2 * np.pi:
        return f"has a heading of {headings.max():.4g}; radians are due"
    stated = 0.0 if scene.speeds is None else float(np.abs(scene.speeds[vehicle, seen]).max())
    if stated > FASTEST:
        return f"has a speed of {stated:,.0f}; metres a second are due, and none drives beyond {FASTEST:g}"
    if scene.frame_seconds and len(seen) > 1:
        ways = np.linalg.norm(np.diff(scene.positions[vehicle, seen], axis=0), axis=1)
        fast = float(np.median(ways / np.diff(seen)) / scene.frame_seconds)
        if fast > FASTEST:
            return f"moves at {fast:,.0f} m/s by its positions; metres are due, {scene.frame_seconds:g} s apart"
    return ""


def _faults(
    scene: Scene, vehicle: int, seen: NDArray[np.int64], speeds: NDArray[np.float64]
) -> Iterator[tuple[str, str]]:
    """Yield the kind and the words of each fault of one track."""
    missing = int(seen[-1] - seen[0] + 1 - len(seen))
    if missing:
        at = int(seen[np.flatnonzero(np.diff(seen) > 1)[0]])
        frames = counted(missing, "frame")
        yield "gaps", f"is not seen in {frames} between its first and its last, first after frame {at}"
    if scene.frame_seconds:
        jumps = jumps_of(scene, vehicle)
        if len(jumps):
            yield "jumps", f"jumps between frames {jumps[0] - 1} and {jumps[0]}, faster than any car can"
    turn = _turned(scene.headings[vehicle], scene.present[vehicle] & (speeds < STANDSTILL))
    if turn > TURNED:
        yield "turning-headings", f"turns by {np.rad2deg(turn):.0f} degrees while it stands"


def jumps_of(scene: Scene, vehicle: int) -> NDArray[np.int64]:
    """The frames to which a vehicle jumps, by steps between neighbouring frames that change more than tyres allow."""
    present, seconds = scene.present[vehicle], scene.frame_seconds
    steps = np.diff(scene.positions[vehicle], axis=0)
    both = present[1:] & present[:-1]
    change = np.linalg.norm(np.diff(steps, axis=0), axis=1)
    limit = max(HARDEST * seconds**2, LEAST_JUMP)
    return np.flatnonzero((change > limit) & both[1:] & both[:-1]) + 2


def _turned(headings: NDArray[np.float64], standing: Flags) -> float:
    """The largest range of headings within a stretch of standing frames, in radians."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], standing, [False]]).astype(np.int8))).reshape(-1, 2)
    ranges = [float(np.ptp(np.unwrap(headings[start:end]))) for start, end in edges if end - start > 1]
    return max(ranges, default=0.0)
