"""NGSIM: recorded traffic on the motorway US 101 and on Lankershim Boulevard, as scenarios of CommonRoad.

U.S. Department of Transportation, Next Generation Simulation, https://ops.fhwa.dot.gov/trafficanalysistools/ngsim.htm;
converted by CommonRoad (https://commonroad.in.tum.de). 86 scenarios of US 101 state 29 recordings, and 17 of Lankershim
one. Many of the 29 show the same cars at the same time: they fall into 13 groups without a common car, and splits
divide these.
"""

from collections.abc import Sequence
from pathlib import Path

from resvision.core.errors import DataError
from resvision.data.fault_kinds import Ledger
from resvision.data.places import at
from resvision.data.roots import default_root
from resvision.data.splits import Splits
from resvision.data.tracks import layout
from resvision.data.tracks.scan import HARMLESS, TrackScan, opened

PLACES = ("ngsim", "ngsim.tar.xz")
TEST = {f"USA_US101-{number}" for number in (12, 17, 21, 22)}
VALIDATION = {f"USA_US101-{number}" for number in (2, 4, 18, 27)}
"""Whole groups: a quarter of the windows of US 101 and a seventh, about as hard as the rest for constant velocity."""
KNOWN = (*HARMLESS, "jumps")
"""Kinds of faults that the published files have: five cars jump, in several scenarios each."""

_RULE = (
    "by recording, where recordings that show the same cars go together: test is US 101 12, 17, 21 and 22, val 2, 4,"
    " 18 and 27; val judges on the way, test the result"
)
_NOTE = "no track of Lankershim has more than 56 frames, so windows of more than 5.5 s are of US 101 alone"


def open_splits(root: Path | None = None, *, allow: Sequence[str] = ()) -> Splits:
    """Open the set's splits. Raises DataError where it is missing or at fault."""
    return opened(scan(root, allow=(*KNOWN, *allow)), name="ngsim")


def scan(root: Path | None = None, *, allow: Sequence[str] = ()) -> TrackScan:
    """Scan the set for splits and all faults. Raises DataError where it is missing."""
    location = find(root)
    if location is None:
        raise DataError(
            f"ngsim: neither of {', '.join(PLACES)} in {root or default_root()}; `--root FOLDER` names the folder"
        )
    gathered = layout.gathered(at(location), (), Ledger(allow))
    (scenes,) = gathered.splits.values()
    gathered.splits = {
        "train": [scene for scene in scenes if scene.recording not in TEST | VALIDATION],
        "test": [scene for scene in scenes if scene.recording in TEST],
        "val": [scene for scene in scenes if scene.recording in VALIDATION],
    }
    gathered.shown, gathered.rule = "ngsim", _RULE
    gathered.notes.append(_NOTE)
    return gathered.scan()


def find(root: Path | None) -> Path | None:
    """The folder or the archive in `root` or the data root."""
    base = root or default_root()
    return next((base / name for name in PLACES if (base / name).exists()), None)
