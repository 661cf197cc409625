"""YOLOv2: the counts of the released nets, decoding, the loss by hand, and the images that the net has seen."""

import math
from functools import lru_cache

import pytest
import torch
from torch import Tensor, nn

from resvision import catalog, recipes
from resvision.classification.darknet import ConvBlock
from resvision.contracts import Batch, Images
from resvision.core.errors import MissingStageError, SettingsError
from resvision.detection.detector import PADDING, TrueBoxes
from resvision.detection.grid_detector import GridMaps
from resvision.detection.yolov2 import YOLOv2, YOLOv2Detector, YOLOv2Loss, yolov2
from resvision.probes.count import Count, count

SIDES = (64, 64)
CLASSES = 3
VALUES = 5 + CLASSES
ANCHORS = "24,24 24,20"


@lru_cache
def counted(num_classes: int, side_px: int, anchors: str) -> Count:
    with torch.device("meta"):
        net = catalog.build("yolov2", num_classes=num_classes, anchors=anchors)
    return count(net, (3, side_px, side_px))


def net() -> YOLOv2:
    built = catalog.build("yolov2", num_classes=CLASSES, width=4, anchors=ANCHORS)
    assert isinstance(built, YOLOv2)
    return built


def system(**options: float) -> YOLOv2Detector:
    return YOLOv2Detector(net(), mean=(0.5,) * 3, std=(0.25,) * 3, options=YOLOv2Loss(**options))


def truth(*boxes: tuple[float, float, float, float], labels: tuple[int, ...] = (1, 2)) -> TrueBoxes:
    """The boxes of one image, and one place more."""
    padded = torch.zeros(1, len(boxes) + 1, 4)
    padded[0, : len(boxes)] = torch.tensor(boxes).reshape(-1, 4)
    marks = torch.tensor([[*labels[: len(boxes)], PADDING]])
    return TrueBoxes(padded, marks, torch.zeros_like(marks, dtype=torch.bool))


def raw(places: dict[int, list[float]] | None = None) -> Tensor:
    """The result for one image of 64 x 64, zeros but for some of its places, (1, 2 * VALUES, 2, 2)."""
    by_place = torch.zeros(8, VALUES)
    for place, values in (places or {}).items():
        by_place[place, : len(values)] = torch.tensor(values)
    return by_place.view(1, 2, 2, 2 * VALUES).permute(0, 3, 1, 2).contiguous()


def losses(detector: YOLOv2Detector, result: Tensor, boxes: TrueBoxes) -> dict[str, Tensor]:
    return {name: term.total for name, term in detector.losses_of(GridMaps((result,)), boxes, SIDES).terms.items()}


LIKE_AN_ANCHOR = (4.0, 4.0, 28.0, 28.0)
"""The box of the first anchor of the first cell."""


