import pytest
import torch
from torch import nn

from resvision import catalog
from resvision.classification.darknet import ConvBlock, ResidualBlock, darknet19, darknet53, layers_in_order
from resvision.classification.stages import stages
from resvision.probes.count import Count, count
from resvision.probes.shapes import WithoutDrawing

BUILDERS = {"darknet19": darknet19, "darknet53": darknet53}
every_net = pytest.mark.parametrize("name", BUILDERS)


def counted(name: str) -> Count:
    with torch.device("meta"), WithoutDrawing():
        return count(BUILDERS[name](num_classes=1000), catalog.find(name).input)


@pytest.mark.parametrize(
    ("name", "params", "billions"), [("darknet19", 20_842_376, "5.58"), ("darknet53", 41_609_928, "18.57")]
)
def test_parameters_and_operations_are_those_that_darknet_prints(name: str, params: int, billions: str) -> None:
    net = counted(name)
    assert net.params == params
    # Darknet counts a multiplication and an addition as two, and darknet19.cfg classifies at every position.
    positions = 49 if name == "darknet19" else 1
    assert f"{2 * (net.macs + (positions - 1) * 1024 * 1000) / 1e9:.2f}" == billions


@every_net
def test_convolutions_are_as_many_as_the_name_says(name: str) -> None:
    layers = layers_in_order(BUILDERS[name](num_classes=3, width=2))
    assert sum(isinstance(layer, ConvBlock) for layer in layers) == {"darknet19": 18, "darknet53": 52}[name]
    assert isinstance(layers[-1], nn.Linear)


@every_net
def test_c1_to_c5_have_the_channels_of_the_papers(name: str) -> None:
    net = BUILDERS[name](num_classes=3, width=2)
    cut = stages(net)
    with torch.no_grad():
        maps = cut.eval()(torch.randn(1, 3, 70, 64))
    assert {key: tuple(x.shape[1:]) for key, x in maps.items()} == {
        "C1": (4, 35, 32),
        "C2": (8, 18, 16),
        "C3": (16, 9, 8),
        "C4": (32, 5, 4),
        "C5": (64, 3, 2),
    }


@pytest.mark.usefixtures("float64")
@every_net
def test_a_smaller_output_stride_subsampled_equals_the_uncut_maps(name: str) -> None:
    net = lively(BUILDERS[name](num_classes=3, width=2))
    images = torch.randn(1, 3, 70, 65)
    with torch.no_grad():
        uncut, cut = stages(net).eval(), stages(net, 8).eval()
        fine, coarse = cut(images), uncut(images)
    for key, map_ in fine.items():
        step = uncut.stride[key] // cut.stride[key]
        difference = (map_[:, :, ::step, ::step] - coarse[key]).abs().max() / coarse[key].abs().max()
        assert difference <= 1e-10, key


@pytest.mark.usefixtures("float64")
@every_net
def test_the_class_map_averages_to_the_logits(name: str) -> None:
    net, images = lively(BUILDERS[name](num_classes=3, width=2)), torch.randn(2, 3, 70, 65)
    with torch.no_grad():
        assert torch.allclose(net.class_map(images).mean(dim=(2, 3)), net(images), rtol=0, atol=1e-10)


def test_a_block_divides_by_the_deviation_and_passes_a_tenth_of_what_is_negative() -> None:
    block = ConvBlock(1, 1, 1).eval()
    nn.init.constant_(block.conv.weight, 1.0)
    block.bn.running_mean.fill_(3.0)
    block.bn.running_var.fill_(4.0 - 1e-5)
    x = torch.tensor([7.0, -7.0]).view(2, 1, 1, 1)
    assert torch.allclose(block(x).flatten(), torch.tensor([2.0, -0.5]))


def test_kept_statistics_move_by_one_hundredth() -> None:
    block = ConvBlock(1, 1, 1)
    nn.init.constant_(block.conv.weight, 1.0)
    block(torch.full((2, 1, 2, 2), 5.0))
    assert block.bn.running_mean.item() == pytest.approx(0.05)


def test_nothing_follows_the_sum_of_a_residual_block() -> None:
    block = ResidualBlock(2).eval()
    nn.init.zeros_(block.expand.bn.weight)
    x = torch.randn(1, 2, 3, 3)
    assert torch.equal(block(x), x)


def lively(net: nn.Module) -> nn.Module:
    """The net with normalizations that do something, in evaluation."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()
