"""RetinaNet: the counts of its paper, its laws, and torchvision as judge."""

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet as TorchvisionRetinaNet

from resvision import catalog
from resvision.classification.stages import distances_to_head, first_stages
from resvision.contracts import Batch, Images, Losses
from resvision.core.errors import MissingStageError, SettingsError
from resvision.detection.detector import PADDING, TrueBoxes
from resvision.detection.parts.matching import Matches
from resvision.detection.retinanet import RetinaNet, RetinaNetDetector, RetinaNetLoss, retinanet
from resvision.probes.shapes import WithoutDrawing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def narrow(*, backbone: str = "resnet18", num_classes: int = 3, **options: Any) -> RetinaNet:
    torch.manual_seed(0)
    net = catalog.build("retinanet", num_classes=num_classes, backbone=backbone, width=8, **{"channels": 16, **options})
    assert isinstance(net, RetinaNet)
    return net


def system(net: nn.Module, **options: Any) -> RetinaNetDetector:
    return RetinaNetDetector(net, mean=MEAN, std=STD, options=RetinaNetLoss(**options))


def pixels(count: int = 2, height: int = 96, width: int = 128) -> Tensor:
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8)


def batch(images: Tensor, *boxes: list[tuple[float, ...]]) -> Batch:
    """A batch whose boxes are x1 y1 x2 y2 label, and a sixth number for a crowd."""
    most = max(map(len, boxes))
    targets = TrueBoxes(
        torch.zeros(len(boxes), most, 4),
        torch.full((len(boxes), most), PADDING),
        torch.zeros(len(boxes), most, dtype=torch.bool),
    )
    for i, of_image in enumerate(boxes):
        for j, box in enumerate(of_image):
            targets.boxes[i, j] = torch.tensor(box[:4])
            targets.labels[i, j] = int(box[4])
            targets.crowd[i, j] = len(box) > 5
    return Batch(Images(images), targets, torch.arange(len(boxes)))


def loss_of(losses: Losses) -> Tensor:
    return sum((term.mean() for term in losses.terms.values()), torch.zeros(()))


# The counts of the paper ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "num_classes", "parameters"),
    [
        ("retinanet_2017_resnet50", 80, 37_968_692),
        ("retinanet_2017_resnet101", 80, 56_960_820),
        ("retinanet_resnet50_fpn", 91, 34_068_119),
    ],
)
def test_the_net_has_the_papers_number_of_parameters(name: str, num_classes: int, parameters: int) -> None:
    with torch.device("meta"), WithoutDrawing():
        net = catalog.build(name, num_classes=num_classes)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


@pytest.mark.parametrize(("sides", "anchors"), [((600, 600), 67_995), ((608, 1024), 116_712), ((800, 1333), 200_700)])
def test_an_image_has_the_papers_number_of_anchors(sides: tuple[int, int], anchors: int) -> None:
    by_map = system(narrow()).anchors(sides)
    assert [*by_map] == ["P3", "P4", "P5", "P6", "P7"]
    assert sum(map(len, by_map.values())) == anchors


def test_the_anchors_are_those_of_the_maps_that_the_net_gives() -> None:
    for options in ({}, {"variant": "torchvision"}, {"backbone": "vgg11"}):
        detector = system(narrow(**options))
        maps = detector.net(torch.zeros(1, 3, 75, 101))
        lengths = [level.shape[2] * level.shape[3] * 9 for level in maps.logits]
        assert [len(anchors) for anchors in detector.anchors((75, 101)).values()] == lengths


def test_anchors_go_from_32_to_813_pixels() -> None:
    anchors = torch.cat([*system(narrow()).anchors((256, 256)).values()])
    areas = (anchors[:, 2] - anchors[:, 0]) * (anchors[:, 3] - anchors[:, 1])
    assert areas.min().sqrt().item() == pytest.approx(32, abs=1e-3)
    assert areas.max().sqrt().item() == pytest.approx(813, abs=0.5)


def test_a_new_net_gives_every_class_a_hundredth() -> None:
    net = narrow().eval()
    for module in net.head.classification_head.modules():  # whatever the images, so that the mean is that of the bias
        if isinstance(module, nn.Conv2d):
            module.weight.data.mul_(0.1)
    maps = net(torch.randn(1, 3, 64, 64))
    assert torch.cat([level.flatten() for level in maps.logits]).sigmoid().mean().item() == pytest.approx(0.01, 1e-2)
    assert net.head.classification_head.cls_logits.bias[0].item() == pytest.approx(-4.59512, abs=1e-5)


