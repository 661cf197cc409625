"""Recorded traffic by its files: scenes, splits by recording, and what is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from resvision.core.draws import shuffled
from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.core.plurals import counted
from resvision.core.samples import Reader, Timing
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import Fault, fault, summary
from resvision.data.layouts import Scan
from resvision.data.litter import note_of
from resvision.data.places import Place
from resvision.data.splits import Splits
from resvision.data.tracks.checks import check_paces, check_splits, check_tracks, jumps_of
from resvision.data.tracks.cuts import USUAL, why_no_window
from resvision.data.tracks.headings import steadied
from resvision.data.tracks.reader import TrackReader
from resvision.data.tracks.shared_cars import SharedCar, joined_recordings, shared_cars
from resvision.kinds.motion.scenes import Flags, Scene

HARMLESS = ("gaps", "turning-headings")
"""Kinds of faults that `check` lists and that training need not be told to allow: nothing wrong is learned from them.
"""


@dataclass
class TrackScan(Scan):
    """The splits of recorded traffic, and all faults of their tracks."""

    folder: Place
    train: TrackReader
    test: TrackReader
    validation: TrackReader | None
    split_rule: str
    faults: list[Fault]
    notes: list[str] = field(default_factory=list)
    sample_noun: str = "window"

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """An empty text: all faults are known once the files were read, so there is nothing to keep."""
        return ""

    def faults_of_targets(self) -> list[Fault]:
        """A fault for each split without a window of the usual length; a training may ask for shorter ones."""
        readers = [reader for reader in (self.train, self.test, self.validation) if reader is not None]
        return [
            fault(f"{self.folder}, {reader.split}", why_no_window(reader.scenes, reader.span))
            for reader in readers
            if reader.scenes and not len(reader)
        ]

    def look(self, reader: Reader[Any], index: int, faults: list[Fault]) -> Pixels | None:
        """None: a window has no pixels of its own, and its tracks are known."""
        return None


@dataclass(kw_only=True)
class Gathered:
    """The scenes of a set by split, and what is wrong with them.

    folder         the set's location, by which faults of the whole are named
    shown          the name of the set: its own, or the folder as it was named
    usual          the usual cuts of windows
    frame_seconds  between two frames, as a person says it; None where they do not
    splits         scenes by split in the order training, the one that judges the result, the one that judges on the
                   way; one alone where the set has no splits
    rule           how scenes were parted
    cars           those that several scenes show, once the set is settled
    """

    folder: Place
    shown: str
    ledger: Ledger
    usual: Timing = USUAL
    frame_seconds: float | None = None
    splits: dict[str, Sequence[Scene]] = field(default_factory=dict)
    rule: str = ""
    cars: list[SharedCar] = field(default_factory=list)
    litter: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Check all tracks, leave out what is allowed, and name recordings that share cars alike."""
        self.splits = {split: [*map(self._paced, scenes)] for split, scenes in self.splits.items()}
        every = [scene for scenes in self.splits.values() for scene in scenes]
        check_tracks(every, self.ledger)
        paced = check_paces(every, self.ledger)
        sound = {id(scene): steady for scene in paced if (steady := _sound(scene)) is not None}
        self.cars = shared_cars([*sound.values()])
        joined = iter(joined_recordings([*sound.values()], self.cars))
        self.splits = {
            split: [next(joined) for scene in scenes if id(scene) in sound] for split, scenes in self.splits.items()
        }

    def scan(self) -> TrackScan:
        """The scan of a set that has its splits, or whose recordings are parted here: a fifth of them is val."""
        self.settle()
        if len(self.splits) == 1:
            self.splits, self.rule = self._parted(), "a fifth of the recordings is val, after a shuffle with seed 0"
        else:
            self.splits = check_splits(self.splits, self.cars, self.ledger)
        for split, scenes in self.splits.items():
            if not scenes and not self.ledger.faults:
                self.ledger.faults.append(fault(self.folder, f"no scenes of {split}"))
        train, test, *validation = (self.reader(split, scenes) for split, scenes in self.splits.items())
        left_out = "".join(f"; {note}" for note in self.ledger.notes())
        return TrackScan(
            folder=self.folder,
            train=train,
            test=test,
            validation=validation[0] if validation else None,
            split_rule=f"{self._counts()}, {self.rule}{left_out}",
            faults=self.ledger.faults,
            notes=[*note_of(self.litter), *self.notes],
        )

    def reader(self, split: str, scenes: Sequence[Scene]) -> TrackReader:
        """The windows of some scenes."""
        return TrackReader(name=self.shown, split=split, scenes=tuple(scenes), usual=self.usual)

    def _paced(self, scene: Scene) -> Scene:
        """The scene with the seconds between two frames that a person says, where the file says none."""
        if scene.frame_seconds or self.frame_seconds is None:
            return scene
        return replace(scene, frame_seconds=self.frame_seconds)

    def _counts(self) -> str:
        order = [*self.splits][:1] + [*self.splits][2:] + [*self.splits][1:2]
        counts = (
            f"{split} {counted(len(self.splits[split]), 'scene')} of"
            f" {counted(len({scene.recording for scene in self.splits[split]}), 'recording')}"
            for split in order
        )
        return " / ".join(counts)

    def _parted(self) -> dict[str, Sequence[Scene]]:
        (scenes,) = self.splits.values()
        recordings = sorted({scene.recording for scene in scenes})
        if len(recordings) < 2 and not self.ledger.faults:
            some = "one recording only" if recordings else "no scenes"
            self.ledger.faults.append(
                fault(self.folder, f"{some}; two are needed to split one off, which show no car that the other shows")
            )
        order = shuffled(len(recordings), seed=0)
        held_out = {recordings[number] for number in order[: max(1, len(recordings) // 5)]}
        return {
            "train": [scene for scene in scenes if scene.recording not in held_out],
            "val": [scene for scene in scenes if scene.recording in held_out],
        }


def opened(scan: TrackScan, *, name: str | None = None) -> Splits:
    """The splits of a scan. Raises one DataError for all its faults."""
    if scan.faults:
        raise DataError(summary(scan.folder, scan.faults, name=name))
    return scan.splits


def _sound(scene: Scene) -> Scene | None:
    """The scene without vehicles that jump, the others with steady headings; None where all that it asks about jump."""
    jumping = [bool(scene.frame_seconds) and len(jumps_of(scene, number)) > 0 for number in range(len(scene.vehicles))]
    sound = _without(scene, np.array(jumping, dtype=np.bool_)) if any(jumping) else scene
    return None if scene.focal and not sound.focal else steadied(sound)


def _without(scene: Scene, left_out: Flags) -> Scene:
    """The scene without some vehicles, (V,)."""
    kept = np.flatnonzero(~left_out)
    position = {int(old): new for new, old in enumerate(kept)}
    return replace(
        scene,
        vehicles=tuple(scene.vehicles[number] for number in kept),
        kinds=tuple(scene.kinds[number] for number in kept),
        present=scene.present[kept],
        positions=scene.positions[kept],
        headings=scene.headings[kept],
        speeds=None if scene.speeds is None else scene.speeds[kept],
        sizes=scene.sizes[kept],
        focal=tuple(position[number] for number in scene.focal if number in position),
    )
