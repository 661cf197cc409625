"""Focal loss: the values of the paper, its laws, and torchvision as judge."""

import math

import pytest
import torch
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from resvision.detection.parts.focal_loss import BACKGROUND, focal_losses


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize(
    ("probability", "is_object", "loss"),
    [(0.9, True, 2.63401e-4), (0.1, True, 0.466273), (0.01, False, 7.53775e-7), (0.5, True, 0.0433217)],
)
def test_the_loss_of_one_probability_is_the_papers(probability: float, is_object: bool, loss: float) -> None:
    classes = torch.tensor([0 if is_object else BACKGROUND])
    assert focal_losses(torch.tensor([[logit(probability)]]), classes).item() == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(("probability", "times"), [(0.9, 100), (0.968, 977)])
def test_a_well_classified_anchor_weighs_so_many_times_less_than_in_cross_entropy(
    probability: float, times: float
) -> None:
    focal = focal_losses(torch.tensor([[logit(probability)]]), torch.tensor([0]), alpha=1.0)
    assert -math.log(probability) / focal.item() == pytest.approx(times, rel=1e-3)


def samples() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of 50 anchors and 7 classes, classes of which half are none, and the same as zeros and ones."""
    logits = 4 * torch.randn(50, 7, dtype=torch.double, requires_grad=True)
    classes = torch.where(torch.arange(50) % 2 == 0, torch.arange(50) % 7, BACKGROUND)
    ones = functional.one_hot(classes.clamp(min=0), 7) * (classes >= 0)[:, None]
    return logits, classes, ones.double()


def test_without_gamma_and_with_half_alpha_it_is_half_of_cross_entropy() -> None:
    logits, classes, ones = samples()
    entropy = functional.binary_cross_entropy_with_logits(logits, ones, reduction="none").sum(dim=1)
    assert torch.allclose(focal_losses(logits, classes, alpha=0.5, gamma=0.0), entropy / 2, rtol=1e-12)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.75, 0.5), (0.5, 5.0)])
def test_loss_and_gradient_are_torchvisions(alpha: float, gamma: float) -> None:
    logits, classes, ones = samples()
    weights = torch.rand(50, dtype=torch.double)
    ours = focal_losses(logits, classes, alpha=alpha, gamma=gamma)
    theirs = sigmoid_focal_loss(logits, ones, alpha=alpha, gamma=gamma).sum(dim=1)
    assert torch.allclose(ours, theirs, rtol=1e-9)
    gradients = [torch.autograd.grad((losses * weights).sum(), logits)[0] for losses in (ours, theirs)]
    assert torch.allclose(*gradients, rtol=1e-8)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_logits_of_any_size_have_a_finite_loss_and_gradient(gamma: float) -> None:
    logits = torch.tensor([[-300.0, 300.0], [300.0, -300.0], [0.0, 120.0]], requires_grad=True)
    losses = focal_losses(logits, torch.tensor([0, BACKGROUND, 1]), gamma=gamma)
    losses.sum().backward()
    assert losses.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_logits_in_bf16_are_judged_in_fp32() -> None:
    logits = torch.randn(8, 3).bfloat16()
    classes = torch.tensor([0, 1, 2, -1, -1, -1, 0, 1])
    assert focal_losses(logits, classes).dtype is torch.float32
    assert torch.equal(focal_losses(logits, classes), focal_losses(logits.float(), classes))
