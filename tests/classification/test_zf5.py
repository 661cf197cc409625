from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resvision import catalog
from resvision.classification.stages import stages
from resvision.classification.zf5 import ZF5, sppnet_zf5, zf5, zf_features
from resvision.core.errors import SettingsError
from resvision.launch import train
from resvision.layers.lrn import PixelResponseNorm
from resvision.layers.spp import SpatialPyramidPooling
from resvision.probes.count import count
from resvision.recipes import compose

# layer, parameters, MACs of one image of 224 px; conv1 to conv5 at 110, 26, 13, 13 and 13 px
CONVOLUTIONS = [
    ("conv1", 14_208, 110**2 * 96 * 3 * 49),
    ("conv2", 614_656, 26**2 * 256 * 96 * 25),
    ("conv3", 885_120, 13**2 * 384 * 256 * 9),
    ("conv4", 1_327_488, 13**2 * 384 * 384 * 9),
    ("conv5", 884_992, 13**2 * 256 * 384 * 9),
]


def lively(net: nn.Module) -> nn.Module:
    """Weights large enough that the logits depend on the images."""
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
    return net.eval()


def pyramid_net(**options: object) -> nn.Module:
    torch.manual_seed(0)
    return lively(sppnet_zf5(num_classes=5, width=6, **options))


@pytest.mark.parametrize(
    ("name", "options", "params"),
    [
        ("zf5", {}, 62_357_608),
        ("sppnet_zf5", {}, 77_037_672),
        ("sppnet_zf5", {"pyramid": "4-3-2-1"}, 56_066_152),
    ],
)
def test_parameters_are_those_of_the_paper_and_the_convolutions_are_the_same(
    name: str, options: dict, params: int
) -> None:
    with torch.device("meta"):
        counted = count(catalog.build(name, num_classes=1000, **options), (3, 224, 224))
    assert (counted.params, counted.depth) == (params, 8)
    rows = [(row.name.removeprefix("features."), row.params, row.macs) for row in counted.layers if "conv" in row.name]
    assert rows == CONVOLUTIONS


def test_maps_shrink_as_in_the_paper() -> None:
    with torch.device("meta"):
        net = zf5(num_classes=1000)
        cut = stages(net)
        shapes = {name: tuple(map_.shape[1:]) for name, map_ in cut(torch.empty(1, 3, 224, 224)).items()}
    expected = {"C1": (96, 110, 110), "C2": (96, 55, 55), "C3": (256, 26, 26), "C4": (256, 13, 13), "C5": (256, 6, 6)}
    assert shapes == expected
    assert [*cut.stride.values()] == [2, 4, 8, 16, 32]
    with torch.device("meta"):
        assert [*stages(sppnet_zf5(num_classes=9)).stride] == ["C1", "C2", "C3", "C4"]


@pytest.mark.usefixtures("float64")
def test_stages_are_the_net_up_to_its_last_map_and_can_be_dilated() -> None:
    net = pyramid_net()
    images = torch.randn(1, 3, 97, 131)
    with torch.no_grad():
        maps = stages(net)(images)
        torch.testing.assert_close(net.classifier(net.pool5(maps["C4"])), net(images))
        finer = stages(net, 8)(images)["C4"]
        torch.testing.assert_close(finer[:, :, ::2, ::2], maps["C4"])


@pytest.mark.usefixtures("float64")
def test_pixels_are_divided_by_those_around_them_in_their_channel() -> None:
    x = 90 * torch.randn(2, 4, 5, 7)
    padded = F.pad(x, (1, 1, 1, 1)).square()
    sums = sum(padded[:, :, i : i + 5, j : j + 7] for i in range(3) for j in range(3))
    expected = x / (1 + 5e-5 / 9 * sums) ** 0.75
    torch.testing.assert_close(PixelResponseNorm()(x), expected)
    hundred = PixelResponseNorm()(torch.full((1, 1, 3, 3), 100.0))[0, 0, 1, 1]
    assert hundred.item() == pytest.approx(100 / 1.5**0.75)


def test_a_small_response_is_not_lost_in_bf16() -> None:
    x = torch.full((1, 1, 9, 9), 5.0)
    centre = PixelResponseNorm()(x.bfloat16())[0, 0, 4, 4]
    assert centre == torch.tensor(5 / (1 + 5e-5 * 25) ** 0.75).bfloat16()


