"""YOLO: the paper's counts, the loss by hand and beside plain loops, decoding, the grid at its edges."""

import math
import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest
import torch
from detection.box_scenes import box_reader
from torch import Tensor, nn
from torchvision.ops import box_iou

from resvision import catalog, recipes
from resvision.contracts import Batch, Images
from resvision.core.errors import SettingsError
from resvision.detection.detector import PADDING, TrueBoxes
from resvision.detection.task import TASK
from resvision.detection.yolov1 import YOLOv1Detector, YOLOv1Loss
from resvision.detection.yolov1_grid import YOLOv1Maps, cell_truth, corners, in_image
from resvision.detection.yolov1_nets import YOLOv1
from resvision.probes.count import Count, count
from resvision.probes.shapes import WithoutDrawing

SIDE = 70
NAMES = ["centres", "sides", "objects", "no_objects", "classes"]


@lru_cache(maxsize=1)
def small(grid: int = 7, boxes: int = 2, num_classes: int = 3) -> YOLOv1:
    torch.manual_seed(0)
    return catalog.build("yolov1_tiny", num_classes=num_classes, width=1, input_size=SIDE, grid=grid, boxes=boxes)


def system(**options: float) -> YOLOv1Detector:
    return YOLOv1Detector(small(), mean=(0.5,) * 3, std=(0.25,) * 3, options=YOLOv1Loss(**options))


def true_boxes(*images: list[tuple[float, float, float, float]], crowd: int | None = None) -> TrueBoxes:
    """The boxes of each image, of classes 0, 1, 2, 0, ..., padded to one place more than is needed."""
    places = 1 + max(map(len, images))
    boxes, labels = torch.zeros(len(images), places, 4), torch.full((len(images), places), PADDING)
    is_crowd = torch.zeros(len(images), places, dtype=torch.bool)
    for i, image in enumerate(images):
        boxes[i, : len(image)] = torch.tensor(image).reshape(-1, 4)
        labels[i, : len(image)] = torch.arange(len(image)) % 3
    if crowd is not None:
        is_crowd[:, crowd] = True
    return TrueBoxes(boxes, labels, is_crowd)


def empty_maps(images: int = 1) -> YOLOv1Maps:
    """Zeros but for a confidence of 0.3 everywhere."""
    return YOLOv1Maps(torch.zeros(images, 7, 7, 3), torch.full((images, 7, 7, 2), 0.3), torch.zeros(images, 7, 7, 2, 4))


def totals(maps: YOLOv1Maps, truth: TrueBoxes, **options: float) -> dict[str, float]:
    losses = system(**options).losses_of(maps, truth, (SIDE, SIDE))
    assert [*losses.terms] == NAMES
    assert all(term.weight == len(truth.labels) for term in losses.terms.values())
    return {name: term.total.item() for name, term in losses.terms.items()}


@pytest.mark.parametrize(
    ("name", "parameters", "convolutional", "multiply_adds", "layers"),
    [
        ("yolov1", 271_703_550, 60_155_968, 20_285_153_280, 24),
        ("yolov1_tiny", 45_089_374, 25_168_800, 2_418_728_960, 9),
    ],
)
def test_the_papers_nets_have_their_layers(
    name: str, parameters: int, convolutional: int, multiply_adds: int, layers: int
) -> None:
    counted = counted_at_448(name)
    assert (counted.params, counted.macs) == (parameters, multiply_adds)
    convolutions = [row for row in counted.layers if row.kind.startswith("Conv2d")]
    assert len(convolutions) == layers
    assert sum(row.params for row in convolutions) == convolutional


def counted_at_448(name: str) -> Count:
    with torch.device("meta"), WithoutDrawing():
        return count(catalog.build(name, num_classes=20), (3, 448, 448))


def test_the_papers_net_gives_7x7x30_numbers_and_98_boxes() -> None:
    with torch.device("meta"), WithoutDrawing():
        net = catalog.build("yolov1", num_classes=20)
        maps = net(torch.empty(2, 3, 448, 448))
    assert net.head[-1].out_features == 7 * 7 * 30
    assert [tuple(map_.shape) for map_ in maps] == [(2, 7, 7, 20), (2, 7, 7, 2), (2, 7, 7, 2, 4)]
    detector = YOLOv1Detector(net, mean=(0.5,) * 3, std=(0.25,) * 3)
    zeros = YOLOv1Maps(*(torch.zeros(map_.shape) for map_ in maps))
    assert detector.candidates(zeros, (448, 448)).boxes.shape == (2, 98 * 20, 4)


