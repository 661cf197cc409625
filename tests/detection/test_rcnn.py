"""R-CNN: the warped classifier, its windows, its boxes with and without fitted layers."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_iou

from resvision import catalog
from resvision.contracts import Batch
from resvision.core.errors import MissingStageError, SettingsError
from resvision.detection.detector import PADDING, ProposedImages, TrueBoxes
from resvision.detection.parts.classified_regions import REGIONS_AT_A_TIME
from resvision.detection.parts.sampling import draw_together
from resvision.detection.rcnn import RCNN, RCNNDetector, rcnn
from resvision.probes.count import count

NARROW: dict[str, Any] = {"backbone": "resnet18", "width": 4, "window_px": 32}


def narrow(**options: Any) -> RCNN:
    net: RCNN = catalog.build("rcnn", num_classes=2, **{**NARROW, **options}).eval()
    return net


def detector(net: RCNN) -> RCNNDetector:
    return RCNNDetector(net, mean=(0.5,) * 3, std=(0.25,) * 3).eval()


def regions(count: int, side: int = 64, seed: int = 0) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=draws) * (side - 20)
    return torch.cat([corners, corners + 6 + 14 * torch.rand(count, 2, generator=draws)], dim=1)


def test_with_21_classes_it_has_the_papers_parameters_and_multiply_adds() -> None:
    with torch.device("meta"):
        counted = count(catalog.build("rcnn", num_classes=20), (3, 227, 227))
    assert counted.params == 56_954_261
    assert counted.macs == 720_396_832, "of one window: without proposals the whole image is the only region"


def test_caffenet_pools_before_it_normalizes_and_is_else_alexnet() -> None:
    with torch.device("meta"):
        caffe, alex = (catalog.build(name, num_classes=1000) for name in ("caffenet", "alexnet_2012"))
    order = [name for name, _ in caffe.features.named_children()]
    assert order[:8] == ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"]
    shapes = [{name: tensor.shape for name, tensor in net.state_dict().items()} for net in (caffe, alex)]
    assert shapes[0] == shapes[1]
    assert catalog.build("rcnn", num_classes=2, width=2, window_px=67).backbone.pool_first


def test_pool5_and_fc7_of_caffenet_are_the_features() -> None:
    net = catalog.build("rcnn", num_classes=20, width=2, scores="svm").eval()
    images = torch.randn(1, 3, 60, 80)
    found = net.features(images, torch.zeros(2, dtype=torch.int64), regions(2, side=60))
    assert (found.last.shape, found.pooled.shape) == ((2, 256), (2, 16 * 6 * 6))
    windows = net.windows(images, torch.zeros(2, dtype=torch.int64), regions(2, side=60))
    torch.testing.assert_close(found.pooled, net.backbone.features(windows).flatten(1))
    classifier = net.backbone.classifier
    hidden = F.relu(classifier.fc7(F.relu(classifier.fc6(found.pooled))))
    torch.testing.assert_close(found.last, hidden)
    assert net.svms.weight.shape == (20, 256)
    assert net.box_layer.weight.shape == (80, 16 * 6 * 6)


@pytest.mark.parametrize("backbone", ["alexnet", "vgg11", "resnet20", "googlenet", "prelunet_a"])
def test_it_stands_on_every_kind_of_convolutional_classifier(backbone: str) -> None:
    with torch.device("meta"):
        net = catalog.build("rcnn", num_classes=3, backbone=backbone, window_px=64, scores="svm")
        maps = net.eval()(torch.empty(2, 3, 80, 90), torch.empty(2, 5, 4))
    assert (maps.logits.shape, maps.deltas.shape) == ((2, 5, 3), (2, 5, 3, 4))
    assert net.class_layer.out_features == 4


def test_a_classifier_without_maps_is_refused() -> None:
    with pytest.raises(MissingStageError, match="LeNet5 has no stages; convolutional nets of the catalog do"):
        rcnn(catalog.build("lenet5", num_classes=10), num_classes=2)


def test_other_scores_are_refused_with_the_choices() -> None:
    with pytest.raises(SettingsError, match="softmax, svm"):
        narrow(scores="platt")


def test_the_windows_decide_the_size_of_the_backbone_whatever_the_images() -> None:
    assert "input_size" not in catalog.options("rcnn")
    with torch.device("meta"):
        net = catalog.build("rcnn", num_classes=2, window_px=131)
    assert net.backbone.input_size == 131


def test_regions_go_through_alike_whether_few_or_many() -> None:
    net, image = narrow(), torch.randn(1, 3, 64, 64)
    many = regions(REGIONS_AT_A_TIME + 3)[None]
    with torch.no_grad():
        together = net(image, many)
        one = net(image, many[:, -1:])
    torch.testing.assert_close(together.logits[:, -1:], one.logits, rtol=1e-4, atol=1e-5)
    assert together.logits.shape == (1, REGIONS_AT_A_TIME + 3, 3)


def test_the_number_of_proposals_is_bounded() -> None:
    maps = narrow(proposals=5)(torch.randn(1, 3, 64, 64), regions(9)[None])
    assert torch.equal(maps.proposals, regions(9)[None, :5])


def test_the_windows_of_a_batch_are_32_objects_and_96_of_background() -> None:
    boxes = torch.tensor([[[10.0, 10, 40, 40]], [[0, 0, 0, 0]]])
    labels = torch.tensor([[1], [PADDING]])
    shifts = torch.linspace(0, 12, 100)[:, None]
    near, far = boxes[0] + shifts, regions(300, side=60) + 60
    references = torch.stack([torch.cat([near, far]), torch.cat([far, near])])
    usable, crowd = torch.ones(2, 400, dtype=torch.bool), torch.zeros(2, 1, dtype=torch.bool)
    drawn = draw_together(references, usable, boxes, labels, crowd, RCNNDetector.rules)
    assert drawn.counted.all()
    assert len(drawn.labels) == 128
    assert int((drawn.labels == 2).sum()) == 32, "all of the first image, since the second has no object"
    overlaps = box_iou(drawn.references, boxes[0])[:, 0]
    of_first = drawn.image == 0
    assert torch.equal(drawn.labels == 2, (overlaps >= 0.5) & of_first)
    assert (drawn.labels[~of_first] == 0).all()
    assert 0 < int((~of_first).sum()) < 96, "background comes from both images"


def test_the_loss_is_the_mean_cross_entropy_of_the_windows() -> None:
    torch.manual_seed(0)
    net = narrow()
    system = detector(net)
    pixels = torch.randint(256, (1, 3, 64, 64), dtype=torch.uint8)
    proposals = regions(3)[None]
    box = torch.tensor([[[30.0, 30, 60, 60]]])
    truth = TrueBoxes(box, torch.tensor([[1]]), torch.tensor([[False]]))
    batch = Batch(ProposedImages(pixels, proposals), truth, torch.tensor([0]))
    term = system.losses(batch).terms["class"]
    logits = net(system.normalized(pixels), torch.cat([proposals, box], dim=1)).logits[0]
    labels = torch.where(box_iou(torch.cat([proposals, box], dim=1)[0], box[0])[:, 0] >= 0.5, 2, 0)
    assert labels.tolist() == [0, 0, 0, 2], "the true box is among the regions"
    torch.testing.assert_close(term.mean(), F.cross_entropy(logits, labels))


def fitted(*, margins: tuple[float, float], deltas: tuple[float, float, float, float]) -> RCNNDetector:
    """A system whose SVMs and regression say the same of every region."""
    net = narrow(scores="svm")
    net.svms.bias.copy_(torch.tensor(margins))
    net.box_layer.bias.copy_(torch.tensor(deltas * 2))
    return detector(net)


def test_boxes_are_moved_cut_off_and_only_then_suppressed_with_the_scores_of_their_regions() -> None:
    system = fitted(margins=(1.0, -4.0), deltas=(1.0, 0.0, 0.0, 0.0))  # to the right by their width
    proposals = torch.tensor([[[0.0, 0, 30, 30], [30, 30, 50, 60], [32, 1, 64, 29], [0, 0, 0, 0]]])
    pixels = torch.randint(256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        boxes, scores, labels, counts = system.predict(ProposedImages(pixels, proposals))
    # The third leaves the image, the last place holds no region, and the other class scores below the threshold.
    assert counts.tolist() == [2]
    assert sorted(boxes[0, :2].round().tolist()) == [[30, 0, 60, 30], [50, 30, 64, 60]]
    torch.testing.assert_close(scores[0, :2], torch.tensor([1.0, 1.0]).sigmoid())
    assert labels[0, :2].tolist() == [0, 0]


def test_boxes_that_overlap_only_after_they_were_moved_suppress_each_other() -> None:
    system = fitted(margins=(1.0, -20.0), deltas=(0.0, 0.0, 1.0, 0.0))  # as wide again and more
    proposals = torch.tensor([[[20.0, 10, 30, 40], [31, 10, 41, 40]]])
    assert box_iou(proposals[0, :1], proposals[0, 1:]).item() == 0
    pixels = torch.randint(256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert system.predict(ProposedImages(pixels, proposals)).counts.tolist() == [1]


def test_scores_of_svms_keep_the_order_of_margins_and_part_at_a_half() -> None:
    system = fitted(margins=(0.0, 0.0), deltas=(0.0,) * 4)
    maps = system.net(torch.zeros(1, 3, 64, 64), regions(3)[None])
    margins = torch.tensor([[[-2.0, 0.5], [0.0, -1e4], [3.0, -0.5]]])
    _, scores, labels = system.candidates(maps._replace(logits=margins), (64, 64))
    ranked = margins.flatten().sort(descending=True).values
    torch.testing.assert_close(scores[0], ranked.sigmoid())
    assert scores[0, -1] == 0.0, "a class without an SVM is above no threshold"
    assert labels[0, 0] == 0
    assert scores[0, 2] == 0.5


def test_scores_of_fine_tuning_are_probabilities_without_the_background_and_boxes_the_regions() -> None:
    net = narrow()
    system = detector(net)
    maps = net(torch.randn(1, 3, 64, 64), regions(4)[None])
    boxes, scores, labels = system.candidates(maps, (64, 64))
    expected = maps.logits.softmax(dim=-1)[0, :, 1:]
    for box, score, label in zip(boxes[0], scores[0], labels[0], strict=True):
        place = int((maps.proposals[0] - box).abs().sum(dim=1).argmin())
        torch.testing.assert_close(box, maps.proposals[0, place])
        torch.testing.assert_close(score, expected[place, label])


def test_fitted_layers_are_state_and_no_parameters() -> None:
    softmax, svm = narrow(), narrow(scores="svm")
    names = [[name for name, _ in net.named_parameters()] for net in (softmax, svm)]
    assert names[0] == names[1]
    assert {*svm.state_dict()} - {*softmax.state_dict()} == {
        f"{layer}.{weight}" for layer in ("svms", "box_layer") for weight in ("weight", "bias")
    }


def test_fitted_layers_compute_in_full_precision_below_autocast() -> None:
    net = narrow(scores="svm")
    net.svms.weight.fill_(1.0)
    features = torch.full((1, net.svms.weight.shape[1]), 1.001)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        margins = net.svms(features)
    torch.testing.assert_close(margins, features.sum(dim=1, keepdim=True).expand(1, 2))


def test_the_encoder_is_all_of_the_classifier_but_its_last_layer() -> None:
    net = catalog.build("rcnn", num_classes=2, width=2)
    classifier = catalog.build("caffenet", num_classes=1000, width=2)
    names = net.encoder_names()
    theirs = {key for key in classifier.state_dict() if not key.startswith("classifier.fc8")}
    assert {*names.values()} == theirs
    assert all(net.state_dict()[own].shape == classifier.state_dict()[name].shape for own, name in names.items())
