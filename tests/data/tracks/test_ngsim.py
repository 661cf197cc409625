"""NGSIM as it is published: what was counted in its files, and a known answer of constant velocity on its windows."""

from pathlib import Path

import numpy as np
import pytest

from resvision.core.errors import DataError
from resvision.core.samples import AS_USUAL, Timing
from resvision.data.fault_kinds import Ledger
from resvision.data.places import at
from resvision.data.roots import default_root
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.data.tracks import layout, ngsim
from resvision.data.tracks.commonroad import recording_of
from resvision.data.tracks.reader import TrackReader
from resvision.kinds.motion.scenes import Scene

REAL = default_root()
here = pytest.mark.skipif(ngsim.find(None) is None, reason=f"no ngsim in {REAL}; $RESVISION_DATA names its folder")


def test_a_set_that_is_missing_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ngsim: neither of ngsim, ngsim.tar.xz in .*; `--root FOLDER` names"):
        open_splits("ngsim", root=tmp_path, task="motion")


@pytest.fixture(scope="module")
def us101() -> list[Scene]:
    """The scenes of US 101 as they are read, before anything is left out."""
    location = ngsim.find(None)
    assert location is not None
    scenes = layout.gathered(at(location), (), Ledger()).splits["train"]
    return [scene for scene in scenes if "US101" in scene.name]


@pytest.fixture(scope="module")
def splits() -> Splits:
    return open_splits("ngsim", task="motion")


@here
def test_files_recordings_and_tracks_are_those_that_were_counted(us101: list[Scene]) -> None:
    lengths = np.concatenate([scene.present.sum(axis=1) for scene in us101])
    assert len(us101) == 86
    assert len({recording_of(scene.name) for scene in us101}) == 29
    assert (len(lengths), int((lengths >= 61).sum()), int((lengths >= 81).sum())) == (2640, 1414, 981)


@here
def test_recordings_that_show_the_same_cars_are_in_one_split(splits: Splits) -> None:
    groups = [{scene.recording for scene in reader.scenes} for reader in splits.readers]  # type: ignore[attr-defined]
    assert [len(group) for group in groups] == [10, 2, 2]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert [len(reader) for reader in splits.readers] == [7442, 2794, 1630]
    assert splits.split_rule.endswith("allowed: 6 vehicles by jumps, 6 vehicles by turning-headings")


@here
@pytest.mark.parametrize(("horizon", "distance", "rmse", "mean"), [(3.0, 2.58, 3.22, 1.12), (5.0, 5.18, 6.38, None)])
def test_constant_velocity_errs_by_as_much_as_is_known(
    us101: list[Scene], horizon: float, distance: float, rmse: float, mean: float | None
) -> None:
    whole = TrackReader(name="US 101", split="all", scenes=tuple(us101))
    reader = whole.recut(Timing(history_seconds=3.0, horizon_seconds=horizon), AS_USUAL)
    ends, means = [], []
    for window in map(reader.target, range(len(reader))):
        future, past = window.future().positions, window.past().positions
        steps = np.arange(1, len(future) + 1)[:, None]
        errors = np.linalg.norm(steps * (past[-1] - past[-6]) / 5 - future, axis=1)
        ends.append(errors[-1])
        means.append(errors.mean())
    assert abs(np.mean(ends) - distance) < 0.01
    assert abs(np.sqrt(np.mean(np.square(ends))) - rmse) < 0.01
    assert mean is None or abs(np.mean(means) - mean) < 0.01
