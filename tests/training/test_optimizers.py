import pytest
import torch
from torch import nn

from resvision import catalog
from resvision.classification.stages import distances_to_head
from resvision.core.errors import SettingsError
from resvision.training.ema import MovingAverage
from resvision.training.loop import set_lr
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


def narrow_resnet() -> nn.Module:
    return catalog.build("resnet20", num_classes=3, width=4)


def rates(optimizer: torch.optim.Optimizer, net: nn.Module) -> dict[str, float]:
    """The learning rate of every parameter by its name."""
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    return {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}


def test_stages_are_counted_from_the_head() -> None:
    net = narrow_resnet()
    distances = distances_to_head(net)
    assert distances.keys() == {name for name, _ in net.named_parameters()}
    parts = {name.partition(".")[0]: distance for name, distance in distances.items()}
    assert parts == {"conv1": 3, "bn1": 3, "layer1": 3, "layer2": 2, "layer3": 1, "fc": 0}
    with torch.device("meta"):
        large = catalog.build("resnet18", num_classes=3)
    parts = {name.partition(".")[0]: distance for name, distance in distances_to_head(large).items()}
    assert parts == {"conv1": 5, "bn1": 5, "layer1": 4, "layer2": 3, "layer3": 2, "layer4": 1, "fc": 0}
    with pytest.raises(SettingsError, match="has no stages"):
        distances_to_head(small_net())


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_the_rate_falls_with_the_distance_from_the_head_at_every_step_of_the_schedule(name: str) -> None:
    net = narrow_resnet()
    settings = OptimizerSettings(name=name, lr=0.8, depth_decay=0.5, weight_decay=0.3, norm_bias_decay=0.01)
    optimizer = build_optimizer(net, settings, distances_to_head(net))
    for peak in (0.8, 0.2, 0.0):
        assert set_lr(optimizer, peak) == peak
        found = rates(optimizer, net)
        assert len(found) == len([*net.parameters()])
        for part, share in {"fc": 1, "layer3": 0.5, "layer2": 0.25, "layer1": 0.125, "conv1": 0.125}.items():
            assert {rate for key, rate in found.items() if key.startswith(part)} == {peak * share}
    decays = {group["weight_decay"] for group in optimizer.param_groups for p in group["params"] if p.ndim > 1}
    assert decays == {0.3}


def test_one_rate_everywhere_makes_the_two_groups_that_it_always_made() -> None:
    net = narrow_resnet()
    for optimizer in (
        build_optimizer(net, OptimizerSettings()),
        build_optimizer(net, OptimizerSettings(), distances_to_head(net)),
    ):
        wanted = [[p for p in net.parameters() if p.ndim > 1], [p for p in net.parameters() if p.ndim <= 1]]
        for group, members in zip(optimizer.param_groups, wanted, strict=True):
            assert [id(p) for p in group["params"]] == [id(p) for p in members]


def test_new_layers_learn_ten_times_as_fast_and_biases_twice_but_no_shifts_of_normalization() -> None:
    net = narrow_resnet()
    settings = OptimizerSettings(lr=0.1, head_factor=10.0, bias_factor=2.0, weight_decay=0.3)
    optimizer = build_optimizer(net, settings, distances_to_head(net))
    found = rates(optimizer, net)
    assert found["fc.weight"] == pytest.approx(1.0)
    assert found["fc.bias"] == pytest.approx(2.0)
    assert {rate for name, rate in found.items() if not name.startswith("fc")} == {0.1}
    assert len(found) == len([*net.parameters()])
    assert {group["weight_decay"] for group in optimizer.param_groups for p in group["params"] if p.ndim > 1} == {0.3}


def test_a_step_with_a_decay_by_depth_is_the_textbook_step_of_each_part() -> None:
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    nn.init.constant_(net[0].weight, 2.0)
    nn.init.constant_(net[1].weight, 3.0)
    settings = OptimizerSettings(lr=0.1, momentum=0.0, weight_decay=0.0, depth_decay=0.5)
    optimizer = build_optimizer(net, settings, {"0.weight": 2, "1.weight": 0})
    net(torch.tensor([[1.0]])).sum().backward()
    set_lr(optimizer, 0.1)
    optimizer.step()
    assert net[0].weight.item() == pytest.approx(2 - 0.1 * 0.25 * 3)
    assert net[1].weight.item() == pytest.approx(3 - 0.1 * 2)


def test_a_step_of_sgd_is_the_textbook_step() -> None:
    net = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(net.weight, 2.0)
    optimizer = build_optimizer(net, OptimizerSettings(lr=0.1, momentum=0.9, weight_decay=0.5))
    velocity, weight = 0.0, 2.0
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.tensor([[3.0]], dtype=torch.double)).sum().backward()  # gradient 3
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
