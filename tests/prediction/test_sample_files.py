"""Files that hold several samples: the sheets of `digit_sheets.py`, a task from outside the package."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import digit_sheets
import numpy as np
import pytest
from digit_sheets import LYING_DEG, DigitsOfSheets, Sheets

import resvision
from resvision.core.errors import DataError, SettingsError
from resvision.inference.load import Trained
from resvision.launch import Finished
from resvision.prediction.predictions import result_of
from resvision.prediction.sample_files import FileSample

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the task, hardly trained."""
    out = tmp_path_factory.mktemp("sheets") / "run"
    resvision.train("resnet20", "digit_sheets:sheets", recipe="digit_sheets:short", out=out, quiet=True, epochs=1)
    return out


@pytest.fixture(scope="module")
def trained(run: Path) -> Trained:
    return resvision.load(run, allow_code=True)


def sheet(file: Path, *names: str, turn: float = 0.0) -> Path:
    digits = DigitsOfSheets("test")
    arrays = {name: digits[index].image for index, name in enumerate(names)}
    np.savez(file, **arrays, **{digit_sheets.TURN: np.array(turn)})
    return file


def test_each_sample_of_a_file_has_a_result_and_its_geometry_decodes_it(trained: Trained, tmp_path: Path) -> None:
    flat = resvision.predict(trained, sheet(tmp_path / "flat.npz", "a", "b"))
    turned = resvision.predict(trained, sheet(tmp_path / "turned.npz", "a", "b", turn=30.0))
    assert [result.source for result in flat] == ["a", "b"]
    assert [result.deg for result in turned] == pytest.approx([result.deg + 30 for result in flat])
    assert trained(tmp_path / "flat.npz", only="b")[0].deg == pytest.approx(flat[1].deg)


def test_samples_are_asked_for_by_name_or_pattern_and_the_usual_ones_are_shown_otherwise(
    trained: Trained, tmp_path: Path
) -> None:
    file = sheet(tmp_path / "s.npz", "a1", "a2", "draft[1]", "c")

    def names(*only: str) -> list[str]:
        return [result.source for result in resvision.predict(trained, file, only=only)]

    assert names() == ["a1", "a2", "c"]
    assert names("draft[1]") == ["draft[1]"]
    assert names("c", "a?") == ["a1", "a2", "c"]
    listed = r"no sample of these files has this name; names are such as a1, a2, draft\[1\], c"
    with pytest.raises(DataError, match=rf"--only a3: {listed}"):
        names("c", "a3")


def test_tasks_of_images_refuse_names_of_samples(finished: Finished) -> None:
    with pytest.raises(SettingsError, match="--only: runs of classification have no use for it"):
        resvision.predict(finished.folder, np.zeros((8, 8), np.uint8), only="a")


def test_files_of_results_are_named_by_samples_and_resuming_goes_on(run: Path, tmp_path: Path, cli: Cli) -> None:
    sheet(tmp_path / "one.npz", "a:1@3", "b")
    sheet(tmp_path / "two.npz", "c")
    out = tmp_path / "out"
    asked = ("predict", run, tmp_path / "one.npz", tmp_path / "two.npz", "--allow-code", "--out", out)
    assert cli(*asked)[0] == 0
    assert {file.name for file in out.iterdir()} == {"a-1@3.txt", "b.txt", "c.txt"}
    code, _, err = cli(*asked)
    assert code == 2
    assert "there already" in err
    (out / "b.txt").unlink()
    code, lines, err = cli(*asked, "--resume")
    assert code == 0, err
    assert "2 of 3 digits have their files" in err
    assert re.match(r"b: turned by", lines)
    assert (out / "b.txt").is_file()


def test_a_folder_takes_the_samples_that_are_asked_for_and_nothing_where_one_is_not_there(
    run: Path, tmp_path: Path, cli: Cli
) -> None:
    sheet(tmp_path / "in.npz", "a1", "a2", "b")
    asked = ("predict", run, tmp_path / "in.npz", "--allow-code", "--out", tmp_path / "out")
    code, _, err = cli(*asked, "--only", "a?", "--only", "z")
    assert code == 2
    assert "--only z: no sample" in err
    assert not (tmp_path / "out").exists()
    assert cli(*asked, "--only", "a?")[0] == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"a1.txt", "a2.txt"}


def test_samples_of_one_name_are_refused_before_anything_is_written(run: Path, tmp_path: Path, cli: Cli) -> None:
    files = [sheet(tmp_path / f"{name}.npz", "a") for name in ("one", "two")]
    code, _, err = cli("predict", run, *files, "--allow-code", "--out", tmp_path / "out")
    assert code == 2
    assert "would both be written" in err
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_none_is_named_and_the_rest_goes_on(run: Path, tmp_path: Path, cli: Cli) -> None:
    sheet(tmp_path / "good.npz", "a", "b")
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    code, out, err = cli("predict", run, tmp_path, "--allow-code", "--json", "--out", tmp_path / "out")
    assert code == 1
    assert [json.loads(line)["source"] for line in out.splitlines()] == ["a", "b"]
    assert "bad.npz: no sheet of digits" in err
    assert "1 of 3 digits could not be used" in err
    assert cli("predict", run, tmp_path / "bad.npz", "--allow-code")[0] == 2


def test_a_labelled_sample_is_seen_as_its_task_says(trained: Trained) -> None:
    sample = DigitsOfSheets("test")[0]
    result = result_of(trained, sample, name="first")
    (as_image,) = trained.task.raw(trained, [trained.task.seen_sample(trained, sample, "first")])
    assert result.deg == pytest.approx(float(as_image) + LYING_DEG)


def test_the_report_shows_results_of_labelled_samples(run: Path, trained: Trained, tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("report", run, "--out", tmp_path / "page.html", "--allow-code")
    assert code == 0, err
    result = result_of(trained, DigitsOfSheets("test")[0], name="first")
    assert f"lies at {result.deg:.3f}" in (tmp_path / "page.html").read_text()


def test_a_sample_names_its_results_as_every_system_can() -> None:
    path = FileSample(Path("in/s.npz"), 'us/101:3@4?"<>|*\\').path
    assert path.parent == Path("in")
    assert not set('/:?"<>|*\\') & set(path.name)
    assert Sheets().files(path, Path("out")) == (Path("out") / f"{path.stem}.txt",)