@pytest.mark.parametrize(
    ("anchors", "num_classes", "side_px", "parameters", "bflops"),
    [("voc", 20, 416, 50_655_389, 29.36), ("coco", 80, 608, 50_962_889, 62.94)],
)
def test_it_counts_as_the_released_cfg(
    anchors: str, num_classes: int, side_px: int, parameters: int, bflops: float
) -> None:
    figures = counted(num_classes, side_px, anchors)
    assert figures.params == parameters
    assert round(2 * figures.macs / 1e9, 2) == bflops
    assert figures.outputs["last"] == (5 * (5 + num_classes), side_px // 32, side_px // 32)


def test_the_passthrough_has_the_shapes_of_the_paper() -> None:
    outputs = counted(20, 416, "voc").outputs
    assert outputs["passthrough"] == (64, 26, 26)
    assert outputs["reorg"] == (256, 13, 13)
    assert outputs["conv3"] == (1024, 13, 13)
    with torch.device("meta"):
        joining = catalog.build("yolov2", num_classes=20).get_submodule("conv3")
    assert isinstance(joining, ConvBlock)
    assert joining.conv.in_channels == 1280


def test_layers_with_weights_stand_in_the_order_of_the_cfg() -> None:
    with torch.device("meta"):
        layers = catalog.build("yolov2", num_classes=20).darknet_order()
    convolutions = [layer.conv if isinstance(layer, ConvBlock) else layer for layer in layers]
    channels = [layer.out_channels for layer in convolutions if isinstance(layer, nn.Conv2d)]
    assert len(layers) == len(channels) == 23
    assert channels[:3] == [32, 64, 128]
    assert channels[-5:] == [1024, 1024, 64, 1024, 125]


def test_anchors_of_the_cfg_count_in_cells_of_32_pixels() -> None:
    with torch.device("meta"):
        shapes = catalog.build("yolov2", num_classes=20).grids.shapes["C5"]
    assert shapes[0] == pytest.approx((1.3221 * 32, 1.73145 * 32))
    assert shapes[-1] == pytest.approx((11.2364 * 32, 10.0071 * 32))


def test_raw_zeros_are_the_anchors_at_even_odds_of_all_classes() -> None:
    detector = system().eval()
    found = detector.candidates(GridMaps((raw(),)), SIDES)
    assert found.scores.flatten().tolist() == pytest.approx([0.5 / CLASSES] * 8 * CLASSES)
    boxes = {tuple(box) for box in found.boxes[0].tolist()}
    assert len(boxes) == 8
    assert {LIKE_AN_ANCHOR, (4.0, 6.0, 28.0, 26.0), (36.0, 36.0, 60.0, 60.0)} <= boxes


def test_a_perfect_box_leaves_the_background_alone() -> None:
    """Of 8 places one finds the box, and the other anchor of its cell overlaps it by 20 / 24, so that it is ignored."""
    result = raw({0: [0, 0, 0, 0, 40, -40, 40, -40]})
    terms = losses(system(), result, truth(LIKE_AN_ANCHOR))
    assert terms["background"].item() == pytest.approx(6 * 0.5 * 0.5**2)
    for name in ("objects", "boxes", "classes", "anchors"):
        assert terms[name].item() == pytest.approx(0, abs=1e-6), name


def test_the_loss_of_one_box_by_hand() -> None:
    """The box lies 8 px right of its cell's centre and is twice as wide as its anchor; all raw numbers are zero."""
    box = (0.0, 4.0, 48.0, 28.0)
    terms = losses(system(), raw(), truth(box))
    overlap = 24 / 48  # of the anchor, which is told, with the box
    assert terms["objects"].item() == pytest.approx(5 * 0.5 * (0.5 - overlap) ** 2)
    small = 2 - 48 * 24 / 64**2
    assert terms["boxes"].item() == pytest.approx(small * 0.5 * (0.25**2 + math.log(2) ** 2))
    assert terms["classes"].item() == pytest.approx(math.log(CLASSES))
    assert terms["background"].item() == pytest.approx(7 * 0.5 * 0.5**2)
    assert terms["anchors"].item() == 0


def test_gradients_are_the_deltas_of_the_released_code() -> None:
    result = raw({0: [0.4, 0, 0.3, 0, 0.8], 7: [0, 0, 0, 0, 0.5]}).requires_grad_()
    detector = system(anchored_images=0)
    sum(losses(detector, result, truth(LIKE_AN_ANCHOR)).values()).backward()
    gradient = result.grad.permute(0, 2, 3, 1).reshape(8, VALUES)
    small = 2 - 24 * 24 / 64**2

    def sigmoid(t: float) -> float:
        return 1 / (1 + math.exp(-t))

    x = sigmoid(0.4)
    assert gradient[0, 0].item() == pytest.approx(small * (x - 0.5) * x * (1 - x), rel=1e-4)
    assert gradient[0, 2].item() == pytest.approx(small * 0.3, rel=1e-4)
    score = sigmoid(0.5)
    assert gradient[7, 4].item() == pytest.approx(score * score * (1 - score), rel=1e-4)
    assert gradient[0, 5:].tolist() == pytest.approx([1 / 3, -2 / 3, 1 / 3], rel=1e-4)


def test_places_without_a_box_learn_their_anchors_at_first() -> None:
    result = raw({5: [2.0, 0, -0.5, 0]})
    detector = system()
    shift = 1 / (1 + math.exp(-2)) - 0.5
    anchored = 0.01 * 0.5 * (shift**2 + 0.5**2)
    assert losses(detector, result, truth(LIKE_AN_ANCHOR))["anchors"].item() == pytest.approx(anchored)
    detector.net.seen.fill_(12_799)
    assert losses(detector, result, truth())["anchors"].item() == pytest.approx(anchored)
    detector.net.seen.fill_(12_800)
    assert losses(detector, result, truth())["anchors"].item() == 0


def test_the_net_counts_the_images_that_it_was_trained_on_and_keeps_the_number() -> None:
    detector = system()
    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    boxes = TrueBoxes(*(torch.cat([member] * 2) for member in truth(LIKE_AN_ANCHOR)))
    batch = Batch(Images(images), boxes, torch.arange(2))
    for _ in range(3):
        detector.train().losses(batch)
    detector.eval().losses(batch)
    assert detector.net.seen.item() == 6
    again = net()
    again.load_state_dict(detector.net.state_dict())
    assert again.seen.item() == 6


def test_of_two_boxes_at_one_place_the_last_is_learned() -> None:
    shifted = (5.0, 4.0, 29.0, 28.0)
    both = losses(system(), raw(), truth(LIKE_AN_ANCHOR, shifted))
    assert both["boxes"].item() == pytest.approx(losses(system(), raw(), truth(shifted))["boxes"].item())
    assert both["boxes"].item() > 0


def test_backbones_without_the_maps_and_other_anchors_are_told() -> None:
    with pytest.raises(MissingStageError, match="needed are C4, C5"):
        yolov2(catalog.build("resnet20", num_classes=2, width=4), num_classes=2)
    with pytest.raises(SettingsError, match="say voc or coco, or give width and height"):
        catalog.build("yolov2", num_classes=2, width=4, anchors="imagenet")


@pytest.mark.parametrize("options", [{"object_weight": -1.0}, {"ignored_iou": 0.0}, {"anchored_images": -1}])
def test_values_that_cannot_work_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        YOLOv2Loss(**options)


def test_the_recipe_of_the_paper_draws_a_side_for_every_ten_steps() -> None:
    run = recipes.compose("yolov2", "bccd", recipe_name="yolov2-2017")
    assert run.training.duration == "80200 steps"
    assert run.augment.further_sides == tuple(range(320, 609, 32))
    assert [round(80_200 * share) for share in run.schedule.milestones] == [40_000, 60_000]
    assert run.schedule.factor(500 / 80_200) == pytest.approx(0.5)


@pytest.mark.parametrize("backbone", ["zf5", "resnet18"])
def test_its_grid_has_a_stride_of_32_over_any_encoder(backbone: str) -> None:
    with torch.device("meta"):
        over = catalog.build("yolov2", num_classes=CLASSES, backbone=backbone, width=4, channels=16).eval()
        (result,) = over(torch.empty(1, 3, 90, 130)).predictions
    assert result.shape[2:] == (3, 5)
