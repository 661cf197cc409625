"""A net as it is exported, run by torch itself, answers and is scored as its run."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import SettingsError
from resvision.export.bundles import write_bundle
from resvision.inference.evaluate import evaluate, open_images
from resvision.inference.load import Trained, load
from resvision.kinds.exported_kind import AS_EXPORTED
from resvision.kinds.graph import PIXELS
from resvision.kinds.segmentation.scores import SegmentationScores
from resvision.launch import Finished
from resvision.prediction.agreement import agreement
from resvision.prediction.exams import examined
from resvision.prediction.predictions import results_of, seen_sample
from resvision.runtime.bundle import open_bundle
from resvision.runtime.engines import EngineName, EngineSettings
from resvision.tasks.exported_nets import ExportedNet
from tests.cli.test_without_torch import VERBS, without_torch


class ByTorch:
    """An exported net as a graph, run by torch."""

    def __init__(self, net: ExportedNet) -> None:
        self._net = net
        self.inputs = {
            name: tuple(
                None if net.sides and name == PIXELS and axis < 2 else side
                for axis, side in enumerate(example.shape[1:])
            )
            for name, example in net.inputs.items()
        }

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The outputs, as many views at a time as the net takes."""
        count = len(next(iter(feed.values())))
        size = self._net.batch or count
        parts = []
        for first in range(0, count, size):
            with torch.no_grad():
                said = self._net.module(*(torch.from_numpy(feed[name][first : first + size]) for name in self.inputs))
            parts.append(said if isinstance(said, tuple) else (said,))
        values = (torch.cat(members).numpy() for members in zip(*parts, strict=True))
        return dict(zip(self._net.outputs, values, strict=True))


@pytest.fixture(scope="module", params=["finished", "segmented", "detected", "forecast"])
def run(request: pytest.FixtureRequest) -> Trained:
    """A run of each task."""
    finished: Finished = request.getfixturevalue(request.param)
    return load(finished.folder)


def equal(one: Any, other: Any) -> None:
    """Hold two raw results against each other, arrays or tuples of them."""
    if isinstance(one, tuple):
        for mine, theirs in zip(one, other, strict=True):
            equal(mine, theirs)
    else:
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_its_answers_are_the_raw_results_of_the_run(run: Trained) -> None:
    reader = open_images(run).reader
    seen = [seen_sample(run, reader[index], name=reader.source(index), grey=True) for index in range(3)]
    net = run.task.exported(run)
    for one in seen:
        (answer,) = run.kind.answers(ByTorch(net), [one], net.options)
        (expected,) = run.raw([one])
        equal(run.kind.chosen(answer, net.options, AS_EXPORTED, classes=run.classes), expected)


def test_an_exam_of_the_run_gives_the_scores_of_its_evaluation(run: Trained) -> None:
    found = examined(run, open_images(run).reader)
    figures = found.figures()
    if isinstance(found, SegmentationScores):  # label maps have no loss
        figures.pop("loss")
    expected = {name: value for name, value in evaluate(run).figures().items() if name in figures}
    assert figures == pytest.approx(expected, abs=1e-4, nan_ok=True)


def test_its_bundle_says_what_the_run_says_and_answers_where_torch_is_blocked(run: Trained, tmp_path: Path) -> None:
    bundle = write_bundle(run, tmp_path / "bundle", reader=None, settings=EngineSettings(precision="fp32", threads=1))
    reader = open_images(run).reader
    assert agreement(run, bundle, reader, most=20).share > 0.98
    words = ["evaluate", bundle.title, "--json"]  # files of this task hold many samples, which are not at hand here
    if run.kind.samples() is None:
        picture = tmp_path / "picture.png"
        Image.fromarray(reader[0].image.squeeze()).save(picture)
        words = ["predict", bundle.title, str(picture), "--json"]
    ((code, out),) = without_torch(VERBS, json.dumps([words]), cache=tmp_path)
    assert code == 0, out
    document = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    if run.kind.samples() is None:
        assert document.keys() == results_of(bundle, reader[0].image, grey=True)[0].to_json().keys()
    else:
        assert document["model"] == run.name


def test_a_detector_that_searches_for_regions_is_not_exported(
    detected: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load(detected.folder)
    monkeypatch.setattr("resvision.detection.task.RegionDetector", type(run.system))
    with pytest.raises(SettingsError, match="regions that are searched for"):
        run.task.exported(run)


def test_whole_images_keep_their_score_and_windows_say_so(
    segmented: Finished, tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    code, out, err = cli("export", segmented.folder, "--out", whole)
    assert (code, err) == (0, "")
    assert "windows" not in out
    run = load(segmented.folder)
    found = examined(open_bundle(whole), open_images(run).reader).figures()["mean_iou"]
    assert found == pytest.approx(evaluate(run).figures()["mean_iou"], abs=0.002)
    code, out, err = cli("export", segmented.folder, "--out", cut, "--size", "32", "--bound", "1")
    assert (code, err) == (0, "")
    assert "by the graph in windows of 32 px" in out


def test_a_run_with_steps_to_go_says_so(
    finished: Finished, tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    file = folder / "run.json"
    document = json.loads(file.read_text())
    document["training"]["duration"] = "1000 steps"
    file.write_text(json.dumps(document))
    code, _, err = cli("export", folder, "--out", tmp_path / "bundle", "--no-check")
    assert (code, "of 1,000 steps; the weights of step-" in err) == (0, True), err


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_graph_of_any_size_labels_images_of_any_size_as_the_run_does(
    segmented: Finished, tmp_path: Path, engine: EngineName
) -> None:
    run = load(segmented.folder)
    settings = EngineSettings(engine=engine, precision="fp32", threads=1)
    bundle = write_bundle(run, tmp_path / "bundle", reader=None, settings=settings)
    noise = np.random.default_rng(0)
    for sides in ((40, 48), (33, 71), (90, 51)):
        image = Image.fromarray(noise.integers(0, 256, (*sides, 3), dtype=np.uint8))
        (expected,), (found,) = results_of(run, image), results_of(bundle, image)
        assert found.labels.shape == sides
        assert (found.labels == expected.labels).mean() > 0.995
