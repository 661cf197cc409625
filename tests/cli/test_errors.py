"""Error texts follow the table of kinds in `docs/errors.md`: each example is what the command line says."""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_inputs import chunk, picture, png
from support import TINY
from torch import save, zeros

from resvision.cli import list as list_verb
from resvision.cli.main import run as run_cli
from resvision.core.errors import Stopped
from resvision.launch import Finished

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
SETTINGS = [f"--set={path}={value}" for path, value in TINY.items()]
TRAIN = ["train", "resnet20", "--data", "digits", *SETTINGS]
WILD = ["--set=schedule.kind=constant", "--set=schedule.warmup=0", "--set=training.checkpoint_seconds=1e-9"]
REMEDY = re.compile(
    r"nearest: |keys of |expected |see resvision .* --help|leave out |name another |the run knows |say --allow-code"
    r"|pip install |choose smaller |--resume|resume it|the last good checkpoint is "
)
"""The words of a remedy: an alternative, or what to do."""
ONLY_ON_THE_PAGE = {"missing", "not a file", "damaged", "above a limit", "interrupted", "stopped"}
"""Kinds whose remedy is always the same, and no part of their text."""

PRODUCED_BY: dict[str, list[str]] = {
    "missing": ["predict", "run", "gone.png"],
    "not a file": ["convert", "pipe.pth", "resnet20"],
    "damaged": ["predict", "run", "empty.png"],
    "above a limit": ["predict", "run", "large.png"],
    "unknown name": ["inspect", "resnet21"],
    "unknown setting": [*TRAIN, "--set=optimizer.rate=1"],
    "wrong value": [*TRAIN, "--set=optimizer.lr=fast"],
    "wrong option": [*TRAIN, "--epochs", "0"],
    "no use for an option": ["evaluate", "run", "--scales", "224"],
    "would overwrite": [*TRAIN, "--out", "run"],
    "another run": [*TRAIN, "--epochs", "3", "--lr", "5", "--resume", "run"],
    "does not fit": ["evaluate", "run", "--data", "pets"],
    "would run code": ["evaluate", "foreign"],
    "needs an extra": ["data", "check", "digits"],
    "cannot be written": ["report", "run", "--out", "empty.png/page.html"],
    "too large": ["inspect", "resnet20", "--input", "3x1000000000x1000000000"],
    "astray": ["train", "plain20", "--data", "digits", "--lr", "1e30", *SETTINGS, *WILD],
    "interrupted": ["list"],
    "stopped": ["list"],
}


def table() -> dict[str, tuple[str, str]]:
    """The exit code and the example of each kind on the page."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]
    return {kind: (code, example.strip("` ")) for kind, _, code, example in cells}


@pytest.fixture
def here(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one input of each kind."""
    monkeypatch.chdir(tmp_path)
    for name in ("run", "foreign"):
        shutil.copytree(finished.folder, tmp_path / name)
    run = json.loads(Path("run/run.json").read_text())
    Path("foreign/run.json").write_text(json.dumps({**run, "model": {**run["model"], "name": "own:net"}}))
    os.mkfifo("pipe.pth")
    Path("empty.png").touch()
    Path("large.png").write_bytes(png(60_000, 60_000, chunk(b"IDAT", b"")))
    Path("pets/cat").mkdir(parents=True)
    for number in range(2):
        picture(number).save(f"pets/cat/{number}.png")
    save({"fc.weight": zeros(3, 4)}, "other.pth")
    return tmp_path


def interrupted_by(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_the_page_has_each_kind_that_is_produced_here_and_no_other() -> None:
    assert [*table()] == [*PRODUCED_BY]


@pytest.mark.parametrize("kind", PRODUCED_BY)
def test_an_error_of_each_kind_says_what_the_page_says(
    kind: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "needs an extra":
        monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
        monkeypatch.setitem(sys.modules, "sklearn", None)
    if kind in {"interrupted", "stopped"}:
        stopped = Stopped(signal.SIGTERM)
        stopped.command = "resvision train --resume runs/digits"
        error = KeyboardInterrupt() if kind == "interrupted" else stopped
        monkeypatch.setattr(list_verb, "command", interrupted_by(error))
    code, example = table()[kind]
    assert run_cli(PRODUCED_BY[kind]) == (128 + signal.SIGTERM if kind == "stopped" else int(code))
    line = capsys.readouterr().err.rstrip("\n").rpartition("\n")[2]
    shown = line.removeprefix("resvision: ").replace(f"{here.resolve()}/", "/home/you/")
    assert line.startswith("resvision: ")
    assert re.fullmatch(".+".join(map(re.escape, example.split("..."))), shown), shown
    assert kind in ONLY_ON_THE_PAGE or REMEDY.search(line), line
