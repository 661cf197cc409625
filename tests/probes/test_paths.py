"""Paths of residual nets: binomial lengths, and gradients that go through exactly the branches that were drawn."""

from collections.abc import Callable
from functools import partial
from itertools import chain, combinations
from math import prod

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.mlp import mlp
from resvision.classification.preresnet import preresnet
from resvision.classification.resnet_cifar import resnet_cifar
from resvision.core.errors import SettingsError
from resvision.probes.blocks import deleted, find_blocks, following
from resvision.probes.paths import (
    PathGradient,
    decades_per_block,
    effective_lengths,
    gradient_norms,
    length_deviation,
    length_shares,
    mean_effective_length,
    mean_length,
    path_gradients,
    share_between,
    weighted,
)

SLOPES = (0.5, 2.0, -3.0)


class Linear(nn.Module):
    """A block whose branch is a layer without bias."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def residual_parts(self) -> tuple[object, object]:
        return self.layer, lambda x: x

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(x)


class Times(nn.Module):
    """A layer that multiplies by a number, so that the gradient along a path is the product of its slopes."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x


def scaling(*slopes: float) -> nn.Sequential:
    return nn.Sequential(*(Linear(Times(slope)) for slope in slopes))


def total(net: nn.Module, images: Tensor) -> Tensor:
    summed: Tensor = net(images).sum()
    return summed


def subsets(count: int) -> list[tuple[int, ...]]:
    return [*chain.from_iterable(combinations(range(count), length) for length in range(count + 1))]


def test_lengths_of_the_54_blocks_of_the_paper() -> None:
    shares = length_shares(54)
    lengths = np.arange(55)
    assert sum(shares) == pytest.approx(1, abs=1e-15)
    assert mean_length(54) == pytest.approx(lengths @ shares) == 27
    assert (
        length_deviation(54) == pytest.approx(np.sqrt((lengths - 27) ** 2 @ shares)) == pytest.approx(3.674, abs=5e-4)
    )
    assert share_between(54, 19, 35) == pytest.approx(0.980166, abs=5e-7)
    assert share_between(54, 5, 17) == pytest.approx(0.00453667, abs=5e-9)


@pytest.mark.parametrize("through", subsets(3))
def test_the_gradient_along_a_path_is_the_product_of_its_slopes(through: tuple[int, ...]) -> None:
    net, x = scaling(*SLOPES), torch.randn(2, 5, requires_grad=True)
    blocks = find_blocks(net, lambda net: net(x))
    with following(blocks, through):
        output = net(x)
        (gradient,) = torch.autograd.grad(output.sum(), x)
    assert torch.allclose(output, net(x))
    assert torch.equal(gradient, torch.full_like(x, prod(SLOPES[i] for i in through)))


@torch.no_grad()
def test_a_linear_net_of_three_blocks_is_the_sum_of_its_eight_paths() -> None:
    layers, x = [nn.Linear(4, 4, bias=False).double() for _ in range(3)], torch.randn(2, 4, dtype=torch.double)
    net = nn.Sequential(*map(Linear, layers))
    along = {through: nn.Sequential(*(layers[i] for i in through))(x) for through in subsets(3)}
    assert len(along) == 8
    assert torch.allclose(net(x), torch.stack([*along.values()]).sum(0))
    blocks = find_blocks(net, lambda net: net(x))
    for gone, block in enumerate(blocks):
        left = torch.stack([output for through, output in along.items() if gone not in through])
        with deleted([block]):
            assert len(left) == 4
            assert torch.allclose(net(x), left.sum(0))


@pytest.mark.parametrize(
    "make",
    [
        *(partial(preresnet, 8, block="basic", placement=placement) for placement in "abcde"),
        partial(resnet_cifar, 8),
        partial(resnet_cifar, 8, shortcut="B"),
        partial(mlp, 8, input_size=8),
    ],
)
def test_the_gradients_along_all_paths_add_up_to_the_whole(make: Callable[..., nn.Module]) -> None:
    torch.manual_seed(0)
    net = make(num_classes=4, width=4).double().eval()
    images = torch.rand(3, 3, 8, 8, dtype=torch.double, requires_grad=True)
    blocks = find_blocks(net, lambda net: net(images))
    assert len(blocks) == 3
    (whole,) = torch.autograd.grad(total(net, images), images)
    along = []
    for through in subsets(3):
        with following(blocks, through):
            along.append(torch.autograd.grad(total(net, images), images)[0])
    assert torch.allclose(torch.stack(along).sum(0), whole)


def test_the_norm_of_each_length_is_that_of_its_slopes() -> None:
    net = scaling(*[0.5] * 6)
    found = path_gradients(net, total, torch.randn(2, 9), draws=2)
    assert [each.length for each in found] == [*range(7)]
    for each in found:
        assert each.norm == pytest.approx(3 * 0.5**each.length)  # nine numbers with that slope
    assert decades_per_block(found) == pytest.approx(np.log10(0.5))
    assert [each.paths for each in found] == length_shares(6)
    # The gradient of all paths is (1 + 0.5)^6, and that by length a binomial of 1 / 3.
    assert sum(each.gradient for each in found) == pytest.approx(1)
    assert mean_effective_length(found) == pytest.approx(6 / 3)


def test_norms_are_those_of_each_image() -> None:
    net, images = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval(), torch.rand(4, 3, 2, 2)
    labels = torch.tensor([0, 1, 2, 0])
    norms = gradient_norms(net, lambda net, x: F.cross_entropy(net(x), labels, reduction="sum"), images)
    for norm, image, label in zip(norms, images, labels, strict=True):
        alone = image[None].requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(net(alone), label[None]), alone)
        assert norm == pytest.approx(float(gradient.norm()))


def test_draws_follow_from_the_seed() -> None:
    net, images = scaling(*SLOPES), torch.randn(1, 2)
    assert path_gradients(net, total, images, draws=2) == path_gradients(net, total, images, draws=2)
    assert path_gradients(net, total, images, draws=2) != path_gradients(net, total, images, draws=2, seed=1)


def test_effective_lengths_are_the_fewest_that_hold_the_share() -> None:
    equal = weighted([1.0] * 5)  # each path counts the same, so that shares are 1, 4, 6, 4, 1 of 16
    assert effective_lengths(equal, held=0.5)[:2] == (1, 2)
    assert effective_lengths(equal, held=14 / 16) == (1, 3, 14 / 16, 14 / 16)
    assert effective_lengths(equal, held=1.0)[:2] == (0, 4)
    steep = weighted([0.01**length for length in range(5)])
    short = effective_lengths(steep)
    assert (short.first, short.last) == (0, 0)
    assert short.paths == 1 / 16


def test_a_net_without_any_gradient_has_no_effective_lengths_but_all() -> None:
    silent = weighted([0.0, 0.0, 0.0])
    assert all(each.gradient == 0 for each in silent)
    assert effective_lengths(silent) == (0, 2, 1.0, 0.0)
    assert np.isnan(decades_per_block(silent))
    assert silent[1] == PathGradient(1, 0.0, 0.5, 0.0)


def test_what_has_no_paths_is_refused() -> None:
    images = torch.rand(1, 3, 8, 8)
    with pytest.raises(SettingsError, match="no shortcut"):
        path_gradients(resnet_cifar(8, num_classes=3, width=4, shortcut="none"), total, images, draws=1)
    with pytest.raises(SettingsError, match="at least one"):
        path_gradients(scaling(1), total, images, draws=0)
    with pytest.raises(SettingsError, match="does not depend"):
        path_gradients(scaling(1), lambda net, x: net(torch.ones(1)).sum(), images)
