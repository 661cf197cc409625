import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from resvision.classification.preresnet import preresnet
from resvision.classification.resnet import resnet
from resvision.classification.resnet_cifar import resnet_cifar
from resvision.core.errors import SettingsError
from resvision.layers.pooling import SameAvgPool2d
from resvision.probes.count import Count, count


def figures(counted: Count) -> tuple[int, int, int | None]:
    return counted.params, counted.macs, counted.receptive_field


@pytest.mark.parametrize(
    ("layer", "params", "macs", "field"),
    [
        (nn.Conv2d(4, 6, 3), 4 * 6 * 9 + 6, 4 * 6 * 9 * 8 * 8, 3),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), 4 * 6 * 9, 4 * 6 * 9 * 5 * 5, 3),
        (nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2), 2 * 6 * 9 + 6, 2 * 6 * 9 * 10 * 10, 5),
        (nn.Conv2d(4, 6, (1, 5), padding=(0, 2)), 4 * 6 * 5 + 6, 4 * 6 * 5 * 10 * 10, 5),
        (nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), 4 * 6 * 16 + 6, 4 * 6 * 16 * 10 * 10, 2),
        (nn.MaxPool2d(3, stride=2, dilation=2), 0, 0, 5),
        (nn.AvgPool2d(2), 0, 0, 2),
        (nn.BatchNorm2d(4), 8, 0, 1),
        (nn.Sequential(nn.Flatten(), nn.Linear(400, 7)), 400 * 7 + 7, 400 * 7, None),
    ],
)
def test_one_layer_on_4x10x10(layer: nn.Module, params: int, macs: int, field: int | None) -> None:
    assert figures(count(layer, (4, 10, 10))) == (params, macs, field)


class Functional(nn.Module):
    """Weights that no layer module holds, used in functional operations."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 4, 3, 3))
        self.head = nn.Parameter(torch.randn(5, 6))

    def forward(self, images: Tensor) -> Tensor:
        x = F.conv2d(images, self.weight, stride=2).relu()
        return F.linear(x.mean(dim=(2, 3)), self.head)


def test_functional_operations_count_and_stand_in_the_row_of_their_module() -> None:
    counted = count(Functional(), (4, 9, 9))
    macs = 4 * 6 * 9 * 4 * 4 + 6 * 5
    assert figures(counted) == (4 * 6 * 9 + 30, macs, 3)
    assert [(row.name, row.params, row.macs, row.shape) for row in counted.layers] == [("", 4 * 6 * 9 + 30, macs, (5,))]


class Branches(nn.Module):
    """A sum of two paths that see 5 and 3 pixels; the longer has two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.long = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1))
        self.short = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.long(images) + self.short(images)


def test_where_paths_meet_the_longest_counts() -> None:
    counted = count(Branches(), (1, 8, 8))
    assert (counted.receptive_field, counted.depth) == (5, 2)


