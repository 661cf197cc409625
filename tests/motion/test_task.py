"""The task: what trains, evaluates and predicts says the same of the same windows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from motion.traffic import SPAN, Windows, scene, splits, view

import resvision
from resvision.core.errors import DataError, SettingsError
from resvision.core.samples import Reader
from resvision.core.views import Raster, Stretch
from resvision.inference.load import Trained, load
from resvision.kinds.motion.placement import WindowGeometry
from resvision.kinds.motion.rasters import drawn
from resvision.kinds.motion.windows import Window
from resvision.launch import Finished
from resvision.motion.batches import Undrawn
from resvision.motion.task import TASK
from resvision.tasks import Seen

DATA = "motion.traffic:splits"
TINY = {
    "model.options.backbone": "resnet20",
    "model.options.width": 4,
    "model.options.hidden": 16,
    "machine.precision": "fp32",
    "machine.threads": 1,
    "machine.workers": 0,
}


def trained(out: Path, model: str, epochs: int = 2, **settings: Any) -> Finished:
    return resvision.train(model, DATA, epochs=epochs, batch_size=16, settings=settings, out=out, quiet=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return trained(tmp_path_factory.mktemp("runs") / "mtp", "mtp", **TINY)


@pytest.fixture(scope="module")
def model(finished: Finished) -> Trained:
    return load(finished.folder, allow_code=True)


def test_the_run_says_steps_and_channels_of_the_data_and_no_classes(finished: Finished) -> None:
    options = finished.run.model.options
    assert (options["steps"], options["in_channels"]) == (SPAN.steps, 3)
    assert finished.run.model.num_classes is None
    assert finished.run.data.classes == ()
    assert options["reference"] == "constant-velocity"


def test_an_evaluation_gives_the_scores_of_the_run(finished: Finished, model: Trained) -> None:
    again = resvision.evaluate(model, DATA)
    assert again.figures() == pytest.approx(finished.scores.figures(), rel=1e-5)
    assert finished.scores.windows == len(splits(None).test)


def seen_of(reader: Reader[Window], index: int) -> Seen:
    window = reader.target(index)
    assert isinstance(reader.view, Raster)
    pixels = drawn([window], reader.view)[0].transpose(1, 2, 0)
    sides = pixels.shape[0], pixels.shape[1]
    return Seen(pixels, WindowGeometry(sides, sides, window=window), window.name, pixels)


def test_a_prediction_is_that_of_the_evaluation(model: Trained) -> None:
    test = splits(None).test
    batch = TASK.exam_batches(test, batch_size=6, rank=0, world=1)[0]
    with torch.no_grad():
        expected = model.system.predict(batch.inputs)
    raw = TASK.raw(model, [seen_of(test, index) for index in range(6)])
    for row, one in enumerate(raw):
        np.testing.assert_allclose(one.positions, expected.positions[row].numpy(), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(one.probabilities, expected.probabilities[row].numpy(), rtol=1e-4, atol=1e-5)


def test_windows_of_other_steps_are_refused(model: Trained) -> None:
    other = splits(None).test
    other.windows = [window._replace(span=window.span._replace(steps=2)) for window in other.windows]
    with pytest.raises(SettingsError, match=r"windows have 2 predicted steps, and mtp gives 4"):
        TASK.evaluate(model, other, resvision.tasks.How())


def test_a_replay_is_a_run_of_no_steps(tmp_path: Path) -> None:
    run = resvision.train("replay", DATA, settings={"machine.threads": 1}, out=tmp_path / "replay", quiet=True)
    figures = run.scores.figures()
    assert figures["min_fde_1"] < figures["constant_velocity_fde"], "cars of constant turns are like others"
    again = resvision.evaluate(load(run.folder, allow_code=True), DATA)
    assert again.figures() == pytest.approx(figures)


def test_a_cover_is_kept_in_the_run_and_said_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {**TINY, "model.options.modes": 5, "loss.epsilon_m": 0.3}
    run = resvision.train("covernet", DATA, epochs=1, batch_size=16, settings=settings, out=tmp_path / "cover")
    assert "5 trajectories lie within 0.3 m of" in capsys.readouterr().err
    net = load(run.folder, allow_code=True).net
    assert int(net.members) == 5
    assert float(net.epsilon_m) == pytest.approx(0.3)
    assert 0 < float(net.covered) <= 1


def test_a_net_without_image_has_no_rasters_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def undrawable(*args: Any) -> None:
        raise AssertionError("a raster was drawn")

    monkeypatch.setattr("resvision.motion.batches.drawn", undrawable)
    settings = {"machine.precision": "fp32", "machine.threads": 1, "machine.workers": 0}
    run = trained(tmp_path / "vector", "vector", **settings)
    assert run.run.model.options["frames"] == SPAN.history + 1
    assert resvision.evaluate(load(run.folder, allow_code=True), DATA).windows == run.scores.windows


def test_the_reader_of_a_net_without_image_is_undrawn_and_of_others_itself(model: Trained) -> None:
    reader = splits(None).train
    assert TASK.supplied(reader, model.net, None) is reader
    vector = resvision.build("vector")
    assert isinstance(TASK.supplied(reader, vector, None), Undrawn)
    with pytest.raises(SettingsError, match=r"data\.proposals"):
        TASK.supplied(reader, vector, "regions.json")


def test_windows_that_end_before_their_future_judge_no_training() -> None:
    reader = Windows([scene()])
    reader.windows = [window._replace(frame=window.scene.frames - 1) for window in reader.windows]
    with pytest.raises(DataError, match="known to its end"):
        TASK.require_judging(reader)


def test_only_rasters_are_views_of_the_task() -> None:
    TASK.require_view(view())
    with pytest.raises(SettingsError, match="stretch shows images, and rasters of recorded tracks are due"):
        TASK.require_view(Stretch(channels=3, resize_px=32, crop_px=32, mean=(0.5,) * 3, std=(0.2,) * 3))
    few, many = (TASK.usual_view((64,), mean=(0.0,) * n, std=(1.0,) * n, input_px=224) for n in (3, 25))
    assert isinstance(few, Raster)
    assert isinstance(many, Raster)
    assert (few.past, few.size_px) == ("fading", 64)
    assert (many.past, many.history) == ("channels", 10)
