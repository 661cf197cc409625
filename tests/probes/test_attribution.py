"""Grad-CAM and occlusion, held against nets whose answer is known by hand."""

import pytest
import torch
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.probes.attribution import grad_cam, occlusion, smallest_map


class MapsInMean(nn.Module):
    """A convolution, and a linear layer over the means of its maps; a ReLU in place stands between."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(2, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(3, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.relu(self.maps(images)).mean(dim=(2, 3)))


@pytest.mark.usefixtures("float64")
def test_grad_cam_of_a_linear_net_over_mean_pooling_is_its_weighted_map() -> None:
    net, images = MapsInMean(), torch.randn(2, 2, 6, 5)
    maps = net.maps(images).relu()
    weighted = (net.fc.weight[1].view(-1, 1, 1) * maps).sum(dim=1).relu() / (6 * 5)  # the class activation map
    heat = grad_cam(net, images, lambda logits: logits[:, 1], layer=net.relu)
    torch.testing.assert_close(heat, weighted.detach())


def test_grad_cam_is_enlarged_to_the_images_and_leaves_the_net_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(32, 3))
    images = torch.randn(1, 1, 8, 8)
    before = net(images)
    assert grad_cam(net, images, lambda logits: logits[:, 0], layer=net[0]).shape == (1, 8, 8)
    assert torch.equal(net(images), before)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_images_do_not_influence_each_other() -> None:
    net, images = MapsInMean(), torch.randn(3, 2, 6, 6)
    alone = torch.cat([grad_cam(net, image[None], lambda logits: logits[:, 2], layer=net.maps) for image in images])
    torch.testing.assert_close(grad_cam(net, images, lambda logits: logits[:, 2], layer=net.maps), alone)


def test_a_layer_that_gives_no_single_map_is_refused() -> None:
    net = MapsInMean()
    with pytest.raises(SettingsError, match="Linear gives no map"):
        grad_cam(net, torch.randn(1, 2, 4, 4), lambda logits: logits[:, 0], layer=net.fc)
    with pytest.raises(SettingsError, match="ReLU runs 0 times"):
        grad_cam(net, torch.randn(1, 2, 4, 4), lambda logits: logits[:, 0], layer=nn.ReLU())


@pytest.mark.usefixtures("float64")
def test_occlusion_of_a_linear_net_is_the_weight_that_is_removed() -> None:
    weights, fill = torch.randn(2, 6, 6), torch.tensor([0.5, -1.0])
    images = torch.randn(2, 2, 6, 6)
    removed = (weights * (images - fill.view(-1, 1, 1))).sum(dim=1)  # by each pixel that is covered
    squares = removed.view(2, 2, 3, 2, 3).sum(dim=(2, 4))
    heat = occlusion(
        lambda pixels: (pixels * weights).sum(dim=(1, 2, 3)),
        images,
        lambda sums: sums,
        fill=fill,
        patch_px=3,
        step_px=3,
        batch_size=3,
    )
    torch.testing.assert_close(heat, squares.repeat_interleave(3, dim=1).repeat_interleave(3, dim=2))


def test_squares_of_occlusion_overlap_and_cover_every_pixel_of_a_side_that_they_do_not_divide() -> None:
    heat = occlusion(
        lambda pixels: pixels.sum(dim=(1, 2, 3)),
        torch.ones(1, 1, 7, 5),
        lambda sums: sums,
        fill=torch.zeros(1),
        patch_px=3,
        step_px=2,
    )
    torch.testing.assert_close(heat, torch.full((1, 7, 5), 9.0))  # every square removes nine ones


def test_the_smallest_map_of_a_net_is_its_last_one_before_the_classes() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert smallest_map(net, lambda: net(torch.randn(1, 1, 10, 10))) == "2"
    flat = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    assert smallest_map(flat, lambda: flat(torch.randn(1, 1, 3, 3))) is None
