import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from report_runs import write_run

from resvision.cli import completion, evaluate, predict, train
from resvision.cli.completion_answers import ASKED, join_words
from resvision.cli.main import application

ASK = "import sys; sys.argv[0] = 'resvision'; from resvision.cli.main import main; main()\n"


def test_names_are_completed() -> None:
    assert completion.models("resnet1202") == ["resnet1202", "resnet1202_b"]
    assert completion.recipes("unet") == ["unet-2015"]
    assert completion.data_sets("cifar") == ["cifar10", "cifar100", "cifar10-jpeg"]


def test_forms_of_boxes_and_kinds_of_faults_are_completed() -> None:
    assert completion.label_forms("") == ["voc", "coco", "yolo"]
    assert completion.label_forms("c") == ["coco"]
    assert completion.fault_kinds("outside-boxes,duplicate-b") == ["outside-boxes,duplicate-boxes"]


def test_folders_are_data_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / ".hidden").mkdir()
    monkeypatch.chdir(tmp_path)
    assert completion.data_sets("ph") == ["photos/"]
    assert completion.data_sets(f"{tmp_path}/ph") == [f"{tmp_path}/photos/"]


def test_names_that_a_shell_would_carry_out_are_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("$(touch x)", "`touch x`", "a;b", "a\nb", "\x1b[2J", "-rf", "a b", "é_1.0"):
        write_run(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert [name for name in completion.data_sets("") if name.endswith("/")] == ["é_1.0/"]
    assert completion.runs("") == ["é_1.0"]


def test_runs_are_found_below_the_folder_that_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b/1-net"):
        write_run(tmp_path / "runs" / name)
    (tmp_path / "runs" / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert completion.runs("") == completion.runs("ru") == ["runs/a", "runs/b/1-net"]
    assert completion.runs("runs/b/") == ["runs/b/1-net"]
    assert completion.runs(f"{tmp_path}/runs/a") == [f"{tmp_path}/runs/a"]
    assert completion.runs("nowhere/") == []
    assert completion.models_and_runs("runs/a") == ["runs/a"]


def test_settings_are_completed_with_their_choices() -> None:
    assert completion.settings("optimizer.n") == [
        "optimizer.name=",
        "optimizer.norm_bias_decay=",
        "optimizer.nesterov=",
    ]
    assert completion.settings("optimizer.name=") == ["optimizer.name=sgd", "optimizer.name=adamw"]
    assert completion.settings("model.options.stri") == ["model.options.stride_in=1x1", "model.options.stride_in=3x3"]
    assert completion.settings("optimizer.l") == ["optimizer.lr="]


@pytest.mark.parametrize(
    ("words", "position", "joined", "new_position", "cut"),
    [
        ("r train m --set optimizer.name =", 5, "r train m --set optimizer.name=", 4, True),
        ("r train m --set optimizer.name = a", 6, "r train m --set optimizer.name=a", 4, True),
        ("r train m --set a = b --data d", 8, "r train m --set a=b --data d", 6, False),
        ("r train m --set a = b ", 7, "r train m --set a=b ", 5, False),
        ("r tr", 1, "r tr", 1, False),
    ],
)
def test_words_that_bash_cuts_at_equals_signs_are_joined(
    words: str, position: int, joined: str, new_position: int, cut: bool
) -> None:
    asked = {ASKED: "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    assert join_words(asked) == cut
    assert (asked["COMP_WORDS"], asked["COMP_CWORD"]) == (joined, str(new_position))


def test_a_shell_is_answered_without_torch() -> None:
    words = {"COMP_WORDS": "resvision train resnet20 --set optimizer.name = a", "COMP_CWORD": "6"}
    heavy = "import atexit; atexit.register(lambda: print('torch' in sys.modules))\n"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{heavy}{ASK}"],
        env={**os.environ, **words, ASKED: "complete_bash"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["adamw", "False"]


def test_every_run_and_model_of_a_verb_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ASKED, "complete_bash")
    application()
    for command, names in (
        (train.command, {"model", "data", "recipe", "resume", "settings"}),
        (predict.command, {"run"}),
    ):
        completion.attach(command)
        assert names <= completed_parameters(command)
    assert {"runs", "data"} <= completed_parameters(evaluate.command)


def completed_parameters(command: Callable[..., None]) -> set[str]:
    parameters = inspect.signature(command).parameters
    return {
        name
        for name, parameter in parameters.items()
        for declared in getattr(parameter.annotation, "__metadata__", ())
        if getattr(declared, "autocompletion", None)
    }
