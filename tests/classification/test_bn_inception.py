from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resvision import catalog
from resvision.classification.bn_inception import BNInception, bn_inception
from resvision.classification.stages import stages
from resvision.layers.pooling import SameAvgPool2d, SameMaxPool2d
from resvision.probes.count import count

# Module of figure 5: channels of its result, side at 224 px.
MODULES = {
    "3a": (256, 28),
    "3b": (320, 28),
    "3c": (576, 14),
    "4a": (576, 14),
    "4b": (576, 14),
    "4c": (576, 14),
    "4d": (576, 14),
    "4e": (1024, 7),
    "5a": (1024, 7),
    "5b": (1024, 7),
}
POOLINGS = dict.fromkeys(("3c", "4e", "5b"), SameMaxPool2d)  # an average in all others


def on_meta() -> BNInception:
    with torch.device("meta"):
        return catalog.build("bn_inception", num_classes=1000)


def small(width: int = 8) -> BNInception:
    """A narrow net whose normalizations are not the identity, in evaluation mode."""
    torch.manual_seed(0)
    net = bn_inception(num_classes=5, width=width)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


def test_counts_are_those_of_the_papers_table() -> None:
    counted = count(on_meta(), (3, 224, 224))
    assert (counted.params, counted.macs) == (11_194_984, 2_018_851_840)


def test_every_module_gives_the_channels_and_sides_of_the_papers_table() -> None:
    net, found = on_meta(), {}
    for name in MODULES:
        module = net.get_submodule(f"inception{name}")
        module.register_forward_hook(lambda _module, _inputs, output, name=name: found.update({name: output.shape}))
    net(torch.empty(1, 3, 224, 224, device="meta"))
    assert {name: (shape[1], shape[2]) for name, shape in found.items()} == MODULES


def test_modules_that_stride_pass_their_input_on_through_a_max_pooling() -> None:
    net = small()
    for name in MODULES:
        module = net.get_submodule(f"inception{name}")
        passes = name in {"3c", "4e"}
        pooling = module.branch4 if passes else module.branch4[0]
        assert isinstance(pooling, POOLINGS.get(name, SameAvgPool2d))
        assert hasattr(module, "branch1") is not passes
    x = torch.rand(1, net.inception3b.out_channels, 7, 7)
    with torch.no_grad():
        passed = net.inception3c(x)[:, -x.shape[1] :]
    assert torch.equal(passed, F.max_pool2d(x, 3, stride=2, padding=1))


@pytest.mark.parametrize("size", [1, 33, 64])
def test_images_of_any_size_go_through(size: int) -> None:
    assert small()(torch.randn(2, 3, size, size)).shape == (2, 5)


@pytest.mark.usefixtures("float64")
def test_the_class_map_is_the_net_applied_fully_convolutionally() -> None:
    net = small(width=4)
    with torch.no_grad():
        for size, positions in ((224, 1), (96, 1), (288, 3)):
            images = torch.randn(1, 3, size, size)
            logits = net.class_map(images)
            assert logits.shape == (1, 5, positions, positions)
            if positions == 1:
                torch.testing.assert_close(logits[:, :, 0, 0], net(images))
        window = net.last_map(images)[:, :, 2:9, 1:8].mean(dim=(2, 3))
        torch.testing.assert_close(logits[:, :, 2, 1], net.fc(window))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("size", [64, 97])
def test_smaller_output_strides_subsampled_equal_the_uncut_maps(size: int) -> None:
    net = small()
    images = torch.randn(1, 3, size, size)
    with torch.no_grad():
        reference = stages(net)(images)
        assert torch.equal(net.fc(net.avgpool(reference["C5"]).flatten(1)), net(images))
        for output_stride in (16, 8):
            cut = stages(net, output_stride)
            for name, map_ in cut(images).items():
                step = 2 ** int(name[1:]) // cut.stride[name]
                expected = reference[name]
                difference = (map_[:, :, ::step, ::step] - expected).abs().max() / expected.abs().max()
                assert difference <= 1e-10, (name, output_stride)
            assert map_.shape[2:] == (-(-size // output_stride),) * 2


def test_stages_end_at_every_stride() -> None:
    cut = stages(on_meta())
    assert [*cut.channels.items()] == [("C1", 64), ("C2", 192), ("C3", 320), ("C4", 576), ("C5", 1024)]
    assert [*cut.stride.values()] == [2, 4, 8, 16, 32]


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize(("pooling", "judge"), [(SameAvgPool2d(3), F.avg_pool2d), (SameMaxPool2d(3), F.max_pool2d)])
def test_a_dilated_pooling_is_that_of_every_subsampled_grid(dilation: int, pooling: nn.Module, judge: Callable) -> None:
    x = torch.randn(2, 3, 12, 18)
    pooling.dilation = dilation
    for i in range(dilation):
        grid = x[:, :, i::dilation, i::dilation]
        expected = judge(grid, 3, stride=1, padding=1)
        torch.testing.assert_close(pooling(x)[:, :, i::dilation, i::dilation], expected)


def test_a_few_images_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    net = bn_inception(num_classes=4, in_channels=1, width=8).train()
    images, targets = torch.randn(8, 1, 32, 32), torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(30):
        loss = F.cross_entropy(net(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
