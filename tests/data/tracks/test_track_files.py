"""Files of tracks in predictions: windows by name, in the world's frame, cut and seen as those of training."""

from pathlib import Path

import numpy as np
import pytest
import torch

import resvision
from resvision.core.errors import DataError, SettingsError
from resvision.data.tracks.track_files import TRACKS, TrackFile
from resvision.geometry.frames import agent_from_world
from resvision.inference.load import Trained
from resvision.kinds.motion.kind import KIND
from resvision.kinds.motion.placement import WindowGeometry
from resvision.kinds.motion.rasters import drawn
from resvision.kinds.motion.results import Motion, RawTrajectories
from resvision.prediction.image_files import ImageFiles
from resvision.prediction.predictions import result_of
from resvision.tasks import SampleFile

FRAMES = 14
HEADER = "scene,track,frame,x,y,heading,length,width"


def tracks(file: Path, *, offset: float = 0.0, turn: float = 0.0, seconds: float | None = None) -> Path:
    """Two cars on arcs, one of which leaves early, in a world that is shifted and turned."""
    times = "" if seconds is None else ",timestamp"
    rows = [HEADER + times]
    for car, (speed, rate, frames) in {"fast": (12.0, 0.2, FRAMES), "short": (6.0, -0.1, 5)}.items():
        heading, place = 0.3 * len(car), np.array([5.0 * len(car), 2.0])
        for frame in range(frames):
            x, y = np.array([offset, -offset]) + turned(place, turn)
            stamp = "" if seconds is None else f",{frame * seconds:.3f}"
            rows.append(f"{file.stem},{car},{frame},{x:.6f},{y:.6f},{heading + turn:.6f},4.5,1.8{stamp}")
            place = place + 0.25 * speed * np.array([np.cos(heading), np.sin(heading)])
            heading += 0.25 * rate
    file.write_text("\n".join(rows) + "\n")
    return file


def turned(place: np.ndarray, angle: float) -> np.ndarray:
    return np.array(
        [np.cos(angle) * place[0] - np.sin(angle) * place[1], np.sin(angle) * place[0] + np.cos(angle) * place[1]]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings, whose cars have names of their own."""
    place = tmp_path_factory.mktemp("tracks")
    for number in range(3):
        file = tracks(place / f"road{number}.csv", offset=30.0 * number, turn=number)
        file.write_text(file.read_text().replace("fast", f"fast{number}").replace("short", f"short{number}"))
    return place


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A narrow net, trained for one step in fp32."""
    settings = {
        "data.frame_seconds": 0.25, "data.history_seconds": 1.0, "data.horizon_seconds": 1.5,
        "data.start_seconds": 0.25, "data.image_size": 32, "data.drawn_seconds": 0.5,
        "model.options.backbone": "resnet20", "model.options.width": 4, "model.options.hidden": 8,
        "training.duration": "1 steps", "training.batch_size": 4,
        "machine.precision": "fp32", "machine.threads": 1, "machine.workers": 0,
    }  # fmt: skip
    out = tmp_path_factory.mktemp("runs") / "run"
    return resvision.load(resvision.train("mtp", folder, settings=settings, out=out, quiet=True).folder)


def test_a_file_shows_the_vehicles_that_are_seen_throughout_up_to_its_last_frame(
    trained: Trained, tmp_path: Path
) -> None:
    (motion,) = resvision.predict(trained, tracks(tmp_path / "new.csv"))
    assert (motion.vehicle, motion.frame, motion.source) == ("fast", FRAMES - 1, str(tmp_path / "new.csv"))
    np.testing.assert_allclose(motion.times, 0.25 * np.arange(1, 7))
    assert motion.positions.shape == (3, 6, 2)
    assert motion.probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert (np.diff(motion.probabilities) <= 0).all()


def test_any_vehicle_at_any_frame_is_asked_for_by_name(trained: Trained, tmp_path: Path) -> None:
    file = tracks(tmp_path / "new.csv")
    asked = resvision.predict(trained, file, only=["*:fast@6", "*:short@*"])
    names = [(motion.vehicle, motion.frame) for motion in asked]
    assert names == [("fast", 6), *[("short", frame) for frame in range(5)]]
    assert all(np.isfinite(motion.positions).all() for motion in asked)  # also where nothing earlier was seen
    with pytest.raises(DataError, match="no sample of these files has this name; names are such as"):
        resvision.predict(trained, file, only="*:fast@99")


def test_predictions_turn_and_shift_with_the_world(trained: Trained, tmp_path: Path, float64: None) -> None:
    trained.system.double()
    (here,) = resvision.predict(trained, tracks(tmp_path / "here.csv"), only="*:fast@8")
    (there,) = resvision.predict(trained, tracks(tmp_path / "there.csv", offset=7.0, turn=np.pi / 2), only="*:fast@8")
    trained.system.float()
    turned_here = np.array([7.0, -7.0]) + np.apply_along_axis(turned, -1, here.positions, np.pi / 2)
    np.testing.assert_allclose(there.positions, turned_here, atol=0.05)  # files have six decimals, rasters eight bits


def test_decoding_brings_the_agents_frame_into_the_worlds(trained: Trained, tmp_path: Path) -> None:
    file = TRACKS.opened(trained, tracks(tmp_path / "new.csv"))
    seen = file.seen(next(name for name in file.names if name.endswith("fast@8")))
    assert isinstance(seen.geometry, WindowGeometry)
    raw = RawTrajectories(np.random.default_rng(0).normal(size=(3, 6, 2)), np.array([0.2, 0.5, 0.3]))
    motion = KIND.decode(raw, seen.geometry, source="", classes=())
    back = agent_from_world(motion.positions, seen.geometry.window.pose())
    np.testing.assert_allclose(back, raw.positions[[1, 2, 0]], atol=1e-9)


def test_a_window_of_a_file_is_seen_as_that_of_the_data_set(trained: Trained, folder: Path) -> None:
    from resvision.inference.evaluate import open_images

    reader = open_images(trained, None).reader
    sample = reader[0]
    window = sample.target
    name = f"{window.scene.name}:{window.scene.vehicles[window.vehicle]}@{window.frame}"
    (of_file,) = resvision.predict(trained, Path(window.scene.source), only=name)
    of_set = result_of(trained, sample, name="")
    assert isinstance(of_set, Motion)
    np.testing.assert_allclose(of_file.positions, of_set.positions, atol=1e-4)
    assert window.span.history == 4
    assert trained.view.history == 2  # half a second is drawn of the second that is seen
    file = TrackFile(trained, Path(window.scene.source))
    np.testing.assert_array_equal(file.seen(name).pixels, drawn([window], trained.view)[0].transpose(1, 2, 0))


def test_points_of_the_raster_lie_where_the_picture_for_people_shows_them(trained: Trained, tmp_path: Path) -> None:
    file = TrackFile(trained, tracks(tmp_path / "new.csv"))
    seen = file.seen(next(name for name in file.names if name.endswith("fast@8")))
    side, ahead = trained.view.size_px, trained.view.ahead
    (place,) = seen.geometry.points_to_image(np.array([[side / 2, ahead * side]]))
    column, row = place.astype(int)
    assert seen.image[row - 2, column].tolist()[0] > 200  # the target is red there


def test_frames_that_lie_otherwise_apart_are_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"frames are 0\.1 s apart, and .* was trained on 0\.25 s"):
        resvision.predict(trained, tracks(tmp_path / "fine.csv", seconds=0.1))


