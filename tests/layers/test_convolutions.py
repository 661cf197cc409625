"""Convolutions that compute otherwise give what torch's own give: outputs and all gradients."""

from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import resvision
from resvision.layers.on_cpu import convolutions
from resvision.probes.count import count
from resvision.training.machine import Machine, place

WINDOWS = [((3, 3), (1, 1), (1, 1), (1, 1)), ((1, 1), (2, 2), (0, 0), (1, 1)), ((3, 5), (2, 1), (2, 3), (2, 1))]


def gradients(layer: nn.Conv2d, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    y.backward(torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y))
    of_parameters = [parameter.grad for parameter in layer.parameters()]
    layer.zero_grad()
    return [y.detach(), *(grad for grad in (x.grad, *of_parameters) if grad is not None)]


@pytest.mark.parametrize("few_pixels", [0, 100])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), WINDOWS)
def test_large_weights_over_small_maps(
    few_pixels: int,
    monkeypatch: pytest.MonkeyPatch,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    bias: bool,
) -> None:
    monkeypatch.setattr(convolutions, "LARGE", 1)
    monkeypatch.setattr(convolutions, "FEW_POSITIONS", 1000)
    monkeypatch.setattr(convolutions, "FEW_PIXELS", few_pixels)
    layer = nn.Conv2d(17, 7, kernel, stride=stride, padding=padding, dilation=dilation, bias=bias).double()
    x = torch.randn(2, 17, 9, 8, dtype=torch.double)
    expected = gradients(layer, x)
    found = gradients(chosen(layer), x)
    assert len(found) == 3 + bias
    for own, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(own, torchs)


def test_large_weights_over_a_few_pixels_are_a_product_with_and_without_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = []
    by_im2col = convolutions.conv_by_im2col
    monkeypatch.setattr(convolutions, "conv_by_im2col", lambda *given: called.append(1) or by_im2col(*given))
    layer = nn.Conv2d(256, 256, 3, stride=2, padding=1)
    few, many = torch.randn(2, 256, 7, 8), torch.randn(2, 256, 9, 9)
    with torch.no_grad():
        expected = [layer(few), layer(many)]
        found = [chosen(layer)(few), layer(many)]
    assert len(called) == 1
    for own, torchs in zip([*found, layer(few)], [*expected, expected[0]], strict=True):
        torch.testing.assert_close(own, torchs, rtol=1e-4, atol=1e-4)
    assert len(called) == 2