# torchvision as judge ------------------------------------------------------------------------------------------------


def judge_of(net: RetinaNet, height: int, width: int) -> TorchvisionRetinaNet:
    """torchvision's system around our encoder, with the weights of our head."""
    net.backbone.out_channels = net.backbone.fpn.channels  # type: ignore[assignment]
    judge = TorchvisionRetinaNet(
        net.backbone, net.num_classes, min_size=min(height, width), max_size=max(height, width)
    )
    judge.head.load_state_dict(net.head.state_dict(), strict=True)
    return judge


def test_torchvisions_net_and_ours_find_the_same_boxes_with_the_same_weights() -> None:
    theirs = torchvision.models.detection.retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=150, max_size=200
    ).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    nn.init.normal_(theirs.head.classification_head.cls_logits.weight, std=2e-3)
    nn.init.constant_(
        theirs.head.classification_head.cls_logits.bias, -3
    )  # with -4.6 nothing would reach the threshold
    nn.init.normal_(theirs.head.regression_head.bbox_reg.weight, std=1e-3)
    net = catalog.build("retinanet_resnet50_fpn", num_classes=91).eval()
    net.load_state_dict(theirs.state_dict(), strict=True)
    theirs.load_state_dict(net.state_dict(), strict=True)
    images = pixels(1, 150, 200)
    with torch.no_grad():
        (wanted,) = theirs([images[0] / 255])
        found = system(net).eval().predict(Images(images))
    count = len(wanted["boxes"])
    assert count >= 50
    assert found.counts.tolist() == [count]
    assert wanted["scores"].std() > 1e-3
    assert torch.allclose(found.boxes[0, :count], wanted["boxes"], rtol=0, atol=0.05)
    assert torch.allclose(found.scores[0, :count], wanted["scores"], rtol=0, atol=1e-4)
    assert torch.equal(found.labels[0, :count], wanted["labels"])


def test_the_losses_of_torchvisions_variant_are_torchvisions() -> None:
    net = narrow(variant="torchvision").eval()
    nn.init.normal_(net.head.regression_head.bbox_reg.weight, std=0.1)
    images = pixels(3)
    boxes = [[(5, 5, 60, 50, 0), (30.5, 20, 40, 90, 2)], [], [(0, 0, 128, 96, 1)]]
    ours = system(net).eval().losses(batch(images, *boxes))
    targets = [
        {
            "boxes": torch.tensor([box[:4] for box in of_image]).reshape(-1, 4).float(),
            "labels": torch.tensor([box[4] for box in of_image]).long(),
        }
        for of_image in boxes
    ]
    judge = judge_of(net, 96, 128)
    judge.train()
    judge.backbone.eval()
    theirs = judge([image / 255 for image in images], targets)
    assert ours.terms["focal"].mean().item() == pytest.approx(theirs["classification"].item(), rel=1e-4)
    assert ours.terms["boxes"].mean().item() == pytest.approx(theirs["bbox_regression"].item(), rel=1e-4)


# Laws ----------------------------------------------------------------------------------------------------------------


def test_an_image_without_boxes_counts_as_one_positive_anchor_in_the_papers_net() -> None:
    detector = system(narrow()).eval()
    box = (10.0, 10, 60, 70, 1)
    alone, both = batch(pixels(1), [box]), batch(pixels(), [box], [])
    weights = [detector.weights(part)["focal"].item() for part in (alone, both, batch(pixels(), [], []))]
    assert weights[1] == weights[0] + 1
    assert weights[2] == 2


@pytest.mark.parametrize("variant", ["2017", "torchvision"])
def test_the_loss_of_a_batch_is_the_sum_over_its_images(variant: str) -> None:
    detector = system(narrow(variant=variant)).eval()
    images, boxes = pixels(), [[(10, 10, 60, 70, 1)], [(0, 0, 120, 96, 0), (70, 60, 100, 90, 2)]]
    whole = detector.losses(batch(images, *boxes))
    parts = [detector.losses(batch(images[i : i + 1], boxes[i])) for i in range(2)]
    for name, term in whole.terms.items():
        for member in range(2):
            assert term[member].item() == pytest.approx(sum(part.terms[name][member].item() for part in parts), 1e-5)


def test_a_crowd_region_teaches_neither_objects_nor_background() -> None:
    detector = system(narrow()).eval()
    images = pixels(1)
    without = detector.losses(batch(images, [(8, 8, 40, 40, 0)])).terms["focal"].total
    crowd = batch(images, [(8, 8, 40, 40, 0), (0, 0, 128, 96, 1, 1)])
    assert detector.losses(crowd).terms["focal"].total < without
    other = crowd._replace(targets=crowd.targets._replace(labels=torch.tensor([[0, 2]])))
    assert torch.equal(detector.losses(crowd).terms["focal"].total, detector.losses(other).terms["focal"].total)


