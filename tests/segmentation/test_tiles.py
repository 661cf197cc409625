import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.segmentation.parts.tiles import (
    ANY_SIZE,
    InputRule,
    Predict,
    input_rule,
    label_map,
    label_tiles,
    lay_out,
    predict_tiled,
)
from resvision.segmentation.unet import unet, unet_padded

VALID = InputRule(multiple=16, offset=60, border_px=92)


def brightness(images: Tensor) -> Tensor:
    """Probabilities of each pixel from itself alone: class 1 where it is bright."""
    return (torch.cat([128.0 - images, images - 128.0], dim=1) / 64).softmax(dim=1)


def mean_of_3x3(images: Tensor) -> Tensor:
    """Probabilities that see one pixel around and lose it: a net with a border of 1."""
    return brightness(F.avg_pool2d(images, 3, stride=1))


def test_a_rule_knows_the_sides_a_net_takes() -> None:
    assert [side for side in range(180, 240) if VALID.takes(side)] == [188, 204, 220, 236]
    assert (VALID.at_least(1), VALID.at_least(188), VALID.at_least(189), VALID.at_least(572)) == (188, 188, 204, 572)
    assert (VALID.nearest(570), VALID.nearest(565), VALID.nearest(564), VALID.nearest(10)) == (572, 572, 572, 188)
    assert VALID.nearest(563) == 556
    assert [side for side in range(1, 40) if InputRule(multiple=16).takes(side)] == [16, 32]
    assert all(ANY_SIZE.takes(side) for side in range(1, 40))
    fixed = InputRule(fixed_px=224)
    assert (fixed.takes(224), fixed.takes(225), fixed.nearest(500)) == (True, False, 224)


def test_a_net_without_a_rule_takes_any_size() -> None:
    assert input_rule(nn.Conv2d(3, 2, 1)) == ANY_SIZE
    assert input_rule(unet(num_classes=2, width=2)) == VALID


@pytest.mark.parametrize("length", [1, 5, 16, 17, 100, 388, 389, 512, 1000, 1003])
@pytest.mark.parametrize(
    ("rule", "tile_px", "overlap_px"),
    [
        (VALID, 572, 0),
        (VALID, 204, 0),
        (VALID, None, 0),
        (InputRule(multiple=32), 64, 16),
        (InputRule(multiple=32), 64, 0),
        (InputRule(fixed_px=224), None, 100),
        (InputRule(fixed_px=224), 224, 223),
        (ANY_SIZE, None, 0),
        (ANY_SIZE, 100, 33),
    ],
)
def test_results_cover_the_image_overlap_as_asked_and_start_on_the_grid(
    length: int, rule: InputRule, tile_px: int | None, overlap_px: int
) -> None:
    layout = lay_out(length, rule=rule, tile_px=tile_px, overlap_px=overlap_px)
    assert rule.takes(layout.side)
    assert layout.side <= (tile_px or layout.side)
    assert layout.starts[0] == 0
    assert all(start % rule.multiple == 0 for start in layout.starts)
    ends = [start + layout.result for start in layout.starts]
    assert ends[-1] >= length
    if len(ends) > 1:
        assert ends[-1] < length + rule.multiple
        gaps = zip(ends, layout.starts[1:], strict=False)
        assert all(end - start >= overlap_px for end, start in gaps)
    if tile_px is None and rule.fixed_px is None:
        assert len(ends) == 1


def test_the_papers_tile_steps_by_the_largest_multiple_of_16_in_its_result() -> None:
    assert lay_out(1000, rule=VALID, tile_px=572).starts == (0, 384, 624)


