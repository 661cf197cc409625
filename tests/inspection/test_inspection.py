"""Every probe of the table in a finished run: its table, its numbers and its pictures."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.inference.load import load
from resvision.inspection.inspected import Inspected
from resvision.inspection.table import PROBES, ROWS
from resvision.launch import Finished
from resvision.studies.measures_landscape import concave, odd_steps, widths
from resvision.studies.subject import mean_losses

Cli = Callable[..., tuple[int, str, str]]
FEW = {"saliency": 2, "grad-cam": 2, "surface": 4, "paths": 2}


def inspected(finished: Finished, probe: str, images: int) -> Inspected:
    return Inspected(load(finished.folder), PROBES[probe].split, images)


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_prints_its_table_and_writes_pictures_and_csv(
    probe: str, finished: Finished, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resvision.inspection.losses.STEPS", 3)
    monkeypatch.setattr("resvision.inspection.losses.GRID", 3)
    words = ["inspect", finished.folder, "--probe", probe, "--images", str(FEW.get(probe, 8))]
    code, out, err = cli(*words, "--out", tmp_path / "looked")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "looked" / f"{probe}.csv").read_text())))
    assert rows
    assert all(np.isfinite(float(value)) for value in (row[[*row][-1]] for row in rows))
    for name in (tmp_path / "looked").glob("*.png"):
        assert np.asarray(Image.open(name).convert("L")).std() > 5, name
        assert str(name) in out
    assert len(list((tmp_path / "looked").iterdir())) >= 2
    code, _, err = cli(*words, "--out", tmp_path / "looked")
    assert (code, "--force" in err) == (2, True)


def test_the_page_of_probes_has_the_rows_of_the_table() -> None:
    document = (Path(__file__).parents[2] / "docs/probes.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")] for line in document.splitlines() if line.startswith("| `")]
    assert [(row[1], row[2]) for row in cells] == [(f"`{row.name}`", row.shows) for row in ROWS]


def test_csv_and_json_hold_the_same_numbers(finished: Finished, cli: Cli) -> None:
    words = ["inspect", finished.folder, "--probe", "cka", "--images", "16"]
    rows = list(csv.reader(io.StringIO(cli(*words, "--csv")[1])))
    document = json.loads(cli(*words, "--json")[1])
    assert [document["columns"], *([*map(str, row)] for row in document["rows"])] == rows
    table = {(first, second): float(value) for first, second, value in rows[1:]}
    assert table["conv1", "conv1"] == pytest.approx(1)
    assert table["conv1", "fc"] == table["fc", "conv1"]


def test_cka_of_a_run_with_itself_is_that_within_it(finished: Finished) -> None:
    one = inspected(finished, "cka", 16)
    cka = references.load(PROBES["cka"].function, noun="probe")
    alone, twice = cka([one]), cka([one, one])
    assert [row[:2] for row in alone.rows] == [row[:2] for row in twice.rows]
    assert [row[2] for row in alone.rows] == pytest.approx([row[2] for row in twice.rows])
    other = replace(one, count=17)
    with pytest.raises(SettingsError, match="over the same images"):
        cka([one, other])


def test_the_middle_of_the_surface_is_the_loss_of_the_run_and_the_run_stays(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resvision.inspection.losses.STEPS", 3)
    monkeypatch.setattr("resvision.inspection.losses.GRID", 3)
    one = inspected(finished, "surface", 8)
    before = {name: tensor.clone() for name, tensor in one.net.state_dict().items()}
    found = references.load(PROBES["surface"].function, noun="probe")([one])
    loss = mean_losses(one.system, one.asked_batches())["loss"]
    middles = [row[-1] for row in found.rows if row[2] == 0 and row[3] == 0]
    assert middles == pytest.approx([loss] * 4, rel=1e-4)  # three directions and the surface
    assert all(map(torch.equal, before.values(), one.net.state_dict().values()))


def test_a_lesion_names_each_block_and_starts_from_the_error_of_the_run(finished: Finished) -> None:
    one = inspected(finished, "lesion", 30)
    rows = references.load(PROBES["lesion"].function, noun="probe")([one]).rows
    assert rows[0][2] == pytest.approx(mean_losses(one.system, one.asked_batches())["error"])
    assert [row[0] for row in rows[1:]] == [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(3)]
    assert [row[0] for row in rows if row[1]] == ["layer2.0", "layer3.0"]


def test_widths_and_bends_of_curves_with_the_answer_in_sight() -> None:
    steps = odd_steps(1.0, 20)
    assert steps.tolist() == pytest.approx(np.linspace(-1, 1, 21))
    assert widths(steps, 4 * np.abs(steps)) == pytest.approx(0.25)  # rises by 1 at a quarter
    assert widths(steps, steps**2 / 2) == 1.0  # never
    assert widths(steps, np.where(steps > 0.15, np.nan, 0.0)) == pytest.approx((0.1 + 1) / 2)
    assert concave(steps**2) == 0
    assert concave(-(steps**2)) == 1
    assert concave(np.zeros(21)) == 0
    assert concave(np.cos(np.pi * steps)) == pytest.approx(9 / 19)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--probe", "cca"], "unknown probe 'cca'; nearest: cka"),
        (["--probe", "cka", "--split", "val"], "images of train or of test"),
        (["--probe", "cka", "--paper"], "--probe takes"),
        (["--probe", "cka", "--images", "3"], "4 images or more"),
        (["--images", "3"], "--images is about --probe"),
    ],
)
def test_a_mistake_gets_one_line(words: list[str], said: str, finished: Finished, cli: Cli) -> None:
    code, out, err = cli("inspect", finished.folder, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_too_many_runs_and_names_of_models_are_refused(finished: Finished, cli: Cli) -> None:
    code, _, err = cli("inspect", finished.folder, finished.folder, "--probe", "filters")
    assert (code, "takes one run, not 2" in err) == (2, True)
    code, _, err = cli("inspect", "resnet20", "--probe", "filters")
    assert (code, "resnet20: is a model, not a run" in err) == (2, True)


def test_a_net_of_another_task_is_shown_or_refused_in_a_line(segmented: Finished, cli: Cli) -> None:
    for probe in ("filters", "saliency", "cka"):
        code, out, err = cli("inspect", segmented.folder, "--probe", probe, "--images", "4")
        assert code == 0, err
        assert out
    code, out, err = cli("inspect", segmented.folder, "--probe", "paths", "--images", "2")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "not of segmentation" in err
