"""Faster R-CNN: the paper's counts and anchors, torchvision as judge, and what it learns from."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models.detection
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from resvision import catalog
from resvision.contracts import Batch, Images, split
from resvision.core.errors import MissingStageError, SettingsError
from resvision.detection.detector import TrueBoxes
from resvision.detection.faster_rcnn import FasterRCNN, FasterRCNNDetector, FasterRCNNLoss
from resvision.detection.parts.box_coding import BoxCoding
from resvision.detection.parts.region_rules import PAPER
from resvision.detection.parts.sampled_losses import offset_losses
from resvision.detection.parts.sampling import Drawn
from resvision.probes.count import count
from resvision.probes.shapes import WithoutDrawing
from resvision.training.initial import encoder_state

SIDES = (96, 80)


def bare(name: str, num_classes: int, **options: Any) -> FasterRCNN:
    """The net of a row on meta."""
    with torch.device("meta"), WithoutDrawing():
        return catalog.build(name, num_classes=num_classes, **options)


def narrow(name: str = "faster_rcnn", **options: Any) -> FasterRCNN:
    usual = {"backbone": "resnet18", "width": 8, "channels": 16, "hidden": 32, "smallest_anchor_px": 8}
    taken = usual if name == "faster_rcnn" else {"width": 4, "dropout": 0.0}
    return catalog.build(name, num_classes=3, **{**taken, **options})


def detector(net: FasterRCNN, **options: Any) -> FasterRCNNDetector:
    return FasterRCNNDetector(net, mean=[0.5] * 3, std=[0.25] * 3, options=FasterRCNNLoss(**options))


def batch(targets: TrueBoxes | None = None) -> Batch:
    """Two images; the second has a crowd."""
    boxes = torch.tensor([[[10.0, 10, 30, 40], [0, 0, 0, 0]], [[20, 30, 50, 50], [1, 1, 60, 60]]])
    crowd = torch.tensor([[False, False], [False, True]])
    pixels = torch.randint(0, 256, (2, 3, *SIDES), dtype=torch.uint8)
    return Batch(Images(pixels), targets or TrueBoxes(boxes, torch.tensor([[1, -1], [0, 2]]), crowd), torch.arange(2))


def parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_counts_are_the_papers_and_torchvisions() -> None:
    paper = bare("faster_rcnn_vgg16", 20)
    assert parameters(paper) == 137_078_239
    assert parameters(paper.rpn) == 2_387_510
    assert parameters(paper.rpn.head.cls_logits) + parameters(paper.rpn.head.bbox_pred) == 512 * 6 * 9 + 6 * 9
    smaller = bare("faster_rcnn_zf", 20)
    assert parameters(smaller) == 59_294_751
    assert parameters(smaller.rpn) == 603_958
    assert parameters(bare("fasterrcnn_resnet50_fpn", 90)) == 41_808_406


@pytest.mark.parametrize(
    ("name", "of_region", "of_maps", "field"),
    [
        ("faster_rcnn_vgg16", 119_967_744, 189.58, 228),
        # The paper does not count what normalizations over 3x3 pixels, at strides 2 and 8, see beyond.
        ("faster_rcnn_zf", 54_956_032, 17.24, 171 + 2 * 2 + 2 * 8),
    ],
)
def test_multiply_adds_and_receptive_fields_are_the_papers(
    name: str, of_region: int, of_maps: float, field: int
) -> None:
    counted = count(bare(name, 20), (3, 600, 1000))
    of_head = sum(layer.macs for layer in counted.layers if layer.name.startswith("roi_heads"))
    assert of_head == 300 * of_region
    assert round((counted.macs - of_head) / 1e9, 2) == of_maps
    fields = {layer.name: layer.receptive_field for layer in counted.layers}
    assert fields["rpn.head.conv.0.0"] == field


def test_multiply_adds_are_those_that_torchvision_states() -> None:
    stated = torchvision.models.detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["_ops"]
    counted = count(bare("fasterrcnn_resnet50_fpn", 90), (3, 800, 800))
    assert counted.macs / 1e9 == pytest.approx(stated, abs=0.005)


def test_anchors_of_the_paper_are_those_of_its_code() -> None:
    system = detector(bare("faster_rcnn_vgg16", 20))
    system.mean = system.mean.cpu()
    anchors = system.anchors((600, 1000))["C4"]
    assert len(anchors) == 38 * 63 * 9 == 21_546
    # as printed: from the first pixel of a box to its last
    table = [
        (-84, -40, 99, 55), (-176, -88, 191, 103), (-360, -184, 375, 199),
        (-56, -56, 71, 71), (-120, -120, 135, 135), (-248, -248, 263, 263),
        (-36, -80, 51, 95), (-80, -168, 95, 183), (-168, -344, 183, 359),
    ]  # fmt: skip
    assert torch.equal(anchors[:9] - torch.tensor([0.0, 0, 1, 1]), torch.tensor(table, dtype=torch.float32))
    assert torch.equal(anchors[9 * 63 : 9 * 64] - anchors[:9], torch.tensor([0.0, 16, 0, 16]).expand(9, 4))


def test_nothing_is_learned_from_anchors_that_cross_the_edge_in_the_papers_net() -> None:
    system = detector(bare("faster_rcnn_vgg16", 20))
    anchors = system.anchors((600, 1000))["C4"]
    usable = system._usable(anchors, (600, 1000))
    inside = anchors[usable]
    assert 0 < len(inside) < 21_546 / 2
    assert inside.min() >= 0
    assert (inside[:, 2].max() <= 1000) & (inside[:, 3].max() <= 600)
    assert system.unmatched(torch.tensor([[0.0, 0, 3, 3], [200, 200, 400, 400]]), (600, 1000)).tolist() == [True, False]


def offsets(distance: float, *, beta: float) -> float:
    """The loss of a region of which one offset is wrong by a distance."""
    box = torch.tensor([[[0.0, 0, 10, 10]]])
    one = torch.ones(1, 1, dtype=torch.int64)
    drawn = Drawn(one, box, box, one, one.bool())
    wanted = BoxCoding().encode(box, box)
    return offset_losses(torch.tensor([[[distance, 0.0, 0, 0]]]), wanted, drawn, beta=beta).item()


@pytest.mark.parametrize(("distance", "loss"), [(0.1, 0.045), (0.5, 0.44444), (1, 0.94444)])
def test_the_loss_of_offsets_from_anchors_has_the_sigma_of_the_papers_code(distance: float, loss: float) -> None:
    assert offsets(distance, beta=PAPER.anchor_beta) == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize(("distance", "loss"), [(0.5, 0.125), (1, 0.5), (2, 1.5)])
def test_the_loss_of_offsets_from_regions_is_fast_rcnns(distance: float, loss: float) -> None:
    assert offsets(distance, beta=PAPER.beta) == pytest.approx(loss)


def lively(net: nn.Module) -> nn.Module:
    """Evaluation mode with statistics and heads that tell positions apart."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    predictor = net.roi_heads.box_predictor
    for layer in (predictor.cls_score, predictor.bbox_pred, net.rpn.head.cls_logits, net.rpn.head.bbox_pred):
        nn.init.normal_(layer.weight, std=0.02)
    return net.eval()


