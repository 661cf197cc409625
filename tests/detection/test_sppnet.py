import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import roi_pool

from resvision import catalog
from resvision.classification.stages import first_centres, stages
from resvision.classification.zf5 import sppnet_zf5
from resvision.core.errors import MissingStageError, SettingsError
from resvision.detection.parts.spatial_pyramid import WindowPyramid
from resvision.detection.sppnet import SPPNet, cells_of, sppnet
from resvision.layers.spp import SpatialPyramidPooling
from resvision.probes.graph import graph
from resvision.recipes import compose_phases

ZF5_FIRST = 20.5


def zf_classifier(width: int = 6) -> nn.Module:
    """A classifier with weights large enough that features depend on the images."""
    torch.manual_seed(0)
    return sppnet_zf5(num_classes=5, width=width, init="he").eval()


def zf_detector(**options: object) -> SPPNet:
    return sppnet(zf_classifier(), num_classes=3, **options).eval()


def windows(count: int, height: int, width: int) -> Tensor:
    """Cells of windows of all sizes in a map, (count, 4)."""
    draws = torch.Generator().manual_seed(count)
    corners = torch.rand(count, 2, 2, generator=draws).sort(dim=1).values
    first = (corners[:, 0] * torch.tensor([width, height])).long()
    last = (corners[:, 1] * torch.tensor([width, height])).long()
    return torch.cat([first, last + 1], dim=1)


def cells(regions: list[list[float]], sides: tuple[int, int] = (38, 63), **place: float) -> list[list[int]]:
    place = {"stride_px": 16, "first_px": ZF5_FIRST, **place}
    return cells_of(torch.tensor(regions), torch.tensor([sides] * len(regions)), **place).tolist()


@pytest.mark.parametrize("levels", [(6, 3, 2, 1), (4, 3, 2, 1), (7, 3, 2, 1), (5,), (1,)])
def test_pyramids_of_windows_are_those_of_the_windows_alone(levels: tuple[int, ...]) -> None:
    maps = [torch.randn(2, 3, 38, 63), torch.randn(2, 3, 21, 9)]
    cells = torch.cat([windows(60, 38, 63), windows(40, 21, 9), torch.tensor([[0, 0, 63, 38], [62, 37, 63, 38]])])
    number = torch.tensor([0] * 60 + [1] * 40 + [0, 0])
    image = torch.arange(102) % 2
    pooled = WindowPyramid(levels)
    found = pooled(pooled.maxima(maps), image, cells, number)
    alone = SpatialPyramidPooling(levels)
    for row, i, (left, top, right, bottom), k in zip(found, image, cells.tolist(), number.tolist(), strict=True):
        assert torch.equal(row, alone(maps[k][i, None, :, top:bottom, left:right])[0])


