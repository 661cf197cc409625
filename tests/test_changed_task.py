import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from resvision.assembly import build_system
from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.core.settings import to_json
from resvision.launch import Finished

Cli = Callable[..., tuple[int, str, str]]


def test_a_net_of_the_catalog_is_not_built_for_another_task(finished: Finished, segmented: Finished) -> None:
    for run, task in ((finished.run, segmented.run.model.task), (segmented.run, finished.run.model.task)):
        with pytest.raises(SettingsError, match=f"model.task: {task}, but {run.model.name} is a net for"):
            build_system(replace(run, model=replace(run.model, task=task), loss={}))


def test_prediction_refuses_a_run_whose_task_was_changed(
    finished: Finished, segmented: Finished, tmp_path: Path, cli: Cli
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    model = replace(finished.run.model, task=segmented.run.model.task)
    changed = {**to_json(finished.run), "model": to_json(model), "augment": to_json(segmented.run.augment), "loss": {}}
    (folder / rundir.RUN).write_text(json.dumps(changed))
    Image.new("L", (8, 8)).save(tmp_path / "image.png")
    code, out, err = cli("predict", folder, tmp_path / "image.png")
    assert (code, out) == (2, "")
    assert err == "resvision: model.task: segmentation, but resnet20 is a net for classification\n"
