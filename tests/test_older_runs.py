"""Runs that earlier versions wrote are read: their settings mean what they meant."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resvision.assembly import build_net
from resvision.core.errors import RunError, SettingsError
from resvision.core.settings import from_json, to_json
from resvision.core.views import CentreCrop, Stretch, View, Whole
from resvision.loading.augment import ImageAugment, MaskAugment
from resvision.older_runs import view_of_preprocess
from resvision.run import DataSettings, is_resolved, run_from_json
from resvision.training_graph import RunPhase, graph_from_json

OLDER = Path(__file__).parent / "older"
NORMALIZED: dict[str, Any] = {"channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}


def older(name: str) -> Any:
    return json.loads((OLDER / name).read_text())


def test_a_run_with_preprocessing_and_one_augmentation_for_all_becomes_one_with_a_view_and_its_task_s() -> None:
    written = older("segmentation_run.json")
    run = run_from_json(written)
    assert is_resolved(run)
    assert isinstance(run.data.view, Whole)
    assert run.data.view.mean == tuple(written["data"]["preprocess"]["mean"])
    assert isinstance(run.augment, MaskAugment)
    assert run.augment.crop_px == run.data.image_size == written["data"]["preprocess"]["crop_px"]
    assert run.augment.scale_range == tuple(written["augment"]["scale_range"])
    assert run_from_json(to_json(run)) == run


@pytest.mark.parametrize(
    ("resize", "view"),
    [
        ("stretch", Stretch(**NORMALIZED, resize_px=64, crop_px=56)),
        ("shorter-side", CentreCrop(**NORMALIZED, resize_px=64, crop_px=56)),
        ("none", Whole(**NORMALIZED)),
    ],
)
def test_what_runs_kept_before_there_were_views_becomes_one(resize: str, view: View) -> None:
    before = {"resize": resize, "resize_px": 64, "crop_px": 56, "interpolation": "bilinear"}
    data = view_of_preprocess({**before, "channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3})
    assert from_json(DataSettings, {**to_json(DataSettings(name="own")), "view": data}).view == view


def test_the_first_run_keeps_its_square_view() -> None:
    written = older("first_run.json")
    run = run_from_json(written)
    assert isinstance(run.augment, ImageAugment)
    assert run.data.view is not None
    assert run.data.view.side_px == written["data"]["preprocess"]["crop_px"]


def test_a_list_of_phases_is_a_chain_of_runs() -> None:
    phases = graph_from_json(older("phases.json"))
    assert [phase.name for phase in phases] == ["1-fcn32s", "2-fcn16s", "3-fcn8s"]
    assert all(isinstance(phase, RunPhase) and isinstance(phase.run.augment, MaskAugment) for phase in phases)


def test_an_older_run_computes_as_on_matrix_units_and_one_that_has_not_begun_asks_the_cpu() -> None:
    assert run_from_json(older("segmentation_run.json")).machine.matrix_units is True
    phases = graph_from_json(older("phases.json"))
    assert {phase.run.machine.matrix_units for phase in phases if isinstance(phase, RunPhase)} == {None}


def test_an_older_net_keeps_the_rates_of_its_first_blocks_and_a_new_one_has_those_of_the_paper() -> None:
    written = older("segmentation_run.json")
    run = run_from_json(written)
    assert run.model.options == {**written["model"]["options"], "first_blocks": "former"}
    assert build_net(run).backbone.layer4[0].conv1.dilation == (1, 1)
    assert run_from_json(to_json(run)) == run
    options = dict(written["model"]["options"])
    new = replace(run, model=replace(run.model, options=options))
    assert run_from_json(to_json(new)).model.options == options
    assert build_net(new).backbone.layer4[0].conv1.dilation == (2, 2)


def test_a_setting_that_no_version_had_is_still_refused() -> None:
    written = older("segmentation_run.json")
    with pytest.raises(SettingsError, match=r"unknown key 'augment.colour'"):
        run_from_json({**written, "augment": {**written["augment"], "colour": 1}})


def test_code_in_older_runs_is_not_imported_unasked() -> None:
    written = older("segmentation_run.json")
    with pytest.raises(RunError, match="would import own:net"):
        run_from_json({**written, "model": {**written["model"], "name": "own:net"}})
    with pytest.raises(RunError, match="would import own:TASK"):
        run_from_json({**written, "model": {**written["model"], "task": "own:TASK"}})
    with pytest.raises(RunError, match="would import own:net"):
        graph_from_json([{**run, "model": {**run["model"], "name": "own:net"}} for run in older("phases.json")])
