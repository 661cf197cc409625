"""`resvision data list | check | fetch`: what they print and how they end."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from resvision.cli.data import command
from resvision.core.errors import DataError, SettingsError, UnknownNameError
from resvision.data import idx, sets
from resvision.loading import downloads


@pytest.fixture(autouse=True)
def _places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESVISION_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draws = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(3):
            pixels = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"


def test_the_list_names_every_set_and_where_it_lies() -> None:
    printed = run("list").stdout
    for row in sets.SETS:
        assert row.name in printed
        assert row.licence in printed
    assert "`resvision data fetch NAME` downloads mnist, fashion-mnist, cifar10, cifar100" in printed


def test_the_list_goes_to_json() -> None:
    found = {row["name"]: row for row in json.loads(run("list", "--json").stdout)["data_sets"]}
    assert list(found) == sets.names()
    assert found["digits"]["where"] == "embedded"
    assert found["cifar10"]["where"] is None


def test_a_folder_without_faults_exits_0(folder: Path) -> None:
    result = run("check", str(folder))
    assert result.exit_code == 0
    assert result.stdout == f"{folder}: 6 images, 6 fine, 0 faults, 0 in both splits\n"


def test_faults_are_listed_one_a_line_and_exit_1(folder: Path) -> None:
    (folder / "cat" / "0.png").write_bytes(b"")
    (folder / "dog" / "1.png").write_text("text")
    result = run("check", str(folder))
    assert result.exit_code == 1
    first, second, counts = result.stdout.splitlines()
    assert first == f"{folder / 'cat' / '0.png'}: an empty file (0 bytes)"
    assert second.startswith(f"{folder / 'dog' / '1.png'}: not an image")
    assert counts.endswith("6 images, 4 fine, 2 faults, 0 in both splits")


def test_a_check_goes_to_json_with_every_fault(folder: Path) -> None:
    (folder / "cat" / "0.png").write_bytes(b"")
    found = json.loads(run("check", str(folder), "--json").stdout)
    assert (found["images"], found["fine"]) == (6, 5)
    assert found["faults"] == [{"where": str(folder / "cat" / "0.png"), "what": "an empty file (0 bytes)"}]


def test_digits_are_fine() -> None:
    assert run("check", "digits").stdout.startswith("digits: 1,797 images, 1,797 fine, 0 faults")


def test_a_damaged_file_of_a_named_set_is_a_fault(tmp_path: Path) -> None:
    for images, labels, _ in idx.FILES.values():
        for name in (images, labels):
            (tmp_path / name).write_bytes(b"text")
    result = run("check", "fashion-mnist", "--root", str(tmp_path))
    assert result.exit_code == 1
    assert "train-images-idx3-ubyte: not an idx file" in result.stdout


def test_sets_that_are_not_there_are_bad_usage(tmp_path: Path) -> None:
    assert isinstance(run("check", "cifar10").exception, DataError)
    assert isinstance(run("check", "cifr10").exception, UnknownNameError)
    assert isinstance(run("check", str(tmp_path / "nowhere")).exception, UnknownNameError)


def test_fetch_hands_the_root_to_the_set_and_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "fashion_mnist", lambda root: root / "raw")
    assert run("fetch", "fashion-mnist", "--root", str(tmp_path)).stdout == f"fashion-mnist is in {tmp_path / 'raw'}\n"


def test_a_download_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(root: Path | None) -> Path:
        raise OSError("no route to host")

    monkeypatch.setattr(downloads, "fashion_mnist", fail)
    error = run("fetch", "fashion-mnist").exception
    assert isinstance(error, DataError)
    assert "no route to host" in str(error)


def test_sets_that_cannot_be_fetched_name_those_that_can() -> None:
    error = run("fetch", "imagenet").exception
    assert isinstance(error, SettingsError)
    assert "fashion-mnist, cifar10" in str(error)
    assert isinstance(run("fetch", "nothing").exception, UnknownNameError)
