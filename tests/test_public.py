import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import resvision
from resvision import catalog
from resvision.core.errors import DataError, SettingsError, UnknownNameError
from resvision.data import sets
from resvision.launch import Finished
from resvision.recipes import RECIPES, compose, compose_phases, recipe
from resvision.training_graph import RunPhase

ROOT = Path(__file__).parent.parent


def test_the_public_names_are_these() -> None:
    assert set(resvision.__all__) == {"build", "stages", "count", "Run", "train", "evaluate", "load", "predict"}
    for name in resvision.__all__:
        assert inspect.getdoc(getattr(resvision, name)), name


def test_an_unknown_public_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="it has build"):
        resvision.fit  # noqa: B018


def test_the_five_lines_of_the_readme_work(finished: Finished) -> None:
    model = resvision.load(finished.folder)
    scores = resvision.evaluate(model)
    assert scores.to_json() == finished.scores.to_json()
    reader = sets.open_splits("digits").test
    results = resvision.predict(model, [reader[i].image for i in range(5)], top=3)
    assert [len(result.scores) for result in results] == [3] * 5
    assert all(list(result.scores) == sorted(result.scores, reverse=True) for result in results)


def test_prediction_agrees_with_evaluation(finished: Finished) -> None:
    reader = sets.open_splits("digits").test
    results = resvision.predict(finished.folder, [reader[i].image for i in range(len(reader))])
    wrong = [result.label != reader.classes[reader.target(i)] for i, result in enumerate(results)]
    assert np.mean(wrong) == finished.scores.top1_error


def test_a_run_is_trained_as_it_is_or_not_at_all(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="leave out epochs"):
        resvision.train(finished.run, epochs=3, out=tmp_path / "run")
    with pytest.raises(SettingsError, match="which data"):
        resvision.train("resnet20")
    again = resvision.train(finished.run, out=tmp_path / "run", quiet=True)
    assert again.scores.to_json() == finished.scores.to_json()


def test_a_missing_image_is_named(finished: Finished) -> None:
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        resvision.predict(finished.folder, "gone.png")


def test_model_and_recipe_names_are_disjoint() -> None:
    assert {row.name for row in catalog.ROWS}.isdisjoint(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_a_run_and_says_what_it_is(name: str) -> None:
    model = {"fcn-2015": "fcn8s"}.get(name, "resnet20")
    phases = compose_phases(model, "cifar10", recipe_name=name)
    assert {phase.run.recipe for phase in phases if isinstance(phase, RunPhase)} == {name}
    assert (len(phases) > 1) == (name in {"fcn-2015", "deeplabv3-2017"})
    assert inspect.getdoc(recipe(name))


def test_the_warm_start_begins_at_depth_110() -> None:
    assert compose("resnet56", "cifar10", recipe_name="cifar-2015").schedule.warmup == 0
    deep = compose("resnet110", "cifar10", recipe_name="cifar-2015")
    assert 0.1 * deep.schedule.factor(399 / 64_000) == pytest.approx(0.01)
    assert 0.1 * deep.schedule.factor(400 / 64_000) == pytest.approx(0.1)


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="nearest: photos-short"):
        compose("resnet20", "cifar10", recipe_name="photo-short")


def test_every_row_of_the_catalog_names_a_recipe_that_exists() -> None:
    assert {row.recipe for row in catalog.ROWS} <= set(RECIPES)


def test_the_tables_of_the_readme_name_every_model_data_set_and_recipe_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    said = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    names = [*(row.name for row in catalog.ROWS), *sets.names(), *RECIPES]
    assert sorted(said) == sorted(names)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
