"""Every net is torch's own layers, which other tools trace, and every system's `predict` is one graph of operations."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from resvision import catalog
from resvision.catalog import Row
from resvision.classification.protocols import MeanOverViews, Protocol, Views
from resvision.contracts import Images, System
from resvision.core import references
from resvision.core.views import CentreCrop
from resvision.kinds.classification.presets import find
from resvision.segmentation.parts.tiles import input_rule
from resvision.tasks import task_of

ROWS = [row for row in catalog.ROWS if row.task not in {"detection", "motion"}]
"""Systems whose inputs are images alone, and whose results are one tensor.

Detectors suppress boxes image by image and export for a fixed number, to which detection/contract.py holds them; nets
of motion take states and past beside rasters, with which motion/contract.py exports them.
"""
CLASSES = {"lenet5": 10}  # 5 for the others
OPTIONS = {"in_channels": 2, "width": 4, "channels": 8, "decoder_width": 8}
TORCHSCRIPT = pytest.mark.filterwarnings(
    "ignore:.torch.jit",  # which torch advises against, and people have
    "ignore:The TorchScript type system",  # doubts about torch's own graphs
    "ignore::torch.jit.TracerWarning",  # of torch's own unpooling
)
SIDES = {"lenet5": 32, "lenet5_modern": 32, "alexnet_2012": 67}


def first_of_each(rows: Iterable[Row]) -> list[str]:
    """The name of the first row of each builder and system."""
    first: dict[tuple[str, str], str] = {}
    for row in rows:
        first.setdefault((row.builder, system_of(row)), row.name)
    return [*first.values()]


def system_of(row: Row) -> str:
    return row.system or task_of(row.task).system


class Prediction(nn.Module):
    """What is exported of a system."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, pixels: Tensor) -> Tensor:
        return self.system.predict(Images(pixels))


class PredictionOfViews(Prediction):
    """The same of a system that is shown several views of each image, at one scale."""

    def forward(self, views: Tensor) -> Tensor:
        return self.system.predict(Views([views]))


def narrow(name: str) -> tuple[System, int]:
    """The system of a row around a narrow net in evaluation mode, and a side that the net takes."""
    torch.manual_seed(0)
    row = catalog.find(name)
    side = SIDES.get(name, 64 if row.input[1] > 32 else 16)
    small = {"backbone": "resnet18"} if "backbone" in row.usual else {}
    taken = catalog.options(name, small)
    given = {key: value for key, value in {**OPTIONS, "input_size": side}.items() if key in taken}
    net = catalog.build(name, num_classes=CLASSES.get(name, 5), **small, **given)
    enliven(net)
    channels = given.get("in_channels", row.input[0])
    system = references.load(system_of(row), noun="system")(net, mean=(0.5,) * channels, std=(0.25,) * channels)
    side = input_rule(net).at_least(side)
    with torch.no_grad():  # in training mode normalization takes over the statistics of these images
        system.predict(Images(torch.randint(0, 256, (8, channels, side, side), dtype=torch.uint8)))
    return system.eval(), side


def enliven(net: nn.Module) -> None:
    """Weights under which no map dies out and no class is certain, whatever the image, in a net this narrow."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None


@pytest.mark.parametrize("name", first_of_each(ROWS))
def test_predict_exports_as_one_graph_for_any_number_of_images_that_gives_the_same(name: str) -> None:
    system, side = narrow(name)
    shape = (system.mean.shape[1], side, side)
    pixels, others = (torch.randint(0, 256, (number, *shape), dtype=torch.uint8) for number in (2, 3))
    with torch.no_grad():
        expected, expected_of_others = (system.predict(Images(shown)) for shown in (pixels, others))
        exported = torch.export.export(Prediction(system), (pixels,), dynamic_shapes=({0: Dim("N")},)).module()
        torch.testing.assert_close(exported(pixels), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(exported(others), expected_of_others, rtol=1e-4, atol=1e-5)
    assert (expected - expected_of_others[:2]).abs().max() > 0.001, "a constant would pass"


@pytest.mark.parametrize("protocol", ["ten-crop", "dense"])
def test_the_mean_over_a_protocols_views_exports_too(protocol: str) -> None:
    classifier, side = narrow("resnet18")
    view = CentreCrop(channels=2, resize_px=side + 32, crop_px=side, mean=(0.5,) * 2, std=(0.25,) * 2)
    px = side + 32 if protocol == "dense" else side
    system = MeanOverViews(classifier, Protocol(find(protocol), view, (px,)), batch_size=8).eval()
    views = torch.randint(0, 256, (2, 4, 2, px, px), dtype=torch.uint8)
    views[1] //= 8  # the mean over views of noise is alike for any noise of one brightness
    with torch.no_grad():
        exported = torch.export.export(PredictionOfViews(system), (views,)).module()
        expected = system.predict(Views([views]))
        torch.testing.assert_close(exported(views), expected, rtol=1e-4, atol=1e-5)
    assert expected.shape == (2, 5)
    assert (expected[0] - expected[1]).abs().max() > 0.001, "a constant would pass"


def test_every_system_of_the_tasks_is_exported() -> None:
    exported = {system_of(catalog.find(name)) for name in first_of_each(ROWS)}
    assert exported == {system_of(row) for row in ROWS}


def small_net(name: str) -> tuple[nn.Module, Tensor]:
    """A net of a row in evaluation mode, and images that it takes."""
    system, side = narrow(name)
    return system.net, torch.rand(2, system.mean.shape[1], side, side)


@pytest.mark.parametrize("name", {row.builder: row.name for row in reversed(ROWS)}.values())
def test_fx_traces_every_net(name: str) -> None:
    net, images = small_net(name)
    graph = torch.fx.symbolic_trace(net)
    with torch.no_grad():
        assert torch.equal(graph(images), net(images))


@TORCHSCRIPT
@pytest.mark.parametrize("name", ["lenet5", "resnet18", "deeplabv3plus", "unet"])
def test_a_traced_net_is_scripted(name: str) -> None:
    net, images = small_net(name)
    script = torch.jit.script(torch.fx.symbolic_trace(net))
    with torch.no_grad():
        torch.testing.assert_close(script(images), net(images))


@TORCHSCRIPT
@pytest.mark.parametrize("name", ["alexnet", "resnet18", "resmlp", "prelunet_a"])
def test_nets_without_a_backbone_are_scripted_as_they_are(name: str) -> None:
    net, images = small_net(name)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(net)(images), net(images))


@TORCHSCRIPT
def test_a_deconvnet_is_traced_by_jit() -> None:
    net, images = small_net("deconvnet")
    with torch.no_grad():
        assert torch.equal(torch.jit.trace(net, (images,))(images), net(images))


def test_torchvision_finds_the_features_of_a_net() -> None:
    net, images = small_net("deeplabv3plus")
    last = get_graph_node_names(net)[1][-1]
    features = create_feature_extractor(net, {"backbone.layer4": "c5", last: "logits"})(images)
    assert features["c5"].shape == (2, 32, 4, 4)
    assert torch.equal(features["logits"], net(images))
