"""Recipes of motion prediction have the settings of their papers, and fit the nets that they are made for."""

import pytest

from resvision import catalog
from resvision.core.views import Raster
from resvision.recipes import RECIPES, compose


@pytest.mark.parametrize("model", ["motion_regression", "mtp", "covernet", "vector"])
def test_the_short_recipe_starts_from_constant_velocity(model: str) -> None:
    run = compose(model, "traffic-simulated")
    assert run.recipe == "motion-short"
    assert run.model.options == {"reference": "constant-velocity"}
    assert compose(model, "ngsim", settings=("model.options.reference=agent",)).model.options == {"reference": "agent"}


def test_the_short_recipe_takes_a_net_of_ones_own_as_it_is() -> None:
    run = compose("own.nets:net", "ngsim", changes={"model.task": "motion"})
    assert (run.recipe, run.model.options) == ("motion-short", {})


def test_a_replay_takes_no_steps() -> None:
    assert compose("replay", "ngsim").training.duration == "0 steps"
    assert compose("replay", "ngsim", settings=("training.duration=3 epochs",)).training.duration == "0 steps"


def test_the_rate_of_mtp_falls_by_a_tenth_every_20_000_steps() -> None:
    run = compose("mtp", "ngsim", recipe_name="mtp-2019")
    steps = int(run.training.duration.partition(" ")[0])
    for step, drops in ((0, 0), (19_999, 0), (20_000, 1), (100_000, 5), (steps - 1, 9)):
        assert run.optimizer.lr * run.schedule.factor(step / steps) == pytest.approx(1e-4 * 0.9**drops)


def test_the_rasters_of_l5kit_have_25_channels() -> None:
    run = compose("motion_regression", "traffic-simulated", recipe_name="motion-regression-2020")
    data = run.data
    assert data.history_seconds is not None
    frames = round(data.history_seconds / 0.1)
    assert Raster.drawn_channels("channels", frames) == 25
    assert (data.image_size, data.metres_per_px, data.ahead, data.drawn_past) == (224, 0.5, 0.75, "channels")


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name].data == "recorded tracks"])
def test_every_option_and_loss_of_a_recipe_is_one_of_its_net(name: str) -> None:
    model = {
        "motion-replay": "replay",
        "covernet-2020": "covernet",
        "motion-regression-2020": "motion_regression",
    }.get(name, "mtp")
    run = compose(model, "traffic-simulated", recipe_name=name)
    assert {*run.model.options} <= {*catalog.options(model)}
    assert RECIPES[name].function.startswith("resvision.recipes.motion.")
