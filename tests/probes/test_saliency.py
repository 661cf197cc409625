import pytest
import torch
from torch import nn

from resvision.probes.saliency import image_gradient, saliency_map


def test_saliency_of_a_linear_net_is_its_largest_weight_over_the_channels() -> None:
    net, images = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 4, 5)), torch.randn(3, 2, 3, 4)
    weights = net[1].weight[2].detach().view(2, 3, 4)
    found = saliency_map(net, images, lambda logits: logits[:, 2])
    torch.testing.assert_close(found, weights.abs().amax(dim=0).expand(3, 3, 4))
    torch.testing.assert_close(image_gradient(net, images, lambda logits: logits[:, 2]), weights.expand(3, 2, 3, 4))


@pytest.mark.usefixtures("float64")
def test_saliency_is_that_of_finite_differences_and_weights_gather_no_gradient() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2))
    images, step = torch.randn(1, 1, 4, 4), 1e-6
    with torch.no_grad():
        moved = [net(images + step * torch.eye(16)[pixel].view(1, 1, 4, 4))[0, 1] for pixel in range(16)]
        slopes = (torch.stack(moved) - net(images)[0, 1]) / step
    found = saliency_map(net, images, lambda logits: logits[:, 1])
    torch.testing.assert_close(found.flatten(), slopes.abs(), atol=1e-5, rtol=1e-5)
    assert all(weights.grad is None for weights in net.parameters())
    assert not images.requires_grad