def test_extraction_is_the_first_20_convolutions_so_that_its_weights_fit() -> None:
    with torch.device("meta"), WithoutDrawing():
        net, classifier = catalog.build("yolov1", num_classes=20), catalog.build("extraction", num_classes=1000)
    own, theirs = net.backbone.state_dict(), classifier.state_dict()
    assert sum(name.endswith("conv.weight") for name in own) == 20
    assert {name: own[name].shape for name in own} == {name: theirs[name].shape for name in own}


def test_a_perfect_box_leaves_the_terms_of_no_object_alone() -> None:
    maps = empty_maps()
    box = (22.0, 41.0, 46.0, 51.0)  # centre (34, 46): cell 3 of row 4, at (.4, .6); sides 24 and 10 of 70
    maps.classes[0, 4, 3, 0] = 1.0
    maps.confidences[0, 4, 3, 1] = 1.0
    maps.boxes[0, 4, 3, 1] = torch.tensor([0.4, 0.6, math.sqrt(24 / 70), math.sqrt(10 / 70)])
    found = totals(maps, true_boxes([box]))
    assert found.pop("no_objects") == pytest.approx(0.5 * (98 - 1) * 0.3**2)
    assert all(value == pytest.approx(0, abs=1e-9) for value in found.values())


def test_each_part_by_hand() -> None:
    maps = empty_maps()
    # A box of 20 x 20 about (35, 35), the middle of cell 3 of row 3. Ours is shifted by a cell: half of it overlaps.
    maps.boxes[0, 3, 3, 0] = torch.tensor([1.5, 0.5, math.sqrt(20 / 70), math.sqrt(20 / 70)])
    maps.classes[0, 3, 3] = torch.tensor([0.2, 0.5, 0.0])
    found = totals(maps, true_boxes([(25.0, 25.0, 45.0, 45.0)]))
    assert found == pytest.approx(
        {
            "centres": 5 * 1.0**2,
            "sides": 0.0,
            "objects": (0.3 - 1 / 3) ** 2,
            "no_objects": 0.5 * 97 * 0.3**2,
            "classes": 0.8**2 + 0.5**2,
        },
        abs=1e-6,
    )
    doubled = totals(maps, true_boxes([(25.0, 25.0, 45.0, 45.0)]), lambda_coord=10.0, lambda_noobj=1.0)
    assert doubled["centres"] == pytest.approx(2 * found["centres"])
    assert doubled["no_objects"] == pytest.approx(2 * found["no_objects"])
    assert doubled["classes"] == found["classes"]


def test_where_no_box_overlaps_the_nearest_is_responsible() -> None:
    maps = empty_maps()
    maps.boxes[0, 0, 0, 0] = torch.tensor([60.0, 60.0, 0.1, 0.1])
    maps.boxes[0, 0, 0, 1] = torch.tensor([6.0, 6.0, 0.1, 0.1])
    found = totals(maps, true_boxes([(2.0, 2.0, 8.0, 8.0)]))
    assert found["centres"] == pytest.approx(5 * 2 * 5.5**2, rel=1e-5)
    assert found["objects"] == pytest.approx(0.3**2, rel=1e-5)  # its overlap is 0


def test_losses_are_those_of_plain_loops_over_cells_and_boxes() -> None:
    draws = torch.Generator().manual_seed(3)
    maps = YOLOv1Maps(
        torch.rand(3, 7, 7, 3, generator=draws),
        torch.rand(3, 7, 7, 2, generator=draws),
        torch.randn(3, 7, 7, 2, 4, generator=draws) * 0.4 + 0.4,
    )
    corner = torch.rand(3, 9, 2, generator=draws) * 50
    boxes = torch.cat([corner, corner + 2 + 18 * torch.rand(3, 9, 2, generator=draws)], dim=2)
    truth = TrueBoxes(boxes, torch.randint(-1, 3, (3, 9), generator=draws), torch.zeros(3, 9, dtype=torch.bool))
    assert totals(maps, truth) == pytest.approx(by_loops(maps, truth), rel=1e-5)


