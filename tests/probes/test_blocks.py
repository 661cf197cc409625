"""Blocks are found in every net that has some, taken out, exchanged, and put back without a trace."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from resvision import catalog
from resvision.classification.mlp import mlp
from resvision.classification.preresnet import PLACEMENTS, preresnet
from resvision.classification.resnet import resnet
from resvision.classification.resnet_cifar import resnet_cifar
from resvision.classification.shortcut_forms import FORMS, resnet_forms
from resvision.core.errors import SettingsError
from resvision.layers.residual_parts import ResidualParts
from resvision.probes.blocks import Block, deleted, find_blocks, following, reordered, swappable

NETS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "original": (lambda: resnet_cifar(20, num_classes=4, width=4), 16, 9),
    "projections": (lambda: resnet_cifar(20, num_classes=4, width=4, shortcut="C"), 16, 9),
    "plain": (lambda: resnet_cifar(20, num_classes=4, width=4, shortcut="none"), 16, 9),
    "bottlenecks": (lambda: resnet(50, num_classes=4, width=4), 32, 16),
    "perceptron": (lambda: mlp(8, num_classes=4, width=8, input_size=8), 8, 3),
    "plain perceptron": (lambda: mlp(8, num_classes=4, width=8, input_size=8, shortcut="none"), 8, 3),
    "plain units": (lambda: preresnet(14, num_classes=4, width=4, block="basic", shortcut="none"), 16, 6),
    **{
        "plain form" if form == "none" else form: (partial(resnet_forms, 8, num_classes=4, width=4, form=form), 8, 3)
        for form in FORMS
    },
    "Darknet": (lambda: catalog.build("darknet53", num_classes=4, width=4), 32, 23),
    "Xception": (lambda: catalog.build("xception65", num_classes=4, width=4), 32, 20),
    "bottleneck units": (lambda: preresnet(20, num_classes=4, width=4), 16, 6),
    **{
        f"units ({placement})": (
            partial(preresnet, 14, num_classes=4, width=4, block="basic", placement=placement),
            16,
            6,
        )
        for placement in PLACEMENTS
    },
}
"""Nets with blocks, the side of their images, and the number of blocks."""


def built(name: str) -> tuple[nn.Module, Tensor]:
    make, side, _ = NETS[name]
    torch.manual_seed(0)
    net = make().eval()
    for module in net.modules():  # statistics and scales of a trained net are no ones and zeros
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight.data, module.bias.data):
                assert tensor is not None
                tensor.uniform_(0.1, 1.0)
    return net, torch.rand(2, 3, side, side)


def blocks_of(net: nn.Module, images: Tensor) -> tuple[Block, ...]:
    return find_blocks(net, lambda net: net(images))


@pytest.fixture
def residual() -> tuple[nn.Module, Tensor]:
    return built("original")


@pytest.mark.parametrize("name", NETS)
@torch.no_grad()
def test_the_parts_of_a_block_add_up_to_its_output(name: str) -> None:
    net, images = built(name)
    blocks = blocks_of(net, images)
    assert len(blocks) == NETS[name][2]
    assert all(block.is_plain == ("plain" in name) for block in blocks)
    for block in blocks:
        x = torch.rand(2, *block.entering)
        branch, shortcut, after = block.parts
        joined = after(branch(x) if shortcut is None else branch(x) + shortcut(x))
        assert joined.shape[1:] == block.leaving
        assert torch.equal(joined, block.module(x))


@pytest.mark.parametrize("name", NETS)
@torch.no_grad()
def test_a_net_that_was_taken_apart_is_as_it_was(name: str) -> None:
    net, images = built(name)
    output, state = net(images), {key: value.clone() for key, value in net.state_dict().items()}
    blocks = blocks_of(net, images)
    with deleted(blocks):
        assert not torch.equal(net(images), output)
        assert [*net.state_dict()] == [*state]
    for i, j in swappable(blocks)[:1]:
        order = [*range(len(blocks))]
        order[i], order[j] = j, i
        with reordered(blocks, order):
            assert not torch.equal(net(images), output)
    assert torch.equal(net(images), output)
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert not any("forward" in vars(module) for module in net.modules())


@pytest.mark.parametrize("name", [name for name in NETS if "plain" not in name])
@torch.no_grad()
def test_deleting_a_block_whose_branch_is_zero_changes_nothing(name: str) -> None:
    net, images = built(name)
    for block in blocks_of(net, images):
        silence(block)
    output = net(images)
    with deleted(blocks_of(net, images)):
        assert torch.equal(net(images), output)


def silence(block: Block) -> None:
    """Zero the last layer of the branch that has a scale or weights, which all are normalizations or convolutions."""
    parallel = getattr(block.module, "parallel_children", ())
    layers = [
        layer
        for name, child in block.module.named_children()
        if name not in {*parallel, "before", "after"}
        for layer in child.modules()
        if isinstance(getattr(layer, "weight", None), Tensor)
    ]
    for tensor in layers[-1].parameters():
        nn.init.zeros_(tensor)


@torch.no_grad()
def test_a_deleted_block_leaves_its_shortcut_alone(residual: tuple[nn.Module, Tensor]) -> None:
    net, images = residual
    blocks = blocks_of(net, images)
    for block in blocks:
        x = torch.rand(2, *block.entering)
        with deleted([block]):
            left = block.module(x)
        assert block.enters_stage == (block.name in {"layer2.0", "layer3.0"})
        if block.enters_stage:
            assert torch.equal(left[:, : x.shape[1]], x[:, :, ::2, ::2])
            assert not left[:, x.shape[1] :].any()
        else:
            assert torch.equal(left, x)


@torch.no_grad()
def test_a_deleted_plain_block_leaves_pixels_and_zeros() -> None:
    net, images = built("plain")
    plain, residual = blocks_of(net, images), blocks_of(*built("original"))
    for block, twin in zip(plain, residual, strict=True):
        x = torch.rand(2, *block.entering)
        assert torch.equal(block.without_branch(x), twin.without_branch(x))


@torch.no_grad()
def test_a_deleted_block_does_not_change_what_enters_it(residual: tuple[nn.Module, Tensor]) -> None:
    net, images = residual
    for block in blocks_of(net, images):
        x = torch.randn(2, *block.entering)
        before = x.clone()
        block.without_branch(x)
        assert torch.equal(x, before)


@torch.no_grad()
def test_swapping_twice_is_nothing(residual: tuple[nn.Module, Tensor]) -> None:
    net, images = residual
    blocks, output = blocks_of(net, images), net(images)
    order = [0, 2, 1, *range(3, 9)]
    with reordered(blocks, order):
        once = net(images)
        with reordered(blocks, order):
            assert torch.equal(net(images), output)
        assert torch.equal(net(images), once)
    assert not torch.equal(once, output)


@torch.no_grad()
def test_a_new_order_is_that_of_a_net_built_so(residual: tuple[nn.Module, Tensor]) -> None:
    net, images = residual
    blocks = blocks_of(net, images)
    with reordered(blocks, [1, 2, 0, *range(3, 9)]):
        reordered_output = net(images)
    stage = net.get_submodule("layer1")
    net.set_submodule("layer1", nn.Sequential(stage[1], stage[2], stage[0]))  # type: ignore[index]
    assert torch.equal(net(images), reordered_output)


def test_blocks_of_other_shapes_are_not_swapped(residual: tuple[nn.Module, Tensor]) -> None:
    blocks = blocks_of(*residual)
    assert swappable(blocks) == [(0, 1), (0, 2), (1, 2), (4, 5), (7, 8)]
    with (
        pytest.raises(SettingsError, match=r"layer2\.1 cannot take the place of layer1\.0"),
        reordered(blocks, [4, 1, 2, 3, 0, 5, 6, 7, 8]),
    ):
        pass
    with pytest.raises(SettingsError, match=r"each of 0\.\.8 once"), reordered(blocks, [0] * 9):
        pass


def test_a_net_is_put_back_after_an_error(residual: tuple[nn.Module, Tensor]) -> None:
    net, images = residual
    blocks = blocks_of(net, images)
    with pytest.raises(ZeroDivisionError), deleted(blocks):
        raise ZeroDivisionError
    assert not any("forward" in vars(module) for module in net.modules())


def test_the_mode_of_a_net_and_its_statistics_stay(residual: tuple[nn.Module, Tensor]) -> None:
    net, images = residual
    net.train()
    net.get_submodule("layer3").eval()
    modes = [module.training for module in net.modules()]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    blocks_of(net, images)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())


class Own(nn.Module):
    """A block of a user's own, which names its parts without our types."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Conv2d(3, 3, 3, padding=1)

    def residual_parts(self) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        return self.branch, lambda x: x

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


