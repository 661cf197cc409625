import json
from collections.abc import Callable
from pathlib import Path

import pytest
from report_runs import write_run

from resvision.cli.recipes import length

Cli = Callable[..., tuple[int, str, str]]


def test_settings_are_listed_below_a_prefix(cli: Cli) -> None:
    code, out, _ = cli("settings", "optimizer.b")
    assert code == 0
    row = next(line for line in out.splitlines() if "optimizer.betas" in line)
    assert "0.9,0.999" in row
    assert "2 numbers" in row
    code, out, _ = cli("settings", "lr", "--json")
    assert [setting["path"] for setting in json.loads(out)["settings"]] == ["optimizer.lr"]


def test_the_options_of_a_net_are_listed_by_its_name(cli: Cli) -> None:
    code, out, _ = cli("settings", "model.options.", "--model", "preresnet110", "--json")
    paths = [setting["path"] for setting in json.loads(out)["settings"]]
    assert (code, paths) == (0, [f"model.options.{name}" for name in ("placement", "width", "shortcut")])
    code, _, err = cli("settings", "model.options")
    assert (code, "--model NAME" in err) == (2, True)


def test_the_values_of_a_run_stand_beside_the_settings(tmp_path: Path, cli: Cli) -> None:
    run = write_run(tmp_path / "run", optimizer__lr=0.25)
    code, out, _ = cli("settings", "optimizer.lr", "--run", run, "--json")
    assert code == 0
    assert [(setting["value"], setting["default"]) for setting in json.loads(out)["settings"]] == [(0.25, "0.1")]
    assert cli("settings", "--run", tmp_path)[0] == 2


def test_an_unknown_prefix_gets_the_nearest_settings(cli: Cli) -> None:
    code, _, err = cli("settings", "optimiser.lr")
    assert (code, "nearest: optimizer.lr" in err) == (2, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr=0.1", "it is optimizer.lr"),
        ("epochs=3", "it is training.duration, or the flag --epochs"),
        ("weight_decay=1", "nearest: optimizer.weight_decay"),
        ("optimiser.lr=1", "nearest: optimizer.lr"),
        ("augment.flipp=true", "nearest: flip"),
        ("optimizer.betas=0.5", "a comma between, such as 0.5,1, got '0.5'"),
        ("schedule.milestones=a", "with commas between, such as 0.5,1, got 'a'"),
    ],
)
def test_an_error_of_set_names_the_leaf_and_the_form(text: str, said: str, cli: Cli) -> None:
    code, _, err = cli("train", "resnet20", "--data", "digits", "--set", text)
    assert (code, said in err) == (2, True), err


def test_recipes_are_listed_and_those_that_fit_a_model(cli: Cli) -> None:
    code, out, _ = cli("recipes")
    assert code == 0
    assert "He et al. 2015, section 4.2" in next(line for line in out.splitlines() if "cifar-2015" in line)
    code, out, _ = cli("recipes", "fcn8s", "--json")
    recipes = {recipe["name"]: recipe for recipe in json.loads(out)["recipes"]}
    assert recipes["segmentation-short"]["default"]
    assert {"fcn-2015", "unet-2015"} <= recipes.keys()
    assert "cifar-2015" not in recipes
    assert recipes["fcn-2015"]["tasks"] == ["segmentation"]
    assert cli("recipes", "resnet2O")[0] == 2


def test_the_length_of_a_recipe_is_said_in_words() -> None:
    assert length("cifar-2015") == "64,000 steps"
    assert length("fcn-2015") == "3 x 100,000 steps"
