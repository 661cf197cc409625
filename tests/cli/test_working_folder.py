import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]

# `python -m` itself imports `collections`, `contextlib` and six more before any line of ours, so they are not here.
TRAPS = """
    PIL accimage cv2 dataclasses datetime dill enum jinja2 json matplotlib msgspec numpy org pandas pathlib random re
    rich safetensors scipy sklearn tensorboard torch torchvision tqdm triton typer typing yaml
"""

ALL_VERBS = """
import sys
from resvision.__main__ import leave_out_working_folder
assert sys.path[0] == "", sys.path
leave_out_working_folder()
from pathlib import Path
import torch
from safetensors.torch import load_file
from resvision.cli.main import run
settings = ["model.options.width=4", "data.image_size=16", "machine.workers=1", "machine.threads=1"]
words = [word for setting in settings for word in ("--set", setting)]
assert run(["train", "resnet20", "--data", ".", "--epochs", "1", "--batch-size", "4", "--out", "run", *words]) == 0
torch.save(load_file(next(Path("run/checkpoints").glob("*/weights.safetensors"))), "weights.pth")
for verb in ("list", "inspect resnet20", "data list", "data check .", "train --resume run", "evaluate run",
             "predict run test/dark", "report run", "convert weights.pth resnet20"):
    assert run(verb.split()) == 0, verb
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of photos in which modules lie that Python, torch and others look for; each writes `ran`."""
    for name in TRAPS.split():
        (tmp_path / f"{name}.py").write_text(f"open('ran', 'a').write('{name}\\n')\nraise ImportError\n")
    for split in ("train", "test"):
        for k, kind in enumerate(("dark", "light")):
            (tmp_path / split / kind).mkdir(parents=True)
            for number in range(4):
                pixels = np.full((18, 18, 3), 100 * k + 9 * number, np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / kind / f"{number}.png")
    return tmp_path


def python(folder: Path, *words: str, path: str = str(ROOT)) -> str:
    """The output of Python in a folder, in which this package is found by PYTHONPATH."""
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("PYTHONSAFEPATH", None)
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_verb_runs_what_lies_in_the_working_folder(photos: Path) -> None:
    python(photos, "-c", ALL_VERBS)
    assert not (photos / "ran").exists()


@pytest.mark.parametrize("path", ["{0}", "{0}:", ":{0}"])
def test_a_module_that_is_started_runs_nothing_of_the_working_folder(path: str, photos: Path) -> None:
    assert "0 faults" in python(photos, "-m", "resvision", "data", "check", ".", path=path.format(ROOT))
    assert not (photos / "ran").exists()


SHOW_PATH = "from resvision.__main__ import leave_out_working_folder as leave\nleave()\nimport sys\nprint(sys.path)"


def test_a_working_folder_that_pythonpath_names_stays_on_the_path(tmp_path: Path) -> None:
    assert str(tmp_path) not in python(tmp_path, "-c", SHOW_PATH)
    assert str(tmp_path) in python(tmp_path, "-c", SHOW_PATH, path=f"{ROOT}:{tmp_path}")


def test_the_folder_in_which_this_package_lies_stays_on_the_path() -> None:
    assert str(ROOT) in python(ROOT, "-c", SHOW_PATH)


def test_processes_that_it_starts_leave_the_working_folder_out_too(tmp_path: Path) -> None:
    start = (
        "import subprocess, sys\nprint(subprocess.check_output([sys.executable, '-c', 'import sys; print(sys.path)']))"
    )
    assert str(tmp_path) not in python(tmp_path, "-c", SHOW_PATH.partition("import sys")[0] + start)