@pytest.mark.parametrize(
    ("rule", "tile_px", "overlap_px", "message"),
    [
        (VALID, 570, 0, r"tile_px 570: the net takes sides of 16 s \+ 60 px from 188 on; nearest: 572"),
        (InputRule(multiple=16), 50, 0, "sides of 16 s px from 16 on; nearest: 48"),
        (InputRule(fixed_px=224), 256, 0, "224x224 alone; nearest: 224"),
        (ANY_SIZE, 64, 64, "overlap_px 64: .* overlap by 0 to 63"),
        (ANY_SIZE, 64, -1, "overlap_px -1"),
        (VALID, 188, 0, "results of 4 px, which are too small"),
    ],
)
def test_tiles_that_cannot_be_are_refused(rule: InputRule, tile_px: int, overlap_px: int, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        lay_out(1000, rule=rule, tile_px=tile_px, overlap_px=overlap_px)


@pytest.mark.parametrize(
    ("rule", "tile_px", "overlap_px"),
    [
        (ANY_SIZE, None, 0),
        (ANY_SIZE, 16, 0),
        (ANY_SIZE, 16, 5),
        (InputRule(multiple=8), 16, 0),
        (InputRule(8), None, 0),
    ],
)
def test_a_net_that_looks_at_single_pixels_gives_the_same_in_any_tiles(
    rule: InputRule, tile_px: int | None, overlap_px: int
) -> None:
    images = torch.randint(256, (2, 1, 37, 50), generator=torch.Generator().manual_seed(0)).float()
    tiled = predict_tiled(brightness, images, rule=rule, tile_px=tile_px, overlap_px=overlap_px, num_classes=2)
    assert torch.allclose(tiled, brightness(images), atol=1e-6)
    labels = label_map(brightness, images[0], rule=rule, tile_px=tile_px, overlap_px=overlap_px)
    assert labels.dtype is torch.uint8
    assert torch.equal(labels, (images[0, 0] > 128).to(torch.uint8))


def test_beyond_the_edge_the_image_is_mirrored() -> None:
    images = torch.randint(256, (1, 1, 20, 20), generator=torch.Generator().manual_seed(0)).float()
    rule = InputRule(border_px=1)
    extended = F.pad(images, (1, 1, 1, 1), mode="reflect")
    tiled = predict_tiled(mean_of_3x3, images, rule=rule, tile_px=9, num_classes=2)
    assert torch.allclose(tiled, mean_of_3x3(extended), atol=1e-6)


@pytest.mark.parametrize("side", [1, 2, 3, 10])
def test_an_image_smaller_than_the_border_is_mirrored_again_and_again(side: int) -> None:
    seen = []

    def predict(windows: Tensor) -> Tensor:
        seen.append(windows)
        return brightness(windows[:, :, 92:-92, 92:-92])

    image = torch.arange(side * side, dtype=torch.float32).view(1, 1, side, side)
    probabilities = predict_tiled(predict, image, rule=VALID, num_classes=2)
    assert probabilities.shape == (1, 2, side, side)
    (window,) = seen
    assert window.shape[-2:] == (188 if side <= 4 else 204,) * 2
    middle = window[0, 0, 92]
    assert torch.equal(middle[92 : 92 + side], image[0, 0, 0])
    assert torch.equal(middle[92 - 60 : 92], middle[93 : 93 + 60].flip(0))  # about the first pixel


def test_several_results_of_a_pixel_are_averaged() -> None:
    calls = []

    def predict(windows: Tensor) -> Tensor:
        calls.append(float(len(calls)))
        first = torch.full_like(windows, calls[-1])
        return torch.cat([first, torch.zeros_like(first)], dim=1).softmax(dim=1)

    tiled = predict_tiled(predict, torch.zeros(1, 1, 4, 6), rule=InputRule(fixed_px=4), overlap_px=2, num_classes=2)
    sure = torch.tensor([0.0, 1.0]).sigmoid()
    expected = torch.tensor([sure[0], sure[0], sure.mean(), sure.mean(), sure[1], sure[1]])
    assert torch.allclose(tiled[0, 0], expected.expand(4, 6))


def random_unet(*, padded: bool) -> nn.Module:
    torch.manual_seed(0)
    build = unet_padded if padded else unet
    net = build(num_classes=3, in_channels=1, width=4, dropout=0.0).eval()
    nn.init.normal_(net.head.bias)  # where no unit of the last map is active, classes must not tie
    return net


def predict_of(net: nn.Module) -> Predict:
    """Class probabilities by the net's logits."""
    return lambda windows: net(windows).softmax(dim=1)


@pytest.mark.parametrize("overlap_px", [4, 30])
def test_u_net_in_tiles_equals_u_net_at_once(overlap_px: int) -> None:
    net = random_unet(padded=False)
    image = torch.randn(1, 1, 150, 83, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = predict_tiled(predict_of(net), image, rule=net.input_rule, num_classes=3)
        tiled = predict_tiled(
            predict_of(net), image, rule=net.input_rule, tile_px=252, overlap_px=overlap_px, num_classes=3
        )
        labels = label_map(predict_of(net), image[0], rule=net.input_rule, tile_px=252, overlap_px=overlap_px)
    assert len(lay_out(150, rule=net.input_rule, tile_px=252, overlap_px=overlap_px).starts) > 1
    assert whole.std() > 0.01
    assert (tiled - whole).abs().max() <= 1e-5
    sure = whole.topk(2, dim=1).values.diff(dim=1).abs()[0, 0] > 1e-4
    assert sure.float().mean() > 0.95
    assert torch.equal(labels[sure], whole.argmax(dim=1)[0].to(torch.uint8)[sure])


@pytest.mark.usefixtures("float64")
def test_tiles_off_the_grid_of_the_poolings_would_differ() -> None:
    net = random_unet(padded=False)
    image = torch.randn(1, 1, 204 + 8, 188, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, shifted, on_grid = net(image[:, :, :204]), net(image[:, :, 8:196]), net(image[:, :, 16:204])
    assert torch.allclose(whole[:, :, 16:], on_grid, rtol=0, atol=1e-10)
    assert not torch.allclose(whole[:, :, 8:12], shifted, atol=1e-3)


def test_a_padded_net_takes_any_size_by_the_rule() -> None:
    net = random_unet(padded=True)
    image = torch.randn(1, 1, 30, 33)
    with torch.no_grad():
        assert predict_tiled(predict_of(net), image, rule=net.input_rule, num_classes=3).shape == (1, 3, 30, 33)
        even = torch.randn(1, 1, 32, 48)
        whole = predict_tiled(predict_of(net), even, rule=net.input_rule, num_classes=3)
        assert torch.allclose(whole, net(even).softmax(dim=1), atol=1e-5)


def test_bytes_reach_the_net_as_they_are() -> None:
    image = torch.randint(256, (3, 40, 30), dtype=torch.uint8)
    kinds = set()

    def predict(windows: Tensor) -> Tensor:
        kinds.add((windows.dtype, windows.shape[1]))
        return brightness(windows[:, :1].float())

    labels = label_map(predict, image, rule=InputRule(multiple=8), tile_px=16)
    assert kinds == {(torch.uint8, 3)}
    assert torch.equal(labels, (image[0] > 128).to(torch.uint8))


def test_label_tiles_are_small_disjoint_and_cover_the_image() -> None:
    times = torch.zeros(70, 45, dtype=torch.int64)
    image = torch.zeros(1, 70, 45)
    for tile in label_tiles(brightness, image, rule=InputRule(multiple=4), tile_px=20, overlap_px=6):
        h, w = tile.labels.shape
        assert 0 < h <= 20
        assert 0 < w <= 20
        times[tile.top : tile.top + h, tile.left : tile.left + w] += 1
    assert (times == 1).all()


def test_results_against_the_rule_and_too_many_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="the result is 8x8 for a window of 10x10; by the rule of the net it is 10x10"):
        predict_tiled(mean_of_3x3, torch.zeros(1, 1, 10, 10), rule=ANY_SIZE, num_classes=2)
    with pytest.raises(ValueError, match="256 classes"):
        label_map(lambda windows: windows.expand(-1, 256, -1, -1), torch.zeros(1, 4, 4), rule=ANY_SIZE)
