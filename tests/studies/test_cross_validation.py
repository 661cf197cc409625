import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from support import TINY

import resvision
from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.inference.evaluate import evaluate_with_overlap
from resvision.inference.load import load
from resvision.recipes import compose
from resvision.studies.cross_validation import CrossValidation, go_on
from resvision.studies.folds_page import rows, write_folds
from resvision.tasks import How

QUIET = Console(quiet=True)
SHORT = {**TINY, "training.duration": "2 steps", "data.image_size": 8}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> CrossValidation:
    out = tmp_path_factory.mktemp("folds") / "study"
    return resvision.cross_validate("resnet20", "digits", folds=2, settings=SHORT, out=out, quiet=True)


def test_every_training_image_is_scored_once(study: CrossValidation) -> None:
    assert study.pooled is not None
    assert study.pooled.images == 1400
    assert [outcome.record.scores.images for outcome in study.outcomes] == [700, 700]


def test_pooled_scores_and_spread_are_those_of_the_folds(study: CrossValidation) -> None:
    errors = [outcome.record.scores.top1_error for outcome in study.outcomes]
    assert study.figures["top1_error"].mean == pytest.approx(np.mean(errors))
    assert study.figures["top1_error"].deviation == pytest.approx(np.std(errors, ddof=1))
    assert study.pooled is not None
    assert study.pooled.figures()["top1_error"] == pytest.approx(np.mean(errors))  # folds of one size


def test_a_fold_is_evaluated_on_its_own_held_out_part(study: CrossValidation) -> None:
    trained = load(study.folder / "fold-2")
    evaluation = evaluate_with_overlap(trained, how=How(grey=True))
    assert evaluation.scores.to_json() == study.outcomes[1].record.scores.to_json()
    assert (evaluation.images.new, evaluation.images.gone, int(evaluation.overlap.trained.sum())) == (0, 0, 0)  # type: ignore[union-attr]


def test_folds_that_are_finished_are_not_run_again(study: CrossValidation) -> None:
    marks = {path: path.stat().st_mtime_ns for path in study.folder.glob("fold-*/**/*") if path.is_file()}
    again = go_on(study.folder, console=QUIET)
    assert again.to_json() == study.to_json()
    assert {path: path.stat().st_mtime_ns for path in marks} == marks
    assert rundir.read_json(study.folder / rundir.EVALUATION) == study.to_json()


def test_the_page_has_a_row_for_each_fold_and_links_it(study: CrossValidation, tmp_path: Path) -> None:
    names = [row[0] for row in rows(study)]
    assert names == ["fold-1", "fold-2", "mean ± deviation", "pooled"]
    first, second = (study.folder / f"fold-{number}" / rundir.REPORT for number in (1, 2))
    second.write_text("newer than its scores")
    html = write_folds(study, tmp_path / "page.html").read_text()
    links = re.findall(r'<a href="([^"]+)">', html)
    assert [(tmp_path / link).resolve() for link in links] == [first.resolve(), second.resolve()]
    assert "Confusion" in first.read_text()
    assert second.read_text() == "newer than its scores"


def test_one_fold_is_refused() -> None:
    with pytest.raises(SettingsError, match="from 2 to 1,000"):
        resvision.cross_validate("resnet20", "digits", folds=1, quiet=True)


def test_a_run_takes_no_settings_beside_it() -> None:
    run = compose("resnet20", "digits")
    with pytest.raises(SettingsError, match="a Run holds all its settings: leave out lr"):
        resvision.cross_validate(run, lr=0.1, quiet=True)


@pytest.mark.parametrize("folds", [-3, 0, 1, 10**9])
def test_another_number_of_folds_in_a_folder_is_damage(folds: int, study: CrossValidation, tmp_path: Path) -> None:
    asked = json.loads((study.folder / rundir.FOLDS).read_text())
    (tmp_path / rundir.FOLDS).write_text(json.dumps({**asked, "folds": folds}))
    with pytest.raises(RunError, match=rf"folds.json: damaged: {folds} folds"):
        go_on(tmp_path, console=QUIET)
