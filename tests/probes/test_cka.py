"""Linear CKA, held against closed forms by numpy and against its invariances."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from resvision import catalog
from resvision.core.errors import SettingsError, UnknownNameError
from resvision.probes.cka import layer_cka, linear_cka


def unbiased_hsic(first: np.ndarray, second: np.ndarray) -> float:
    """HSIC of Song et al. 2012, equation 5, term by term."""
    n = len(first)
    k, m = (x @ x.T * (1 - np.eye(n)) for x in (first, second))
    ones = np.ones(n)
    product = np.trace(k @ m) + ones @ k @ ones * (ones @ m @ ones) / ((n - 1) * (n - 2))
    return (product - 2 / (n - 2) * ones @ k @ m @ ones) / (n * (n - 3))


def rotation(size: int) -> Tensor:
    return torch.linalg.qr(torch.randn(size, size))[0]


@pytest.mark.usefixtures("float64")
def test_cka_is_that_of_the_papers_equations() -> None:
    x, y = torch.randn(12, 5), torch.randn(12, 7)
    y[:, :3] += x[:, :3]
    a, b = x.numpy(), y.numpy()
    centred, other = a - a.mean(axis=0), b - b.mean(axis=0)
    features = np.linalg.norm(other.T @ centred) ** 2  # Kornblith et al., equation 5 of section 3
    features /= np.linalg.norm(centred.T @ centred) * np.linalg.norm(other.T @ other)
    assert linear_cka(x, y, unbiased=False) == pytest.approx(features, rel=1e-12)
    hsic = unbiased_hsic(a, b) / np.sqrt(unbiased_hsic(a, a) * unbiased_hsic(b, b))
    assert linear_cka(x, y) == pytest.approx(hsic, rel=1e-10)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("unbiased", [False, True])
def test_cka_is_one_with_itself_turned_moved_and_scaled_and_not_when_stretched(unbiased: bool) -> None:
    x = torch.randn(20, 6)
    assert linear_cka(x, 3 * x @ rotation(6) + 5, unbiased=unbiased) == pytest.approx(1, abs=1e-12)
    assert linear_cka(x, x * torch.tensor([9.0, 1, 1, 1, 1, 1]), unbiased=unbiased) < 0.9


def test_features_that_have_nothing_in_common_are_near_zero_however_many_they_are() -> None:
    x, y = torch.randn(100, 400), torch.randn(100, 400)
    assert abs(linear_cka(x, y)) < 0.03
    assert linear_cka(x, y, unbiased=False) > 0.5  # the bias, for which the other estimate is taken
    assert linear_cka(torch.randn(800, 3), torch.randn(800, 3), unbiased=False) < 0.02


@pytest.fixture
def net() -> nn.Module:
    return catalog.build("resnet20", num_classes=5, width=4).eval()


def test_layers_of_a_net_are_those_of_its_features(net: nn.Module) -> None:
    images = torch.randn(12, 3, 8, 8)
    found = layer_cka(net, images)
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(3)]
    assert found.rows == found.columns == ("conv1", *blocks, "fc")
    assert np.allclose(np.diag(found.values), 1)
    assert np.allclose(found.values, found.values.T)
    with torch.no_grad():
        stem = net.relu(net.bn1(net.conv1(images)))
        first, logits = net.layer1[0](stem), net(images)
    expected = linear_cka(first.flatten(1), logits)
    assert found.values[1, -1] == pytest.approx(expected, abs=1e-5)


def test_batches_change_the_estimate_and_not_what_is_estimated(net: nn.Module) -> None:
    images = torch.randn(128, 3, 6, 6)
    whole, batched = (layer_cka(net, images, batch_size=size).values for size in (128, 32))
    assert np.abs(whole - batched).max() < 0.1
    assert not np.array_equal(whole, batched)
    assert layer_cka(net, images[:9], batch_size=4).values.shape == whole.shape  # no batch of one image


def test_two_nets_are_compared_layer_by_layer(net: nn.Module) -> None:
    other = catalog.build("plain20", num_classes=5, width=8).eval()
    images = torch.randn(8, 3, 6, 6)
    found = layer_cka(net, images, other, layers=["layer1", "fc"], second_layers=["conv1"])
    assert (found.rows, found.columns, found.values.shape) == (("layer1", "fc"), ("conv1",), (2, 1))
    assert np.allclose(layer_cka(net, images, net).values, layer_cka(net, images).values)
    back = layer_cka(other, images, net, layers=["conv1"], second_layers=["layer1", "fc"])
    assert np.allclose(back.values.T, found.values)


def test_a_constant_layer_has_no_cka() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    nn.init.zeros_(net[1].weight)
    values = layer_cka(net, torch.randn(6, 3)).values
    assert np.isnan(values[:, 1]).all()
    assert values[0, 0] == pytest.approx(1)


def test_too_few_images_and_unknown_layers_are_refused(net: nn.Module) -> None:
    with pytest.raises(SettingsError, match="4 images or more"):
        layer_cka(net, torch.randn(3, 3, 8, 8))
    with pytest.raises(SettingsError, match="got 5 and 6"):
        linear_cka(torch.randn(5, 2), torch.randn(6, 2))
    with pytest.raises(UnknownNameError, match=r"'layer1\.9'; nearest: layer1"):
        layer_cka(net, torch.randn(4, 3, 8, 8), layers=["layer1.9"])
