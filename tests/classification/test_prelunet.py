import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resvision import catalog
from resvision.classification.prelunet import PReLUNet, prelunet
from resvision.classification.stages import stages
from resvision.core.errors import SettingsError
from resvision.layers.spp import SpatialPyramidPooling
from resvision.probes.count import count
from resvision.training.optimizers import OptimizerSettings, build_optimizer

# Model, parameters without slopes, slopes, MACs at 224 px, the figure the paper prints.
TOTALS = [
    ("a", 178_017_384, 14_688, 19_058_106_368, 1.9058e10),
    ("b", 183_327_080, 15_968, 23_219_904_512, 2.3220e10),
    ("c", 330_603_368, 20_576, 53_463_130_112, 5.3463e10),
]


def small(model: str = "A", width: int = 6, **options: object) -> PReLUNet:
    torch.manual_seed(0)
    return prelunet(model, num_classes=5, width=width, **options).eval()


def slopes(net: nn.Module) -> list[nn.Parameter]:
    return [module.weight for module in net.modules() if isinstance(module, nn.PReLU)]


@pytest.mark.parametrize(("model", "params", "slope_count", "macs", "rounded"), TOTALS)
def test_counts_are_those_of_the_papers_table(
    model: str, params: int, slope_count: int, macs: int, rounded: float
) -> None:
    with torch.device("meta"):
        net = catalog.build(f"prelunet_{model}", num_classes=1000)
    counted = count(net, (3, 224, 224))
    assert sum(slope.numel() for slope in slopes(net)) == slope_count
    assert (counted.params, counted.macs) == (params + slope_count, macs)
    assert counted.macs == pytest.approx(rounded, rel=5e-5)


def test_the_blocks_run_at_56_28_and_14_pixels() -> None:
    with torch.device("meta"):
        net = catalog.build("prelunet_c", num_classes=1000)
        cut = stages(net)
    shapes = [tuple(map_.shape[1:]) for map_ in cut(torch.empty(1, 3, 224, 224, device="meta")).values()]
    assert shapes == [(96, 112, 112), (384, 56, 56), (768, 28, 28), (896, 14, 14)]
    assert [*cut.stride.values()] == [2, 4, 8, 16]


def test_every_slope_starts_at_a_quarter_and_never_decays() -> None:
    net = small()
    assert all(torch.equal(slope, torch.full_like(slope, 0.25)) for slope in slopes(net))
    settings = OptimizerSettings(weight_decay=0.3, norm_bias_decay=0.01)
    groups = build_optimizer(net, settings).param_groups
    decays = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    assert len(decays) == len([*net.parameters()])
    found = {decays[id(parameter)] for parameter in slopes(net)}
    assert found == {0.0}
    assert decays[id(net.fc6.bias)] == 0.01
    assert decays[id(net.fc6.weight)] == 0.3


def test_with_slopes_of_zero_and_one_a_unit_is_relu_and_linear() -> None:
    net, x = small(), torch.randn(2, 6, 4, 4)
    nn.init.zeros_(net.prelu1.weight)
    assert torch.equal(net.prelu1(x), x.relu())
    nn.init.ones_(net.prelu1.weight)
    assert torch.equal(net.prelu1(x), x)


def test_initial_weights_keep_the_size_of_the_signal() -> None:
    net = small(width=48)
    for layer, fan_in in ((net.block1[2], 128 * 9), (net.block3[0], 256 * 9), (net.fc7, 2048)):
        assert layer.weight.std().item() == pytest.approx((2 / ((1 + 0.25**2) * fan_in)) ** 0.5, rel=0.02)
        assert not layer.bias.any()
    x = torch.randn(1, 24, 32, 32)
    net = small(width=9)
    with torch.no_grad():
        after = net.block1[1:-1](x)  # four convolutions, each after its PReLU
    assert 0.5 < after.pow(2).mean() / x.pow(2).mean() < 2


def test_the_pyramid_of_the_paper_covers_the_map_with_its_bins() -> None:
    x = torch.randn(2, 3, 14, 14)
    pyramid = SpatialPyramidPooling((7, 3, 2, 1))
    assert pyramid.bins == 63
    pooled = pyramid(x)
    assert pooled.shape == (2, 3 * 63)
    torch.testing.assert_close(pooled[:, : 3 * 49], F.max_pool2d(x, 2).flatten(1))
    torch.testing.assert_close(pooled[:, -3:], x.amax(dim=(2, 3)))
    # Three bins of 14 pixels: 0..5, 4..10, 9..14.
    threes = pooled[:, 3 * 49 : 3 * 58].view(2, 3, 3, 3)
    torch.testing.assert_close(threes[:, :, 1, 2], x[:, :, 4:10, 9:14].amax(dim=(2, 3)))


@pytest.mark.parametrize("sides", [(1, 1), (2, 5), (6, 6), (13, 10)])
def test_the_length_of_the_pyramid_does_not_depend_on_the_map(sides: tuple[int, int]) -> None:
    x = torch.randn(1, 4, *sides)
    pooled = SpatialPyramidPooling((7, 3, 2, 1))(x)
    assert pooled.shape == (1, 4 * 63)
    assert pooled.view(-1).unique().numel() <= x.numel()
    assert torch.isin(pooled, x).all()


def test_the_field_ends_at_the_pyramid() -> None:
    rows = {row.name: row for row in count(small(), (3, 64, 64)).layers}
    assert rows["block3.9"].stride == 16
    assert (rows["spp"].receptive_field, rows["spp"].shape) == (None, (63 * 32,))


def test_the_smallest_image_goes_through_and_a_smaller_one_is_refused() -> None:
    net = small()
    assert torch.isfinite(net(torch.randn(1, 3, 15, 15))).all()
    with pytest.raises(SettingsError, match="14x15: PReLU-net takes sides from 15 pixels on; choose a larger"):
        net(torch.randn(1, 3, 14, 15))


def test_an_unknown_model_is_answered_with_the_choices() -> None:
    with pytest.raises(SettingsError, match="model 'D': choices are A, B, C"):
        prelunet("D", num_classes=5)


@pytest.mark.parametrize("model", ["A", "C"])
def test_a_few_images_are_learned_by_heart(model: str) -> None:
    torch.manual_seed(0)
    net = prelunet(model, num_classes=4, in_channels=1, width=6, dropout=0.0).train()
    images, targets = torch.randn(8, 1, 32, 32), torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-4)
    for _ in range(80):
        loss = F.cross_entropy(net(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
