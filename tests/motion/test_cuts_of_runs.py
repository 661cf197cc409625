"""What a run keeps of the cuts of its recordings: it is gone on with, scored and reported on by the same ones."""

from pathlib import Path

import pytest

from resvision import evaluate
from resvision.core.errors import SettingsError
from resvision.launch import Finished, train
from resvision.report.read import read_record
from tests.data.tracks.written import csv, driven

FIVE = {str(scene): {"a": driven(2 * scene), "b": driven(2 * scene + 1, y=4.0)} for scene in range(5)}
ASKED = {"data.frame_seconds": 0.1, "data.history_seconds": 1.0, "data.horizon_seconds": 2.0, "data.image_size": 32}
ASKED |= {"training.batch_size": 16, "machine.precision": "fp32", "machine.threads": 1, "machine.workers": 0}
TIMED = "scene,track,frame,x,y,heading,length,width,timestamp"


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A net without a picture, after an epoch of a table that does not say how far apart its frames are."""
    folder = tmp_path_factory.mktemp("runs")
    data = csv(folder / "tracks.csv", FIVE)
    return train("vector", str(data), epochs=1, settings=ASKED, out=folder / "forecast", quiet=True)


def test_a_run_keeps_what_was_asked_and_what_was_left_open(forecast: Finished) -> None:
    record = read_record(forecast.folder)
    timing, drawing = record.cutting["timing"], record.cutting["drawing"]
    assert timing == (0.1, 1.0, 2.0, 0.1, 0.5)
    assert drawing.drawn_past == "fading"
    assert drawing.metres_per_px == pytest.approx(112 / 32)  # the usual stretch of the world on fewer pixels


def test_a_run_is_scored_on_its_own_and_on_other_recordings_by_its_cuts(forecast: Finished, tmp_path: Path) -> None:
    own = evaluate(forecast.folder)
    other = csv(tmp_path / "other.csv", {"9": {"a": driven(99)}}, header=TIMED, also=",{frame:.1f}")
    table = other.read_text().splitlines()
    rows = [f"{row.rpartition(',')[0]},{float(row.rpartition(',')[2]) / 10}" for row in table[1:]]
    other.write_text("\n".join([TIMED, *rows]))
    assert own.images == 12  # two cars of 60 frames: windows of 31 frames, five apart
    assert evaluate(forecast.folder, other).images == 6


def test_recordings_of_another_time_step_are_refused(forecast: Finished, tmp_path: Path) -> None:
    slow = csv(tmp_path / "slow.csv", {"9": {"a": driven(99)}}, header=TIMED, also=",{frame}.0")
    with pytest.raises(SettingsError, match=r"0.1, but the files of .*slow.csv have frames 1 s apart"):
        evaluate(forecast.folder, slow)
