"""Responses against normalizations whose scale is known, nets made by hand, and torch's own standard deviation."""

import pytest
import torch
from torch import Tensor, nn

from resvision import catalog
from resvision.core.errors import SettingsError
from resvision.probes.responses import layer_responses


def normalized(*, gamma: float, between: nn.Module | None = None) -> nn.Sequential:
    norm = nn.BatchNorm2d(5)
    nn.init.constant_(norm.weight, gamma)
    middle = [between] if between else []
    return nn.Sequential(nn.Conv2d(3, 5, 3), *middle, norm, nn.ReLU(inplace=True))


def spread(outputs: Tensor) -> float:
    return float(outputs.detach().std(correction=0))


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(6, 3, 16, 16)


@pytest.mark.parametrize("gamma", [0.0, 0.25, 3.0])
def test_in_its_batch_s_statistics_a_normalization_answers_by_its_scale(gamma: float, images: Tensor) -> None:
    [response] = layer_responses(normalized(gamma=gamma), images, batch_statistics=True)
    assert response.std == pytest.approx(gamma, abs=1e-3)
    assert (response.layer, response.window) == ("0", "3x3")


def test_without_a_normalization_the_output_before_the_relu_counts(images: Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(inplace=True), nn.Conv2d(5, 2, 1))
    [first] = layer_responses(net, images)
    assert first.std == pytest.approx(spread(net[0](images)), rel=1e-5)
    both = layer_responses(net, images, window=None)
    assert [(response.layer, response.window) for response in both] == [("0", "3x3"), ("2", "1x1")]
    assert both[1].std == pytest.approx(spread(net(images)), rel=1e-5)


@pytest.mark.parametrize("between", [nn.ReLU(), nn.ReLU(inplace=True)])
def test_a_normalization_behind_a_nonlinearity_does_not_follow_the_convolution(
    between: nn.Module, images: Tensor
) -> None:
    net = normalized(gamma=7.0, between=between)
    [response] = layer_responses(net, images, batch_statistics=True)
    assert response.std == pytest.approx(spread(net[0](images)), rel=1e-5)


def test_batches_together_are_their_images_together(images: Tensor) -> None:
    torch.manual_seed(1)
    net = catalog.build("resnet20", num_classes=10, width=4)
    whole, parts = layer_responses(net, images), layer_responses(net, torch.split(images, 2))
    assert [response.layer for response in whole] == [response.layer for response in parts]
    assert [response.std for response in parts] == pytest.approx([response.std for response in whole], rel=1e-5)
    assert len(whole) == 19


def test_twice_the_scale_of_a_last_normalization_is_twice_the_response(images: Tensor) -> None:
    torch.manual_seed(1)
    net = catalog.build("resnet20", num_classes=10, width=4)
    before = {response.layer: response.std for response in layer_responses(net, images)}
    with torch.no_grad():
        net.get_parameter("layer3.2.bn2.weight").mul_(2)
    after = {response.layer: response.std for response in layer_responses(net, images)}
    assert after["layer3.2.conv2"] == pytest.approx(2 * before["layer3.2.conv2"], rel=1e-5)
    assert all(after[name] == before[name] for name in before if name != "layer3.2.conv2")


def test_a_net_is_left_as_it_was(images: Tensor) -> None:
    net = catalog.build("preresnet110", num_classes=10, width=4).train()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    found = layer_responses(net, images[:2], batch_statistics=True)
    assert len(found) == 109
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())
    assert all(module.training and not module._forward_hooks for module in net.modules())


def test_a_net_without_such_convolutions_is_refused(images: Tensor) -> None:
    with pytest.raises(SettingsError, match="Conv2d calls no convolution of 3x3"):
        layer_responses(nn.Conv2d(3, 4, 1), images)
