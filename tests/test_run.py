"""Runs read back from plain data: those of the version before, those that are not resolved yet, and those with code."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support import SEGMENTED

from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.settings import to_json
from resvision.core.views import CentreCrop, Whole
from resvision.loading.augment import ImageAugment, MaskAugment
from resvision.phases import resume_phases
from resvision.recipes import compose
from resvision.run import Run, run_from_json

AUGMENT_BEFORE = {
    "crop": "none", "crop_scale": [0.08, 1.0], "crop_ratio": [0.75, 1.3333333333333333], "scale_range": [0.5, 2.0],
    "shift_px": 0, "elastic_px": 0.0, "fill": "mean", "flip": True, "brightness": 0.0, "policy": "none",
    "policy_magnitude": 9, "policy_ops": 2, "erase": 0.0, "mixup_alpha": 0.0, "cutmix_alpha": 0.0,
}  # fmt: skip
"""Augmentation as all runs had it while it had one type."""


def asked(model: str = "deeplabv3plus") -> Run:
    return compose(model, "nowhere", changes=SEGMENTED if model == "deeplabv3plus" else {})


def before(run: Run, preprocess: dict[str, Any] | None) -> dict[str, Any]:
    """The run in the form of the version before."""
    data = json.loads(json.dumps(to_json(run)))
    data["augment"] = dict(AUGMENT_BEFORE)
    del data["data"]["view"]
    data["data"]["preprocess"] = preprocess
    return data


@pytest.mark.parametrize("model", ["resnet20", "deeplabv3plus"])
def test_a_run_that_is_not_resolved_comes_back_with_the_augmentation_of_its_model(model: str) -> None:
    run = asked(model)
    assert run.model.task is None
    assert run_from_json(json.loads(json.dumps(to_json(run)))) == run


def test_phases_of_the_version_before_that_have_not_begun_are_read() -> None:
    run = run_from_json(before(asked(), None))
    assert run.data.view is None
    assert run.augment == MaskAugment(crop="none", scale_range=(0.5, 2.0), fill="mean", flip=True, crop_px=32)
    images = run_from_json(before(asked("resnet20"), None)).augment
    assert isinstance(images, ImageAugment)
    assert images.flip


def test_what_a_run_showed_of_images_becomes_a_view() -> None:
    shared = {"channels": 1, "resize_px": 40, "crop_px": 32, "interpolation": "bilinear", "mean": [0.5], "std": [0.25]}
    photo = run_from_json(before(asked("resnet20"), {**shared, "resize": "shorter-side"})).data.view
    assert photo == CentreCrop(channels=1, resize_px=40, crop_px=32, mean=(0.5,), std=(0.25,))
    whole = run_from_json(before(asked(), {**shared, "resize": "none"})).data.view
    assert whole == Whole(channels=1, mean=(0.5,), std=(0.25,))


@pytest.mark.parametrize("leaf", ["model.name", "model.task", "model.options.backbone", "data.name"])
@pytest.mark.parametrize("version", ["this", "before"])
def test_code_that_a_run_names_is_not_imported(
    leaf: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = asked()
    data = before(run, None) if version == "before" else json.loads(json.dumps(to_json(run)))
    *groups, key = leaf.split(".")
    place = data
    for group in groups:
        place = place[group]
    place[key] = "imported_by_a_run:TASK"
    (tmp_path / "imported_by_a_run.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="would import imported_by_a_run:TASK; if you trust it, say --allow-code"):
        run_from_json(data)
    (tmp_path / rundir.PHASES).write_text(json.dumps([data]))
    with pytest.raises(RunError, match=r"phases\.json: would import imported_by_a_run:TASK"):
        resume_phases(tmp_path, console=Console(quiet=True))


def test_a_key_that_no_version_knew_is_an_error() -> None:
    data = before(asked(), None)
    data["augment"]["blur"] = 1
    with pytest.raises(SettingsError, match=r"unknown key 'augment\.blur'"):
        run_from_json(data)
