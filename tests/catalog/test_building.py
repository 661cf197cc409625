import inspect
import re
from importlib import import_module

import pytest
import torch
from torch import nn

from resvision import catalog
from resvision.catalog import ROWS
from resvision.classification.classifier import Classifier
from resvision.classification.lenet import LeNetClassifier
from resvision.core import references
from resvision.core.errors import SettingsError, UnknownNameError
from resvision.probes.count import count
from resvision.tasks import task_of

SYSTEMS = {"lenet5": LeNetClassifier}
DEPTHS = {
    "resnet_forms": 110,
    "lenet5": 4,
    "lenet5_modern": 5,
    "alexnet": 8,
    "alexnet_2012": 8,
    "googlenet": 22,
    "googlenet_2014": 22,
    "bn_inception": 34,
    "prelunet_a": 19,
    "prelunet_b": 22,
    "prelunet_c": 22,
    "xception65": 129,
    "extraction": 21,
    "caffenet": 8,
    "zf5": 8,
    "sppnet_zf5": 8,
}
"""Of nets whose options and names do not say it; of xception65, a separable convolution counts as two."""
CLASSIFIERS = [row for row in ROWS if row.task == "classification"]
COUNTED_ELSEWHERE = 1000  # nets this deep take seconds; their own test files count them


def system_of(row: catalog.Row) -> type:
    """The class that trains a net of the table."""
    system = references.load(row.system or task_of(row.task).system, noun="system")
    assert isinstance(system, type)
    return system


def tiny(num_classes: int, width: int = 3) -> nn.Module:
    """A builder as a user would write one."""
    return nn.Sequential(nn.Conv2d(3, width, 1), nn.Flatten(), nn.LazyLinear(num_classes))


def depth_in(name: str) -> int:
    """16 in vgg16_bn; 20, a perceptron's own, in a name without a number."""
    found = re.search(r"\d+", name)
    return int(found[0]) if found else 20


def needy(num_classes: int, *, size: int) -> nn.Module:
    """A user's builder with an option that must be given."""
    return nn.Linear(size, num_classes)


def open_ended(num_classes: int, **options: int) -> nn.Module:
    """A user's builder that takes anything."""
    return nn.Linear(options["size"], num_classes)


@pytest.mark.parametrize("row", CLASSIFIERS, ids=lambda row: row.name)
def test_every_row_builds_on_meta_with_its_defaults_and_its_depth_is_its_name(row: catalog.Row) -> None:
    with torch.device("meta"):
        net = catalog.build(row.name, num_classes=row.num_classes)
    assert all(parameter.is_meta for parameter in net.parameters())
    assert "arXiv:" in row.paper or "doi:" in row.paper
    assert issubclass(system_of(row), SYSTEMS.get(row.name, Classifier))
    depth = DEPTHS.get(row.name) or row.options.get("depth") or depth_in(row.name)
    if depth <= COUNTED_ELSEWHERE:
        counted = count(net, row.input)
        assert counted.depth == depth
        assert counted.layers[-1].shape == (row.num_classes,)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_fixed_option_is_a_parameter_and_every_other_parameter_an_option(row: catalog.Row) -> None:
    module, _, function = row.builder.partition(":")
    parameters = {*inspect.signature(getattr(import_module(module), function)).parameters}
    assert {*row.options} <= parameters
    backbone = row.options.get("backbone") or row.usual.get("backbone")
    passed_on = {*catalog.options(backbone)} - parameters if backbone else set()
    if "window_px" in parameters:  # which is the backbone's size
        passed_on -= {"input_size"}
    assert {*catalog.options(row.name)} == parameters - {*row.options} - {"num_classes"} | passed_on


