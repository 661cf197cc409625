import pytest
import torch
from torch import nn

from resvision.probes.count import count
from resvision.segmentation.fcn_vgg import bilinear_deconvolution
from resvision.segmentation.parts.aspp import ASPP, ImagePooling, rates_at
from resvision.segmentation.parts.convolutions import conv_bn_relu
from resvision.segmentation.parts.fusion import FusionConv2d, concatenate
from resvision.segmentation.parts.upsampling import bilinear_kernel, resized
from resvision.segmentation.pspnet import BINS, PyramidPooling


def test_the_bilinear_kernel_of_side_4_is_known_by_heart() -> None:
    side = torch.tensor([0.25, 0.75, 0.75, 0.25])
    assert torch.equal(bilinear_kernel(4), torch.outer(side, side))


@pytest.mark.parametrize(("side", "total"), [(4, 4), (16, 64), (64, 1024)])
def test_bilinear_kernels_sum_to_the_area_that_a_pixel_becomes(side: int, total: int) -> None:
    assert bilinear_kernel(side).sum().item() == total
    assert bilinear_kernel(64)[0, 0].item() == 2.44140625e-4


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_a_bilinear_deconvolution_interpolates_each_class_alone(factor: int) -> None:
    layer = bilinear_deconvolution(3, factor=factor, fixed=True)
    maps = torch.randn(1, 3, 5, 5)
    inner = slice(factor, -factor)
    with torch.no_grad():
        constant = layer(torch.ones(1, 3, 5, 5))[..., inner, inner]
        assert torch.allclose(constant, torch.ones_like(constant), rtol=0, atol=1e-10)
        side = 5 * factor
        whole = nn.functional.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)
        cut = slice(factor // 2, factor // 2 + side)
        found = layer(maps)[..., cut, cut]
        assert torch.allclose(found[..., inner, inner], whole[..., inner, inner], rtol=0, atol=1e-10)


def test_align_corners_says_which_points_coincide() -> None:
    ramp = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 1, 5, 5)
    like = torch.empty(1, 1, 17, 17)
    assert torch.allclose(resized(ramp, like, align_corners=True)[0, 0, 0], torch.arange(17) / 4)
    assert resized(ramp, like, align_corners=False)[0, 0, 0, 8].item() == pytest.approx(2)


@pytest.mark.parametrize("depthwise", [False, True])
def test_maps_of_three_sizes_are_fused_in_bf16_as_in_float(depthwise: bool) -> None:
    torch.manual_seed(0)
    out_channels = 9 if depthwise else 8
    layer = FusionConv2d(9, out_channels, 3, reference=1, align_corners=True, depthwise=depthwise)
    maps = [torch.randn(2, 3, 6, 5), torch.randn(2, 4, 24, 20), torch.randn(2, 2, 20, 18)]
    exact = layer(maps)
    fused = concatenate(maps, reference=1, align_corners=True)
    plain = nn.functional.conv2d(fused, layer.weight, padding=1, groups=layer.groups)
    assert torch.equal(exact, plain)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = layer([part.bfloat16() for part in maps])
    assert rounded.dtype == torch.bfloat16
    assert rounded.shape == exact.shape == (2, out_channels, 24, 20)
    assert torch.allclose(rounded.float(), exact, atol=0.02 * exact.abs().max().item())


@pytest.mark.parametrize(("output_stride", "rates"), [(16, (6, 12, 18)), (8, (12, 24, 36)), (32, (3, 6, 9))])
def test_rates_are_doubled_where_the_map_is_twice_as_fine(output_stride: int, rates: tuple[int, ...]) -> None:
    assert rates_at(output_stride) == rates


@pytest.mark.parametrize("depthwise", [False, True])
def test_a_branch_of_rate_r_sees_2r_plus_1_positions(depthwise: bool) -> None:
    pyramid = ASPP(4, rates=(6, 12, 18), channels=4, depthwise=depthwise)
    counted = count(pyramid, (4, 65, 65))
    fields = {layer.name: layer.receptive_field for layer in counted.layers}
    assert [fields[f"convs.{i}.0"] for i in range(4)] == [1, 13, 25, 37]
    assert {counted.outputs[f"convs.{i}"] for i in range(5)} == {(4, 65, 65)}


def test_image_pooling_gives_every_position_the_same() -> None:
    pooled = ImagePooling(4, 6).eval()(torch.randn(2, 4, 7, 9))
    assert pooled.shape == (2, 6, 7, 9)
    assert torch.equal(pooled, pooled[..., :1, :1].expand_as(pooled))
    assert not torch.equal(pooled[0], pooled[1])


def test_a_depthwise_convolution_is_followed_by_a_pointwise_one() -> None:
    convs = [module for module in conv_bn_relu(6, 8, window=3, rate=2, depthwise=True) if isinstance(module, nn.Conv2d)]
    assert [(conv.kernel_size, conv.groups, conv.out_channels) for conv in convs] == [((3, 3), 6, 6), ((1, 1), 1, 8)]


def test_the_pyramid_has_1_4_9_and_36_cells() -> None:
    pyramid = PyramidPooling(16)
    counted = count(pyramid, (16, 60, 60))
    cells = [counted.outputs[f"levels.{i}.0"][1:] for i in range(4)]
    assert cells == [(side, side) for side in BINS]
    assert [height * width for height, width in cells] == [1, 4, 9, 36]
    maps = pyramid(torch.zeros(2, 16, 60, 60))
    assert concatenate(maps, reference=0, align_corners=True).shape == (2, pyramid.out_channels, 60, 60)
    assert pyramid.out_channels == 32


@pytest.mark.usefixtures("float64")
def test_a_level_of_the_pyramid_is_the_mean_over_its_cells() -> None:
    maps = torch.randn(1, 4, 60, 60)
    means = PyramidPooling(4).levels[3][0](maps)
    assert torch.allclose(means, maps.view(1, 4, 6, 10, 6, 10).mean(dim=(3, 5)), rtol=0, atol=1e-10)
