from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import nn

from resvision import catalog
from resvision.classification.stages import stages
from resvision.classification.xception65 import xception65
from resvision.probes.count import Count, count
from resvision.probes.shapes import WithoutDrawing


@pytest.fixture(scope="module")
def counted() -> Count:
    with torch.device("meta"), WithoutDrawing():
        return count(xception65(num_classes=1000), (3, 299, 299))


def by_hand() -> int:
    """Parameters from the figure alone: BN has two a channel, a separable convolution 9 a channel and its 1x1."""

    def separable(entering: int, leaving: int) -> int:
        return 9 * entering + 2 * entering + entering * leaving + 2 * leaving

    def block(*widths: int, projected: bool) -> int:
        branch = sum(separable(a, b) for a, b in pairwise(widths))
        return branch + (widths[0] * widths[-1] + 2 * widths[-1] if projected else 0)

    stem = 9 * 3 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64
    entry = block(64, *[128] * 3, projected=True) + block(128, *[256] * 3, projected=True)
    entry += block(256, *[728] * 3, projected=True)
    middle = 16 * block(*[728] * 4, projected=False)
    leaving = block(728, 728, 1024, 1024, projected=True) + block(1024, 1536, 1536, 2048, projected=False)
    return stem + entry + middle + leaving + 2048 * 1000 + 1000


def test_parameters_are_those_of_figure_4(counted: Count) -> None:
    assert counted.params == by_hand()
    assert f"{counted.params / 1e6:.1f}" == "39.9"


def test_65_layers_where_a_separable_convolution_is_one(counted: Count) -> None:
    kinds = [row.kind for row in counted.layers if row.kind.startswith("Conv2d") and ".shortcut." not in row.name]
    depthwise = 3 * (3 + 16 + 2)
    assert len(kinds) == 2 + 2 * depthwise
    assert len(kinds) - depthwise == 65
    assert counted.depth == 2 + 2 * depthwise + 1


def test_the_flows_have_the_sizes_of_strides_2_to_32(counted: Count) -> None:
    ends = [counted.outputs[name] for name in ("conv1", "conv2", "block1", "block2", "block3", "middle", "block21")]
    assert ends == [
        (32, 150, 150),
        (64, 150, 150),
        (128, 75, 75),
        (256, 38, 38),
        (728, 19, 19),
        (728, 19, 19),
        (2048, 10, 10),
    ]


def lively(width: int = 2) -> nn.Module:
    torch.manual_seed(0)
    net = xception65(num_classes=5, width=width)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("output_stride", [16, 8])
def test_smaller_output_strides_subsampled_equal_the_uncut_maps(output_stride: int) -> None:
    net, images = lively(), torch.randn(1, 3, 97, 130)
    with torch.no_grad():
        uncut, cut = stages(net), stages(net, output_stride)
        fine, coarse = cut(images), uncut(images)
    assert uncut.stride == {"C1": 2, "C2": 4, "C3": 8, "C4": 16, "C5": 32}
    for name, map_ in fine.items():
        step = uncut.stride[name] // cut.stride[name]
        difference = (map_[:, :, ::step, ::step] - coarse[name]).abs().max() / coarse[name].abs().max()
        assert difference <= 1e-10, name
    assert fine["C5"].shape[-2:] == (-(-97 // output_stride), -(-130 // output_stride))


def test_depthwise_convolutions_of_the_exit_flow_dilate_and_keep_their_groups() -> None:
    cut = stages(lively(), 8)
    windows = {
        name: (module.dilation[0], module.stride[0], module.groups)
        for name, module in cut.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
    }
    rates = {part: {rate for name, (rate, _, _) in windows.items() if name.startswith(part)} for part in PARTS}
    assert rates == dict(zip(PARTS, ({1}, {1}, {1}, {2}, {2}, {4}), strict=True))
    assert all(groups > 1 for name, (_, _, groups) in windows.items() if not name.startswith("conv"))


PARTS = ("conv", "block1", "block3", "middle", "block20", "block21")


@pytest.mark.usefixtures("float64")
def test_the_classifier_on_the_last_map_gives_the_nets_own_logits() -> None:
    net, images = lively(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        last = [*stages(net)(images).values()][-1]
        assert torch.equal(net.fc(net.avgpool(last).flatten(1)), net(images))
        assert torch.allclose(net.class_map(images).mean(dim=(2, 3)), net(images), rtol=0, atol=1e-10)


def test_maps_are_left_as_they_are_by_what_follows() -> None:
    net, images = lively(), torch.randn(1, 3, 64, 64)
    kept: dict[str, torch.Tensor] = {}

    def keep(name: str, _module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        kept[name] = output.clone()

    cut = stages(net)
    ends = {path: name for path, name in cut.steps.items() if name}
    for path, name in ends.items():
        cut.get_submodule(path).register_forward_hook(partial(keep, name))
    with torch.no_grad():
        maps = cut(images)
    assert kept.keys() == maps.keys()
    assert all(torch.equal(kept[name], map_) for name, map_ in maps.items())


def test_under_deeplabv3plus_it_costs_nearly_what_the_paper_prints() -> None:
    printed = 54.17e9  # output stride 16, depthwise pyramid and decoder; its fine map has twice the channels
    with torch.device("meta"), WithoutDrawing():
        counted = count(catalog.build("deeplabv3plus_xception65", num_classes=21), (3, 513, 513))
    assert 0.99 * printed < counted.macs < printed
    assert counted.outputs["backbone.block21"] == (2048, 33, 33)
    assert counted.outputs[""] == (21, 513, 513)