class AsTheyAre(nn.Module):
    """In place of torchvision's resizing: images filled up to multiples of 32, boxes as they are."""

    def forward(self, images: list[Tensor], targets: None = None) -> tuple[ImageList, None]:
        height, width = images[0].shape[1:]
        padded = nn.functional.pad(torch.stack(images), (0, -width % 32, 0, -height % 32))
        return ImageList(padded, [(height, width)] * len(images)), None

    def postprocess(self, found: list[dict[str, Tensor]], *_: Any) -> list[dict[str, Tensor]]:
        return found


def test_torchvisions_weights_load_strictly_and_give_torchvisions_detections() -> None:
    threshold = 0.02
    theirs = torchvision.models.detection.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=91, box_score_thresh=threshold
    )
    lively(theirs).transform = AsTheyAre()
    net = bare("fasterrcnn_resnet50_fpn", 90).eval()
    net.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    ours = FasterRCNNDetector(net, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]).eval()
    ours.suppression = replace(ours.suppression, score=threshold)
    pixels = torch.randint(0, 256, (2, 3, 100, 180), dtype=torch.uint8)
    with torch.no_grad():
        expected = theirs([*ours.normalized(pixels)])
        found = ours.predict(Images(pixels))
    for boxes, scores, labels, number, judge in zip(*found, expected, strict=True):
        assert 50 <= number == len(judge["scores"])
        assert (boxes[:number] - judge["boxes"]).abs().max() <= 0.05
        assert (scores[:number] - judge["scores"]).abs().max() <= 1e-4
        assert torch.equal(labels[:number] + 1, judge["labels"])