def test_pyramids_are_torchvisions_forward_and_backward() -> None:
    pixels = torch.randn(2, 4, 20, 30, dtype=torch.float64, requires_grad=True)
    cells, image = windows(50, 20, 30), torch.arange(50) % 2
    rois = torch.cat([image[:, None], cells - torch.tensor([0, 0, 1, 1])], dim=1).double()
    ours = WindowPyramid((6, 3))
    found = ours(ours.maxima([pixels]), image, cells)
    expected = torch.cat([roi_pool(pixels, rois, n, 1.0).flatten(1) for n in (6, 3)], dim=1)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    gradients = [torch.autograd.grad((result * weights).sum(), pixels)[0] for result in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_windows_may_come_in_any_order_and_move_with_the_map() -> None:
    pixels, ours = torch.randn(1, 4, 20, 30), WindowPyramid((6, 3, 2, 1))
    cells, image = windows(30, 14, 22), torch.zeros(30, dtype=torch.int64)
    found = ours(ours.maxima([pixels]), image, cells)
    order = torch.randperm(30)
    assert torch.equal(ours(ours.maxima([pixels]), image, cells[order]), found[order])
    moved = pixels.roll((5, 7), dims=(2, 3))
    assert torch.equal(ours(ours.maxima([moved]), image, cells + torch.tensor([7, 5, 7, 5])), found)


def test_the_largest_bin_of_a_window_does_not_depend_on_the_order_inside_it() -> None:
    pixels, ours = torch.randn(1, 4, 9, 9), WindowPyramid((6, 1))
    shuffled = pixels.clone()
    shuffled[:, :, 2:6, 3:8] = pixels[:, :, 2:6, 3:8].flatten(2)[:, :, torch.randperm(20)].view(1, 4, 4, 5)
    cells, image = torch.tensor([[3, 2, 8, 6]]), torch.zeros(1, dtype=torch.int64)
    before, after = (ours(ours.maxima([map_]), image, cells) for map_ in (pixels, shuffled))
    assert torch.equal(before[:, -4:], after[:, -4:])
    assert not torch.equal(before, after)


def test_corners_go_to_the_cells_of_the_released_code() -> None:
    """There pixels are counted from 1 and boxes end with their last pixel: o0 = 21, o = 6.5, and cells from 1 on."""
    draws = torch.Generator().manual_seed(0)
    corners = torch.randint(1, 600, (200, 2), generator=draws)
    boxes = torch.cat([corners, corners + torch.randint(24, 400, (200, 2), generator=draws)], dim=1).double()
    first = ((boxes[:, :2] - 21 + 6.5) / 16 + 0.5).floor() + 1
    last = ((boxes[:, 2:] - 21 - 6.5) / 16 - 0.5).ceil() + 1
    assert (first <= last).all()
    expected = torch.cat([first.clamp(1, 60), last.clamp(1, 60)], dim=1) - torch.tensor([1, 1, 0, 0])
    ours = boxes - torch.tensor([1, 1, 0, 0])  # continuous: pixel p is p - 1 .. p
    assert torch.equal(cells_of(ours, torch.full((200, 2), 60), stride_px=16, first_px=20.5), expected.long())


def test_windows_without_a_position_take_the_nearest_and_none_leaves_the_map() -> None:
    assert cells([[20.0, 20.0, 21.0, 21.0]]) == [[0, 0, 1, 1]]
    assert cells([[29.0, 300.0, 31.0, 303.0]])[0] in ([0, 17, 1, 18], [0, 18, 1, 19], [1, 17, 2, 18], [1, 18, 2, 19])
    assert cells([[0.0, 0.0, 0.0, 0.0], [1e4, 1e4, 2e4, 2e4]]) == [[0, 0, 1, 1], [62, 37, 63, 38]]
    draws = torch.rand(500, 4, generator=torch.Generator().manual_seed(0)) * 700
    left, top, right, bottom = torch.tensor(cells(draws.tolist())).unbind(1)  # corners cross in most of them
    assert ((left >= 0) & (left < right) & (right <= 63) & (top >= 0) & (top < bottom) & (bottom <= 38)).all()


@pytest.mark.parametrize("backbone", ["sppnet_zf5", "resnet18", "vgg11"])
def test_the_whole_image_is_the_whole_map(backbone: str) -> None:
    cut = stages(catalog.build(backbone, num_classes=5, width=4))
    for side in range(64, 100, 5):
        with torch.no_grad():
            map_ = cut(torch.zeros(1, 3, side, side + 40))["C4"]
        height, width = map_.shape[2:]
        whole = [[0.0, 0.0, side + 40.0, float(side)]]
        assert cells(whole, (height, width), first_px=first_centres(cut)["C4"]) == [[0, 0, width, height]]


@pytest.mark.usefixtures("float64")
def test_one_window_over_the_whole_image_is_what_the_classifier_sees() -> None:
    classifier, net = zf_classifier(), zf_detector()
    images = torch.randn(2, 3, 131, 197)
    with torch.no_grad():
        pooled = classifier.pool5(classifier.features(images))
        fc7 = classifier.classifier[:6](pooled)
        whole = torch.tensor([[0.0, 0.0, 197.0, 131.0]] * 2)
        features = net.features(net.shared(images), torch.arange(2), whole)
    torch.testing.assert_close(features.pooled, pooled)
    torch.testing.assert_close(features.last, fc7)
    net.class_layer = classifier.classifier.fc8
    with torch.no_grad():
        torch.testing.assert_close(net(images).logits[:, 0], classifier(images))


def test_features_do_not_depend_on_the_other_windows() -> None:
    net = zf_detector()
    regions = 160 * torch.rand(9, 2, 2, generator=torch.Generator().manual_seed(0)).sort(dim=1).values.flatten(1)
    image = torch.arange(9) % 2
    with torch.no_grad():
        shared = net.shared(torch.randn(2, 3, 160, 160))
        together = net.features(shared, image, regions)
        order = torch.randperm(9)
        torch.testing.assert_close(net.features(shared, image[order], regions[order]).last, together.last[order])
        alone = net.features(shared, image[4:5], regions[4:5])
    assert torch.equal(alone.pooled, together.pooled[4:5])


def test_each_window_is_taken_from_the_scale_that_brings_it_nearest_to_its_size() -> None:
    net = zf_detector(scales=5, canonical_px=224)
    assert [round(688 * scale) for scale in net.scales] == [480, 576, 688, 864, 1200]
    sides = torch.tensor([600.0, 224 * 688 / 576, 224.0, 180.0, 60.0])
    regions = torch.stack([sides * 0, sides * 0, sides, sides], dim=1)
    assert net.nearest_scale(regions).tolist() == [0, 1, 2, 3, 4]
    assert zf_detector().nearest_scale(regions).tolist() == [0] * 5


def test_training_shows_windows_at_any_scale() -> None:
    net = zf_detector(scales=5).train()
    regions = torch.tensor([[0.0, 0.0, 224.0, 224.0]] * 200)
    drawn = net.drawn_scale(regions)
    assert drawn.unique().tolist() == [0, 1, 2, 3, 4]
    assert not zf_detector().drawn_scale(regions).any()
    net.head.dropout.p = 0.0
    with torch.no_grad():
        image = torch.zeros(200, dtype=torch.int64)
        pooled = net.features(net.shared(torch.randn(1, 3, 300, 300)), image, regions).pooled
    assert len(pooled.unique(dim=0)) == 5


@pytest.mark.usefixtures("float64")
def test_a_window_of_another_scale_is_that_of_the_resized_image() -> None:
    net = zf_detector(scales=5, canonical_px=64)
    images = torch.rand(1, 3, 172, 172)
    region = torch.tensor([[40.0, 60.0, 80.0, 97.0]])
    assert net.nearest_scale(region).tolist() == [4]
    larger = nn.functional.interpolate(images, scale_factor=1200 / 688, mode="bilinear", antialias=True)
    with torch.no_grad():
        found = net.features(net.shared(images), torch.zeros(1, dtype=torch.int64), region)
        one = zf_detector()
        expected = one.features(one.shared(larger), torch.zeros(1, dtype=torch.int64), region * 1200 / 688)
    torch.testing.assert_close(found.last, expected.last)


def test_weights_of_the_classifier_are_those_of_the_trunk_fc6_and_fc7() -> None:
    classifier, net = zf_classifier(), zf_detector()
    names = net.encoder_names()
    below, state = classifier.state_dict(), net.state_dict()
    assert {*below} - {*names.values()} == {"classifier.fc8.weight", "classifier.fc8.bias"}
    assert all(torch.equal(state[own], below[name]) for own, name in names.items())
    over_resnet = catalog.build("sppnet", num_classes=3, backbone="resnet18", width=4, hidden=8)
    assert all(name.startswith("backbone.") for name in over_resnet.encoder_names())


def test_parameters_of_the_papers_net_are_those_of_its_classifier() -> None:
    with torch.device("meta"):
        net = catalog.build("sppnet", num_classes=20)
        classifier = catalog.build("sppnet_zf5", num_classes=21)
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in classifier.parameters())


