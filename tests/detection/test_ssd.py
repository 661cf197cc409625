"""SSD: the counts of SSD300, torchvision as judge, the loss by hand, and SSD over nets and sizes of all kinds."""

import math
from functools import lru_cache

import pytest
import torch
import torch.nn.functional as F
import torchvision.models.detection
from torch import Tensor, nn

from resvision import catalog
from resvision.contracts import Batch, Images, split
from resvision.core.errors import SettingsError
from resvision.detection.detector import PADDING, TrueBoxes
from resvision.detection.parts.matching import classes_of
from resvision.detection.parts.multibox import CODING, MultiBoxMaps, multibox_matches
from resvision.detection.parts.suppression import suppress
from resvision.detection.ssd import SSD, SSDDetector, SSDLoss, ssd, ssd300_vgg16
from resvision.probes.count import count
from resvision.probes.shapes import WithoutDrawing

NORMALIZE = {"mean": (0.48235, 0.45882, 0.40784), "std": (1 / 255,) * 3}


def small(backbone: str = "resnet18", *, input_size: int = 96, width: int = 4, num_classes: int = 3) -> SSD:
    body = catalog.build(backbone, num_classes=2, width=width)
    return ssd(body, num_classes=num_classes, input_size=input_size, channels=8)


def system(net: SSD, **options: float) -> SSDDetector:
    return SSDDetector(net, mean=(0.5,) * 3, std=(0.25,) * 3, options=SSDLoss(**options))


def pixels(count: int, height: int = 96, width: int = 96) -> Tensor:
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8)


def true_boxes(*images: list[tuple[float, float, float, float]]) -> TrueBoxes:
    """The boxes of each image, of classes 0, 1, 2, 0, ..., padded to one place more than is needed."""
    places = 1 + max(map(len, images))
    boxes, labels = torch.zeros(len(images), places, 4), torch.full((len(images), places), PADDING)
    for i, image in enumerate(images):
        boxes[i, : len(image)] = torch.tensor(image).reshape(-1, 4)
        labels[i, : len(image)] = torch.arange(len(image)) % 3
    return TrueBoxes(boxes, labels, torch.zeros(len(images), places, dtype=torch.bool))


def batch_of(*images: list[tuple[float, float, float, float]]) -> Batch:
    return Batch(Images(pixels(len(images))), true_boxes(*images), torch.arange(len(images)))


TWO = [(10.0, 12.0, 40.0, 52.0), (50.0, 20.0, 90.0, 60.0)]
ONE = [(30.0, 30.0, 61.0, 58.0)]


@pytest.mark.parametrize(
    ("classes", "parameters", "multiply_adds"),
    [(20, 26_285_486, 31_373_537_792), (80, 34_305_206, 34_360_351_232), (90, 35_641_826, 34_858_153_472)],
)
def test_ssd300_has_the_parameters_and_multiply_adds_of_the_paper(
    classes: int, parameters: int, multiply_adds: int
) -> None:
    with torch.device("meta"), WithoutDrawing():
        net = ssd300_vgg16(num_classes=classes)
    counted = count(net, (3, 300, 300))
    assert (counted.params, counted.macs) == (parameters, multiply_adds)
    detector = SSDDetector(net, **NORMALIZE)
    assert [len(priors) for priors in detector.anchors((300, 300)).values()] == [5776, 2166, 600, 150, 36, 4]


@lru_cache(maxsize=1)
def beside_torchvision() -> tuple[SSDDetector, nn.Module]:
    """Both nets with the same weights, which give boxes of all sizes and scores of all kinds."""
    torch.manual_seed(0)
    ours = ssd300_vgg16(num_classes=90).eval()
    with torch.no_grad():
        first = ours.backbone.features[0]
        assert isinstance(first, nn.Conv2d)
        first.weight.mul_(0.01)  # these inputs are 0..255: fresh weights bring them to the size of others
        for head, std in ((ours.head.regression_head, 0.004), (ours.head.classification_head, 0.03)):
            for layer in head.module_list:
                assert isinstance(layer, nn.Conv2d)
                nn.init.normal_(layer.weight, std=std)
    with torch.device("meta"), WithoutDrawing():
        theirs = torchvision.models.detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=91).eval()
    theirs.load_state_dict(ours.state_dict(), assign=True)
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    return SSDDetector(ours, **NORMALIZE).eval(), theirs


