"""The study of bottlenecks compares nets of equal cost, and its arithmetic is that of the paper."""

import pytest
import torch

from resvision import catalog
from resvision.classification.resnet import BasicBlock, Bottleneck
from resvision.probes.count import count
from resvision.studies.bottleneck import DESIGN, PAIRS


def convolution_weights(block: torch.nn.Module) -> int:
    return sum(part.weight.numel() for part in block.modules() if isinstance(part, torch.nn.Conv2d))


def test_a_bottleneck_of_256_channels_costs_less_than_a_basic_block_of_64() -> None:
    with torch.device("meta"):
        assert convolution_weights(BasicBlock(64, channels=64)) == 73_728
        assert convolution_weights(Bottleneck(256, channels=64)) == 69_632


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("width", "side"), [(DESIGN.common["model.options.width"], 32), (8, 16)])
def test_both_nets_of_a_pair_have_equal_multiply_adds_within_three_percent(
    pair: tuple[int, int], width: int, side: int
) -> None:
    with torch.device("meta"):
        nets = [catalog.build(f"preresnet{depth}", num_classes=10, width=width) for depth in pair]
    basic, bottleneck = (count(net, (3, side, side)).macs for net in nets)
    assert bottleneck == pytest.approx(basic, rel=0.03)
    assert nets[1].widths == [4 * channels for channels in nets[0].widths]