@torch.no_grad()
def test_blocks_of_ones_own_are_taken_apart_as_ours() -> None:
    net, images = nn.Sequential(Own(), Own()), torch.randn(2, 3, 4, 4)
    blocks = blocks_of(net, images)
    assert [block.name for block in blocks] == ["0", "1"]
    with deleted(blocks):
        assert torch.equal(net(images), images)
    with reordered(blocks, [1, 0]):
        swapped = net(images)
    assert torch.equal(swapped, nn.Sequential(net[1], net[0])(images))


class Grows(nn.Module):
    """A plain block that makes its map twice as large, for which no choice of pixels can stand."""

    def residual_parts(self) -> ResidualParts:
        return ResidualParts(nn.Upsample(scale_factor=2), None)

    def forward(self, x: Tensor) -> Tensor:
        return self.residual_parts().branch(x)


def test_a_plain_block_that_enlarges_its_map_is_not_deleted() -> None:
    blocks = blocks_of(nn.Sequential(Grows()), torch.rand(1, 3, 4, 4))
    with pytest.raises(SettingsError, match="0: enlarges its map"), deleted(blocks):
        pass


def test_a_net_without_blocks_is_refused() -> None:
    net = catalog.build("lenet5_modern", num_classes=10, in_channels=1)
    with pytest.raises(SettingsError, match="runs no blocks"):
        blocks_of(net, torch.rand(1, 1, 32, 32))


def test_a_plain_net_has_one_path_alone() -> None:
    blocks = blocks_of(*built("plain"))
    with pytest.raises(SettingsError, match=r"layer1\.0 has no shortcut"), following(blocks, [0]):
        pass