def test_boxes_and_scores_are_those_of_torchvision() -> None:
    ours, theirs = beside_torchvision()
    image = pixels(1, 300, 300)
    with torch.no_grad():
        found = ours.predict(Images(image))
        (wanted,) = theirs([*image / 255])
    number = len(wanted["boxes"])
    assert number >= 50
    assert found.counts.tolist() == [number]
    boxes, scores, labels, _ = (members[0] for members in found)
    # Boxes of nearly the same score may change places.
    apart = (wanted["boxes"][:, None] - boxes[:number]).abs().amax(dim=2) + 1e3 * (
        wanted["labels"][:, None] != labels[:number] + 1
    )
    distance, place = apart.min(dim=1)
    assert len({*place.tolist()}) == number
    assert distance.max() < 0.05
    assert (scores[place] - wanted["scores"]).abs().max() < 1e-4


def test_losses_are_those_of_torchvision_where_it_gives_each_box_a_prior() -> None:
    ours, theirs = beside_torchvision()
    image, truth = pixels(1, 300, 300), true_boxes([(30.0, 40.0, 130.0, 160.0), (180.0, 100.0, 260.0, 270.0)])
    labelled = truth.labels[0] >= 0
    with torch.no_grad():
        theirs.train()  # it has no layer that behaves otherwise
        expected = theirs(
            [*image / 255], [{"boxes": truth.boxes[0, labelled], "labels": truth.labels[0, labelled] + 1}]
        )
        theirs.eval()
        terms = ours.losses(Batch(Images(image), truth, torch.arange(1))).terms
    assert terms["classes"].mean() == pytest.approx(expected["classification"].item(), rel=1e-4)
    assert terms["boxes"].mean() == pytest.approx(expected["bbox_regression"].item(), rel=1e-4)


def test_three_hardest_negatives_are_learned_for_each_match_and_all_is_divided_by_the_matches() -> None:
    detector = system(small()).eval()
    batch = batch_of(TWO, ONE)
    with torch.no_grad():
        maps = detector.net(detector.normalized(batch.inputs.images))
        terms = detector.losses(batch).terms
    logits = torch.cat([x.permute(0, 2, 3, 1).reshape(2, -1, 4) for x in maps.logits], dim=1)
    priors = torch.cat([*detector.anchors((96, 96)).values()])
    matches = multibox_matches(priors, *batch.targets)
    classes = classes_of(matches, batch.targets.labels) + 1
    expected = 0.0
    for image in range(2):
        loss = F.cross_entropy(logits[image], classes[image], reduction="none")
        count = int(matches.positive[image].sum())
        assert count >= 2 - image
        hardest = loss[matches.negative[image]].sort(descending=True).values[: 3 * count]
        expected += float(loss[matches.positive[image]].sum() + hardest.sum())
    assert terms["classes"].total == pytest.approx(expected, rel=1e-5)
    assert terms["classes"].weight == terms["boxes"].weight == matches.positive.sum()


