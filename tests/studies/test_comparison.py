"""Grids and comparisons: conditions are named by what sets them apart, and held against the first seed by seed."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.kinds.table import kind_of
from resvision.studies.comparison import claims_against_first, compare, condition_names, differing_leaves, seen_from
from resvision.studies.experiment import Asked, conduct
from resvision.studies.grid import grid, values_by_path
from resvision.studies.results import Results

QUIET = Console(quiet=True)
TINY = ["model.options.width=2", "data.image_size=8", "machine.precision=fp32", "training.duration=2 steps"]
VARY = ["optimizer.lr=0.1,0.2"]

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("grid")
    design = grid(["resnet20"], "digits", VARY, settings=TINY, seeds=2)
    return folder, conduct(design, folder, Asked("digits", 2, settings=TINY), QUIET)


def test_a_grid_has_a_condition_for_each_combination() -> None:
    vary = ["model.options.shortcut=A,B", "optimizer.lr=0.1,0.2,0.4"]
    design = grid(["resnet20", "resnet32"], "digits", vary)
    assert len(design.conditions) == 12
    assert design.conditions[1].name == "resnet20,shortcut=A,lr=0.2"
    assert design.conditions[1].settings == {"model.options.shortcut": "A", "optimizer.lr": 0.2}
    assert len(design.claims) == 22  # test error and training loss of each but the first
    assert "model.name, model.options.shortcut and" not in design.question or design.question.endswith("?")


@pytest.mark.parametrize(
    ("models", "compared"), [(["resnet20", "plain20"], True), (["mtp", "vector"], True), (["mtp", "covernet"], False)]
)
def test_training_losses_of_other_systems_are_not_compared(models: list[str], compared: bool) -> None:
    data = "digits" if models[0] == "resnet20" else "traffic-simulated"
    claims = grid(models, data, ["training.batch_size=8,16"]).claims
    assert any("training loss" in claim.text for claim in claims) == compared


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        (["optimizer.lr"], "write a setting and two values"),
        (["optimizer.lr=0.1"], "two values or more"),
        (["optimizer.lr=0.1,0.1"], "0.1 twice"),
        (["optimizer.lr=0.1,0.2", "optimizer.lr=0.3,0.4"], "given twice"),
        (["training.seed=1,2"], "--seeds"),
        (["model.name=resnet20,plain20"], "name the models first"),
        (["optimizer.lr=0.1,fast"], "optimizer.lr"),
        (["optimizer.rate=0.1,0.2"], "optimizer.rate"),
        ([f"training.batch_size={','.join(map(str, range(1, 300)))}"], "299 conditions"),
        ([], "nothing varies"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(vary: list[str], said: str) -> None:
    with pytest.raises(ResVisionError, match=re.escape(said)):
        grid(["resnet20"], "digits", vary)


def test_values_of_a_setting_may_not_be_set_as_well() -> None:
    assert values_by_path(["a.b= x, y"]) == {"a.b": ["x", "y"]}
    with pytest.raises(SettingsError, match="is varied"):
        grid(["resnet20"], "digits", VARY, settings=["optimizer.lr=0.3"])


def test_runs_that_differ_in_the_seed_alone_are_one_condition(study: tuple[Path, Results]) -> None:
    folder, results = study
    runs = sorted(folder.glob("*-seed*"))
    design, compared = compare(runs)
    assert [condition.name for condition in design.conditions] == ["lr=0.1", "lr=0.2"]
    assert [len(compared.of(name)) for name in compared.conditions] == [2, 2]
    by_folder = {Path(member.folder).name: member for member in compared.members}
    for member in results.members:
        assert by_folder[member.folder].figures == member.figures
    grid_verdicts = results.verdicts(grid(["resnet20"], "digits", VARY, settings=TINY))
    assert [v.mean for v in compared.verdicts(design)] == [v.mean for v in grid_verdicts]


def test_seeds_that_one_condition_lacks_are_no_pairs(study: tuple[Path, Results]) -> None:
    folder, _ = study
    three = sorted(folder.glob("*-seed*"))[:3]
    design, results = compare(three)
    assert {verdict.pairs for verdict in results.verdicts(design)} == {1}


def test_a_comparison_can_be_moved_with_its_runs(study: tuple[Path, Results], tmp_path: Path) -> None:
    folder, _ = study
    _, results = compare(sorted(folder.glob("*-seed*")))
    for member in seen_from(results, tmp_path).members:
        assert not Path(member.folder).is_absolute()
        assert (tmp_path / member.folder / rundir.RUN).is_file()


def test_what_cannot_be_compared_is_refused(study: tuple[Path, Results], tmp_path: Path) -> None:
    folder, _ = study
    first, second, *_ = sorted(folder.glob("*-seed*"))
    with pytest.raises(SettingsError, match="two runs or more"):
        compare([first])
    with pytest.raises(SettingsError, match="nothing but the seed"):
        compare([first, second])
    shutil.copytree(first, tmp_path / "again")
    third = sorted(folder.glob("*-seed*"))[2]
    with pytest.raises(SettingsError, match="once more"):
        compare([first, third, tmp_path / "again"])
    (tmp_path / "again" / rundir.EVALUATION).unlink()
    with pytest.raises(RunError, match="no finished run"):
        compare([third, tmp_path / "again"])
    with pytest.raises(RunError, match="no such run"):
        compare([third, tmp_path / "nowhere"])


def test_runs_on_other_images_are_refused(study: tuple[Path, Results], tmp_path: Path) -> None:
    folder, _ = study
    first = min(folder.glob("*-seed*"))
    shutil.copytree(first, tmp_path / "elsewhere")
    plain = rundir.read_json(tmp_path / "elsewhere" / rundir.RUN)
    plain["data"]["fingerprint"] = "0" * 64
    rundir.write_json(tmp_path / "elsewhere" / rundir.RUN, plain)
    with pytest.raises(RunError, match="other images of digits"):
        compare([first, tmp_path / "elsewhere"])


def test_conditions_are_named_by_what_sets_them_apart_alone() -> None:
    runs = [
        {"model.name": name, "model.options.width": width, "optimizer.lr": 0.1, "data.view.crop_px": width}
        for name, width in (("plain20", 4), ("resnet20", 4), ("resnet20", 8))
    ]
    assert condition_names(runs) == ["plain20, width=4", "resnet20, width=4", "resnet20, width=8"]
    assert [*differing_leaves(runs)] == ["model.name", "model.options.width"]
    derived = [{"data.view.crop_px": 4}, {"data.view.crop_px": 8}]
    assert condition_names(derived) == ["crop_px=4", "crop_px=8"]
    alike = [{"a.rate": 1, "b.rate": 2}, {"a.rate": 2, "b.rate": 1}]
    assert condition_names(alike) == ["a.rate=1, b.rate=2", "a.rate=2, b.rate=1"]


def test_the_better_side_of_a_claim_follows_from_the_task() -> None:
    error, score = (claims_against_first(["a", "b"], kind_of(task), losses=False) for task in TASKS)
    assert [claim.smaller.condition for claim in (*error, *score)] == ["b", "a"]  # type: ignore[union-attr]
    assert "lower test error" in error[0].text
    assert "higher test mean IoU" in score[0].text


TASKS = ("classification", "segmentation")


def test_a_comparison_prints_its_verdicts_and_is_made_again(
    study: tuple[Path, Results], tmp_path: Path, cli: Cli
) -> None:
    folder, _ = study
    runs = [folder / f"lr={rate}-seed0" for rate in (0.1, 0.2)]
    words = ["study", "compare", *runs, "--out", tmp_path / "page"]
    for _ in range(2):
        code, out, err = cli(*words)
        assert code == 0, err
    assert "lr=0.2 has a lower test error than lr=0.1" in out
    html = (tmp_path / "page" / rundir.REPORT).read_text()
    assert "lr=0.2" in html
    code, _, err = cli(*words[:-1], runs[0])
    assert code == 2
    assert "name another --out" in err
