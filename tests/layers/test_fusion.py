import pytest
import torch
from torch import nn

from resvision.layers.on_cpu.fusion import conv_then_resize


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize(("size", "kernel"), [((20, 16), (3, 3)), ((18, 17), (3, 1)), ((9, 8), (1, 5))])
def test_a_map_may_meet_the_weights_before_it_is_interpolated(
    size: tuple[int, int], kernel: tuple[int, int], align_corners: bool
) -> None:
    maps = torch.randn(2, 5, 5, 4, dtype=torch.double, requires_grad=True)
    weight = torch.randn(7, 5, *kernel, dtype=torch.double, requires_grad=True)
    finer = nn.functional.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)
    expected = nn.functional.conv2d(finer, weight, padding=(kernel[0] // 2, kernel[1] // 2))
    found = conv_then_resize(maps, weight, size, align_corners=align_corners)
    assert torch.allclose(found, expected, atol=1e-12)
    ramp = torch.linspace(-1, 1, expected.numel(), dtype=torch.double).view_as(expected)
    gradients = torch.autograd.grad((expected * ramp).sum(), (maps, weight))
    for own, torchs in zip(torch.autograd.grad((found * ramp).sum(), (maps, weight)), gradients, strict=True):
        assert torch.allclose(own, torchs, atol=1e-12)