def test_an_image_without_boxes_teaches_three_negatives() -> None:
    detector = system(small())
    batch = batch_of([], [])
    terms = detector.losses(batch).terms
    assert terms["boxes"].total == 0
    assert terms["classes"].weight == 2
    assert 0 < terms["classes"].total < math.inf
    (terms["classes"].mean() + terms["boxes"].mean()).backward()
    gradients = [parameter.grad for parameter in detector.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_losses_and_weights_do_not_depend_on_how_a_batch_is_cut() -> None:
    detector = system(small()).eval()
    batch = batch_of(TWO, [], ONE, TWO[1:])
    with torch.no_grad():
        whole = detector.losses(batch).terms
        parts = [detector.losses(part).terms for part in split(batch, 4)]
    for name, term in whole.items():
        assert torch.allclose(sum(part[name].total for part in parts), term.total, rtol=1e-5)
        assert sum(part[name].weight for part in parts) == term.weight == detector.weights(batch)[name]


def as_maps(values: Tensor, sides: list[tuple[int, int]], priors: list[Tensor]) -> tuple[Tensor, ...]:
    """Numbers of each prior (1, A, C) as the maps that say them."""
    parts = values.split([len(boxes) for boxes in priors], dim=1)
    return tuple(part.reshape(1, *side, -1).permute(0, 3, 1, 2) for part, side in zip(parts, sides, strict=True))


def test_maps_that_say_the_targets_are_predicted_as_the_true_boxes() -> None:
    detector = system(small()).eval()
    truth, priors = true_boxes(TWO), [*detector.anchors((96, 96)).values()]
    matches = multibox_matches(torch.cat(priors), *truth)
    sides = detector.net(torch.zeros(1, 3, 96, 96)).sides
    deltas = CODING.encode(truth.boxes[0][matches.box], torch.cat(priors))
    said = 30.0 * F.one_hot(classes_of(matches, truth.labels) + 1, 4)
    candidates = detector.candidates(
        MultiBoxMaps(as_maps(said, sides, priors), as_maps(deltas, sides, priors)), (96, 96)
    )
    found = suppress(*candidates, detector.suppression)
    assert found.counts.tolist() == [2]
    order = found.labels[0, :2].argsort()
    assert torch.allclose(found.boxes[0, :2][order], truth.boxes[0, :2], atol=1e-3)
    assert found.labels[0, :2][order].tolist() == [0, 1]
    assert torch.allclose(found.scores[0, :2], torch.ones(2))


@pytest.mark.parametrize(
    ("backbone", "input_size", "first", "priors"),
    [
        ("resnet18", 96, "C2", 3458),
        ("resnet20", 96, "C2", 3458),
        ("resnet18", 320, "C3", 9624),
        ("vgg16", 300, "C3", 8130),
    ],
)
def test_maps_begin_where_24_positions_lie_along_a_side_and_end_at_one(
    backbone: str, input_size: int, first: str, priors: int
) -> None:
    net = small(backbone, input_size=input_size)
    anchors = system(net).anchors((input_size, input_size))
    assert next(iter(anchors)) == first
    assert sum(map(len, anchors.values())) == priors
    with torch.no_grad():
        sides = net.eval()(torch.zeros(1, 3, input_size, input_size)).sides
    assert sides[-1] == (1, 1)
    assert [
        4 * height * width + 2 * height * width * (0 < i < len(sides) - 2) for i, (height, width) in enumerate(sides)
    ] == [len(boxes) for boxes in anchors.values()]


def test_images_of_other_sides_are_taken() -> None:
    detector = system(small()).eval()
    with torch.no_grad():
        found = detector.predict(Images(pixels(2, 64, 130)))
    assert found.boxes.shape == (2, 200, 4)
    assert (found.boxes <= torch.tensor([130, 64, 130, 64])).all()
    assert (found.counts > 0).all()


def test_ssd300_refuses_images_whose_last_map_would_be_empty() -> None:
    net = ssd300_vgg16(num_classes=2, width=1).eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 3, 268, 300)).sides[-1] == (1, 1)
        with pytest.raises(SettingsError, match="SSD300 takes sides from 268 pixels on"):
            net(torch.zeros(1, 3, 300, 267))


def test_further_maps_are_normalized_where_the_net_is_and_an_image_alone_can_be_trained_on() -> None:
    for backbone, layers in (("vgg16", 0), ("resnet18", 2)):
        net = small(backbone)
        norms = [module for module in net.backbone.extra.modules() if isinstance(module, nn.BatchNorm2d)]
        assert len(norms) == layers
        assert system(net).losses(batch_of(ONE)).terms["classes"].total > 0


def test_a_box_is_unmatched_only_where_no_prior_overlaps_it() -> None:
    detector = system(small())
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [20.0, 20.0, 60.0, 60.0], [120.0, 120.0, 130.0, 130.0]])
    assert detector.unmatched(boxes, (96, 96)).tolist() == [False, False, True]
    assert detector.unmatched(boxes[:0], (96, 96)).tolist() == []


def test_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(SettingsError, match="choices are voc, coco"):
        ssd300_vgg16(num_classes=2, width=1, priors="imagenet")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="negatives must be at least 1"):
        SSDLoss(negatives=0)
    with pytest.raises(ValueError, match="box_weight"):
        SSDLoss(box_weight=-1.0)


def test_ssd300_names_the_convolutions_of_vgg16_and_takes_no_other_layer() -> None:
    with torch.device("meta"), WithoutDrawing():
        net, vgg16 = ssd300_vgg16(num_classes=2).state_dict(), catalog.build("vgg16", num_classes=2).state_dict()
        names = ssd300_vgg16(num_classes=2).encoder_names()
    assert {*names.values()} == {key for key in vgg16 if key.startswith("features.")}
    assert all(net[own].shape == vgg16[name].shape for own, name in names.items())
    over = small()
    assert {over.state_dict()[own].shape for own in over.encoder_names()}
    assert {*over.encoder_names().values()} < {*catalog.build("resnet18", num_classes=2, width=4).state_dict()}
