import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console

from resvision import catalog
from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.core.history import read
from resvision.report.read import read_record
from resvision.studies.degradation import Degradation, pair, plan, study_degradation, what_to_see
from resvision.studies.page import write_study

QUIET = Console(quiet=True)
TINY_SET = ["model.options.width=4", "data.image_size=16", "machine.precision=fp32", "machine.threads=1"]
SHORT = [*TINY_SET, "training.duration=1 epochs"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Degradation]:
    folder = tmp_path_factory.mktemp("study")
    return folder, study_degradation(folder, plan("digits", [20, 32], 1, settings=SHORT), QUIET)


def test_both_kinds_at_every_depth_under_every_seed() -> None:
    trials = plan("digits", [56, 20], 2)
    assert [trial.name for trial in trials] == [
        f"{kind}{depth}-seed{seed}" for seed in (0, 1) for depth in (20, 56) for kind in ("plain", "resnet")
    ]
    assert len({(trial.run.recipe, trial.run.optimizer, trial.run.augment) for trial in trials}) == 1


def test_both_nets_of_a_depth_have_equal_parameters() -> None:
    for depth in (18, 20, 34, 56):
        with torch.device("meta"):
            nets = [catalog.build(model, num_classes=10) for model in pair(depth)]
        assert len({sum(parameter.numel() for parameter in net.parameters()) for net in nets}) == 1


def test_one_seed_leaves_every_claim_undecided(study: tuple[Path, Degradation]) -> None:
    _, result = study
    assert [row.model for row in result.rows] == ["plain20", "resnet20", "plain32", "resnet32"]
    assert {verdict.word for verdict in result.verdicts} == {"undecided"}
    assert len(result.verdicts) == 6


def test_a_study_goes_on_where_it_stopped(study: tuple[Path, Degradation]) -> None:
    folder, result = study
    marks = {path: path.read_bytes() for path in folder.glob("*/history.jsonl")}
    (folder / "resnet32-seed0" / rundir.RUN).unlink()
    for path in sorted((folder / "resnet32-seed0").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    again = study_degradation(folder, plan("digits", [20, 32], 1, settings=SHORT), QUIET)
    assert [row.train_loss for row in again.rows] == [row.train_loss for row in result.rows]
    kept = [path for path in marks if "resnet32" not in str(path)]
    assert all(path.read_bytes() == marks[path] for path in kept)


def test_a_study_in_the_folder_of_another_is_refused(study: tuple[Path, Degradation]) -> None:
    folder, _ = study
    other = plan("digits", [20, 32], 1, settings=[*TINY_SET, "training.duration=2 epochs"])
    with pytest.raises(RunError, match=r"training\.duration"):
        study_degradation(folder, other, QUIET)


def test_figures_are_those_of_the_runs(study: tuple[Path, Degradation]) -> None:
    folder, result = study
    for row in result.rows:
        record = read_record(folder / f"{row.model}-seed0")
        assert row.train_loss == [record.steps.metrics["loss"].mean()]  # one epoch is all steps
        assert row.train_metric == [record.steps.metrics["error"].mean()]
        assert row.test_figure == [record.scores.top1_error]


def test_the_page_holds_the_figures_and_two_sentences(study: tuple[Path, Degradation], tmp_path: Path) -> None:
    _, result = study
    for outcome in result.outcomes[1:]:
        (outcome.record.folder / rundir.REPORT).write_text("newer than its scores")
    html = write_study(result, tmp_path / "page.html").read_text()
    titles = (">Training and test loss<", ">Training and test error<")
    assert [title for title in titles if title in html] == [*titles]
    assert f"{result.rows[0].train_loss[0]:.4g}" in html
    assert html.count("undecided") >= len(result.verdicts)
    links = re.findall(r'<a href="([^"]+)">', html)
    assert len(links) == len(result.outcomes)
    assert all((tmp_path / link).resolve().is_file() for link in links)
    sentences = what_to_see(result)
    assert sentences.count(". ") == 1
    assert f"{result.rows[3].train_loss[0]:.4f} against {result.rows[2].train_loss[0]:.4f}" in sentences


def test_the_study_prints_its_table(tmp_path: Path, cli: Callable[..., tuple[int, str, str]]) -> None:
    words = [*(f"--set={each}" for each in TINY_SET), "--epochs", "1"]
    code, out, err = cli("study", "degradation", "--depths", "20", "--seeds", "1", "--out", tmp_path / "s", *words)
    assert code == 0, err
    lines = read(tmp_path / "s/plain20-seed0" / rundir.HISTORY)
    losses = [line["loss"] for line in lines if "evaluation" not in line]
    assert f"{sum(losses) / len(losses):.4g}" in out
    assert (tmp_path / "s" / rundir.REPORT).is_file()
