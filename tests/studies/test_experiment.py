"""An experiment on tiny nets: it goes on, keeps its findings, leaves out what diverged, and writes its page."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.history import read
from resvision.report.read import read_record
from resvision.studies.degradation import degradation, pair
from resvision.studies.design import Claim, Design, Lines, Measure, Value
from resvision.studies.experiment import Asked, conduct, plan
from resvision.studies.experiment_page import notes, table, what_to_see, write_study
from resvision.studies.results import RESULTS, Findings, Member, Results, read_results
from resvision.studies.subject import Subject, mean_losses

QUIET = Console(quiet=True)
TINY_SET = ["model.options.width=2", "data.image_size=8", "machine.precision=fp32", "machine.threads=1"]
SHORT = [*TINY_SET, "training.duration=2 steps"]
CALLS: list[str] = []


def losses_of(subject: Subject, images: int) -> Findings:
    CALLS.append(subject.folder.name)
    losses = mean_losses(subject.system, subject.batches("test", images))
    return Findings({"error": losses["error"]}, {"place": [0.0, 1.0], "height": [losses["loss"], float("nan")]})


def ranks(subjects: Sequence[Subject]) -> list[Findings]:
    CALLS.append("together")
    return [Findings({"rank": float(place)}) for place, _ in enumerate(subjects)]


DESIGN = replace(
    degradation((20,)),
    measures=(
        Measure(name="exam", function=f"{__name__}:losses_of", options={"images": 10_000}),
        Measure(name="order", function=f"{__name__}:ranks", joint=True),
    ),
    claims=(Claim("the first comes first", Value("plain20", "order.rank"), Value("resnet20", "order.rank")),),
    plots=(Lines("Heights", "exam.place", "exam.height", "place", "height"),),
)
ASKED = Asked("digits", 1, settings=SHORT)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("study")
    return folder, conduct(DESIGN, folder, ASKED, QUIET)


def test_figures_are_those_of_the_runs(study: tuple[Path, Results]) -> None:
    folder, results = study
    for member in results.members:
        record = read_record(folder / member.folder)
        assert member.figures["loss"] == record.steps.metrics["loss"].mean()  # all steps are of one epoch
        assert member.figures["trained"] == record.steps.metrics["error"].mean()
        assert member.figures["tested"] == member.figures["top1_error"] == record.scores.top1_error
        assert member.figures["parameters"] == record.parameters


def test_a_measure_sees_the_test_images_as_an_evaluation_does(study: tuple[Path, Results]) -> None:
    _, results = study
    for member in results.members:
        assert member.figures["exam.error"] == pytest.approx(member.figures["tested"], abs=1e-6)
        assert member.series["exam.height"][1] is None


def test_a_study_goes_on_and_measures_nothing_twice(study: tuple[Path, Results]) -> None:
    folder, results = study
    marks = {path: path.read_bytes() for path in folder.glob("*/history.jsonl")}
    gone = folder / "resnet20-seed0"
    for path in sorted(gone.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    CALLS.clear()
    again = conduct(DESIGN, folder, ASKED, QUIET)
    assert [member.figures["loss"] for member in again.members] == [m.figures["loss"] for m in results.members]
    assert CALLS == ["resnet20-seed0"]
    assert marks[folder / "plain20-seed0/history.jsonl"] == (folder / "plain20-seed0/history.jsonl").read_bytes()


def test_results_are_read_as_they_were_written(study: tuple[Path, Results]) -> None:
    folder, _ = study
    results = read_results(folder / RESULTS)
    assert results == conduct(DESIGN, folder, ASKED, QUIET)
    (damaged := folder / "damaged.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(RunError, match="no results of a study"):
        read_results(damaged)


def test_other_settings_of_trainings_or_measures_are_refused(study: tuple[Path, Results]) -> None:
    folder, _ = study
    longer = Asked("digits", 1, settings=[*TINY_SET, "training.duration=3 steps"])
    with pytest.raises(RunError, match=r"training\.duration"):
        conduct(DESIGN, folder, longer, QUIET)
    other = replace(DESIGN, measures=(replace(DESIGN.measures[0], options={"images": 5}),), claims=())
    with pytest.raises(SettingsError, match="other options"):
        conduct(other, folder, ASKED, QUIET)


def test_two_processes_in_one_folder_are_refused(study: tuple[Path, Results]) -> None:
    folder, _ = study
    holding = "import sys; from pathlib import Path; from resvision.core.rundir import locked\n"
    holding += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    with Popen([sys.executable, "-c", holding, folder], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="is being used for a study"):
            conduct(DESIGN, folder, ASKED, QUIET)
        other.stdin.close()


def test_the_page_shows_figures_plots_and_links(study: tuple[Path, Results]) -> None:
    folder, results = study
    html = write_study(DESIGN, results, folder / rundir.REPORT, folder).read_text()
    for title in (">Heights<", ">Training loss<", ">Training error<"):
        assert title in html
    assert f"{results.members[0].figures['loss']:.4g}" in html
    assert "undecided" in html
    assert "mathdefault" not in html
    links = [link for link in re.findall(r'<a href="([^"]+)">', html) if not link.startswith("http")]
    assert len(links) == 2
    assert all((folder / link).resolve().is_file() for link in links)


def test_the_page_needs_no_runs(study: tuple[Path, Results], tmp_path: Path) -> None:
    html = write_study(DESIGN, study[1], tmp_path / "page.html").read_text()
    assert ">Heights<" in html
    assert not list(tmp_path.glob("*/"))


def test_a_member_that_diverged_is_named_and_left_out(study: tuple[Path, Results], tmp_path: Path) -> None:
    design = replace(DESIGN, measures=(), plots=(), claims=degradation((20,)).claims)
    conditions = [design.conditions[0], replace(design.conditions[1], settings={"optimizer.lr": 1e25})]
    fast = replace(design, conditions=conditions)
    shutil.copytree(study[0] / "plain20-seed0", tmp_path / "plain20-seed0")
    results = conduct(fast, tmp_path, ASKED, QUIET)
    first, second = results.members
    assert first.figures["loss"] > 0
    assert not second.figures
    assert "not finite" in second.diverged
    assert any("resnet20-seed0 diverged" in line for line in notes(fast, results))
    assert {verdict.pairs for verdict in results.verdicts(fast)} == {0}
    assert "diverged" in write_study(fast, results, tmp_path / rundir.REPORT, tmp_path).read_text()


def results_of(figures: dict[str, list[float]], **values: str) -> Results:
    members = [
        Member(condition=condition, seed=seed, folder=f"{condition}-seed{seed}", figures={"tested": value})
        for condition, row in figures.items()
        for seed, value in enumerate(row)
    ]
    base = {"study": "own", "data": "digits", "task": "classification", "date": "", "machine": ""} | values
    return Results(format=1, quick=False, settings={}, members=tuple(members), **base)


def test_a_claim_about_gains_compares_differences_seed_by_seed() -> None:
    figures = {"a": [5.0, 6.0, 7.0], "b": [4.0, 5.1, 5.9], "c": [5.0, 6.0, 7.0], "d": [2.0, 3.1, 3.9]}
    gain = Claim("d gains more over c than b over a", Value("a", above="b"), Value("c", above="d"))
    bounded = Claim("a is below eight", Value("a"), 8.0)
    design = replace(DESIGN, claims=(gain, bounded))
    first, second = results_of(figures).verdicts(design)
    gains = [(c - d) - (a - b) for a, b, c, d in zip(*figures.values(), strict=True)]
    assert first.mean == pytest.approx(sum(gains) / 3)
    assert first.word == "supported"
    assert second.mean == pytest.approx(2.0)


def test_the_table_has_means_with_their_spread() -> None:
    results = results_of({"plain20": [0.1, 0.2, 0.3], "resnet20": [0.1, 0.1, 0.1]})
    design: Design = replace(DESIGN, columns=())
    rows = table(design, results)
    assert [row[0] for row in rows] == ["plain20", "resnet20"]
    assert "10.00%" in what_to_see(design, results).replace(" %", "%")


def test_both_kinds_at_every_depth_under_every_seed() -> None:
    trials = plan(degradation((56, 20)), Asked("digits", 2))
    assert [trial.name for trial in trials] == [
        f"{kind}{depth}-seed{seed}" for seed in (0, 1) for depth in (20, 56) for kind in ("plain", "resnet")
    ]
    assert pair(34) == ("plain34", "resnet34_a")


def test_the_study_prints_its_table(tmp_path: Path, cli: Callable[..., tuple[int, str, str]]) -> None:
    words = [*(f"--set={each}" for each in TINY_SET), "--epochs", "1", "--train-images", "256"]  # two steps
    code, out, err = cli("study", "degradation", "--depths", "20", "--seeds", "1", "--out", tmp_path / "s", *words)
    assert code == 0, err
    lines = read(tmp_path / "s/plain20-seed0" / rundir.HISTORY)
    losses = [line["loss"] for line in lines if "evaluation" not in line]
    assert f"{sum(losses) / len(losses):.4g}" in out
    assert "2 claims are tested here" in out
    assert (tmp_path / "s" / rundir.REPORT).is_file()


def own() -> Design:
    return replace(DESIGN, name="own", measures=(), claims=())


def test_a_study_of_ones_own_is_called_by_its_reference(
    study: tuple[Path, Results], tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    for member in study[1].members:
        shutil.copytree(study[0] / member.folder, tmp_path / "s" / member.folder)
    words = [*(f"--set={each}" for each in SHORT), "--seeds", "1", "--out", tmp_path / "s"]
    code, out, err = cli("study", f"{__name__}:own", *words)
    assert code == 0, err
    assert "resnet20" in out
    code, _, err = cli("study", f"{__name__}:TINY_SET", *words)
    assert code == 2
    assert "is a list" in err
