"""YOLOv3 and its small net: the counts of the released nets, decoding, and the loss by hand."""

import math
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resvision import catalog, recipes
from resvision.classification.darknet import ConvBlock
from resvision.core.errors import MissingStageError, SettingsError
from resvision.detection.detector import PADDING, TrueBoxes
from resvision.detection.grid_detector import GridMaps
from resvision.detection.yolov3 import YOLOv3, YOLOv3Detector, YOLOv3Loss, yolov3
from resvision.probes.count import Count, count

SIDES = (64, 64)
CLASSES = 3
VALUES = 5 + CLASSES
ANCHORS = "8,8 12,12 24,24 24,20"
"""Of the small net: the last two at stride 32, the first two at 16."""


@lru_cache
def counted(name: str, num_classes: int, side_px: int) -> Count:
    with torch.device("meta"):
        net = catalog.build(name, num_classes=num_classes)
    return count(net, (3, side_px, side_px))


def system(**options: float) -> YOLOv3Detector:
    net = catalog.build("yolov3_tiny", num_classes=CLASSES, width=4, anchors=ANCHORS)
    assert isinstance(net, YOLOv3)
    return YOLOv3Detector(net, mean=(0.5,) * 3, std=(0.25,) * 3, options=YOLOv3Loss(**options))


def truth(*boxes: tuple[float, float, float, float], labels: tuple[int, ...] = (1, 2)) -> TrueBoxes:
    """The boxes of one image, and one place more."""
    padded = torch.zeros(1, len(boxes) + 1, 4)
    padded[0, : len(boxes)] = torch.tensor(boxes).reshape(-1, 4)
    marks = torch.tensor([[*labels[: len(boxes)], PADDING]])
    return TrueBoxes(padded, marks, torch.zeros_like(marks, dtype=torch.bool))


def raw(places: dict[int, list[float]] | None = None, *, objectness: float = 0.0) -> GridMaps:
    """The results for one image of 64 x 64 with 8 places of stride 32, then 32 of stride 16; zeros but for some."""
    by_place = torch.zeros(40, VALUES)
    by_place[:, 4] = objectness
    for place, values in (places or {}).items():
        by_place[place, : len(values)] = torch.tensor(values)
    coarse, fine = by_place.split((8, 32))

    def as_map(some: Tensor, side: int) -> Tensor:
        return some.view(1, side, side, 2 * VALUES).permute(0, 3, 1, 2).contiguous()

    return GridMaps((as_map(coarse, 2), as_map(fine, 4)))


def losses(detector: YOLOv3Detector, maps: GridMaps, boxes: TrueBoxes) -> dict[str, Tensor]:
    return {name: term.total for name, term in detector.losses_of(maps, boxes, SIDES).terms.items()}


def sigmoid(t: float) -> float:
    return 1 / (1 + math.exp(-t))


LIKE_AN_ANCHOR = (4.0, 4.0, 28.0, 28.0)
"""The box of the first anchor of the first cell of stride 32."""


@pytest.mark.parametrize(
    ("name", "num_classes", "side_px", "parameters", "bflops"),
    [
        ("yolov3", 80, 416, 61_949_149, 65.86),
        ("yolov3", 80, 608, 61_949_149, 140.69),
        ("yolov3", 20, 416, 61_626_049, None),
        ("yolov3_tiny", 80, 416, 8_852_366, 5.56),
    ],
)
def test_it_counts_as_the_released_cfg(
    name: str, num_classes: int, side_px: int, parameters: int, bflops: float | None
) -> None:
    figures = counted(name, num_classes, side_px)
    assert figures.params == parameters
    assert bflops in (None, round(2 * figures.macs / 1e9, 2))


