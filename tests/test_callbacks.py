"""Functions of a user's own that follow a training from Python, and end it."""

from pathlib import Path
from typing import Any

import pytest
from support import TINY

import resvision
from resvision.core import rundir
from resvision.core.errors import DataError, ResVisionError, SettingsError
from resvision.core.history import read
from resvision.launch import Finished

SHORT = {**TINY, "training.duration": "8 steps", "training.batch_size": 16}


def test_a_callback_sees_each_line_and_ends_the_training_after_a_step(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []

    def until_the_third(line: dict[str, Any]) -> bool:
        lines.append({**line, "evaluation": {**line["evaluation"]}} if "evaluation" in line else line)
        line.get("evaluation", {}).clear()  # a line is the callback's own
        return line["step"] == 3

    run = resvision.train(
        "resnet20", "digits", settings=SHORT, out=tmp_path / "run", quiet=True, callbacks=[until_the_third]
    )
    assert lines == [*read(tmp_path / "run" / rundir.HISTORY)]
    assert [line["step"] for line in lines] == [1, 2, 3, 3]
    assert lines[-1]["evaluation"]["top1_error"] == run.scores.figures()["top1_error"]
    assert resvision.evaluate(run.folder).to_json() == run.scores.to_json()

    further = resvision.train(resume=run.folder, quiet=True)  # which knows of no callback
    assert [line["step"] for line in read(run.folder / rundir.HISTORY)] == [1, 2, 3, 3, *range(4, 9), 8]
    assert resvision.evaluate(further.folder).to_json() == further.scores.to_json()


def test_an_error_of_a_callback_is_raised_and_the_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    def fail(line: dict[str, Any]) -> None:
        if line["step"] == 5:
            raise ValueError("of one's own")

    with pytest.raises(ValueError, match="of one's own"):
        resvision.train("resnet20", "digits", settings=SHORT, out=tmp_path / "run", quiet=True, callbacks=[fail])
    assert not (tmp_path / "run" / rundir.EVALUATION).exists()
    resumed = resvision.train(resume=tmp_path / "run", quiet=True)
    whole = resvision.train("resnet20", "digits", settings=SHORT, out=tmp_path / "whole", quiet=True)
    assert resumed.scores.to_json() == whole.scores.to_json()


def test_what_is_given_twice_is_refused(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="leave out model, out"):
        resvision.train("resnet20", resume=finished.folder, out=tmp_path)  # type: ignore[call-overload]
    with pytest.raises(SettingsError, match="leave out root, weights, or change the Run"):
        resvision.train(finished.run, root=".", weights="torchvision")  # type: ignore[call-overload]
    with pytest.raises(SettingsError, match="which model"):
        resvision.train()  # type: ignore[call-overload]


def test_root_and_weights_are_those_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(ResVisionError, match="no weights"):
        resvision.train("lenet5", "digits", weights="torchvision", quiet=True, out=tmp_path / "run")
    with pytest.raises(DataError, match=str(tmp_path)):
        resvision.train("resnet20", "cifar10", root=tmp_path, quiet=True, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
