"""Cars that two scenarios both show, told by their size and their speeds, whatever the frame of the world.

Scenarios that were cut from one recording often say so by nothing. A car that is seen in two of them drives the same
steps in both, to the last digit of the file, and no two cars do so for long.

Glossary
    n  seen frames of a track
    K  steps in a row
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import key
from resvision.kinds.motion.scenes import Scene

NAMED_STEPS, UNNAMED_STEPS = 12, 25
"""Steps in a row by which two tracks of one size are of one car: of the same name, and of different names."""
LEAST_CHANGES = 0.75
"""The least share of these steps that differ in length; cars that stand or roll evenly are all alike."""
DIGIT = 1e-3
"""Metres a second that tell speeds apart."""

M = TypeVar("M", tuple[int, int], str)

Track = tuple[int, int]
"""The position of a scene, and of a vehicle in it."""


class _Runs(NamedTuple):
    """Hashes of all runs of K steps of a set of scenes, and the track of each."""

    hashes: NDArray[np.uint64]
    scenes: NDArray[np.int64]
    vehicles: NDArray[np.int64]


def shared_cars(scenes: Sequence[Scene]) -> list[tuple[Track, Track]]:
    """The tracks that show one car: each with the first that shows it, in the order of the scenes."""
    groups = _Groups[Track]()
    for steps, is_named in ((UNNAMED_STEPS, False), (NAMED_STEPS, True)):
        runs = _runs(scenes, steps, is_named=is_named)
        order = np.argsort(runs.hashes, kind="stable")
        hashes = runs.hashes[order]
        starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]])) if len(hashes) else []
        for start, end in zip(starts, [*starts[1:], len(hashes)], strict=True):
            if end - start > 1:
                tracks = {(int(runs.scenes[i]), int(runs.vehicles[i])) for i in order[start:end]}
                groups.join(sorted(tracks))
    return [(groups.root(track), track) for track in sorted(groups) if groups.root(track) != track]


def joined_recordings(scenes: Sequence[Scene]) -> tuple[Scene, ...]:
    """The scenes, where recordings that share a car have one name: that of the first among them."""
    groups = _Groups[str]()
    for (one, _), (other, _) in shared_cars(scenes):
        groups.join([scenes[one].recording, scenes[other].recording])
    return tuple(replace(scene, recording=groups.root(scene.recording)) for scene in scenes)


def _runs(scenes: Sequence[Scene], steps: int, *, is_named: bool) -> _Runs:
    weights = np.array([key(step, steps) for step in range(steps)], dtype=np.uint64) | np.uint64(1)
    parts: list[tuple[NDArray[np.uint64], int, int]] = []
    for number, scene in enumerate(scenes):
        for vehicle, name in enumerate(scene.vehicles):
            speeds = _speeds(scene, vehicle)
            if len(speeds) < steps:
                continue
            runs = np.lib.stride_tricks.sliding_window_view(speeds, steps)
            ordered = np.sort(runs, axis=1)
            changes = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
            owner = [*np.round(scene.sizes[vehicle] * 100).astype(int).tolist(), *(name.encode() if is_named else b"")]
            hashes = (runs.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64) ^ np.uint64(key(*owner))
            parts.append((hashes[changes >= LEAST_CHANGES * steps], number, vehicle))
    return _Runs(
        np.concatenate([np.empty(0, np.uint64), *(hashes for hashes, _, _ in parts)]),
        np.repeat(*_columns([(number, len(hashes)) for hashes, number, _ in parts])),
        np.repeat(*_columns([(vehicle, len(hashes)) for hashes, _, vehicle in parts])),
    )


def _columns(pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def _speeds(scene: Scene, vehicle: int) -> NDArray[np.int64]:
    """Speeds of a track as whole numbers of DIGIT, as stated, or else by its steps to the centimetre."""
    present = scene.present[vehicle]
    if scene.speeds is not None:
        return np.round(scene.speeds[vehicle, present] / DIGIT).astype(np.int64)
    ways = np.linalg.norm(np.diff(scene.positions[vehicle, present], axis=0), axis=1)
    return np.round(ways / 0.01).astype(np.int64)


class _Groups(Generic[M]):
    """Groups of members, joined step by step; the least member stands for a group."""

    def __init__(self) -> None:
        self._above: dict[M, M] = {}

    def join(self, members: Sequence[M]) -> None:
        """Make one group of the groups of these members."""
        least = min(map(self.root, members))
        for member in members:
            self._above[self.root(member)] = least

    def root(self, member: M) -> M:
        """The member that stands for the group of this one."""
        while self._above.get(member, member) != member:
            member = self._above[member]
        return member

    def __iter__(self) -> Iterator[M]:
        return iter(self._above)
