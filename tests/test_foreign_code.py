"""Settings that come from elsewhere name code: nothing is imported before a person allows it."""

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import ResVisionError, RunError
from resvision.core.files import SETTINGS
from resvision.core.settings import leaves, to_json
from resvision.fits import features, proposals, regions
from resvision.launch import Finished, require_same
from resvision.phases import resume_phases
from resvision.recipes import compose
from resvision.report.read import read_record
from resvision.run import code_in_run, read_run, run_from_json
from resvision.training_graph import FITS, FitInputs, FitPhase, Fitted, RunPhase, graph_from_json, graph_to_json

WITHOUT_CODE = {"recipe", "model.init_from", "model.init_except", "model.encoder_from", "data.root", "data.classes"}
WITHOUT_CODE |= {"data.split_rule", "data.fingerprint", "data.columns", "data.allow"}
WITHOUT_CODE |= {"data.proposals", "data.proposals_sum"}

REFERENCES = ("torch.hub:load", "resvision.core.references:find", "resvision.cli.main:main")


def with_value(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    key, _, rest = path.partition(".")
    return {**data, key: with_value(data[key], rest, value) if rest else value}


@pytest.mark.parametrize("code", REFERENCES)
def test_code_under_every_leaf_of_a_run_is_refused(code: str, finished: Finished) -> None:
    written = to_json(finished.run)
    paths = [*dict(leaves(written)), "model.options.backbone", "loss.weights", "loss.a list", "model.options.deep"]
    for path in set(paths) - WITHOUT_CODE:
        value = {"loss.a list": [1, [code]], "model.options.deep": {"er": {"still": code}}}.get(path, code)
        with pytest.raises(RunError, match=f"would import {code}; if you trust it, say --allow-code"):
            run_from_json(with_value(written, path, value))


def test_names_that_are_never_looked_up_may_look_like_code(finished: Finished) -> None:
    written = to_json(finished.run)
    for path, value in {
        "recipe": "own:recipe",
        "data.root": "disk:photos",
        "data.classes": ["animal:cat", *written["data"]["classes"][1:]],
        "model.init_from": "torchvision:ResNet18_Weights",
    }.items():
        assert run_from_json(with_value(written, path, value))


@pytest.mark.parametrize("code", REFERENCES)
def test_phases_that_have_no_run_yet_are_launched_without_code_only(code: str, tmp_path: Path) -> None:
    run = compose("resnet20", "digits", changes={"model.options.width": 4, "training.duration": "1 steps"})
    graph = graph_to_json([RunPhase(name="net", run=run), FitPhase(name="svm", fit=FITS[0], parents={"net": "net"})])
    net, svm = graph["phases"]
    for phases in (
        [with_value(net, "run.model.options", {"backbone": code}), svm],
        [with_value(net, "run.augment.policy", code), svm],
        [net, {**svm, "fit": code}],
        [net, {**svm, "options": {"cost": code}}],
        [net, {**svm, "data": {"name": code}}],
    ):
        (tmp_path / rundir.PHASES).write_text(json.dumps({**graph, "phases": phases}))
        with pytest.raises(RunError, match=f"phases.json: would import {code}; if you trust it"):
            resume_phases(tmp_path, console=Console(quiet=True))
        assert [entry.name for entry in tmp_path.iterdir()] == [rundir.PHASES]
    assert graph_from_json(graph)


def test_the_fits_that_need_no_allowance_are_those_of_this_package() -> None:
    public = [
        value
        for module in (features, proposals, regions)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and name[0] != "_"
    ]
    of_fits = [
        function for function in public if set(inspect.get_annotations(function).values()) == {FitInputs, Fitted}
    ]
    assert {f"{function.__module__}:{function.__name__}" for function in of_fits} == set(FITS)


def test_fits_of_earlier_phases_are_found_where_they_have_moved_to(finished: Finished) -> None:
    fit = FitPhase(name="svm", fit="resvision.fits.features:linear_svm", parents={"net": "net"})
    graph = graph_to_json([RunPhase(name="net", run=finished.run), fit])
    graph["phases"][1]["fit"] = "resvision.feature_fits:linear_svm"
    assert graph_from_json(graph)[1] == fit


def test_a_run_with_other_code_than_what_was_asked_for_is_refused(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    written = json.loads((folder / rundir.RUN).read_text())
    (folder / rundir.RUN).write_text(json.dumps(with_value(written, "model.task", "torch.hub:load")))
    with pytest.raises(RunError, match=r"run\.json: would import torch.hub:load"):
        require_same(folder, finished.run)
    with pytest.raises(RunError, match=r"run\.json: would import torch.hub:load"):
        read_run(folder)


def test_code_in_damaged_settings_of_any_depth_is_found_or_they_are_refused() -> None:
    deep: Any = "own:net"
    for _ in range(100_000):
        deep = [deep]
    assert code_in_run({"model": deep}) == ["own:net"]
    with pytest.raises(ResVisionError):
        run_from_json({"model": [{"name": "own:net"}]})


def test_settings_above_their_limit_are_refused_before_they_are_walked(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    (folder / "run.json").write_bytes(b"[" + b"1," * (SETTINGS // 2) + b"1]")
    for read in (read_run, read_record):
        with pytest.raises(RunError, match=r"run.json: cannot be read: more than 16 MB"):
            read(folder)
