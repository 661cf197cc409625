import pytest
import torch
from torch import nn

from resvision.training.ema import MovingAverage
from resvision.training.optimizers import OptimizerSettings, build_optimizer


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_norms_and_biases_have_their_own_decay(name: str) -> None:
    net = small_net()
    settings = OptimizerSettings(name=name, weight_decay=0.3, norm_bias_decay=0.01)
    decay_of = {
        id(parameter): group["weight_decay"]
        for group in build_optimizer(net, settings).param_groups
        for parameter in group["params"]
    }
    found = {key: decay_of[id(parameter)] for key, parameter in net.named_parameters()}
    assert found == {
        "0.weight": 0.3, "0.bias": 0.01, "1.weight": 0.01, "1.bias": 0.01, "3.weight": 0.3, "3.bias": 0.01,
    }  # fmt: skip


def test_frozen_parameters_are_left_out() -> None:
    net = small_net()
    net[0].requires_grad_(False)
    groups = build_optimizer(net, OptimizerSettings()).param_groups
    assert sum(len(group["params"]) for group in groups) == 4


def test_a_step_of_sgd_is_the_textbook_step() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 2.0)
    optimizer = build_optimizer(net, OptimizerSettings(lr=0.1, momentum=0.9, weight_decay=0.5))
    velocity, weight = 0.0, 2.0
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.tensor([[3.0]])).sum().backward()  # gradient 3
        optimizer.step()
        velocity = 0.9 * velocity + (3.0 + 0.5 * weight)
        weight -= 0.1 * velocity
    assert net.weight.item() == pytest.approx(weight)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValueError, match="nesterov"):
        OptimizerSettings(momentum=0.0, nesterov=True)


def test_the_average_of_a_net_that_stands_still_is_the_net() -> None:
    net = small_net()
    average = MovingAverage(net, 0.9)
    for step in range(5):
        average.update(step)
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(average.state[name], tensor)


def test_the_average_follows_the_decay_once_it_is_reached() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = MovingAverage(net, 0.5)
    nn.init.ones_(net.weight)
    average.update(1000)
    assert average.state["weight"].item() == pytest.approx(0.5)


def test_weights_come_back_after_the_average_took_their_place() -> None:
    net = small_net()
    average = MovingAverage(net, 0.9)
    nn.init.ones_(net[0].weight)
    with average.in_place_of_weights():
        assert not torch.equal(net[0].weight, torch.ones(8, 4))
    assert torch.equal(net[0].weight, torch.ones(8, 4))
