"""Shortcuts of table 1 of He et al. 2016: counts by hand, forms that are other nets, and what gates let through."""

import math

import pytest
import torch

from resvision.classification.resnet_cifar import resnet_cifar
from resvision.classification.shortcut_forms import FORMS, FormedBlock, resnet_forms
from resvision.core.errors import SettingsError
from resvision.probes.count import count

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
PARAMETERS, MACS = 1_727_962, 252_887_680  # of ResNet-110 with option A


def gates_by_hand(depth: int, width: int, *, side: int) -> tuple[int, int]:
    """Parameters and multiply-adds of one 1x1 convolution with bias in each of the 3n blocks."""
    n = (depth - 2) // 6
    params = macs = 0
    for channels, entering, size in (
        (width, width, side),
        (2 * width, width, side // 2),
        (4 * width, 2 * width, side // 4),
    ):
        weights = entering * channels + (n - 1) * channels**2
        params += weights + n * channels
        macs += weights * size**2
    return params, macs


@pytest.mark.parametrize("form", ["identity", "half-shortcut", "half-both", "dropout", "none"])
def test_scaled_and_dropped_shortcuts_have_no_parameters(form: str) -> None:
    with torch.device("meta"):
        counted = count(resnet_forms(20, num_classes=10, form=form), (3, 32, 32))
    assert (counted.params, counted.macs) == (269_722, 40_551_040)  # of ResNet-20


@pytest.mark.parametrize("form", ["exclusive-gate", "shortcut-gate"])
def test_gates_have_the_parameters_of_their_convolutions(form: str) -> None:
    with torch.device("meta"):
        counted = count(resnet_forms(110, num_classes=10, form=form), (3, 32, 32))
    params, macs = gates_by_hand(110, 16, side=32)
    assert params == 96_224  # 18 * 272, 544 + 17 * 1,056, 2,112 + 17 * 4,160
    assert (counted.params, counted.macs) == (PARAMETERS + params, MACS + macs)


@pytest.mark.parametrize(
    ("form", "option"), [("identity", "A"), ("projection", "B"), ("convolution", "C"), ("none", "none")]
)
def test_four_forms_are_nets_of_2015_bit_for_bit(form: str, option: str) -> None:
    torch.manual_seed(0)
    formed = resnet_forms(14, num_classes=5, width=4, form=form).train()
    torch.manual_seed(0)
    net = resnet_cifar(14, num_classes=5, width=4, shortcut=option).train()
    assert [*formed.state_dict()] == [*net.state_dict()]
    assert all(torch.equal(a, b) for a, b in zip(formed.parameters(), net.parameters(), strict=True))
    assert torch.equal(formed(IMAGES), net(IMAGES))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_any_form_takes_any_size_and_keeps_its_class_map(form: str) -> None:
    net = resnet_forms(8, num_classes=5, width=4, form=form).eval()
    for side in (1, 7, 8):
        images = torch.randn(2, 3, side, side)
        assert torch.allclose(net.class_map(images).mean((2, 3)), net(images), atol=1e-5)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_the_gradient_reaches_every_parameter_of_any_form(form: str) -> None:
    net = resnet_forms(8, num_classes=5, width=4, form=form, gate_bias=0.0).train()
    torch.nn.functional.cross_entropy(net(IMAGES), torch.tensor([1, 3])).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in net.parameters())


def block(form: str, bias: float = 0.0) -> FormedBlock:
    """The second block of a net, whose shape does not change, with a gate that no signal moves."""
    net = resnet_forms(14, num_classes=5, width=4, form=form, gate_bias=bias).eval()
    formed = net.layer1[1]
    if formed.gate is not None:
        torch.nn.init.zeros_(formed.gate[0].weight)
    return formed


@pytest.mark.parametrize("bias", [0.0, -6.0, 2.0])
def test_a_gate_without_a_signal_is_the_sigmoid_of_its_bias(bias: float) -> None:
    x = torch.rand(2, 4, 8, 8)
    g = 1 / (1 + math.exp(-bias))
    for form, of_branch in (("exclusive-gate", g), ("shortcut-gate", 1.0)):
        formed = block(form, bias)
        assert torch.allclose(formed(x), torch.relu(of_branch * formed.branch(x) + (1 - g) * x), atol=1e-6)


@pytest.mark.parametrize(("form", "of_branch"), [("half-shortcut", 1.0), ("half-both", 0.5)])
def test_a_constant_scale_halves_the_shortcut(form: str, of_branch: float) -> None:
    x = torch.rand(2, 4, 8, 8)
    formed = block(form)
    assert torch.equal(formed(x), torch.relu(of_branch * formed.branch(x) + 0.5 * x))


def test_scales_of_all_blocks_multiply_where_branches_are_zero() -> None:
    net = resnet_forms(8 + 6 * 2, num_classes=5, width=4, form="half-shortcut").eval()
    for formed in net.layer1:
        torch.nn.init.zeros_(formed.bn2.weight)
    x = torch.rand(2, 4, 8, 8)
    assert torch.equal(net.layer1(x), x / 2**3)  # the paper's product of the scales, equation 6


def test_dropout_is_on_the_shortcut_and_in_training_alone() -> None:
    torch.manual_seed(0)
    formed = block("dropout")
    torch.nn.init.zeros_(formed.bn2.weight)
    x = torch.rand(8, 4, 8, 8) + 0.1
    assert torch.equal(formed(x), x)
    formed.train()
    dropped = formed(x)
    zeros = dropped == 0
    assert zeros.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(dropped[~zeros], 2 * x[~zeros])


@pytest.mark.parametrize(
    ("depth", "form", "message"),
    [(109, "identity", "nearest: 104, 110"), (20, "gated", "half-both, exclusive-gate")],
)
def test_a_wrong_choice_is_answered_with_the_choices(depth: int, form: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        resnet_forms(depth, num_classes=10, form=form)
