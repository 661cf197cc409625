"""Reports of runs whose task is a user's own, without classes, confusion and examples."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from digit_angle import AngleScores
from report_runs import BATCH, TEST, Page, settings, write_run

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.report import tables
from resvision.report.page import report_html
from resvision.report.plots import curves_svg
from resvision.report.read import read_record, read_records
from resvision.report.summaries import summary


def write_angle_run(folder: Path, *, off_deg: float = 8.0, task: str = "digit_angle:TASK") -> Path:
    """A run of 12 steps, 4 an epoch, without a word on classes, whose error falls to `off_deg`."""
    folder.mkdir(parents=True)
    run = settings(model__task=task)
    del run["model"]["num_classes"], run["data"]["classes"]
    rundir.write_json(folder / rundir.RUN, run)
    lines = []
    for step in range(1, 13):
        figures = {"lr": 0.1, "loss": 1 / step, "off_deg": off_deg + 60 / step, "images": BATCH, "seconds": 0.5}
        lines.append({"step": step, "epoch": (step - 1) // 4, **figures})
        if step % 4 == 0:
            tested = {"loss": 0.5, "error_deg": off_deg + 12 - step}
            lines.append({"step": step, "epoch": (step - 1) // 4, "evaluation": tested})
    (folder / rundir.HISTORY).write_text("".join(json.dumps(line) + "\n" for line in lines))
    scores = AngleScores(images=TEST, loss=0.5, error_deg=off_deg)
    rundir.write_json(folder / rundir.EVALUATION, scores.to_json())
    return folder


def test_a_kind_without_classes_matrix_and_examples_gives_a_page(tmp_path: Path) -> None:
    seen = Page(report_html(read_records([write_angle_run(tmp_path / "run")], allow_code=True), allow_code=True))
    assert "run is 8.0 deg off on 30 test images of nowhere after 3 epochs" in seen.text
    assert "Angles are between what is seen and what is said." in seen.text
    assert [words for words in ("Classes", "Confusion", "Worst", "top-1", "IoU") if words in seen.text] == []
    assert seen.text.count("Throughput") == 1


def test_its_columns_are_in_its_own_unit(tmp_path: Path) -> None:
    folders = [write_angle_run(tmp_path / "far", off_deg=20.0), write_angle_run(tmp_path / "near")]
    records = read_records(folders, allow_code=True)
    headings = [column.heading for column in tables.columns(records)]
    assert [each for each in headings if "deg" in each] == ["train error, deg", "error, deg"]
    far, near = (dict(zip(headings, row.cells, strict=True)) for row in tables.result_rows(records))
    assert [(row["error, deg"].text, row["error, deg"].best) for row in (far, near)] == [("20", False), ("8", True)]
    assert far["train error, deg"].text == f"{20 + sum(60 / step for step in range(9, 13)) / 4:.4g}"
    (sentence,) = summary(records)
    assert "near is the best" in sentence
    assert "Next: far 20.0 deg" in sentence


def test_its_curves_are_in_its_own_unit(tmp_path: Path) -> None:
    record = read_record(write_angle_run(tmp_path / "run", off_deg=150.0), allow_code=True)
    plot = curves_svg([record], curve=record.kind.curves[0])
    assert ">Training and test angular error<" in plot
    assert ">angular error, deg<" in plot
    numbers = [int(text) for text in re.findall(r">(\d+)<", plot)]
    assert 150 <= max(numbers) < 300  # no share, so neither a hundredfold nor cut at 100


def test_runs_of_an_own_task_and_of_ours_share_a_page(tmp_path: Path) -> None:
    folders = [write_angle_run(tmp_path / "angles"), write_run(tmp_path / "classes")]
    seen = Page(report_html(read_records(folders, allow_code=True)))
    assert "Results in angles" in seen.text
    assert "Results in classification" in seen.text
    ids = seen.values("id")
    assert len(ids) == len(set(ids))


def test_an_own_task_is_imported_only_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., tuple[int, str, str]]
) -> None:
    (tmp_path / "task_trap.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    folder = write_angle_run(tmp_path / "run", task="task_trap:TASK")
    with pytest.raises(RunError, match=r"run\.json: would import task_trap:TASK; if you trust it, say --allow-code"):
        read_record(folder)
    trusted = write_angle_run(tmp_path / "trusted")
    assert cli("report", trusted)[0] == 2
    assert cli("report", trusted, "--allow-code")[:2] == (0, f"{trusted / rundir.REPORT}\n")


def test_a_history_of_ever_new_metrics_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    lines = [
        json.dumps({"step": step, "epoch": 0, "images": 1, "seconds": 1.0, f"m{step}": 0.5}) for step in range(200)
    ]
    (folder / rundir.HISTORY).write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(RunError, match="more than 100 metrics"):
        read_record(folder)