def test_losses_are_torchvisions_where_everything_is_drawn() -> None:
    """With samples large enough to hold all, nothing is left to chance."""
    theirs = torchvision.models.detection.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=91, rpn_batch_size_per_image=8000,
        box_batch_size_per_image=8000, rpn_post_nms_top_n_train=150,
    )  # fmt: skip
    lively(theirs)
    net = bare("fasterrcnn_resnet50_fpn", 90).eval()
    net.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    net.rules = replace(
        net.rules,
        anchors=replace(net.rules.anchors, count=8000),
        regions=replace(net.rules.regions, count=8000),
        training=replace(net.rules.training, after=150),
    )
    system = detector(net)
    one = batch()
    truth = [{"boxes": boxes[:1], "labels": labels[:1] + 1} for boxes, labels in zip(*one.targets[:2], strict=True)]
    one = one._replace(targets=TrueBoxes(one.targets.boxes[:, :1], one.targets.labels[:, :1], one.targets.crowd[:, :1]))
    images = system.normalized(one.inputs.images)
    padded = ImageList(nn.functional.pad(images, (0, -SIDES[1] % 32)), [SIDES] * 2)
    theirs.rpn.train()
    theirs.roi_heads.train()
    with torch.no_grad():
        maps = theirs.backbone(padded.tensors)
        proposals, expected = theirs.rpn(padded, maps, truth)
        _, of_head = theirs.roi_heads(maps, proposals, [SIDES] * 2, truth)
        found = {name: term.mean().item() for name, term in system.losses(one).terms.items()}
    names = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")
    expected |= of_head
    assert [*found.values()] == pytest.approx([expected[name].item() for name in names], rel=1e-3)


