import pytest
import torch
from torch import nn

from resvision import catalog
from resvision.classification.preresnet import PLACEMENTS, PreResNet, Unit, preresnet
from resvision.core.errors import SettingsError
from resvision.probes.count import count

# Table 2 of the paper: the residual branch, and what follows the addition.
ORDERS = {
    "a": ("conv BN ReLU conv BN", "ReLU"),
    "b": ("conv BN ReLU conv", "BN ReLU"),
    "c": ("conv BN ReLU conv BN ReLU", ""),
    "d": ("ReLU conv BN ReLU conv BN", ""),
    "e": ("BN ReLU conv BN ReLU conv", ""),
}
WORDS = {nn.Conv2d: "conv", nn.BatchNorm2d: "BN", nn.ReLU: "ReLU"}
# depth, options, parameters, MACs at 32 px
PAPER_TABLE = [
    (110, {"block": "basic"}, 1_727_962, 252_887_680),
    (164, {}, 1_703_258, 244_500_992),
    (1001, {}, 10_327_706, 1_487_849_984),
]


def small(placement: str, block: str = "basic", shortcut: str | None = None) -> PreResNet:
    depth = 20 if block == "basic" else 29
    return preresnet(depth, num_classes=5, block=block, placement=placement, width=4, shortcut=shortcut)


def interior_units(net: PreResNet) -> list[Unit]:
    """The units of the net that keep the shape and are not its first."""
    return [unit for layer in (net.layer1, net.layer2, net.layer3) for unit in layer[1:]]


def trace(module: nn.Module, x: torch.Tensor) -> list[str]:
    """The words of Table 2 in the order in which the module's leaves run."""
    seen: list[str] = []
    handles = [
        leaf.register_forward_hook(lambda leaf, _inputs, _output: seen.append(WORDS[type(leaf)]))
        for leaf in module.modules()
        if type(leaf) in WORDS
    ]
    module(x)
    for handle in handles:
        handle.remove()
    return seen


def zero_branches(net: PreResNet) -> None:
    for module in net.modules():
        if isinstance(module, Unit):
            convs = [part for part in module.branch.modules() if isinstance(part, nn.Conv2d)]
            nn.init.zeros_(convs[-1].weight)


@pytest.mark.parametrize(("depth", "options", "params", "macs"), PAPER_TABLE)
def test_counts_are_the_papers(depth: int, options: dict, params: int, macs: int) -> None:
    with torch.device("meta"):
        counted = count(preresnet(depth, num_classes=10, **options), (3, 32, 32))
    assert (counted.params, counted.macs, counted.depth) == (params, macs, depth)


@pytest.mark.parametrize(
    ("depth", "placement", "num_classes", "params"),
    [
        (164, "a", 10, 1_704_154),
        (1001, "a", 10, 10_328_602),
        (164, "e", 100, 1_726_388),
        (1001, "e", 100, 10_350_836),
    ],
)
def test_parameters_of_the_original_units_and_of_cifar_100(
    depth: int, placement: str, num_classes: int, params: int
) -> None:
    with torch.device("meta"):
        net = catalog.build(f"preresnet{depth}", num_classes=num_classes, placement=placement)
    assert sum(p.numel() for p in net.parameters()) == params


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_with_option_a_every_placement_has_equal_parameters(placement: str) -> None:
    with torch.device("meta"):
        net = catalog.build("preresnet110", num_classes=10, placement=placement)
    assert sum(p.numel() for p in net.parameters()) == 1_727_962


@pytest.mark.parametrize("placement", ORDERS)
def test_a_unit_runs_in_the_order_of_table_2(placement: str) -> None:
    branch, after = ORDERS[placement]
    for unit in interior_units(small(placement)):
        x = torch.randn(2, unit.branch.conv1.in_channels, 4, 4)
        assert trace(unit, x) == f"{branch} {after}".split()
        assert trace(unit.after, x) == after.split()


@pytest.mark.parametrize("placement", ORDERS)
def test_a_bottleneck_runs_in_the_same_order_with_one_more_convolution(placement: str) -> None:
    branch, after = ORDERS[placement]
    expected = f"{branch} {after}".replace("conv BN ReLU conv", "conv BN ReLU conv BN ReLU conv", 1).split()
    unit = interior_units(small(placement, "bottleneck"))[0]
    assert trace(unit, torch.randn(2, unit.branch.conv1.in_channels, 4, 4)) == expected


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_with_full_pre_activation_the_signal_is_the_start_plus_every_branch(block: str) -> None:
    net = small("e", block).double().eval()
    x = start = torch.randn(2, net.widths[1], 6, 6, dtype=torch.float64)
    total = torch.zeros_like(x)
    for unit in net.layer2[1:]:
        total = total + unit.branch(unit.before(x))
        x = unit(x)
    assert torch.allclose(x, start + total, rtol=1e-12, atol=1e-12)
    assert total.abs().max() > 0.1


@pytest.mark.parametrize("placement", ["a", "b"])
def test_with_an_activation_after_the_addition_it_is_not(placement: str) -> None:
    unit = interior_units(small(placement).eval())[0]
    x = torch.randn(2, 4, 6, 6)
    assert not torch.allclose(unit(x), x + unit.branch(unit.before(x)))


def test_with_relu_before_the_addition_branches_are_never_negative() -> None:
    for unit in interior_units(small("c")):
        y = unit.branch(unit.before(torch.randn(2, unit.branch.conv1.in_channels, 6, 6)))
        assert y.min() >= 0 < y.max()


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_with_zeroed_branches_the_gradient_through_full_pre_activation_is_exactly_one(block: str) -> None:
    net = small("e", block)
    zero_branches(net)
    x = torch.randn(2, net.widths[2], 4, 4, requires_grad=True)
    net.layer3[1:](x).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_with_zeroed_branches_the_gradient_through_original_units_is_not_one() -> None:
    net = small("a")
    zero_branches(net)
    x = torch.randn(2, net.widths[2], 4, 4, requires_grad=True)
    net.layer3[1:](x).sum().backward()
    assert not torch.equal(x.grad, torch.ones_like(x))


def test_the_first_unit_and_projecting_units_share_their_pre_activation() -> None:
    def sharing(net: PreResNet) -> list[list[bool]]:
        return [[unit.shares_before for unit in layer] for layer in (net.layer1, net.layer2, net.layer3)]

    assert sharing(small("e", shortcut="A")) == [[True, False, False], [False] * 3, [False] * 3]
    assert sharing(small("e", "bottleneck")) == [[True, False, False]] * 3
    first = small("e").layer1[0].eval()
    zero_branches(first)
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(first(x), first.before(x))


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_the_average_sees_a_map_without_negative_values(placement: str) -> None:
    net, seen = small(placement), []
    net.avgpool.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    net(torch.randn(4, 3, 16, 16))
    assert seen[0].min() >= 0 < seen[0].max()


@pytest.mark.parametrize(
    ("depth", "options", "message"),
    [
        (32, {}, r"9n\+2 weighted layers; nearest: 29, 38"),
        (29, {"block": "basic"}, r"6n\+2 weighted layers; nearest: 26, 32"),
        (20, {"block": "wide"}, "basic, bottleneck"),
        (29, {"placement": "f"}, "a, b, c, d, e"),
        (29, {"shortcut": "D"}, "none, A, B, C"),
    ],
)
def test_a_wrong_choice_is_answered_with_the_choices(depth: int, options: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        preresnet(depth, num_classes=10, **options)