@pytest.mark.parametrize("sides", [(6, 6), (13, 13), (10, 10), (38, 63), (6, 40)])
def test_bins_are_those_of_the_formula_for_every_map(sides: tuple[int, int]) -> None:
    """The sliding form agrees at 13 and gives 9x9 bins at 10, the formula gives 6x6 everywhere."""
    x = torch.randn(2, 256, *sides)
    pooled = SpatialPyramidPooling([6, 3, 2, 1])(x)
    assert pooled.shape == (2, 12_800)
    adaptive = [nn.AdaptiveMaxPool2d(n)(x).flatten(1) for n in (6, 3, 2, 1)]
    assert torch.equal(pooled, torch.cat(adaptive, dim=1))
    assert torch.equal(pooled[:, -256:], x.amax(dim=(2, 3)))
    height, width = sides
    rows = slice(2 * height // 6, -(-3 * height // 6))  # row 2, column 4 of the grid of 6
    columns = slice(4 * width // 6, -(-5 * width // 6))
    assert torch.equal(pooled.view(2, -1)[:, 16 : 36 * 256 : 36], x[:, :, rows, columns].amax(dim=(2, 3)))


@pytest.mark.usefixtures("float64")
def test_images_of_any_size_and_shape_give_logits_and_the_largest_bin_alone_forgets_places() -> None:
    net = pyramid_net()
    with torch.no_grad():
        for sides in ((31, 31), (180, 224), (64, 47)):
            assert torch.isfinite(net(torch.randn(1, 3, *sides))).all()
    features = torch.randn(1, 16, 13, 13)
    shuffled = features.flatten(2)[:, :, torch.randperm(169)].view_as(features)
    pooled, moved = net.pool5(features), net.pool5(shuffled)
    assert torch.equal(pooled[:, -16:], moved[:, -16:])
    assert not torch.equal(pooled, moved)


@pytest.mark.usefixtures("float64")
def test_without_a_pyramid_the_class_map_at_its_own_size_is_the_logits() -> None:
    torch.manual_seed(0)
    net = lively(zf5(num_classes=5, width=6, input_size=131))
    images = torch.randn(1, 3, 195, 163)
    with torch.no_grad():
        own = images[:, :, :131, :131]
        torch.testing.assert_close(net.class_map(own), net(own)[:, :, None, None])
        assert net.class_map(images).shape == (1, 5, 3, 2)


@pytest.mark.parametrize(("centred", "centre"), [(True, 12 * 16), (False, 12 * 16 + 20)])
def test_centred_maps_lie_at_multiples_of_their_stride(*, centred: bool, centre: float) -> None:
    features = zf_features(in_channels=1, width=6, centred=centred)
    assert centred is False or features(torch.zeros(1, 1, 600, 1000)).shape[2:] == (39, 64)
    for name, pool in [*features.named_children()]:
        if "pool" in name:  # whose gradient goes to one pixel alone
            features.set_submodule(name, nn.AvgPool2d(3, stride=2, padding=getattr(pool, "padding", 0), ceil_mode=True))
        elif isinstance(pool, nn.Conv2d):
            nn.init.ones_(pool.weight)
    image = torch.ones(1, 1, 401, 401, requires_grad=True)
    features(image)[0, :, 12, 12].sum().backward()
    rows = image.grad[0, 0].any(dim=1).nonzero().flatten()
    assert (rows.min() + rows.max()) / 2 == centre


def test_initial_weights_have_one_deviation_or_keep_the_signal() -> None:
    torch.manual_seed(0)
    net = sppnet_zf5(num_classes=5, width=24)
    for path in ("features.conv3", "classifier.fc6", "classifier.fc8"):
        assert net.get_submodule(path).weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not any(parameter.any() for name, parameter in net.named_parameters() if name.endswith("bias"))
    drawn = zf5(num_classes=5, width=24, init="he").features.conv3.weight
    assert drawn.std().item() == pytest.approx((2 / drawn[0].numel()) ** 0.5, rel=0.05)


def test_wrong_sizes_and_options_are_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match="30x64: ZF-5 takes sides from 31 pixels on"):
        pyramid_net()(torch.zeros(1, 3, 30, 64))
    with pytest.raises(SettingsError, match=r"input_size 46.*data\.image_size=47"):
        zf5(num_classes=5, width=4, input_size=46)
    with pytest.raises(SettingsError, match=r"180x224, this ZF-5 is for 64x64.*sppnet_zf5"):
        zf5(num_classes=5, width=4, input_size=64)(torch.zeros(1, 3, 180, 224))
    with pytest.raises(SettingsError, match=r"pyramid .5-1.: choices are 6-3-2-1, 4-3-2-1"):
        sppnet_zf5(num_classes=5, pyramid="5-1")
    with pytest.raises(SettingsError, match="init 'xavier': choices are caffe, he"):
        sppnet_zf5(num_classes=5, width=4, init="xavier")


@pytest.mark.parametrize("name", ["zf5", "sppnet_zf5"])
def test_eight_images_are_learned_by_heart(name: str) -> None:
    torch.manual_seed(0)
    given = {"input_size": 67} if name == "zf5" else {}
    net = catalog.build(name, num_classes=4, width=8, init="he", **given)
    images, targets = torch.randn(8, 3, 67, 67), torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), targets)
        loss.backward()
        optimizer.step()
    assert loss < 0.3  # ln 4 at first


TINY = {
    "training.duration": "3 steps",
    "training.batch_size": 1000,
    "model.options.width": 4,
    "data.image_size": 48,
    "machine.precision": "fp32",
    "machine.threads": 1,
    "machine.compile": False,
}


def test_two_sides_are_trained_on_by_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []
    forward = ZF5.forward

    def watched(net: ZF5, images: torch.Tensor) -> torch.Tensor:
        if net.training and not images.is_meta:
            sides.append(images.shape[-1])
        return forward(net, images)

    monkeypatch.setattr(ZF5, "forward", watched)
    settings = {**TINY, "augment.sides_px": (48, 39), "augment.shift_px": 1}
    train("sppnet_zf5", "digits", settings=settings, out=tmp_path / "run", quiet=True)
    assert sides == [48, 39, 48]


def test_a_net_for_one_size_refuses_others_before_anything_is_written(tmp_path: Path) -> None:
    settings = {**TINY, "augment.sides_px": (48, 64)}
    with pytest.raises(SettingsError, match=r"augment\.sides_px: 64: images are 64x64, this ZF-5 is for 48x48"):
        train("zf5", "digits", settings=settings, out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
    with pytest.raises(SettingsError, match="shift_px: 6 moves images of 5 px out of sight"):
        train("sppnet_zf5", "digits", settings={**settings, "augment.sides_px": (48, 5)}, out=tmp_path / "run")


def test_the_papers_recipe_shows_two_sides_to_a_net_that_takes_any() -> None:
    run = compose("sppnet_zf5", "nowhere", recipe_name="sppnet-2014")
    assert (run.data.image_size, run.augment.sides_px) == (224, (224, 180))
    assert compose("zf5", "nowhere", recipe_name="sppnet-2014").augment.sides_px == ()
