"""NGSIM: recorded traffic on the motorway US 101 and on Lankershim Boulevard, as scenarios of CommonRoad.

U.S. Department of Transportation, Next Generation Simulation, https://ops.fhwa.dot.gov/trafficanalysistools/ngsim.htm;
converted by CommonRoad (https://commonroad.in.tum.de). 86 scenarios of US 101 state 29 recordings, and 17 of Lankershim
one. Many of the 29 show the same cars at the same time: they fall into 14 groups without a common car, and splits
divide these.
"""

from pathlib import Path

from resvision.core.errors import DataError
from resvision.data.faults import Fault
from resvision.data.places import Place, at, folder_entries
from resvision.data.roots import default_root
from resvision.data.splits import Splits
from resvision.data.tracks.commonroad import read_scenario
from resvision.data.tracks.headings import steadied
from resvision.data.tracks.reader import TrackReader
from resvision.data.tracks.recorded import scene_of
from resvision.data.tracks.scan import TrackScan, open_scan
from resvision.data.tracks.shared_cars import joined_recordings

PLACES = ("ngsim", "ngsim.tar.xz")
TEST = {f"USA_US101-{number}" for number in (12, 17, 21, 22)}
VALIDATION = {f"USA_US101-{number}" for number in (2, 4, 18, 27)}
"""Whole groups: a quarter of the windows of US 101 and a seventh, about as hard as the rest for constant velocity."""


def open_splits(root: Path | None = None) -> Splits:
    """Open the set's splits. Raises DataError where it is missing or at fault."""
    return open_scan(scan(root), name="ngsim")


def scan(root: Path | None = None) -> TrackScan:
    """Scan the set for splits and faults. Raises DataError where it is missing."""
    location = find(root)
    if location is None:
        raise DataError(
            f"ngsim: neither of {', '.join(PLACES)} in {root or default_root()}; `--root FOLDER` names the folder"
        )
    folder, faults = at(location), list[Fault]()
    scenes = [scene_of(read_scenario(place), faults) for place in _files(folder)]
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for number, scene in enumerate(scenes):
        part = "test" if scene.recording in TEST else "val" if scene.recording in VALIDATION else "train"
        parts[part].append(number)
    joined = joined_recordings([steadied(scene) for scene in scenes])
    train, validation, test = (
        TrackReader(name="ngsim", split=split, scenes=tuple(joined[number] for number in numbers))
        for split, numbers in parts.items()
    )
    return TrackScan(folder, train, test, validation, _RULE, faults, [_NOTE])


def find(root: Path | None) -> Path | None:
    """The folder or the archive in `root` or the data root."""
    base = root or default_root()
    return next((base / name for name in PLACES if (base / name).exists()), None)


def _files(folder: Place) -> list[Place]:
    if isinstance(folder, Path):
        names = sorted(name for name, is_folder in folder_entries(folder) if not is_folder)
    else:
        names = sorted(name for name, is_folder in folder.archive.names(folder.inside) if not is_folder)
    return [folder / name for name in names if name.endswith(".xml")]


_RULE = "by recording"
_NOTE = "Lankershim has tracks of 56 frames at most, so that windows of more than 5.5 s come from US 101 alone"