def test_a_net_that_gives_the_truth_finds_it() -> None:
    detector = system(narrow()).eval()
    truth = torch.tensor([[20.0, 10, 70, 90], [64, 30, 120, 60]])
    labels = torch.tensor([2, 0])
    maps = detector.net(torch.zeros(1, 3, 96, 128))
    anchors = torch.cat([*detector.anchors((96, 128)).values()])
    matches = detector._matches(anchors, TrueBoxes(truth[None], labels[None], torch.zeros(1, 2, dtype=torch.bool)))
    matches = Matches(*(members[0] for members in matches))
    logits = torch.full((1, len(anchors), 3), -9.0)
    logits[0, matches.positive, labels[matches.box[matches.positive]]] = 9.0
    deltas = detector.coding.encode(truth[matches.box], anchors)[None]
    shapes = [level.shape for level in maps.logits]
    lengths = [shape[2] * shape[3] * 9 for shape in shapes]

    def as_maps(values: Tensor) -> tuple[Tensor, ...]:
        return tuple(
            part.reshape(1, shape[2], shape[3], -1).permute(0, 3, 1, 2)
            for part, shape in zip(values.split(lengths, dim=1), shapes, strict=True)
        )

    candidates = detector.candidates(maps._replace(logits=as_maps(logits), deltas=as_maps(deltas)), (96, 128))
    sure = candidates.scores > 0.5
    assert sure.sum() == matches.positive.sum() > 2
    for box, label in zip(candidates.boxes[sure], candidates.labels[sure], strict=True):
        distance = (truth - box).abs().amax(dim=1)
        assert distance.min() < 1e-3
        assert label == labels[distance.argmin()]


def test_boxes_that_no_anchor_is_trained_to_find_are_named() -> None:
    boxes = torch.tensor([[40.0, 40, 72, 72], [10, 10, 14, 14], [0, 40, 128, 44]])
    assert system(narrow()).unmatched(boxes, (96, 128)).tolist() == [False, True, True]
    assert system(narrow(), low_quality=True).unmatched(boxes, (96, 128)).tolist() == [False, False, False]
    assert system(narrow(anchor_scale=0.5)).unmatched(boxes, (96, 128)).tolist() == [True, False, True]


def test_images_of_any_sides_are_taken_and_boxes_stay_inside() -> None:
    detector = system(narrow(variant="torchvision")).eval()
    nn.init.constant_(detector.net.head.classification_head.cls_logits.bias, 0)
    with torch.no_grad():
        found = detector.predict(Images(pixels(1, 37, 50)))
    assert found.counts.item() > 0
    assert found.boxes[0, :, [0, 2]].max() <= 50
    assert found.boxes[0, :, [1, 3]].max() <= 37


def test_the_stages_of_the_encoder_are_those_of_the_net() -> None:
    net = narrow()
    assert [*first_stages(net, 2)] == [
        f"backbone.body.{part}" for part in ("conv1", "bn1", "relu", "maxpool", "layer1")
    ]
    distances = distances_to_head(net)
    assert distances["backbone.body.layer4.0.conv1.weight"] == 1
    assert distances["backbone.fpn.inner_blocks.0.0.weight"] == distances["head.regression_head.bbox_reg.bias"] == 0


def test_a_backbone_without_the_maps_is_refused_by_what_it_lacks() -> None:
    with pytest.raises(MissingStageError, match=r"gives C0, C1, C2; needed are C3, C4, C5"):
        retinanet(catalog.build("resnet20", num_classes=3), num_classes=3)
    with pytest.raises(MissingStageError, match="as backbone has no maps"):
        retinanet(nn.Linear(3, 3), num_classes=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "2018"}, "variant '2018': choices are 2017, torchvision"),
        ({"anchor_scale": 0.0}, "anchor_scale is 0.0; it must be a number above 0"),
        ({"channels": 0}, "channels is 0; it must be at least 1"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        narrow(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 1.5},
        {"gamma": -1.0},
        {"box_beta": -0.1},
        {"positive_iou": 0.3, "negative_iou": 0.4},
        {"positive_iou": 0.0, "negative_iou": 0.0},
    ],
)
def test_a_loss_that_cannot_work_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        RetinaNetLoss(**options)