def by_loops(maps: YOLOv1Maps, truth: TrueBoxes) -> dict[str, float]:
    """The paper's equation 3, image by image and cell by cell."""
    sums = dict.fromkeys(NAMES, 0.0)
    for image in range(len(truth.labels)):
        owners: dict[tuple[int, int], tuple[Tensor, int]] = {}
        for box, label in zip(truth.boxes[image], truth.labels[image].tolist(), strict=True):
            x, y = ((box[:2] + box[2:]) / 2 / SIDE * 7).tolist()
            if label >= 0:
                owners.setdefault((int(y), int(x)), (box, label))
        for cell in np.ndindex(7, 7):
            confidences = maps.confidences[image][cell].tolist()
            if cell in owners:
                box, label = owners[cell]
                compared = [Compared.of(found, box, cell) for found in maps.boxes[image][cell].tolist()]
                best = min(range(2), key=lambda place: (-compared[place].overlap, compared[place].distance))
                sums["centres"] += 5 * compared[best].centres
                sums["sides"] += 5 * compared[best].sides
                sums["objects"] += (confidences.pop(best) - compared[best].overlap) ** 2
                sums["classes"] += (maps.classes[image][cell] - torch.eye(3)[label]).square().sum().item()
            sums["no_objects"] += 0.5 * sum(confidence**2 for confidence in confidences)
    return sums


class Compared(NamedTuple):
    """A box of a cell beside the truth: overlap, squared errors as the loss has them, distance in the image."""

    overlap: float
    centres: float
    sides: float
    distance: float

    @classmethod
    def of(cls, found: list[float], box: Tensor, cell: tuple[int, ...]) -> "Compared":
        (x, y, root_w, root_h), (row, column) = found, cell
        centre = torch.tensor([column + x, row + y]) / 7
        sides = torch.tensor([root_w**2, root_h**2])
        truth, truth_sides = (box[:2] + box[2:]) / 2 / SIDE, (box[2:] - box[:2]) / SIDE
        iou = box_iou(SIDE * torch.cat([centre - sides / 2, centre + sides / 2])[None], box[None])
        return cls(
            iou.item(),
            (7 * (centre - truth)).square().sum().item(),
            (torch.tensor([root_w, root_h]) - truth_sides.sqrt()).square().sum().item(),
            ((centre - truth).square().sum() + (sides - truth_sides).square().sum()).item(),
        )


def test_of_two_objects_in_a_cell_the_first_is_learned() -> None:
    first, second = (31.0, 31.0, 37.0, 39.0), (30.0, 32.0, 40.0, 36.0)
    alone = cell_truth(true_boxes([first]), (SIDE, SIDE), 7, dtype=torch.float32)
    both = cell_truth(true_boxes([first, second]), (SIDE, SIDE), 7, dtype=torch.float32)
    assert both.has_object.sum() == 1
    assert torch.equal(both.boxes, alone.boxes)
    assert both.labels[both.has_object].tolist() == [0]
    finer = cell_truth(true_boxes([first, second]), (SIDE, SIDE), 70, dtype=torch.float32)
    assert finer.has_object.sum() == 2


def test_boxes_that_share_a_cell_are_told_before_the_training() -> None:
    detector = system()
    boxes = torch.tensor([[31.0, 31, 37, 39], [0, 0, 8, 8], [30, 32, 40, 36], [2, 2, 6, 6], [40, 32, 48, 38]])
    assert detector.hidden(boxes, (SIDE, SIDE)).tolist() == [False, False, True, True, False]
    assert detector.hidden(boxes[:0], (SIDE, SIDE)).shape == (0,)
    alone, crowded = box_reader(counts=(1,)), box_reader(counts=(8,))
    assert TASK.advice(detector, alone, SIDE) == {}
    assert re.match(
        r"\d+ of 48 training boxes have their centre in a cell", TASK.advice(detector, crowded, SIDE)["places"]
    )


def test_centres_on_the_edges_of_the_image_belong_to_its_outer_cells() -> None:
    edges = [(70.0, 0.0, 70.0, 0.0), (-9.0, 60.0, 9.0, 80.0), (0.0, 0.0, 0.0, 20.0), (60.0, 66.0, 80.0, 74.0)]
    for box, cell, offset in zip(edges, (6, 42, 7, 48), ((1, 0), (0, 1), (0, 0), (1, 1)), strict=True):
        truth = cell_truth(true_boxes([box]), (SIDE, SIDE), 7, dtype=torch.float32)
        assert truth.has_object[0].nonzero().flatten().tolist() == [cell]
        assert truth.boxes[0, cell, :2].tolist() == [*offset]


