import pytest
import torch

from resvision import catalog
from resvision.classification.resnet_cifar import resnet_cifar
from resvision.core.errors import SettingsError
from resvision.probes.count import count

# depth, parameters with option A, MACs at 32 px, parameters with option B, receptive field
PAPER_TABLE = [
    (20, 269_722, 40_551_040, 272_474, 81),
    (32, 464_154, 68_862_592, 466_906, 137),
    (44, 658_586, 97_174_144, 661_338, 193),
    (56, 853_018, 125_485_696, 855_770, 249),
    (110, 1_727_962, 252_887_680, 1_730_714, 501),
    (1202, 19_421_274, 2_829_238_912, 19_424_026, 5597),
]


@pytest.mark.parametrize(("depth", "params", "macs", "params_b", "field"), PAPER_TABLE)
def test_counts_are_the_papers(depth: int, params: int, macs: int, params_b: int, field: int) -> None:
    with torch.device("meta"):
        counted = count(catalog.build(f"resnet{depth}", num_classes=10), (3, 32, 32))
        projecting = catalog.build(f"resnet{depth}_b", num_classes=10)
    assert (counted.params, counted.macs, counted.receptive_field) == (params, macs, field)
    assert sum(p.numel() for p in projecting.parameters()) == params_b


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_plain_and_residual_nets_have_equal_counts_and_the_same_state(depth: int) -> None:
    with torch.device("meta"):
        plain = catalog.build(f"plain{depth}", num_classes=10)
        residual = catalog.build(f"resnet{depth}", num_classes=10)
    shapes = [{key: value.shape for key, value in net.state_dict().items()} for net in (plain, residual)]
    assert shapes[0] == shapes[1]
    a, b = (count(net, (3, 32, 32)) for net in (plain, residual))
    assert (a.params, a.macs, a.depth, a.receptive_field) == (b.params, b.macs, b.depth, b.receptive_field)


@pytest.mark.parametrize("size", [1, 7, 28, 32])
def test_any_image_size_gives_logits(size: int) -> None:
    net = resnet_cifar(8, num_classes=5, in_channels=1, width=4).eval()
    assert net(torch.randn(2, 1, size, size)).shape == (2, 5)


def test_a_depth_between_two_nets_names_both() -> None:
    with pytest.raises(SettingsError, match=r"depth 21: .* nearest: 20, 26"):
        resnet_cifar(21, num_classes=10)


@pytest.mark.parametrize("depth", [-4, 0, 2, 7])
def test_a_depth_below_the_smallest_net_names_the_smallest(depth: int) -> None:
    with pytest.raises(SettingsError, match=r"nearest: 8"):
        resnet_cifar(depth, num_classes=10)


def test_zero_init_of_a_plain_net_is_refused_and_of_a_residual_net_zeroes_every_branch() -> None:
    with pytest.raises(SettingsError, match="plain net has no shortcuts"):
        resnet_cifar(8, num_classes=10, shortcut="none", zero_init=True)
    net = resnet_cifar(14, num_classes=10, width=4, zero_init=True).eval()
    images = torch.randn(2, 3, 8, 8)
    stem = net.relu(net.bn1(net.conv1(images)))
    shortcuts_only = torch.cat([stem[:, :, ::4, ::4], torch.zeros(2, 12, 2, 2)], dim=1)
    assert torch.equal(net.layer3(net.layer2(net.layer1(stem))), shortcuts_only)


@pytest.mark.parametrize(("depth", "params", "macs", "params_b", "field"), PAPER_TABLE[:4])
def test_without_normalization_a_bias_takes_the_place_of_two_numbers_a_channel(
    depth: int, params: int, macs: int, params_b: int, field: int
) -> None:
    channels = 16 + (depth - 2) // 3 * (16 + 32 + 64)
    with torch.device("meta"):
        counted = count(resnet_cifar(depth, num_classes=10, norm="none"), (3, 32, 32))
        projecting = resnet_cifar(depth, num_classes=10, norm="none", shortcut="B")
    assert (counted.params, counted.macs, counted.receptive_field) == (params - channels, macs, field)
    in_projections = 2 * (32 + 64)  # which have no bias: that of the branch, to which they are added, does for both
    assert sum(p.numel() for p in projecting.parameters()) == params_b - channels - in_projections


def test_nets_without_normalization_start_with_a_variance_of_two_over_their_connections() -> None:
    torch.manual_seed(0)
    net = resnet_cifar(8, num_classes=10, norm="none", shortcut="none")
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    convolutions = [module for module in net.modules() if isinstance(module, torch.nn.Conv2d)]
    assert all(module.bias is not None and not module.bias.any() for module in convolutions)
    # where channels double, fan-out would be twice as large
    assert float(net.get_parameter("layer3.0.conv1.weight").detach().std()) == pytest.approx(
        (2 / (9 * 32)) ** 0.5, rel=0.03
    )
    assert net(torch.randn(2, 3, 8, 8)).shape == (2, 10)


def test_an_unknown_norm_and_zeroed_branches_without_one_are_refused() -> None:
    with pytest.raises(SettingsError, match="norm 'layer': choices are batch, none"):
        resnet_cifar(8, num_classes=10, norm="layer")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="no scales to zero"):
        resnet_cifar(8, num_classes=10, norm="none", zero_init=True)
