"""Runs of a stranger whose names hold control characters: no verb lets one through to the terminal."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resvision.core.terminal import visible
from resvision.launch import Finished

Cli = Callable[..., tuple[int, str, str]]

EVIL = "\x1b]0;x\x07\x9b2J\u202e"


def with_evil_text(data: Any) -> Any:
    """The data with control characters at the end of every text that a run takes from its data set or user."""
    if isinstance(data, dict):
        return {key: with_evil_text(value) for key, value in data.items()}
    if isinstance(data, list):
        return [with_evil_text(value) for value in data]
    return f"{data}{EVIL}" if isinstance(data, str) else data


@pytest.fixture
def evil(finished: Finished, tmp_path: Path) -> Path:
    folder = tmp_path / f"run{EVIL}"
    shutil.copytree(finished.folder, folder)
    run = json.loads((folder / "run.json").read_text())
    run["recipe"] += EVIL
    for key in ("classes", "split_rule", "root"):
        run["data"][key] = with_evil_text(run["data"][key])
    (folder / "run.json").write_text(json.dumps(run))
    for name in ("evaluation.json", "environment.json"):
        (folder / name).write_text(json.dumps(with_evil_text(json.loads((folder / name).read_text()))))
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "image.png")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "RUN"],
        ["evaluate", "RUN", "--json"],
        ["evaluate", "RUN", "RUN", "--table"],
        ["predict", "RUN", "image.png"],
        ["predict", "RUN", "image.png", "--json"],
        ["predict", "RUN", "image.png", "--csv"],
        ["train", "--resume", "RUN"],
        ["report", "RUN"],
        ["predict", "RUN", f"image{EVIL}.png"],
        [f"verb{EVIL}"],
    ],
)
def test_no_verb_lets_control_characters_through(
    words: list[str], evil: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evil.parent)
    _, out, err = cli(*(evil.name if word == "RUN" else word for word in words))
    assert out + err == visible(out + err)
    assert "9b2J" in out + err


def test_a_setting_with_control_characters_is_named_without_them(evil: Path, cli: Cli) -> None:
    run = json.loads((evil / "run.json").read_text())
    for broken in ({**run, EVIL: 1}, {**run, "optimizer": {**run["optimizer"], "name": EVIL}}, EVIL):
        (evil / "run.json").write_text(json.dumps(broken))
        code, out, err = cli("evaluate", evil)
        assert (code, out) == (2, "")
        assert err.removesuffix("\n").isprintable()


def test_a_traceback_lets_no_control_characters_through(tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    script.write_text(
        "from resvision.cli import main\n"
        "def fail(arguments):\n"
        f"    raise ZeroDivisionError({EVIL!r})\n"
        "main._run = fail\n"
        "main.main([])\n"
    )
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stderr.endswith(f"ZeroDivisionError: {visible(EVIL)}\n")
    assert visible(process.stderr) == process.stderr
