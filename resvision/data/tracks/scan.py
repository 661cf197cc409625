"""Recorded traffic by its files: scenes, splits by recording, and what is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from resvision.core.draws import shuffled
from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.core.plurals import counted
from resvision.core.samples import Reader
from resvision.data.faults import Fault, fault, summary
from resvision.data.layouts import Scan
from resvision.data.places import Place
from resvision.data.splits import Splits
from resvision.data.tracks.reader import TrackReader
from resvision.kinds.motion.scenes import Scene


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

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """An empty text: all faults are known by now, so there is nothing to keep."""
        return ""

    def look(self, reader: Reader[Any], index: int, faults: list[Fault]) -> Pixels | None:
        """None: windows have no pixels of their own, and their tracks are known."""
        return None


def open_scan(scan: TrackScan, *, name: str | None = None) -> Splits:
    """The splits of a scan. Raises one DataError for all its faults."""
    if scan.faults:
        raise DataError(summary(scan.folder, scan.faults, name=name))
    return scan.splits


def parted(scenes: Sequence[Scene], folder: Place, faults: list[Fault]) -> dict[str, list[Scene]]:
    """The scenes of a set that has no splits: a fifth of the recordings, at least one, is val.

    Recordings are shuffled with seed 0. One recording alone adds to `faults`.
    """
    recordings = sorted({scene.recording for scene in scenes})
    if len(recordings) < 2:
        faults.append(fault(folder, f"{counted(len(recordings), 'recording')}; two are needed to split one off"))
    order = shuffled(len(recordings), seed=0)
    held_out = {recordings[number] for number in order[: max(1, len(recordings) // 5)]}
    return {
        "train": [scene for scene in scenes if scene.recording not in held_out],
        "val": [scene for scene in scenes if scene.recording in held_out],
    }
