"""The kept list of settings against their declarations, and the page against the list."""

from pathlib import Path

import pytest

from resvision import catalog
from resvision.core.errors import SettingsError
from resvision.core.settings import with_leaf
from resvision.recipes import RECIPES, compose
from resvision.setting_list.kept import OPTIONS, kept, options_of, settings_of
from resvision.setting_list.live import OF_THE_DATA, list_settings
from resvision.setting_list.markdown import page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_kept_list_is_that_of_the_declarations() -> None:
    assert kept() == list_settings(), "a setting, an option or a recipe has changed: make settings"


def test_the_page_is_that_of_the_list() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(kept()), "the list has changed: make settings"


def test_every_setting_has_a_meaning_and_a_form() -> None:
    leaves = [setting.leaf for setting in kept().settings] + [leaf for own in kept().options.values() for leaf in own]
    assert not [leaf.path for leaf in leaves if not leaf.meaning or not leaf.form]


def test_the_options_of_every_model_are_those_that_its_builder_takes() -> None:
    for row in catalog.ROWS:
        taken = {f"{OPTIONS}.{name}" for name in catalog.options(row.name)}
        given = {f"{OPTIONS}.{name}" for name in OF_THE_DATA}
        assert {leaf.path for leaf in options_of(row)} == taken - given, row.name


@pytest.mark.parametrize("model", ["resnet20", "deeplabv3"])
def test_every_setting_of_a_model_can_be_set_to_its_default_and_its_choices(model: str) -> None:
    run = compose(model, "digits")
    for setting in settings_of(model):
        leaf = setting.leaf
        for text in (*leaf.choices, leaf.default):
            if not text:
                continue
            try:
                with_leaf(run, leaf.path, text, text=True)
            except SettingsError as error:  # some choices need others beside them
                assert "needs" in str(error), (leaf.path, text)


def test_a_model_has_the_losses_of_its_own_system_alone() -> None:
    paths = {setting.leaf.path for setting in settings_of("lenet5")}
    assert {path for path in paths if path.startswith("loss.")} == {"loss.criterion", "loss.j"}
    assert "loss.auxiliary_weight" in {setting.leaf.path for setting in settings_of("googlenet")}


def test_the_default_recipe_of_every_model_fits_it() -> None:
    for row in catalog.ROWS:
        assert row.name in kept().recipes[row.recipe].models
    assert all(kept().recipes[name].lengths and RECIPES[name].data for name in RECIPES)
