"""RefineDet: the counts of the paper, its two steps by hand, what is filtered, and where gradients stop."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision import catalog
from resvision.classification.stages import first_stages
from resvision.contracts import Batch, Images
from resvision.core.errors import SettingsError
from resvision.detection.detector import PADDING, TrueBoxes
from resvision.detection.parts.matching import classes_of
from resvision.detection.parts.multibox import CODING, MultiBoxMaps, multibox_matches
from resvision.detection.refinedet import (
    RefineDet,
    RefineDetDetector,
    RefineDetLoss,
    RefineDetMaps,
    refinedet,
    refinedet320,
)
from resvision.probes.shapes import WithoutDrawing

SIDES = (96, 96)


def narrow(backbone: str = "resnet18", *, input_size: int = 96, **options: Any) -> RefineDet:
    body = catalog.build(backbone, num_classes=2, width=4)
    return refinedet(body, num_classes=3, input_size=input_size, **{"channels": 8, **options})


def system(net: RefineDet | None = None, **options: Any) -> RefineDetDetector:
    return RefineDetDetector(net or narrow(), mean=(0.5,) * 3, std=(0.25,) * 3, options=RefineDetLoss(**options))


def batch_of(*images: list[tuple[float, float, float, float]]) -> Batch:
    """The boxes of each image, of classes 0, 1, 2, 0, ..., padded to one place more than is needed."""
    places = 1 + max(map(len, images))
    boxes, labels = torch.zeros(len(images), places, 4), torch.full((len(images), places), PADDING)
    for row, image in enumerate(images):
        boxes[row, : len(image)] = torch.tensor(image).reshape(-1, 4)
        labels[row, : len(image)] = torch.arange(len(image)) % 3
    pixels = torch.randint(0, 256, (len(images), 3, *SIDES), dtype=torch.uint8)
    truth = TrueBoxes(boxes, labels, torch.zeros(len(images), places, dtype=torch.bool))
    return Batch(Images(pixels), truth, torch.arange(len(images)))


def as_maps(values: Tensor, detector: RefineDetDetector) -> tuple[Tensor, ...]:
    """Numbers of each anchor (N, A, C) as the maps that say them."""
    sides = detector.map_sizes(SIDES).values()
    parts = values.split([3 * height * width for height, width in sides], dim=1)
    return tuple(
        part.reshape(len(values), *side, -1).permute(0, 3, 1, 2) for part, side in zip(parts, sides, strict=True)
    )


def saying(detector: RefineDetDetector, images: int, anchors: int, **values: Tensor) -> RefineDetMaps:
    """Raw maps that say these numbers of each anchor, and 0 where they are left out."""
    widths = {"objectness": 2, "refinements": 4, "logits": 4, "deltas": 4}
    said = {name: values.get(name, torch.zeros(images, anchors, width)) for name, width in widths.items()}
    maps = {name: as_maps(numbers, detector) for name, numbers in said.items()}
    return RefineDetMaps(
        arm=MultiBoxMaps(maps["objectness"], maps["refinements"]), odm=MultiBoxMaps(maps["logits"], maps["deltas"])
    )


def flat_anchors(detector: RefineDetDetector) -> Tensor:
    return torch.cat([*detector.anchors(SIDES).values()])


TWO = [(10.0, 12.0, 40.0, 52.0), (50.0, 20.0, 90.0, 60.0)]
ONE = [(30.0, 30.0, 61.0, 58.0)]


@pytest.mark.parametrize(("classes", "parameters"), [(20, 34_440_884), (80, 36_100_484)])
def test_refinedet320_has_the_parameters_and_anchors_of_the_released_code(classes: int, parameters: int) -> None:
    with torch.device("meta"), WithoutDrawing():
        net = refinedet320(num_classes=classes)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters
    detector = system(net)
    assert {name: len(boxes) for name, boxes in detector.anchors((320, 320)).items()} == {
        "conv4_3": 4800,
        "conv5_3": 1200,
        "fc7": 300,
        "conv6_2": 75,
    }
    assert sum(map(len, detector.anchors((512, 512)).values())) == 16_320


def test_anchors_are_four_strides_wide_of_three_shapes_about_the_middle_of_a_cell() -> None:
    with torch.device("meta"), WithoutDrawing():
        detector = system(refinedet320(num_classes=20))
    for (name, boxes), stride in zip(
        detector.net.anchors.of(
            {"conv4_3": (40, 40), "conv5_3": (20, 20), "fc7": (10, 10), "conv6_2": (5, 5)},
            (320, 320),
            torch.device("cpu"),
        ).items(),
        (8, 16, 32, 64),
        strict=True,
    ):
        first = boxes[:3]
        long, short = 4 * stride * math.sqrt(2), 4 * stride / math.sqrt(2)
        assert torch.allclose((first[:, :2] + first[:, 2:]) / 2, torch.full((3, 2), stride / 2), atol=1e-4), name
        sides = torch.tensor([[4.0 * stride, 4.0 * stride], [long, short], [short, long]])
        assert torch.allclose(first[:, 2:] - first[:, :2], sides), name


def test_the_vectors_of_the_first_two_maps_are_ten_and_eight_long() -> None:
    net = refinedet320(num_classes=2, width=2).eval()
    with torch.no_grad():
        maps = net.backbone(torch.rand(1, 3, 320, 320))
    assert [(name, *x.shape[1:]) for name, x in maps.items()] == [
        ("conv4_3", 16, 40, 40),
        ("conv5_3", 16, 20, 20),
        ("fc7", 32, 10, 10),
        ("conv6_2", 16, 5, 5),
    ]
    for name, length in (("conv4_3", 10.0), ("conv5_3", 8.0)):
        lengths = maps[name].norm(dim=1)
        assert torch.allclose(lengths[lengths > 0], torch.tensor(length), atol=1e-3), name


def test_a_box_is_decoded_from_the_anchor_that_the_first_step_moved() -> None:
    detector = system().eval()
    anchors = flat_anchors(detector)
    place = len(detector.anchors(SIDES)["C2"]) + 20
    left, top, right, bottom = anchors[place].tolist()
    refinements, deltas = torch.zeros(1, len(anchors), 4), torch.zeros(1, len(anchors), 4)
    # The first step: a tenth of a side to the right, half as high. The second, a tenth of the new height down, and
    # twice as wide. Offsets are divided by the variances .1 and .2.
    refinements[0, place] = torch.tensor([1.0, 0.0, 0.0, 5 * math.log(0.5)])
    deltas[0, place] = torch.tensor([0.0, 1.0, 5 * math.log(2), 0.0])
    logits = torch.zeros(1, len(anchors), 4)
    logits[0, place, 2] = 9.0
    maps = saying(detector, 1, len(anchors), refinements=refinements, logits=logits, deltas=deltas)
    boxes, scores, labels = detector.candidates(maps, SIDES)
    best = int(scores[0].argmax())
    x, y = (left + right) / 2 + 0.1 * (right - left), (top + bottom) / 2 + 0.05 * (bottom - top)
    wide, high = 2 * (right - left), (bottom - top) / 2
    expected = torch.tensor([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]).clamp(0, 96)
    assert labels[0, best] == 1
    assert torch.allclose(boxes[0, best], expected, atol=1e-4)


def test_predictions_have_no_box_of_exactly_those_anchors_that_are_background_above_99_percent() -> None:
    detector = system().eval()
    count = len(flat_anchors(detector))
    background = torch.rand(1, count)
    background[0, :4] = torch.tensor([0.9899, 0.9901, 0.0, 1.0])
    objectness = torch.stack([background.log().clamp(min=-50), (1 - background).log().clamp(min=-50)], dim=2)
    maps = saying(detector, 1, count, objectness=objectness)
    flags = detector.filtered(objectness)
    assert torch.equal(flags, background > 0.99)
    assert flags[0, :4].tolist() == [False, True, False, True]
    scores = detector.candidates(maps, SIDES).scores.reshape(3, -1)
    kept = int((~flags).sum())
    assert kept > 1000, "more than suppression looks at"
    assert torch.allclose(scores, torch.full_like(scores, 0.25)), "logits are even"
    few = objectness.clone()
    few[0, 7:] = torch.tensor([9.0, 0.0])
    scores = detector.candidates(saying(detector, 1, count, objectness=few), SIDES).scores.reshape(3, -1)
    assert (scores > 0).sum(dim=1).tolist() == [int((~detector.filtered(few)).sum())] * 3
    without = system(detector.net, certain_background=1.0)
    assert without.candidates(maps, SIDES).scores.min() > 0


def test_certain_background_is_no_hard_negative_and_a_match_is_learned_from_all_the_same() -> None:
    detector = system().eval()
    batch = batch_of(TWO, ONE)
    anchors = flat_anchors(detector)
    torch.manual_seed(1)
    logits = torch.randn(2, len(anchors), 4)
    objectness = torch.zeros(2, len(anchors), 2)
    matches = multibox_matches(anchors, *batch.targets)
    objectness[..., 0] = torch.where(torch.rand(2, len(anchors)) < 0.9, 9.0, 0.0)
    objectness[..., 0][matches.positive] = 9.0  # certain background, and yet a match
    with torch.no_grad():
        maps = saying(detector, 2, len(anchors), objectness=objectness, logits=logits)
        terms = detector.losses_of(maps, batch.targets, SIDES).terms
    classes = classes_of(matches, batch.targets.labels) + 1
    expected = 0.0
    for image in range(2):
        loss = F.cross_entropy(logits[image], classes[image], reduction="none")
        mined = loss[matches.negative[image] & (objectness[image, :, 0] == 0)].sort(descending=True).values
        count = int(matches.positive[image].sum())
        assert len(mined) > 3 * count
        expected += float(loss[matches.positive[image]].sum() + mined[: 3 * count].sum())
    assert terms["classes"].total == pytest.approx(expected, rel=1e-5)
    assert terms["classes"].weight == matches.positive.sum()


def test_the_second_step_matches_and_encodes_with_the_anchors_that_the_first_one_moved() -> None:
    detector = system().eval()
    batch = batch_of(TWO)
    anchors = flat_anchors(detector)
    torch.manual_seed(2)
    refinements = torch.randn(1, len(anchors), 4)
    with torch.no_grad():
        maps = saying(detector, 1, len(anchors), refinements=refinements)
        terms = detector.losses_of(maps, batch.targets, SIDES).terms
    refined = CODING.decode(refinements, anchors)[0]
    for name, references, deltas in (("refinements", anchors, refinements[0]), ("boxes", refined, 0 * refinements[0])):
        matches = multibox_matches(references, *batch.targets)
        found = matches.positive[0]
        encoded = CODING.encode(batch.targets.boxes[0][matches.box[0, found]], references[found])
        expected = F.smooth_l1_loss(deltas[found], encoded, reduction="sum")
        assert terms[name].total == pytest.approx(float(expected), rel=1e-5)
        assert terms[name].weight == found.sum()
    assert terms["refinements"].weight != terms["boxes"].weight


def test_the_losses_of_the_second_step_leave_the_boxes_of_the_first_alone() -> None:
    detector = system()
    terms = detector.losses(batch_of(TWO, ONE)).terms
    (terms["classes"].mean() + terms["boxes"].mean()).backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in detector.net.arm.parameters())
    for part in (detector.net.odm, detector.net.connections, detector.net.backbone):
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in part.parameters())


def test_images_without_boxes_teach_three_negatives_of_each_step() -> None:
    detector = system()
    for head in (detector.net.arm, detector.net.odm):
        for parameter in head.parameters():
            nn.init.zeros_(parameter)
    terms = detector.losses(batch_of([], [])).terms
    assert terms["refinements"].total == terms["boxes"].total == 0
    assert terms["objectness"].weight == terms["classes"].weight == 2
    assert terms["objectness"].mean().item() == pytest.approx(3 * math.log(2))
    assert terms["classes"].mean().item() == pytest.approx(3 * math.log(4))
    torch.stack([term.mean() for term in terms.values()]).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in detector.parameters())


def test_background_that_is_certain_everywhere_leaves_finite_losses() -> None:
    detector = system().eval()
    count = len(flat_anchors(detector))
    objectness = torch.tensor([99.0, 0.0]).expand(1, count, 2)
    terms = detector.losses_of(saying(detector, 1, count, objectness=objectness), batch_of([]).targets, SIDES).terms
    assert terms["classes"].total == 0
    assert all(math.isfinite(term.mean()) for term in terms.values())


@pytest.mark.parametrize(
    ("backbone", "input_size", "maps"),
    [
        ("resnet18", 96, {"C2": 24, "C3": 12, "C4": 6, "C5": 3}),
        ("resnet18", 320, {"C3": 40, "C4": 20, "C5": 10, "C5_2": 5}),
        ("resnet20", 96, {"C2": 24, "C2_2": 12, "C2_4": 6, "C2_8": 3}),
        ("vgg16", 64, {"C1": 32, "C2": 16, "C3": 8, "C4": 4}),
    ],
)
def test_any_net_gives_four_maps_the_first_with_24_positions_along_a_side(
    backbone: str, input_size: int, maps: dict[str, int]
) -> None:
    detector = system(narrow(backbone, input_size=input_size))
    assert detector.map_sizes((input_size, input_size)) == {name: (side, side) for name, side in maps.items()}
    assert [len(boxes) for boxes in detector.anchors((input_size, input_size)).values()] == [
        3 * side**2 for side in maps.values()
    ]


def test_options_that_cannot_work_are_refused() -> None:
    for scale in (0.0, math.inf, math.nan):
        with pytest.raises(SettingsError, match="anchor_scale is"):
            refinedet320(num_classes=2, width=1, anchor_scale=scale)
    with pytest.raises(SettingsError, match="channels is 0"):
        narrow(channels=0)
    with pytest.raises(ValueError, match="negatives must be at least 1"):
        RefineDetLoss(negatives=0)
    with pytest.raises(ValueError, match="certain_background must lie above 0"):
        RefineDetLoss(certain_background=0.0)


def test_the_net_names_the_convolutions_of_vgg16_and_takes_no_other_layer() -> None:
    with torch.device("meta"), WithoutDrawing():
        net, vgg16 = refinedet320(num_classes=2), catalog.build("vgg16", num_classes=2).state_dict()
    names, own = net.encoder_names(), net.state_dict()
    assert {*names.values()} == {key for key in vgg16 if key.startswith("features.")}
    assert all(own[key].shape == vgg16[name].shape for key, name in names.items())
    over = narrow()
    assert {*over.encoder_names().values()} < {*catalog.build("resnet18", num_classes=2, width=4).state_dict()}


def test_two_stages_of_vgg16_end_with_conv3_3_as_in_the_classifier() -> None:
    with torch.device("meta"), WithoutDrawing():
        vgg16 = first_stages(catalog.build("vgg16", num_classes=2), 2)
        assert [*first_stages(refinedet320(num_classes=2), 2)] == [f"backbone.body.{name}" for name in vgg16]


def test_fc6_reaches_seven_positions_of_halved_conv5_3() -> None:
    with torch.device("meta"), WithoutDrawing():
        pool, fc6, _, fc7, _ = refinedet320(num_classes=2).backbone.body.get_submodule("fc").children()
    assert isinstance(pool, nn.MaxPool2d)
    assert isinstance(fc6, nn.Conv2d)
    assert isinstance(fc7, nn.Conv2d)
    assert (pool.kernel_size, pool.stride, fc6.kernel_size, fc6.dilation, fc7.kernel_size) == (
        2,
        2,
        (3, 3),
        (3, 3),
        (1, 1),
    )
