"""The filter-normalized surface, held against a quadratic, whose surface is a parabola."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from resvision import catalog
from resvision.probes.surface import loss_line, loss_surface, random_direction

STEPS = np.linspace(-1, 1, 7)


def bits(net: nn.Module) -> list[bytes]:
    return [tensor.detach().numpy().tobytes() for tensor in net.state_dict().values()]


def test_filters_of_a_direction_have_the_norms_of_the_nets() -> None:
    net = catalog.build("resnet20", num_classes=5, width=4)
    direction = random_direction(net, seed=3)
    for (name, weights), drawn in zip(net.named_parameters(), direction, strict=True):
        if weights.ndim == 1:  # biases, and scales and shifts of normalizations
            assert not drawn.any(), name
        else:
            torch.testing.assert_close(drawn.flatten(1).norm(dim=1), weights.detach().flatten(1).norm(dim=1))
    again, other = random_direction(net, seed=3), random_direction(net, seed=3, number=1)
    assert all(map(torch.equal, direction, again))
    assert not torch.equal(direction[0], other[0])


@pytest.mark.usefixtures("float64")
def test_the_surface_of_a_quadratic_is_a_parabola() -> None:
    net, target = nn.Linear(6, 4), torch.randn(4, 6)
    curvature = torch.rand(4, 6) + 0.5

    @torch.no_grad()
    def loss() -> float:
        return float((curvature * (net.weight - target) ** 2).sum() + net.bias.sum())

    first, second = (random_direction(net, seed=0, number=number) for number in (0, 1))
    middle, gap = loss(), net.weight.detach() - target
    slope, half = (float((curvature * part).sum()) for part in (2 * gap * first[0], first[0] ** 2))
    values = loss_line(net, loss, first, STEPS)
    np.testing.assert_allclose(values, middle + slope * STEPS + half * STEPS**2, rtol=1e-12)
    grid = loss_surface(net, loss, (first, second), (STEPS, STEPS[:5]))
    assert grid.shape == (7, 5)
    np.testing.assert_allclose(grid[:, STEPS[:5] == 0].ravel(), values, rtol=1e-12)
    mixed = grid[2:, :] - 2 * grid[1:-1, :] + grid[:-2, :]
    np.testing.assert_allclose(mixed, 2 * half * (STEPS[1] - STEPS[0]) ** 2, rtol=1e-8)


@pytest.mark.parametrize("batch_statistics", [False, True])
def test_weights_and_statistics_are_left_bit_by_bit(batch_statistics: bool) -> None:
    net, images = catalog.build("resnet20", num_classes=5, width=4).eval(), torch.randn(8, 3, 8, 8)
    before, out = bits(net), net(images)

    @torch.no_grad()
    def loss() -> float:
        return float(net(images).square().mean())

    direction = random_direction(net, seed=0)
    loss_line(net, loss, direction, [-0.5, 0.5], batch_statistics=batch_statistics)
    loss_surface(net, loss, (direction, direction), ([0.3], [0.1]), batch_statistics=batch_statistics)
    assert bits(net) == before
    assert not any(module.training for module in net.modules())
    assert torch.equal(net(images), out)
    with pytest.raises(ZeroDivisionError):
        loss_line(net, lambda: 1 / 0, direction, [0.5])
    assert bits(net) == before


def test_the_middle_is_the_loss_itself_and_statistics_of_batches_make_another_net() -> None:
    net, images = catalog.build("resnet20", num_classes=5, width=4).eval(), torch.randn(8, 3, 8, 8)

    @torch.no_grad()
    def loss() -> float:
        return float(net(images).square().mean())

    middle, direction = loss(), random_direction(net, seed=0)
    assert loss_line(net, loss, direction, [0.0]).tolist() == [middle]
    trained = copy.deepcopy(net).train()
    expected = float(trained(images).detach().square().mean())
    assert loss_line(net, loss, direction, [0.0], batch_statistics=True)[0] == pytest.approx(expected)
