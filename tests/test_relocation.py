"""A run whose data have moved goes on, is scored and is shown as if they never had."""

import json
import os
import shutil
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from safetensors.numpy import load_file
from support import TINY

from resvision.core import rundir
from resvision.core.errors import DataError, RunError, Stopped
from resvision.launch import resume, train
from resvision.report.moved_data import record_at
from resvision.report.pictures import gallery_of
from resvision.report.read import read_record
from resvision.run import read_run
from resvision.training.checkpoints import result_weights
from resvision.training.history import History

Cli = Callable[..., tuple[int, str, str]]
QUIET = Console(quiet=True)


def photos(folder: Path, *, seed: int = 0) -> Path:
    draws = np.random.default_rng(seed)
    for label in ("a", "b"):
        for number in range(10):
            file = folder / label / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(file)
    return folder


class Moved:
    """A run that was never stopped, one that was after a step, and the place where their data lie now."""

    def __init__(self, home: Path) -> None:
        before = photos(home / "before")
        self.straight, self.stopped, self.data = home / "straight", home / "stopped", home / "after"
        plan = {"epochs": 1, "batch_size": 8, "settings": TINY, "quiet": True}
        train("resnet20", str(before), out=self.straight, **plan)

        def add(history: History, line: dict) -> None:
            whole(history, line)
            if line["step"] == 1:
                os.kill(os.getpid(), signal.SIGTERM)

        whole = History.add
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(History, "add", add)
            with pytest.raises(Stopped):
                train("resnet20", str(before), out=self.stopped, **plan)
        before.rename(self.data)


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Moved:
    return Moved(tmp_path_factory.mktemp("moved"))


@pytest.fixture
def stopped(moved: Moved, tmp_path: Path) -> Path:
    """A copy of the run that was stopped."""
    return Path(shutil.copytree(moved.stopped, tmp_path / "run"))


def test_every_verb_says_how_to_name_data_that_have_moved(moved: Moved, cli: Cli) -> None:
    for words in (["evaluate", moved.straight], ["train", "--resume", moved.stopped]):
        code, _, said = cli(*words)
        assert code == 2
        assert said.count("\n") == 1
        assert "are not there any longer; if they have moved, `--data FOLDER` says where they lie now" in said
    assert "`--data FOLDER` says where" in gallery_of(read_record(moved.straight)).reason


def test_a_resumed_run_equals_one_whose_data_never_moved_and_keeps_the_new_place(
    moved: Moved, stopped: Path, cli: Cli
) -> None:
    settings = read_run(stopped)
    assert cli("train", "--resume", stopped, "--data", moved.data)[0] == 0
    straight, resumed = (load_file(result_weights(folder)) for folder in (moved.straight, stopped))
    assert all(np.array_equal(straight[name], resumed[name]) for name in straight)
    there = read_run(stopped)
    assert there.data.name == str(moved.data)
    assert (there.data.fingerprint, there.training) == (settings.data.fingerprint, settings.training)
    assert cli("evaluate", stopped)[0] == 0


def test_a_run_goes_on_with_its_data_in_an_archive_and_with_its_command_anew(
    moved: Moved, stopped: Path, tmp_path: Path, cli: Cli
) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        tar.add(moved.data, "photos")
    settings = [f"--set={path}={value}" for path, value in TINY.items()]
    words = ["--data", tmp_path / "photos.tar", "--epochs", "1", "--batch-size", "8", *settings]
    code, _, said = cli("train", "resnet20", *words, "--resume", stopped)
    assert code == 0, said
    assert read_run(stopped).data.name == str(tmp_path / "photos.tar")


