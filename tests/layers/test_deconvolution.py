import pytest
import torch
from torch import nn

from resvision.layers.on_cpu.convolutions import use
from resvision.layers.on_cpu.deconvolution import BlockwiseDeconvolution, deconv_by_blocks


@pytest.mark.parametrize("factor", [2, 8])
def test_the_deconvolution_by_blocks_is_the_transposed_convolution(factor: int) -> None:
    maps = torch.randn(2, 5, 4, 6, dtype=torch.double)
    weight = torch.randn(5, 3, 2 * factor, 2 * factor, dtype=torch.double)
    expected = nn.functional.conv_transpose2d(maps, weight, stride=factor)
    assert torch.allclose(deconv_by_blocks(maps, weight), expected, atol=1e-12)


def test_a_deconvolution_learns_in_bf16_what_it_does_in_float() -> None:
    torch.manual_seed(0)
    layer, maps = nn.ConvTranspose2d(5, 3, 8, stride=4, bias=False), torch.randn(2, 5, 4, 6)
    assert isinstance(use(layer), BlockwiseDeconvolution)
    exact = layer(maps)
    (expected,) = torch.autograd.grad(exact.square().mean(), layer.weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = layer(maps.bfloat16())
    assert rounded.dtype == torch.bfloat16
    assert torch.allclose(rounded.float(), exact, atol=0.02 * exact.abs().max().item())
    (found,) = torch.autograd.grad(rounded.float().square().mean(), layer.weight)
    assert torch.allclose(found, expected, atol=0.02 * expected.abs().max().item())


@pytest.mark.parametrize("options", [{"padding": 1}, {"bias": True}, {"stride": 2}, {"output_padding": 1}])
def test_other_deconvolutions_stay_torchs_own(options: dict[str, int]) -> None:
    layer = nn.ConvTranspose2d(5, 3, 8, **{"stride": 4, "bias": False, **options})
    assert type(use(layer)) is nn.ConvTranspose2d