def test_no_box_anywhere_gives_finite_losses_of_background_alone() -> None:
    one = batch()
    none = TrueBoxes(*(member[:, :0] for member in one.targets))
    net = narrow("faster_rcnn_vgg16")
    terms = detector(net).losses(one._replace(targets=none)).terms
    assert terms["box"].total == terms["anchor_box"].total == 0
    assert 0 < terms["class"].mean() < math.inf
    sum(term.mean() for term in terms.values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_each_image_weighs_the_same_however_a_batch_is_cut() -> None:
    system = detector(narrow().eval())
    one = batch()
    with torch.no_grad():
        whole = system.losses(one).terms
        parts = [system.losses(part).terms for part in split(one, 2)]
    weights = system.weights(one)
    assert [*weights] == [*whole]
    for name, term in whole.items():
        assert term.weight == weights[name] == 2
        # other anchors are drawn, so that these are near and not equal
        assert sum(part[name].total for part in parts) == pytest.approx(term.total.item(), rel=0.2, abs=0.02)


def test_true_boxes_are_among_the_regions_that_are_learned() -> None:
    system = detector(narrow(), regions=64)
    one = batch()
    images = system.normalized(one.inputs.images)
    anchored = system.net.anchored(system.net.maps(images), images)
    drawn = system._drawn_regions(system.net.chosen(anchored, images, system.rules.training), one.targets)
    assert drawn.labels.shape == (2, 64)
    for image, box, label in ((0, 0, 2), (1, 0, 1)):
        same = (drawn.references[image] == one.targets.boxes[image, box]).all(dim=-1)
        assert drawn.labels[image][same].tolist() == [label]
    crowd = (drawn.references[1] == one.targets.boxes[1, 1]).all(dim=-1)
    assert not (crowd & drawn.counted[1]).any()


def test_the_maps_have_one_shape_whatever_is_found() -> None:
    net = narrow(proposals=50).eval()
    with torch.no_grad():
        for images in (torch.randn(2, 3, *SIDES), torch.zeros(2, 3, *SIDES)):
            assert {key: tuple(value.shape) for key, value in net(images)._asdict().items()} == {
                "objectness": (2, 2307), "anchor_deltas": (2, 2307, 4), "proposals": (2, 50, 4),
                "valid": (2, 50), "logits": (2, 50, 4), "deltas": (2, 50, 4, 4),
            }  # fmt: skip


def test_anchors_said_of_a_size_are_those_of_the_net() -> None:
    system = detector(narrow())
    assert {name: len(some) for name, some in system.anchors(SIDES).items()} == {
        "P2": 24 * 24 * 3, "P3": 12 * 12 * 3, "P4": 6 * 6 * 3, "P5": 3 * 3 * 3, "P6": 2 * 2 * 3,
    }  # fmt: skip
    images = torch.randn(1, 3, *SIDES)
    anchors = system.net.anchored(system.net.maps(images), images).anchors
    assert all(torch.equal(anchors[name], some) for name, some in system.anchors(SIDES).items())
    squares = [some[1] for some in anchors.values()]
    assert [(box[2] - box[0]).item() for box in squares] == [8, 16, 32, 64, 128]


def test_the_papers_net_starts_with_the_convolutions_and_both_hidden_layers_of_vgg16(tmp_path: Path) -> None:
    vgg = catalog.build("vgg16", num_classes=5, width=2)
    net = narrow("faster_rcnn_vgg16", width=2)
    state = encoder_state(net, saved(vgg, tmp_path))
    for ours, theirs in (
        ("backbone.features.28.weight", "features.28.weight"),
        ("roi_heads.box_head.fc6.weight", "classifier.0.weight"),
        ("roi_heads.box_head.fc7.bias", "classifier.3.bias"),
    ):
        assert torch.equal(state[ours], vgg.state_dict()[theirs])
    fresh = {key for key, tensor in net.state_dict().items() if torch.equal(state[key], tensor)}
    assert {key.rpartition(".")[0] for key in fresh if key.endswith("weight")} == {
        "rpn.head.conv.0.0", "rpn.head.cls_logits", "rpn.head.bbox_pred",
        "roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred",
    }  # fmt: skip
    resnet = catalog.build("resnet18", num_classes=2, width=8)
    assert torch.equal(
        encoder_state(narrow(), saved(resnet, tmp_path))["backbone.body.conv1.weight"], resnet.conv1.weight
    )


def saved(net: nn.Module, folder: Path) -> Path:
    save_file(net.state_dict(), folder / "net.safetensors")
    return folder / "net.safetensors"


def test_a_backbone_without_the_maps_and_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(MissingStageError, match="C5"):
        narrow(backbone="resnet20")
    with pytest.raises(SettingsError, match="pyramid, C4, C5"):
        narrow(features="C3")
    with pytest.raises(SettingsError, match="at least 1"):
        narrow(proposals=0)
    with pytest.raises(SettingsError, match="smallest_anchor_px is 0"):
        narrow(smallest_anchor_px=0)
    with pytest.raises(ValueError, match="regions"):
        FasterRCNNLoss(regions=2)