def test_a_part_of_the_data_or_other_contents_do_not_go_on(moved: Moved, stopped: Path, tmp_path: Path) -> None:
    before = (stopped / rundir.RUN).read_bytes()
    part = shutil.copytree(moved.data, tmp_path / "part")
    (part / "a" / "3.png").unlink()
    with pytest.raises(RunError, match=r"part: is not the set of .*: 1 of the run's images are missing here; "):
        resume(stopped, data=part, console=QUIET)
    other = photos(tmp_path / "other", seed=1)
    with pytest.raises(RunError, match=r"holds the images of .* by name, but 16 of 16 have other contents"):
        resume(stopped, data=other, console=QUIET)
    with pytest.raises(DataError, match="`--data FOLDER` says where"):
        resume(stopped, data=tmp_path / "nowhere", console=QUIET)
    assert (stopped / rundir.RUN).read_bytes() == before


def test_other_contents_under_the_names_of_a_run_are_scored_as_another_set_and_said(
    moved: Moved, tmp_path: Path, cli: Cli
) -> None:
    other = photos(tmp_path / "other", seed=1)
    scored = json.loads(cli("evaluate", moved.straight, "--data", other, "--json")[1])
    assert (scored["images"], scored["names_with_other_contents"]) == (20, True)
    assert "with other contents; its 20 test images are scored" in cli("evaluate", moved.straight, "--data", other)[1]


def test_a_run_of_before_there_were_lists_of_images_knows_its_set_by_names_and_split(
    moved: Moved, tmp_path: Path, cli: Cli
) -> None:
    older = Path(shutil.copytree(moved.straight, tmp_path / "run"))
    (older / rundir.IMAGES).unlink()
    scored = json.loads(cli("evaluate", older, "--data", moved.data, "--json")[1])
    assert (scored["images"], scored["own_set_moved"]) == (4, True)
    assert scored["loss"] == json.loads((older / rundir.EVALUATION).read_text())["loss"]


def test_a_page_shows_the_worst_images_from_where_the_data_lie_now(moved: Moved, tmp_path: Path) -> None:
    record = read_record(moved.straight)
    assert gallery_of(record_at(record, moved.data, None)).images
    other = photos(tmp_path / "other", seed=1)
    assert record_at(record, other, None) == record


def test_a_page_of_a_run_without_a_list_of_images_knows_moved_data_by_names_and_split(
    moved: Moved, tmp_path: Path
) -> None:
    older = Path(shutil.copytree(moved.straight, tmp_path / "run"))
    (older / rundir.IMAGES).unlink()
    record = read_record(older)
    assert gallery_of(record_at(record, moved.data, None)).images
    part = Path(shutil.copytree(moved.data, tmp_path / "part"))
    (part / "a" / "3.png").unlink()
    assert record_at(record, part, None) == record


def test_columns_of_a_table_are_named_where_its_contents_do_not_tell_them(
    moved: Moved, tmp_path: Path, cli: Cli
) -> None:
    data = Path(shutil.copytree(moved.data, tmp_path / "data"))
    paths = [f"{name}/{number}.png" for name in "ab" for number in range(3)]
    lines = [f"{path},{path[0]},{path[0]}" for path in paths]
    (data / "table.csv").write_text("\n".join(["file,kind,breed", *lines]))
    code, _, said = cli("evaluate", moved.straight, "--data", data / "table.csv")
    assert (code, "--columns" in said) == (2, True), said
    stated = ["--data", data / "table.csv", "--columns", "label=breed"]
    code, out, said = cli("evaluate", moved.straight, *stated, "--json")
    assert code == 0, said
    assert json.loads(out)["images"] == 6
    assert cli("report", moved.straight, *stated, "--out", tmp_path / "page.html")[0] == 0


def test_a_part_of_a_moved_set_is_scored_by_the_run_s_own_test_images(moved: Moved, tmp_path: Path, cli: Cli) -> None:
    part = shutil.copytree(moved.data, tmp_path / "part")
    for number in range(9):
        (part / "a" / f"{number}.png").unlink()
    (part / "README.md").touch()
    code, out, said = cli("evaluate", moved.straight, "--data", part)
    assert code == 0, said
    assert "test images of the run are scored" in out.replace("\n", " ")
    assert "note: 1 file or folder is left out by name" in out