class Subsampled(nn.Module):
    """Every third pixel, then 3x3, enlarged again, then 3x3."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.conv1 = nn.Conv2d(1, 1, 3, padding=1)
        self.conv2 = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv1(images[:, :, ::3, ::3])
        return self.conv2(F.interpolate(x, scale_factor=3.0, mode=self.mode))


@pytest.mark.parametrize(("mode", "field"), [("nearest", 1 + 2 * 3 + 2), ("bilinear", 1 + 2 * 3 + 3 + 2)])
def test_slices_and_interpolations_change_the_stride(mode: str, field: int) -> None:
    counted = count(Subsampled(mode), (1, 12, 12))
    assert counted.receptive_field == field
    assert [row.stride for row in counted.layers] == [3, 1]


def seen_pixels(net: nn.Module, size: int) -> int:
    """Height of the input area that moves the middle of the last map, by the gradient of a net of ones."""
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    images = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    last = net.double()(images)
    middle = last.shape[-1] // 2
    last[:, :, middle, middle].sum().backward()
    rows = images.grad[0, 0].sum(dim=1).nonzero()
    return int(rows.max() - rows.min()) + 1  # dilation leaves holes


@pytest.mark.parametrize("stem", [[7, 2, 1], [3, 1, 1], [5, 3, 2]])
def test_the_field_is_the_area_with_a_gradient(stem: list[int]) -> None:
    size, stride, dilation = stem
    net = nn.Sequential(
        nn.Conv2d(1, 1, size, stride=stride, dilation=dilation, bias=False),
        nn.AvgPool2d(3, stride=2),
        nn.Conv2d(1, 1, 3, stride=2, bias=False),
        nn.Conv2d(1, 1, 3, dilation=2, bias=False),
    )
    assert count(net, (1, 129, 129)).receptive_field == seen_pixels(net, 129)


@pytest.mark.parametrize(
    "net",
    [
        resnet(18, num_classes=5, width=8),
        resnet(50, num_classes=5, width=8, shortcut="C", stride_in="1x1"),
        resnet_cifar(20, num_classes=5, width=4),
        preresnet(20, num_classes=5, width=4),
    ],
    ids=["resnet18", "resnet50_v1_c", "resnet20", "preresnet20"],
)
def test_macs_are_half_of_what_pytorch_counts_as_flops(net: nn.Module) -> None:
    with FlopCounterMode(display=False) as judge, torch.no_grad():
        net.eval()(torch.zeros(1, 3, 64, 64))
    assert 2 * count(net, (3, 64, 64)).macs == judge.get_total_flops()


def test_the_rows_add_up_to_the_totals() -> None:
    counted = count(resnet(50, num_classes=5, width=8), (3, 64, 64))
    assert sum(row.params for row in counted.layers) == counted.params
    assert sum(row.macs for row in counted.layers) == counted.macs
    assert [row.shape for row in counted.layers if row.name in {"maxpool", "fc"}] == [(8, 16, 16), (5,)]


def test_the_rows_show_field_and_stride_until_positions_see_the_whole_image() -> None:
    rows = {row.name: row for row in count(resnet(18, num_classes=5, width=8), (3, 64, 64)).layers}
    assert (rows["conv1"].receptive_field, rows["conv1"].stride, rows["conv1"].kind) == (
        7,
        2,
        "Conv2d 7x7 /2",
    )
    assert (rows["maxpool"].receptive_field, rows["maxpool"].stride) == (11, 4)
    assert (rows["layer4.1.bn2"].receptive_field, rows["layer4.1.bn2"].stride) == (435, 32)
    assert (rows["fc"].receptive_field, rows["fc"].stride) == (None, None)


def test_a_layer_that_runs_twice_has_its_weights_once_and_its_macs_twice() -> None:
    conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
    counted = count(nn.Sequential(conv, conv), (4, 5, 5))
    assert (counted.params, counted.macs, counted.depth) == (144, 2 * 144 * 25, 2)
    assert [row.params for row in counted.layers] == [144, 0]


def test_the_net_stays_as_it_is() -> None:
    net, calls = resnet_cifar(8, num_classes=5, width=4).train(), []
    net.register_forward_hook(lambda *_: calls.append("hook"))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    first = count(net, (3, 16, 16))
    assert calls == []
    assert net.training
    assert len(net._forward_hooks) == 1
    assert not any(module._forward_hooks for module in [*net.modules()][1:])
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    net(torch.randn(2, 3, 16, 16))
    assert calls == ["hook"]
    assert count(net, (3, 16, 16)) == first


def test_counting_needs_no_weights() -> None:
    with torch.device("meta"):
        on_meta = resnet_cifar(8, num_classes=5)
    assert count(on_meta, (3, 32, 32)) == count(resnet_cifar(8, num_classes=5).bfloat16(), (3, 32, 32))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 32, 32), "1x32x32 does not go through CifarResNet"), ((3, 32), "CxHxW"), ((3, 0, 32), "CxHxW")],
)
def test_an_input_that_does_not_fit_is_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        count(resnet_cifar(8, num_classes=5), shape)


def test_a_normalization_along_the_channels_sees_no_further() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(5), nn.Conv2d(8, 8, 3))
    counted = count(net, (3, 10, 10))
    assert [row.receptive_field for row in counted.layers] == [3, 3, 5]
    assert figures(counted)[2] == 5


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_an_average_of_distant_pixels_sees_as_far_as_it_reaches(dilation: int) -> None:
    pooling = SameAvgPool2d(3)
    pooling.dilation = dilation
    net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, bias=False), pooling, nn.Conv2d(1, 1, 3, bias=False))
    counted = count(net, (1, 65, 65))
    assert counted.receptive_field == seen_pixels(net, 65) == 3 + 4 * dilation + 4
    assert [row.stride for row in counted.layers] == [2, 2, 2]


def test_rows_know_how_many_weighted_layers_lie_behind_them() -> None:
    rows = {row.name: row.depth for row in count(Branches(), (1, 8, 8)).layers}
    assert rows == {"long.0": 1, "long.1": 2, "short": 1}


def test_containers_have_outputs_too() -> None:
    outputs = count(resnet(18, num_classes=5, width=8), (3, 64, 64)).outputs
    assert (outputs["layer2"], outputs["layer2.0"], outputs[""]) == ((16, 8, 8), (16, 8, 8), (5,))
