import subprocess
import sys
from importlib import import_module

import pytest

from resvision import catalog
from resvision.catalog import ROWS
from resvision.core import references
from resvision.kinds.table import TASKS, kind_of
from resvision.recipes import RECIPES, compose
from resvision.tasks import task_of

NAMES = {
    "lenet5",
    "lenet5_modern",
    "alexnet",
    "alexnet_2012",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "vgg11_bn",
    "vgg13_bn",
    "vgg16_bn",
    "vgg19_bn",
    "vgg11_lrn",
    "vgg16_c",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet50_v1",
    "resnet101_v1",
    "resnet152_v1",
    "resnet18_a",
    "resnet34_a",
    "resnet34_b",
    "resnet34_c",
    "plain18",
    "plain34",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
    "resnet1202",
    "plain20",
    "plain32",
    "plain44",
    "plain56",
    "plain110",
    "resnet20_b",
    "resnet32_b",
    "resnet44_b",
    "resnet56_b",
    "resnet110_b",
    "resnet1202_b",
    "preresnet20",
    "preresnet32",
    "preresnet56",
    "preresnet110",
    "preresnet29",
    "preresnet47",
    "preresnet83",
    "preresnet164",
    "preresnet1001",
    "resnet_forms",
    "resmlp",
    "plainmlp",
    "googlenet",
    "googlenet_2014",
    "bn_inception",
    "prelunet_a",
    "prelunet_b",
    "prelunet_c",
    "xception65",
    "zf5",
    "sppnet_zf5",
    "darknet19",
    "darknet53",
    "extraction",
}


def test_every_name_stands_in_the_table_once() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert {*names} >= NAMES


def test_importing_the_catalog_and_naming_everything_loads_no_torch() -> None:
    code = (
        "import sys; from resvision import catalog;"
        "[catalog.find(row.name) for row in catalog.ROWS]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_task_has_nets_both_halves_a_system_and_a_recipe() -> None:
    assert {*TASKS} == {row.task for row in ROWS}
    for name, row in TASKS.items():
        task = task_of(name)
        assert task.kind is kind_of(name)
        assert task.kind.name == name
        systems = {net.system or task.system for net in ROWS if net.task == name}
        assert all(callable(references.load(system, noun="system")) for system in systems)
        assert row.recipe in RECIPES


def test_the_rows_of_a_task_stand_in_the_file_of_its_name_and_no_name_twice() -> None:
    tables = {task: import_module(f"resvision.catalog.{task}").ROWS for task in TASKS}
    assert all({row.task for row in rows} == {task} for task, rows in tables.items())
    assert sorted(row.name for rows in tables.values() for row in rows) == sorted({row.name for row in ROWS})


def test_nets_of_one_kind_alone_are_backbones() -> None:
    assert {row.task for row in ROWS if row.is_backbone}.isdisjoint(row.task for row in ROWS if not row.is_backbone)
    assert catalog.find("own.nets:net").is_backbone


@pytest.mark.parametrize(
    ("changes", "settings", "recipe"),
    [
        ({}, (), "small-images-short"),
        ({"model.task": "segmentation"}, (), "segmentation-short"),
        ({}, ("model.task=segmentation",), "segmentation-short"),
        ({}, ("optimizer.lr=1", " model.task = segmentation"), "segmentation-short"),
        ({"model.task": "segmentation"}, ("model.task=classification",), "small-images-short"),
    ],
)
def test_the_recipe_of_a_net_of_ones_own_follows_from_the_task_that_is_set(
    changes: dict[str, str], settings: tuple[str, ...], recipe: str
) -> None:
    assert compose("own.nets:net", "digits", changes=changes, settings=settings).recipe == recipe


def test_a_task_changes_nothing_for_the_recipe_of_a_net_of_the_table() -> None:
    assert compose("resnet20", "digits", settings=("model.task=segmentation",)).recipe == "small-images-short"
