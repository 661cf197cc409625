"""Cars that two scenarios both show, told by their size and their speeds, whatever the frame of the world.

Scenarios that were cut from one recording often say so by nothing. A car that is seen in two of them drives the same
steps in both, to the last digit of the file, and no two cars do so for long.

Glossary
    M  tracks of all scenes
    n  seen frames of all tracks together, one track after the other
    K  steps in a row
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import uniform
from resvision.kinds.motion.scenes import Scene

Ints = NDArray[np.int64]
G = TypeVar("G", int, str)

NAMED_STEPS, UNNAMED_STEPS = 12, 25
"""Steps in a row by which two tracks of one size are of one car: of the same name, and of different names."""
LEAST_CHANGES = 0.75
"""The least share of these steps that differ from the one before; cars that stand or roll evenly are all alike."""
DIGIT = 1e-3
"""Metres a second that tell speeds apart, where a file states them."""
WAY_DIGIT = 1e-2
"""Metres that tell steps apart, where it does not."""


class SharedCar(NamedTuple):
    """Two tracks of one car, the first that shows it and another: the positions of their scenes, and in these."""

    first_scene: int
    first_vehicle: int
    scene: int
    vehicle: int


class _Tracks(NamedTuple):
    """All tracks of some scenes.

    scenes, vehicles  (M,) positions
    named, unnamed    (M,) hashes of the size, and of the name or not
    speeds            (n,) whole numbers of a digit
    of                (n,) the track
    """

    scenes: Ints
    vehicles: Ints
    named: Ints
    unnamed: Ints
    speeds: Ints
    of: Ints


def shared_cars(scenes: Sequence[Scene]) -> list[SharedCar]:
    """Every track that shows the car of an earlier one, with the first that does."""
    tracks = _tracks(scenes)
    groups = _Groups[int]()
    for first, second in [
        *_alike(tracks, tracks.unnamed, UNNAMED_STEPS),
        *_alike(tracks, tracks.named, NAMED_STEPS),
    ]:
        groups.join(first, second)
    pairs = [(groups.root(track), track) for track in groups.members() if groups.root(track) != track]
    places = np.column_stack([tracks.scenes, tracks.vehicles])
    return [SharedCar(*map(int, (*places[first], *places[second]))) for first, second in sorted(pairs)]


def joined_recordings(scenes: Sequence[Scene], cars: Sequence[SharedCar]) -> tuple[Scene, ...]:
    """The scenes, where recordings that share a car have one name: that of the first among them."""
    groups = _Groups[str]()
    for car in cars:
        groups.join(scenes[car.first_scene].recording, scenes[car.scene].recording)
    return tuple(replace(scene, recording=groups.root(scene.recording)) for scene in scenes)


def _tracks(scenes: Sequence[Scene]) -> _Tracks:
    vehicles = [np.arange(len(scene.vehicles)) for scene in scenes]
    speeds = [_speeds(scene, vehicle) for scene in scenes for vehicle in range(len(scene.vehicles))]
    sizes = [str(np.round(size, 2).tolist()) for scene in scenes for size in scene.sizes]
    names = [name for scene in scenes for name in scene.vehicles]
    return _Tracks(
        scenes=np.repeat(np.arange(len(scenes)), [len(own) for own in vehicles]),
        vehicles=np.concatenate([np.empty(0, np.int64), *vehicles]),
        named=np.array([_hash(f"{size} {name}") for size, name in zip(sizes, names, strict=True)], dtype=np.int64),
        unnamed=np.array([_hash(size) for size in sizes], dtype=np.int64),
        speeds=np.concatenate([np.empty(0, np.int64), *speeds]),
        of=np.repeat(np.arange(len(speeds)), [len(own) for own in speeds]),
    )


def _speeds(scene: Scene, vehicle: int) -> Ints:
    """Speeds of a track as whole numbers of DIGIT, as stated, or else its steps as whole numbers of WAY_DIGIT."""
    present = scene.present[vehicle]
    if scene.speeds is not None:
        return np.asarray(np.round(scene.speeds[vehicle, present] / DIGIT), dtype=np.int64)
    ways = np.linalg.norm(np.diff(scene.positions[vehicle, present], axis=0), axis=1)
    return np.asarray(np.round(ways / WAY_DIGIT), dtype=np.int64)


def _alike(tracks: _Tracks, owners: Ints, steps: int) -> list[tuple[int, int]]:
    """Pairs of tracks of equal `owners`, (M,), that have K steps in a row alike."""
    if len(tracks.speeds) < steps:
        return []
    runs = np.lib.stride_tricks.sliding_window_view(tracks.speeds, steps)
    of = tracks.of[: len(runs)]
    changes = np.cumsum(np.concatenate([[0], np.diff(tracks.speeds) != 0]))
    changed = changes[steps - 1 :] - changes[: len(runs)]
    usable = (of == tracks.of[steps - 1 :]) & (changed >= LEAST_CHANGES * (steps - 1))
    weights = (uniform(0, steps, np.arange(steps), 1)[:, 0] * 2**62).astype(np.int64) | 1
    hashes = (runs @ weights)[usable] ^ owners[of[usable]]  # modulo 2^64
    order = np.lexsort((of[usable], hashes))
    hashes, of = hashes[order], of[usable][order]
    same = hashes[1:] == hashes[:-1]
    pairs = np.unique(np.column_stack([of[:-1][same], of[1:][same]]), axis=0)
    return [(int(first), int(second)) for first, second in pairs if first != second]


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest(), "little", signed=True)


class _Groups(Generic[G]):
    """Groups of members, joined two by two; the least member stands for its group."""

    def __init__(self) -> None:
        self._above: dict[G, G] = {}

    def join(self, first: G, second: G) -> None:
        """Make one group of the groups of two members."""
        low, high = sorted((self.root(first), self.root(second)))
        self._above.update({low: low, high: low})

    def root(self, member: G) -> G:
        """The member that stands for the group of this one."""
        while (above := self._above.get(member, member)) != member:
            member = above
        return member

    def members(self) -> list[G]:
        """All members that were joined with another."""
        return list(self._above)