def test_files_without_tracks_are_refused_and_maps_beside_tracks_are_none(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<html/>")
    with pytest.raises(DataError, match=r"a\.xml: holds no tracks"):
        resvision.predict(trained, tmp_path / "a.xml")
    (tmp_path / "a.xml").unlink()
    tracks(tmp_path / "road.csv")
    (tmp_path / "road_lanes.csv").write_text("lane,side,x,y\n1,left,0,0\n1,left,9,0\n1,right,0,-3\n1,right,9,-3\n")
    assert [motion.vehicle for motion in resvision.predict(trained, tmp_path)] == ["fast"]
    beside: SampleFile = TRACKS.opened(trained, tmp_path / "road_lanes.csv")
    assert not beside.names


def test_a_picture_of_each_window_is_written(trained: Trained, tmp_path: Path) -> None:
    from PIL import Image

    (motion,) = resvision.predict(trained, tracks(tmp_path / "new.csv"))
    (content,) = KIND.contents(motion, np.zeros((4, 4, 3), dtype=np.uint8))
    (tmp_path / "a.png").write_bytes(content)
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 400
    assert KIND.files(Path("in/road:fast@3.csv"), Path("out")) == (Path("out/road:fast@3.png"),)


def test_the_explained_score_is_that_of_the_most_probable_trajectory(trained: Trained, tmp_path: Path) -> None:
    file = tracks(tmp_path / "new.csv")
    for method in ("gradcam", "occlusion"):
        (explanation,) = resvision.explain(trained, file, method=method)
        (heat,) = explanation.heats
        assert heat.share == pytest.approx(resvision.predict(trained, file)[0].probabilities[0], abs=1e-4)
        assert heat.values.shape == (32, 32)
    with pytest.raises(SettingsError, match="have no classes"):
        resvision.explain(trained, file, classes=["car"])
    with pytest.raises(SettingsError, match="a forecast has neither"):
        resvision.explain(trained, file, point=(3, 3))


def test_hidden_parts_of_a_raster_change_no_more_than_the_raster(trained: Trained, tmp_path: Path) -> None:
    """The net that is explained gives, for the raster as it is, what the system predicts."""
    from resvision.motion.explaining import best_trajectory
    from resvision.tasks import Question

    file = TrackFile(trained, tracks(tmp_path / "new.csv"))
    seen = file.seen(file.usual[0])
    score = best_trajectory(trained, trained.system, seen, seen.geometry.window, Question())
    with torch.no_grad():
        output = score.net(score.images.repeat(3, 1, 1, 1))
    (raw,) = trained.task.raw(trained, [seen])
    np.testing.assert_allclose(output[2, :-2].softmax(dim=0), raw.probabilities, atol=1e-5)
    np.testing.assert_allclose(output[1, -2:], raw.positions[raw.probabilities.argmax(), -1], atol=1e-4)


def test_a_map_beside_scenarios_is_a_file_without_windows_and_not_left_out(tmp_path: Path) -> None:
    for name in ("scenario_s.parquet", "log_map_archive_s.json"):
        (tmp_path / name).touch()
    files = ImageFiles.of([tmp_path], endings=KIND.file_endings)

    assert files.notes == []
    assert [file.name for file in files] == ["log_map_archive_s.json", "scenario_s.parquet"]
