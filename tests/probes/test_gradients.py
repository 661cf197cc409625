"""Gradient norms against chains worked out by hand, torch's own total norm, and what they must leave alone."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resvision import catalog
from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Images, Losses, System, Term
from resvision.probes.gradients import accumulated_norms, in_forward_order, layer_gradients, trained_layers


class Chain(System):
    """A system whose loss is the sum of its net's outputs for float inputs; weights do not matter to it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def losses(self, batch: Batch) -> Losses:
        outputs = self.net(batch.inputs.images)
        return Losses({"sum": Term(outputs.sum(), torch.tensor(float(len(outputs))))}, {})

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        return {}

    def predict(self, inputs: Any) -> Any:
        return self.net(inputs.images)


def batch_of(images: Tensor) -> Batch:
    return Batch(Images(images), torch.arange(len(images)) % 10, torch.arange(len(images)))


def linear(weight: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, weight)
    return layer


def pictures(count: int = 4) -> Batch:
    torch.manual_seed(0)
    return batch_of(torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8))


def classifier(name: str = "resnet20", **options: Any) -> Classifier:
    torch.manual_seed(0)
    return Classifier(catalog.build(name, num_classes=10, width=4, **options), mean=(0.5,) * 3, std=(0.25,) * 3)


def test_gradients_of_a_linear_chain_are_products_of_the_other_weights() -> None:
    slopes, x = [2.0, -3.0, 0.5], 7.0
    system = Chain(nn.Sequential(*map(linear, slopes)))
    found = layer_gradients(system, batch_of(torch.tensor([[x]])))
    assert [gradient.layer for gradient in found] == ["0", "1", "2"]
    assert [gradient.weight for gradient in found] == [abs(-3 * 0.5 * x), abs(2 * 0.5 * x), abs(2 * -3 * x)]
    assert [gradient.arriving for gradient in found] == [abs(2 * -3 * 0.5), abs(-3 * 0.5), 0.5]


def test_a_shortcut_adds_one_to_the_slope_that_a_gradient_passes() -> None:
    class Residual(nn.Module):
        def __init__(self, weight: float) -> None:
            super().__init__()
            self.branch = linear(weight)

        def forward(self, x: Tensor) -> Tensor:
            total: Tensor = x + self.branch(x)
            return total

    system = Chain(nn.Sequential(*[Residual(0.5) for _ in range(4)]))
    found = layer_gradients(system, batch_of(torch.ones(1, 1)))
    assert [gradient.arriving for gradient in found] == pytest.approx([1.5**power for power in (4, 3, 2, 1)])


def test_squares_add_up_to_the_norm_that_clipping_takes() -> None:
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(3 if i == 0 else 4, 4, 3, bias=False) for i in range(3)]
    net = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(16, 10, bias=False))
    system, batch = Classifier(net, mean=(0.5,) * 3, std=(0.25,) * 3), pictures()
    found = layer_gradients(system, batch)
    system.losses(batch).terms["cross_entropy"].mean().backward()  # type: ignore[no-untyped-call]
    total = nn.utils.clip_grad_norm_(net.parameters(), 1e9)
    assert sum(gradient.weight**2 for gradient in found) == pytest.approx(float(total) ** 2, rel=1e-5)
    held = accumulated_norms(trained_layers(net))
    assert [*held.values()] == pytest.approx([gradient.weight for gradient in found], rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_a_net_is_left_as_it_was(training: bool) -> None:
    system, batch = classifier(), pictures()
    system.train(not training)
    state = {name: tensor.clone() for name, tensor in system.state_dict().items()}
    layer_gradients(system, batch, training=training)
    in_forward_order(system, batch)
    assert all(torch.equal(state[name], tensor) for name, tensor in system.state_dict().items())
    assert all(parameter.grad is None for parameter in system.parameters())
    assert all(module.training is not training for module in system.modules())
    assert not any(module._forward_pre_hooks for module in system.modules())


def test_layers_come_in_the_order_of_the_forward_pass() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.idle, self.first = nn.Linear(4, 10), nn.Linear(2, 2), nn.Conv2d(3, 4, 8)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.last(self.first(x).flatten(1))
            return logits

    system = Classifier(Backwards(), mean=(0.5,) * 3, std=(0.25,) * 3)
    found = {gradient.layer: gradient for gradient in layer_gradients(system, pictures())}
    assert [*found] == [*in_forward_order(system, pictures())] == ["first", "last", "idle"]
    assert found["first"].weight > 0
    assert found["idle"].weight == found["idle"].arriving == 0


def test_layers_that_are_not_trained_are_left_out() -> None:
    system = classifier()
    system.net.get_parameter("conv1.weight").requires_grad_(False)
    names = [gradient.layer for gradient in layer_gradients(system, pictures())]
    assert len(names) == 19
    assert "conv1" not in names


def test_batch_statistics_and_running_ones_give_different_gradients() -> None:
    system, batch = classifier(), pictures()
    trained, evaluated = (layer_gradients(system, batch, training=mode) for mode in (True, False))
    assert [gradient.layer for gradient in trained] == [gradient.layer for gradient in evaluated]
    assert trained[0].weight != evaluated[0].weight


@pytest.mark.parametrize("name", ["preresnet110", "plain20"])
def test_every_layer_of_nets_of_the_catalog_gets_a_gradient(name: str) -> None:
    found = layer_gradients(classifier(name), pictures(2))
    assert len(found) == int("".join(filter(str.isdigit, name)))
    assert all(gradient.weight > 0 and gradient.arriving > 0 for gradient in found)


def test_a_plain_net_without_normalization_and_biases_scales_its_gradient_with_each_other_layer() -> None:
    """Twice the weights of one layer are twice the gradient at all layers before it: ReLU is homogeneous."""
    net = nn.Sequential(linear(1.5), nn.ReLU(), linear(0.5), nn.ReLU(), linear(2.0))
    system, batch = Chain(net), batch_of(torch.ones(2, 1))
    before = layer_gradients(system, batch)
    with torch.no_grad():
        net.get_parameter("4.weight").mul_(2)
    after = layer_gradients(system, batch)
    assert [b.weight * 2 for b in before[:2]] == [a.weight for a in after[:2]]
    assert before[2].weight == after[2].weight