def test_a_cell_within_a_crowd_is_not_taught_to_be_empty() -> None:
    crowd = (0.0, 0.0, 36.0, 26.0)  # holds the centres of 4 x 3 cells, of (5, 5) to (35, 25)
    found = totals(empty_maps(), true_boxes([crowd], crowd=0))
    assert found["no_objects"] == pytest.approx(0.5 * 2 * (49 - 4 * 3) * 0.3**2)
    assert found["objects"] == 0


def test_an_image_without_boxes_teaches_that_all_is_empty() -> None:
    found = totals(empty_maps(2), true_boxes([], []))
    assert found.pop("no_objects") == pytest.approx(2 * 0.5 * 98 * 0.3**2)
    assert set(found.values()) == {0.0}


def test_the_loss_is_least_where_decoding_gives_the_truth() -> None:
    truth = true_boxes([(3.0, 5.0, 30.0, 61.0), (44.0, 20.0, 69.0, 33.0)])
    cells = cell_truth(truth, (SIDE, SIDE), 7, dtype=torch.float32)
    decoded = corners(in_image(cells.boxes[:, :, None], 7))[0, :, 0][cells.has_object[0]] * SIDE
    expected = truth.boxes[0, :2]
    assert torch.allclose(decoded.sort(dim=0).values, expected.sort(dim=0).values, atol=1e-4)


def test_scores_are_class_probability_times_confidence_within_0_and_1() -> None:
    maps = empty_maps()
    maps.confidences.zero_()
    maps.classes[0, 2, 5] = torch.tensor([0.5, -2.0, 3.0])
    maps.confidences[0, 2, 5] = torch.tensor([0.8, -1.0])
    maps.boxes[0, 2, 5, 0] = torch.tensor([0.5, 0.5, 1.0, 0.5])
    boxes, scores, labels = system().candidates(maps, (SIDE, SIDE))
    assert sorted(scores[0][scores[0] > 0].tolist()) == pytest.approx([0.4, 0.8])
    assert labels[0][scores[0] > 0].tolist() == [0, 2]
    # Centre (55, 25) and sides 70 x 17.5, cut off at the right edge.
    for box in boxes[0][scores[0] > 0].tolist():
        assert box == pytest.approx([20.0, 16.25, 70.0, 33.75], rel=1e-6)


def test_other_sizes_than_the_nets_own_are_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match=r"images are 80x70, this YOLO is for 70x70.*input_size"):
        small()(torch.zeros(1, 3, 80, 70))


@pytest.mark.parametrize("name", ["yolov1", "yolov1_tiny"])
@pytest.mark.parametrize("option", ["grid", "boxes", "hidden"])
def test_counts_below_one_are_refused(name: str, option: str) -> None:
    with torch.device("meta"), pytest.raises(SettingsError, match=option):
        catalog.build(name, num_classes=2, **{option: 0})


def test_it_stands_on_any_backbone_and_its_convolutions_are_normalized_as_that_is() -> None:
    for backbone, is_normalized in {"vgg11": False, "resnet18": True, "darknet19": True}.items():
        net = catalog.build("yolov1", num_classes=3, backbone=backbone, width=2, input_size=96, hidden=8)
        assert any(isinstance(module, nn.BatchNorm2d) for module in net.convs.modules()) is is_normalized
        with torch.no_grad():
            assert net.eval()(torch.zeros(1, 3, 96, 96)).boxes.shape == (1, 7, 7, 2, 4)


def test_the_weight_of_every_part_is_the_number_of_images() -> None:
    batch = Batch(Images(torch.zeros(2, 3, SIDE, SIDE, dtype=torch.uint8)), true_boxes([], []), torch.arange(2))
    assert {name: weight.item() for name, weight in system().weights(batch).items()} == dict.fromkeys(NAMES, 2.0)


def test_the_papers_recipe_keeps_its_rate_for_75_epochs_and_drops_it_twice() -> None:
    run = recipes.compose("yolov1", "bccd", recipe_name="yolov1-2016")
    factors = [run.schedule.factor((epoch + 0.5) / 135) for epoch in range(135)]
    assert run.training.duration == "135 epochs"
    assert [sum(abs(factor - wanted) < 1e-9 for factor in factors[2:]) for wanted in (1, 0.1, 0.01)] == [73, 30, 30]
    assert 0.1 < factors[0] < factors[1] < 1