def test_wrong_options_are_refused_with_the_choices() -> None:
    with pytest.raises(SettingsError, match="scales 2: choices are 1, 5"):
        zf_detector(scales=2)
    with pytest.raises(SettingsError, match="features 'C9': choices are C3, C4, C5"):
        zf_detector(features="C9")
    with pytest.raises(MissingStageError, match="needed are C5"):
        zf_detector(features="C5")
    with pytest.raises(SettingsError, match="canonical_px is 0"):
        zf_detector(canonical_px=0)


@pytest.mark.parametrize("recipe", ["sppnet-detection-2014", "sppnet-detection-short"])
def test_recipes_have_the_stages_of_rcnn_with_other_numbers(recipe: str) -> None:
    net, svm, boxes, result = compose_phases("sppnet", "nowhere", recipe_name=recipe)
    assert (svm.options, boxes.options) == (
        {"negative_overlap": 0.3},
        {"least_overlap": 0.5, "penalty": 4000.0},
    )
    assert (net.run.model.frozen_stages or 0) == (4 if recipe.endswith("2014") else 0)
    assert result.run.model.options["scores"] == "svm"


def test_the_picture_of_the_net_goes_from_the_image_to_the_scores() -> None:
    with torch.device("meta"):
        nodes = graph(catalog.build("sppnet", num_classes=20), (3, 200, 300))
    labels = [node.label for node in nodes]
    assert labels[:4] == ["image", "7x7 conv, 96, /2", "LRN", "3x3 max pool, /2"]
    assert labels[-4:] == ["WindowPyramid", "fc 4096", "fc 4096", "fc 21"]