def test_options_reach_the_builder() -> None:
    net = catalog.build("resnet20", num_classes=7, in_channels=1, width=4, shortcut="B")
    assert net.conv1.weight.shape == (4, 1, 3, 3)
    assert net.fc.out_features == 7
    assert net.shortcut == "B"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'resnet5o'; nearest: .*resnet50"):
        catalog.build("resnet5o", num_classes=10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widht": 8}, r"option of resnet20 'widht'; nearest: width; choices: .*in_channels"),
        ({"shortcut": "D"}, "shortcut 'D': choices are none, A, B, C"),
        ({"width": "wide"}, "width 'wide'.*whole number"),
        ({"width": 8.5}, r"width 8\.5.*whole number"),
        ({"zero_init": "yes"}, "zero_init 'yes'.*true or false"),
        ({"width": 0}, "at least 1"),
        ({"depth": 32}, "depth is 20 by the name"),
    ],
)
def test_a_wrong_option_is_one_clear_error(options: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        catalog.build("resnet20", num_classes=10, **options)


def classless(width: int = 3) -> nn.Module:
    """A user's builder of a net without classes."""
    return Staged(width)


def optional(num_classes: int = 6) -> nn.Module:
    """A user's builder that has a number of classes of its own."""
    return nn.Linear(2, num_classes)


def test_classes_are_passed_on_only_where_the_builder_has_that_parameter() -> None:
    assert catalog.build(f"{__name__}:classless", width=5).conv.out_channels == 5
    assert catalog.build(f"{__name__}:optional").out_features == 6
    assert catalog.build(f"{__name__}:optional", num_classes=2).out_features == 2
    with pytest.raises(SettingsError, match="has no parameter num_classes, and 4 classes are asked for; give it"):
        catalog.build(f"{__name__}:classless", num_classes=4)
    with pytest.raises(SettingsError, match="resnet20: needs num_classes"):
        catalog.build("resnet20")
    with pytest.raises(SettingsError, match="fcn: needs num_classes"):
        catalog.build("fcn")


def test_a_net_without_classes_serves_as_backbone() -> None:
    net = catalog.build("fcn", num_classes=4, backbone=f"{__name__}:classless", width=7)
    assert net.backbone.conv.out_channels == 7


def test_zero_classes_are_refused() -> None:
    with pytest.raises(SettingsError, match="num_classes is 0"):
        catalog.build("resnet20", num_classes=0)


def test_a_builder_of_the_users_own_is_named_by_its_place() -> None:
    here = f"{__name__}:tiny"
    assert catalog.find(here).builder == here
    assert catalog.options(here) == {"width": 3}
    assert catalog.build(here, num_classes=4, width=5)[0].out_channels == 5
    with pytest.raises(SettingsError, match="nearest: width"):
        catalog.build(here, num_classes=4, wdth=5)
    with pytest.raises(SettingsError, match=r"missing option .*size"):
        catalog.build(f"{__name__}:needy", num_classes=4)
    assert catalog.build(f"{__name__}:open_ended", num_classes=4, size=6).in_features == 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package.nets:net", "no module named 'no_such_package'"),
        ("resvision.classification.resnet:resnit", "nearest: resnet"),
        ("resvision.classification.resnet:SIZES", "not a function"),
    ],
)
def test_a_place_without_a_builder_is_refused(name: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        catalog.build(name, num_classes=4)


def headed(backbone: nn.Module, *, num_classes: int, depth: int = 1) -> nn.Module:
    """A user's builder over a net of the catalog."""
    return nn.Sequential(backbone.conv1, *(nn.Conv2d(backbone.conv1.out_channels, num_classes, 1),) * depth)


def test_a_builder_over_a_backbone_names_it_and_takes_its_options_too() -> None:
    here = f"{__name__}:headed"
    assert catalog.options(here) == {"backbone": inspect.Parameter.empty, "depth": 1}
    taken = catalog.options(here, {"backbone": "resnet20"})
    assert taken == catalog.options("resnet20") | {"backbone": inspect.Parameter.empty, "depth": 1}
    net = catalog.build(here, num_classes=4, backbone="resnet20", width=6, depth=2)
    assert [layer.out_channels for layer in net] == [6, 4, 4]
    over_tiny = catalog.build("fcn", num_classes=4, backbone=f"{__name__}:staged", width=7)
    assert over_tiny.backbone.conv.out_channels == 7


class Staged(nn.Module):
    """A user's net with one map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, stride=8, padding=1)

    def stage_ends(self) -> dict[str, int]:
        return {"conv": self.conv.out_channels}


def staged(num_classes: int, width: int = 3) -> nn.Module:
    """A user's builder of a net to stand on."""
    return Staged(width)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widht": 8}, "option of fcn over resnet50 'widht'; nearest: width; choices: .*output_stride.*stride_in"),
        ({"width": 0}, "resnet50: width is 0"),
        ({"backbone": 5}, "backbone: expected the name of a model, such as resnet50, got 5"),
        ({"backbone": "pspnet"}, "backbone: pspnet is a net for segmentation; choose a classification net"),
        ({"backbone": "resnet5o"}, "unknown model 'resnet5o'; nearest: .*resnet50"),
        ({"backbone": "vgg16", "stride_in": "1x1"}, "option of fcn over vgg16 'stride_in'"),
        ({"output_stride": "wide"}, "output_stride 'wide'.*whole number"),
    ],
)
def test_a_wrong_option_of_a_net_over_a_backbone_is_one_clear_error(options: dict, message: str) -> None:
    with pytest.raises((SettingsError, UnknownNameError), match=message):
        catalog.build("fcn", num_classes=10, **options)


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_no_net_takes_nought_where_an_option_counts_something(name: str) -> None:
    row = catalog.find(name)
    for key in [key for key, usual in catalog.options(name).items() if type(usual) is int]:
        with pytest.raises(SettingsError, match=key), torch.device("meta"):
            catalog.build(name, num_classes=row.num_classes, **{key: 0})


def test_a_value_that_torch_refuses_is_one_clear_error() -> None:
    said = "faster_rcnn_vgg16: dropout probability has to be between 0 and 1"
    with pytest.raises(SettingsError, match=said), torch.device("meta"):
        catalog.build("faster_rcnn_vgg16", num_classes=2, dropout=7)


def test_a_backbone_that_the_name_says_is_not_given_again() -> None:
    with pytest.raises(SettingsError, match="backbone is 'resnet50' by the name"):
        catalog.build("fcn_resnet50", num_classes=10, backbone="resnet18")
    assert "backbone" not in catalog.options("fcn_resnet50")


def test_what_is_usual_is_given_unless_a_user_says_otherwise() -> None:
    with torch.device("meta"):
        deep, plain = (catalog.build("pspnet_resnet50", num_classes=4, **given) for given in ({}, {"stem": "plain"}))
        other = catalog.build("pspnet", num_classes=4, backbone="vgg11")
    assert isinstance(deep.backbone.conv1, nn.Sequential)
    assert isinstance(plain.backbone.conv1, nn.Conv2d)
    assert "features" in dict(other.backbone.named_children())
    assert catalog.options("pspnet_resnet50")["stem"] == "deep"
    assert catalog.options("pspnet")["stem"] == "plain"
    assert catalog.options("pspnet")["backbone"] == "resnet50"
