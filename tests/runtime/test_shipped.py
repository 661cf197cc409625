"""A bundle is found by its path or by the name that the package ships it under; the shipped ones answer."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from resvision.cli import completion
from resvision.core.errors import RunError, UnknownNameError
from resvision.data.sets import open_splits
from resvision.runtime import shipped
from resvision.runtime.bundle_format import read_manifest

Cli = Callable[..., tuple[int, str, str]]
LARGEST_BYTES = 1_000_000


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped bundles that holds one, `small-digits`."""
    (tmp_path / "small-digits").mkdir()
    (tmp_path / "small-digits" / "bundle.json").write_text("{}")
    monkeypatch.setattr(shipped, "SHIPPED_IN", tmp_path)
    monkeypatch.setattr(shipped, "SHIPPED", shipped._shipped_names())
    return tmp_path


def test_a_shipped_name_leads_to_its_folder(shelf: Path) -> None:
    assert shipped.SHIPPED == ("small-digits",)
    assert shipped.place_of("small-digits") == shelf / "small-digits"
    assert shipped.is_place("small-digits")


def test_a_folder_with_a_bundle_leads_to_itself(shelf: Path) -> None:
    folder = shelf / "small-digits"
    assert shipped.place_of(folder) == folder
    assert shipped.place_of(str(folder)) == folder


def test_a_misspelled_name_gives_the_nearest(shelf: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown bundle 'smal-digits'; nearest: small-digits"):
        shipped.place_of("smal-digits")


def test_a_folder_without_a_bundle_is_told(shelf: Path) -> None:
    with pytest.raises(RunError, match=r"holds no bundle\.json"):
        shipped.place_of(shelf)


@pytest.mark.parametrize("name", ["digits-resnet20", "digit-boxes-ssd"])
def test_a_shipped_bundle_is_small_measured_and_names_no_place(name: str) -> None:
    folder = shipped.place_of(name)
    manifest = read_manifest(folder)
    assert sum(file.stat().st_size for file in folder.iterdir()) < LARGEST_BYTES
    assert manifest.weights == "fp16"
    assert manifest.measured is not None
    assert abs(manifest.measured.before - manifest.measured.after) <= manifest.measured.bound
    run = json.loads((folder / "run.json").read_text())
    assert run["data"]["root"] is None
    assert not re.search(r'"[/~]', json.dumps(run)), "a path of the machine that made it"


def test_a_shipped_bundle_reads_digits_and_finds_them_in_scenes(tmp_path: Path, cli: Cli) -> None:
    for name, data in (("digits-resnet20", "digits"), ("digit-boxes-ssd", "digit-boxes-composed")):
        task = read_manifest(shipped.place_of(name)).task
        sample = open_splits(data, task=task).test[0]
        picture = tmp_path / f"{name}.png"
        Image.fromarray(sample.image.squeeze()).save(picture)
        code, out, err = cli("predict", name, picture, "--json")
        assert (code, err) == (0, "")
        answer = json.loads(out)
        if task == "classification":
            assert answer["label"] == str(sample.target)
        else:
            assert "3" in [one["label"] for one in answer["objects"]]


def test_shipped_bundles_are_listed_completed_and_named_by_help(cli: Cli) -> None:
    names = set(shipped.SHIPPED)
    assert names == {"digits-resnet20", "digit-boxes-ssd"}
    assert {row["name"] for row in json.loads(cli("list", "--json")[1])["bundles"]} == names
    assert set(completion.bundles("digit")) >= names
    assert set(completion.models_and_runs("digit")) >= names
    for verb in ("predict", "serve"):
        assert all(name in cli(verb, "--help")[1].replace("\n", "") for name in names)


def test_a_misspelled_bundle_is_told_by_predict_with_the_nearest(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("predict", "digit-resnet20", tmp_path)
    assert (code, err) == (
        2,
        "resvision: digit-resnet20: no such run directory; nearest bundle: digits-resnet20, digit-boxes-ssd\n",
    )