@pytest.mark.parametrize("keeps_gradients", [True, False])
@pytest.mark.parametrize(
    ("kernel", "spread"), [((3, 3), (6, 6)), ((3, 3), (7, 12)), ((5, 3), (6, 8)), ((3, 3), (20, 6))]
)
def test_kernels_of_large_dilation(
    kernel: tuple[int, int], spread: tuple[int, int], keeps_gradients: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    by_taps = convolutions.conv_by_taps
    monkeypatch.setattr(convolutions, "conv_by_taps", lambda *given: called.append(1) or by_taps(*given))
    padding = tuple(each * (taps // 2) for each, taps in zip(spread, kernel, strict=True))
    layer = nn.Conv2d(5, 7, kernel, padding=padding, dilation=spread).double()
    x = torch.randn(2, 5, 14, 9, dtype=torch.double)
    if keeps_gradients:
        expected, found = gradients(layer, x), gradients(chosen(layer), x)
    else:
        with torch.no_grad():
            expected, found = [layer(x)], [chosen(layer)(x)]
    assert called
    for own, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(own, torchs)


@pytest.mark.parametrize("frozen", ["weight", "x"])
def test_a_kernel_of_large_dilation_computes_no_gradient_that_nobody_wants(frozen: str) -> None:
    layer = nn.Conv2d(3, 4, 3, padding=6, dilation=6)
    x = torch.randn(1, 3, 9, 9, requires_grad=frozen != "x")
    layer.weight.requires_grad_(frozen != "weight")
    expected, found = layer(x), chosen(layer)(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    wanted = layer.weight if frozen == "x" else x
    (own,), (torchs,) = (torch.autograd.grad(y.square().sum(), wanted) for y in (found, expected))
    torch.testing.assert_close(own, torchs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kernel", "padding", "dilation"),
    [((3, 3), (2, 2), (2, 2)), ((3, 3), (12, 12), (12, 12)), ((5, 3), (4, 0), (3, 1)), ((2, 7), (1, 5), (1, 2))],
)
def test_dilated_depthwise_kernels(
    kernel: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int], bias: bool
) -> None:
    layer = nn.Conv2d(6, 6, kernel, padding=padding, dilation=dilation, groups=6, bias=bias).double()
    x = torch.randn(2, 6, 13, 20, dtype=torch.double)
    expected, found = gradients(layer, x), gradients(chosen(layer), x)
    for own, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(own, torchs)


def test_the_gradient_of_a_dilated_depthwise_kernel_in_bf16_is_that_in_float() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(24, 24, 3, padding=2, dilation=2, groups=24, bias=False)
    x = torch.randn(2, 24, 33, 33).to(memory_format=torch.channels_last)
    y = layer(x)
    (expected,) = torch.autograd.grad(y, layer.weight, torch.sin(y.detach()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own = chosen(layer)(x)
    (found,) = torch.autograd.grad(own, layer.weight, torch.sin(y.detach()).bfloat16())
    assert torch.allclose(found, expected, atol=0.02 * expected.abs().max().item())


@pytest.mark.parametrize("bias", [True, False])
def test_a_1x1_kernel_over_pixels_whose_channels_lie_together(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    linear = F.linear
    monkeypatch.setattr(F, "linear", lambda *given: called.append(1) or linear(*given))
    layer = nn.Conv2d(5, 7, 1, bias=bias).double()
    x = torch.randn(2, 5, 4, 6, dtype=torch.double).to(memory_format=torch.channels_last)
    expected, found = gradients(layer, x), gradients(chosen(layer), x)
    assert called
    for own, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(own, torchs)
    assert chosen(layer)(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(12, 12), (13, 10), (9, 15)])
@pytest.mark.parametrize(("kernel", "padding"), [(7, 3), (3, 1), (4, 0), (11, 2)])
def test_a_first_layer_that_strides(size: tuple[int, int], kernel: int, padding: int) -> None:
    layer = nn.Conv2d(3, 6, kernel, stride=2, padding=padding).double()
    x = torch.randn(2, 3, *size, dtype=torch.double)
    expected = gradients(layer, x)
    found = gradients(chosen(layer), x)
    for own, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(own, torchs)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(
    ("channels", "options"),
    [
        (4, {"stride": 2}),
        (15, {"stride": 2}),
        (8, {"stride": (1, 4)}),
        (12, {"stride": 2, "dilation": 2}),
        (4, {"stride": 2, "padding": 1}),
        (4, {"stride": 2, "padding": 1, "padding_mode": "reflect"}),
        (4, {"stride": 2, "padding": "valid"}),
        (4, {"stride": 2, "groups": 4}),
    ],
)
def test_few_channels_that_stride_do_not_end_the_process(channels: int, options: dict[str, Any], bf16: bool) -> None:
    layer = nn.Conv2d(channels, 8, 1, **options).to(memory_format=torch.channels_last)
    x = torch.randn(2, channels, 112, 111).to(memory_format=torch.channels_last)
    expected = gradients(deepcopy(layer).double(), x.double())
    convolutions.use(layer, bf16=bf16)
    assert type(layer) is convolutions.SubsampledConv2d
    for own, torchs in zip(gradients(layer, x), expected, strict=True):
        torch.testing.assert_close(own.double(), torchs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bf16", [False, True])
def test_sixteen_channels_that_stride_are_left_to_torch(bf16: bool) -> None:
    layer = convolutions.use(nn.Conv2d(16, 8, 1, stride=2), bf16=bf16)
    assert type(layer) is (convolutions.Conv2d if bf16 else nn.Conv2d)


def chosen(layer: nn.Conv2d) -> nn.Conv2d:
    convolutions.use(layer)
    assert type(layer) is convolutions.Conv2d
    return layer


def test_narrow_nets_without_gradients_compute_as_torch_does_to_the_bit() -> None:
    net = resvision.build("resnet18", num_classes=3, width=8).eval()
    images = torch.randn(2, 3, 40, 40)
    with torch.no_grad():
        expected = net(images)
        assert torch.equal(convolutions.use(net)(images), expected)


@pytest.mark.parametrize(("name", "side"), [("resnet18", 32), ("deeplabv3plus_resnet18", 129)])
def test_a_placed_net_is_counted_as_it_was_before(name: str, side: int) -> None:
    net = resvision.build(name, num_classes=3)
    expected = count(net, (3, side, side))
    machine = Machine(device="cpu", precision="bf16", channels_last=True)
    assert count(place(net, machine, torch.device("cpu")), (3, side, side)).macs == expected.macs


@pytest.mark.parametrize("kind", [{}, {"dilation": 2, "groups": 4}])
def test_a_map_smaller_than_the_kernel_is_refused_as_torch_does(
    kind: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolutions, "LARGE", 1)
    layer = nn.Conv2d(4, 4, 3, **kind)
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        chosen(layer)(torch.randn(1, 4, 2, 2))


def test_no_images_and_one_without_a_batch_are_taken_as_torch_takes_them() -> None:
    layer = nn.Conv2d(3, 4, 7, stride=2, padding=3)
    assert chosen(layer)(torch.randn(0, 3, 12, 12)).shape == (0, 4, 6, 6)
    assert layer(torch.randn(3, 12, 12)).shape == (4, 6, 6)


def test_autocast_leaves_doubles_alone() -> None:
    layer = nn.Conv2d(4, 4, 3, padding=6, dilation=6).double()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert chosen(layer)(torch.randn(1, 4, 9, 9, dtype=torch.double)).dtype == torch.double


def test_only_bf16_on_a_cpu_chooses_and_the_state_stays() -> None:
    def placed(precision: str) -> nn.Module:
        net = resvision.build("resnet18", num_classes=3, width=8)
        machine = Machine(device="cpu", precision=precision, channels_last=True, matrix_units=True)  # type: ignore[arg-type]
        return place(net, machine, torch.device("cpu"))

    assert type(placed("fp32").conv1) is nn.Conv2d
    assert type(placed("bf16").conv1) is convolutions.Conv2d
    assert placed("bf16").state_dict().keys() == placed("fp32").state_dict().keys()


def test_a_convolution_of_another_kind_is_left_alone() -> None:
    class Own(nn.Conv2d):
        pass

    net = nn.Sequential(Own(3, 4, 3), nn.Conv2d(3, 4, 3, padding="same"), nn.Conv2d(3, 4, 3, padding_mode="reflect"))
    assert not any(isinstance(module, convolutions.Conv2d) for module in convolutions.use(net))


@pytest.mark.parametrize("few_pixels", [0, 100])
@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_in_bf16_are_as_near_as_torchs(
    monkeypatch: pytest.MonkeyPatch, compiled: bool, few_pixels: int
) -> None:
    monkeypatch.setattr(convolutions, "LARGE", 2**12)
    monkeypatch.setattr(convolutions, "FEW_PIXELS", few_pixels)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 64, 7, stride=2, padding=3), nn.ReLU(), nn.Conv2d(64, 32, 3, padding=1))
    x = torch.randn(2, 3, 16, 16)
    exact = losses_gradients(net, x, precision=torch.float32)
    usual = losses_gradients(net, x, precision=torch.bfloat16)
    convolutions.use(net)
    if compiled:
        net.compile(backend="aot_eager")
    found = losses_gradients(net, x, precision=torch.bfloat16)
    for own, torchs, true in zip(found, usual, exact, strict=True):
        assert (own - true).norm() < 1.5 * (torchs - true).norm() + 1e-6


def losses_gradients(net: nn.Module, x: Tensor, *, precision: torch.dtype) -> list[Tensor]:
    with torch.autocast("cpu", dtype=precision, enabled=precision is not torch.float32):
        loss = F.silu(net(x).float()).square().mean()
    loss.backward()
    grads = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    net.zero_grad()
    return grads