@pytest.mark.parametrize(("name", "strides"), [("yolov3", (32, 16, 8)), ("yolov3_tiny", (32, 16))])
def test_results_have_the_shapes_of_the_paper(name: str, strides: tuple[int, ...]) -> None:
    outputs = counted(name, 80, 416).outputs
    found = [outputs[f"scales.{rank}.last"] for rank in range(len(strides))]
    assert found == [(255, 416 // stride, 416 // stride) for stride in strides]


@pytest.mark.parametrize(
    ("name", "count", "last"),
    [
        (
            "yolov3",
            75,
            [
                *(512, 1024, 512, 1024, 512, 1024, 255),
                *(256, 256, 512, 256, 512, 256, 512, 255),
                *(128, 128, 256, 128, 256, 128, 256, 255),
            ],
        ),
        ("yolov3_tiny", 13, [16, 32, 64, 128, 256, 512, 1024, 256, 512, 255, 128, 256, 255]),
    ],
)
def test_layers_with_weights_stand_in_the_order_of_the_cfg(name: str, count: int, last: list[int]) -> None:
    with torch.device("meta"):
        layers = catalog.build(name, num_classes=80).darknet_order()
    convolutions = [layer.conv if isinstance(layer, ConvBlock) else layer for layer in layers]
    channels = [layer.out_channels for layer in convolutions if isinstance(layer, nn.Conv2d)]
    assert len(layers) == len(channels) == count
    assert channels[-len(last) :] == last


def test_the_largest_anchors_lie_at_the_coarsest_map() -> None:
    with torch.device("meta"):
        grids = catalog.build("yolov3", num_classes=80).grids
    assert dict(grids.strides) == {"C5": 32, "C4": 16, "C3": 8}
    assert grids.shapes["C5"] == ((116, 90), (156, 198), (373, 326))
    assert grids.shapes["C3"] == ((10, 13), (16, 30), (33, 23))


def test_the_pooling_of_stride_1_in_the_small_net_looks_right_and_down() -> None:
    stage = catalog.build("yolov3_tiny", num_classes=2, width=1).get_submodule("backbone.stage5")
    assert isinstance(stage, nn.Sequential)
    x = torch.tensor([[[[4.0, 1.0, 2.0], [0.0, 3.0, -9.0], [-5.0, -7.0, -8.0]]]])
    assert stage[2:4](x).tolist() == [[[[4.0, 3.0, 2.0], [3.0, 3.0, -8.0], [-5.0, -7.0, -8.0]]]]


def test_raw_zeros_are_the_anchors_and_each_class_has_even_odds() -> None:
    found = system().eval().candidates(raw(), SIDES)
    assert found.scores.flatten().tolist() == pytest.approx([0.25] * 40 * CLASSES)
    boxes = {tuple(box) for box in found.boxes[0].tolist()}
    assert len(boxes) == 40
    assert {LIKE_AN_ANCHOR, (4.0, 6.0, 28.0, 26.0), (4.0, 4.0, 12.0, 12.0), (50.0, 50.0, 62.0, 62.0)} <= boxes


def test_a_new_net_takes_every_place_for_background() -> None:
    torch.manual_seed(0)
    detector = system().eval()
    with torch.no_grad():
        maps = detector.net(torch.zeros(1, 3, 64, 64))
    scores = torch.cat([result.view(2, VALUES, -1)[:, 4].flatten() for result in maps.predictions]).sigmoid()
    torch.testing.assert_close(scores, torch.full_like(scores, 0.01), atol=2e-3, rtol=0)


def test_a_perfect_box_leaves_the_background_alone() -> None:
    """Of 40 places one finds the box, and one more overlaps it by 20 / 24, so that it is ignored."""
    maps = raw({0: [0, 0, 0, 0, 40, -40, 40, -40]})
    terms = losses(system(), maps, truth(LIKE_AN_ANCHOR))
    assert terms["background"].item() == pytest.approx(38 * math.log(2), rel=1e-5)
    assert terms["boxes"].item() == pytest.approx((2 - 24 * 24 / 64**2) * 2 * math.log(2), rel=1e-5), "its least"
    for name in ("objects", "classes"):
        assert terms[name].item() == pytest.approx(0, abs=1e-6), name


def test_the_gradients_of_a_box_are_the_deltas_of_the_released_code() -> None:
    """The box lies 8 px right of its cell's centre and is twice as wide as its anchor."""
    detector, weight = system(), 2 - 48 * 24 / 64**2
    coarse, fine = (result.requires_grad_() for result in raw({0: [0.4, 0.1, 0.3, -0.2, 0.8, 0.6]}).predictions)
    sum(losses(detector, GridMaps((coarse, fine)), truth((0.0, 4.0, 48.0, 28.0))).values()).backward()
    gradient = coarse.grad.permute(0, 2, 3, 1).reshape(8, VALUES)
    expected = [
        weight * (sigmoid(0.4) - 0.75),
        weight * (sigmoid(0.1) - 0.5),
        weight * (0.3 - math.log(2)),
        weight * -0.2,
        sigmoid(0.8) - 1,
        sigmoid(0.6),
        sigmoid(0.0) - 1,
        sigmoid(0.0),
    ]
    assert gradient[0].tolist() == pytest.approx(expected, rel=1e-4)
    assert gradient[2].tolist() == pytest.approx([0, 0, 0, 0, 0.5, 0, 0, 0]), "background learns no more than that"
    assert not fine.grad.view(1, 2, VALUES, 4, 4)[:, :, [0, 1, 2, 3, 5, 6, 7]].any()


def test_a_place_whose_box_overlaps_a_true_one_is_ignored_from_the_limit_on() -> None:
    box = truth(LIKE_AN_ANCHOR)
    ignored = losses(system(ignored_iou=20 / 24 - 0.01), raw(), box)["background"]
    learned = losses(system(ignored_iou=20 / 24 + 0.01), raw(), box)["background"]
    assert (learned - ignored).item() == pytest.approx(math.log(2), rel=1e-4)


def test_a_place_has_the_classes_of_both_boxes_and_the_shape_of_the_last() -> None:
    shifted = (5.0, 4.0, 29.0, 28.0)
    both, last = (
        losses(system(), raw({0: [0] * 5 + [9, 9, 9]}), truth(*boxes, labels=labels))
        for boxes, labels in (((LIKE_AN_ANCHOR, shifted), (1, 2)), ((shifted,), (2,)))
    )
    assert both["boxes"].item() == pytest.approx(last["boxes"].item())
    assert (last["classes"] - both["classes"]).item() == pytest.approx(9.0, rel=1e-4), "class 1 is no mistake any more"


def test_small_boxes_are_found_at_the_fine_map() -> None:
    assignment = system().assigned(raw(), truth((4.0, 4.0, 12.0, 12.0), (20.0, 36.0, 32.0, 48.0)))
    assert assignment.owned.place.tolist() == [8, 8 + 2 * (2 * 4 + 1) + 1]


def test_backbones_without_the_maps_and_other_anchors_are_told() -> None:
    with pytest.raises(MissingStageError, match="needed are C5, C4, C3"):
        yolov3(catalog.build("resnet20", num_classes=2, width=4), num_classes=2)
    options: dict[str, Any] = {"backbone": "resnet18", "width": 4}
    with pytest.raises(SettingsError, match="4 cannot be shared evenly by 3 maps"):
        catalog.build("yolov3", num_classes=2, anchors=ANCHORS, **options)
    with pytest.raises(SettingsError, match="say coco, or give width and height"):
        catalog.build("yolov3", num_classes=2, anchors="voc", **options)


@pytest.mark.parametrize("options", [{"object_weight": -1.0}, {"ignored_iou": 1.5}])
def test_values_that_cannot_work_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        YOLOv3Loss(**options)


def test_the_recipe_of_the_paper_has_its_steps() -> None:
    run = recipes.compose("yolov3", "bccd", recipe_name="yolov3-2018")
    assert run.recipe == "yolov3-2018"
    assert run.training.duration == "500200 steps"
    assert [round(500_200 * share) for share in run.schedule.milestones] == [400_000, 450_000]


@pytest.mark.parametrize("backbone", ["zf5", "googlenet"])
def test_every_grid_has_its_stride_over_encoders_that_lose_their_edges(backbone: str) -> None:
    options: dict[str, Any] = {"backbone": backbone, "width": 4, "channels": 16}
    with torch.device("meta"):
        net = catalog.build("yolov3", num_classes=CLASSES, **options).eval()
        maps = net(torch.empty(1, 3, 90, 130))
    assert [tuple(result.shape[2:]) for result in maps.predictions] == [(3, 5), (6, 10), (12, 20)]
