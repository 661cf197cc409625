"""Convolutions too large for their maps are found, and bf16 is left alone for them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resvision
from resvision.core.errors import SettingsError
from resvision.preparation import resolve
from resvision.probes.padding import centre_alone, taps_in_padding
from resvision.recipes import compose
from resvision.training import machine


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 8])
def test_a_convolution_is_named_where_a_gradient_is_zero_on_a_map_smaller_than_its_stride(
    kernel: int, stride: int, side: int
) -> None:
    conv = nn.Conv2d(1, 1, kernel, stride=stride, padding=kernel // 2, bias=False)
    images = torch.ones(1, 1, side, side)
    F.conv2d(images, conv.weight, stride=stride, padding=kernel // 2).sum().backward()
    assert conv.weight.grad is not None
    idle = side < stride and bool((conv.weight.grad == 0).any())
    assert taps_in_padding(nn.Sequential(conv), (1, side, side)) == ("0" if idle else None)


def test_the_nets_at_their_own_sizes_are_free_of_it() -> None:
    with torch.device("meta"):
        assert taps_in_padding(resvision.build("resnet50", num_classes=10), (3, 224, 224)) is None
        assert taps_in_padding(resvision.build("resnet56", num_classes=10), (3, 32, 32)) is None
        assert taps_in_padding(resvision.build("resnet18", num_classes=10), (3, 16, 16)) == "layer4.0.conv1"


def test_such_runs_are_fp32_and_bf16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cpu_has_bf16", lambda: True)
    changes = {"data.image_size": 16, "machine.device": "cpu"}
    assert resolve(compose("resnet18", "digits", changes=changes)).machine.precision == "fp32"
    with pytest.raises(SettingsError, match=r"machine.precision: .*layer4.0.conv1 meet padding alone.*choose fp32"):
        resolve(compose("resnet18", "digits", changes={**changes, "machine.precision": "bf16"}))


@pytest.mark.parametrize(
    ("crop_px", "rates", "least"),
    [(320, [], None), (288, [18], 289), (200, [18], 289), (160, [18, 12], 289), (65, [18, 12, 6], 289)],
)
def test_atrous_kernels_that_small_crops_do_not_reach_are_named(
    crop_px: int, rates: list[int], least: int | None
) -> None:
    net = resvision.build("deeplabv3plus", backbone="resnet18", num_classes=3, width=8, channels=16)
    found = centre_alone(net, (3, crop_px, crop_px))
    assert [net.get_submodule(name).dilation[0] for name in found] == rates
    assert max(found.values(), default=None) == least
    if least:
        assert not centre_alone(net, (3, least, least))
        assert centre_alone(net, (3, least - 1, least - 1))


def test_rows_and_columns_are_both_asked() -> None:
    net = nn.Conv2d(3, 4, 3, padding=6, dilation=6)
    assert centre_alone(net, (3, 6, 6)) == {"": 7}
    assert centre_alone(net, (3, 6, 7)) == {}
    assert centre_alone(nn.Conv2d(3, 4, (3, 1), padding=(6, 0), dilation=(6, 1)), (3, 6, 90)) == {"": 7}
    assert centre_alone(nn.Conv2d(3, 4, 3, padding=(6, 12), dilation=(6, 12)), (3, 6, 6)) == {"": 7}
    assert centre_alone(nn.Conv2d(3, 4, 1, dilation=6), (3, 2, 2)) == {}


def test_a_net_that_takes_one_size_alone_is_looked_at_in_that_size_alone() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=20, dilation=20))
    fixed = nn.Sequential(net, nn.Flatten(), nn.Linear(4 * 14 * 14, 2))
    assert centre_alone(fixed, (3, 28, 28)) == {"0.1": 41}
