"""Fast R-CNN: the paper's counts, what it samples, the offsets that it measures, and what it learns from."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from detection.box_scenes import CLASSES, box_reader, targets
from safetensors.torch import save_file
from torch import Tensor, nn

from resvision import catalog
from resvision.contracts import Batch, Images
from resvision.core.errors import MissingStageError, SettingsError
from resvision.core.images import Pixels
from resvision.data.arrays import BoxArrayReader
from resvision.detection.detector import ProposedImages, TrueBoxes
from resvision.detection.fast_rcnn import FastRCNN, FastRCNNDetector, FastRCNNLoss, FastRCNNMaps
from resvision.detection.parts.offset_scale import SMALLEST_STD, USUAL_STD
from resvision.detection.parts.roi_pooling import RoIAlign, RoIMaxPool
from resvision.detection.parts.sampling import draw
from resvision.detection.proposing import Regions, with_regions
from resvision.kinds.detection.boxes import Floats
from resvision.probes.count import count
from resvision.probes.shapes import WithoutDrawing
from resvision.training.initial import encoder_state

SIDES = (96, 80)


def bare(name: str, num_classes: int, **options: Any) -> FastRCNN:
    """The net of a row on meta."""
    with torch.device("meta"), WithoutDrawing():
        return catalog.build(name, num_classes=num_classes, **options)


def narrow(name: str = "fast_rcnn", **options: Any) -> FastRCNN:
    usual = {"backbone": "resnet18", "width": 8, "channels": 16, "hidden": 32, "proposals": 40}
    taken = usual if name == "fast_rcnn" else {"width": 4, "dropout": 0.0, "proposals": 40}
    return catalog.build(name, num_classes=len(CLASSES), **{**taken, **options})


def detector(net: FastRCNN, **options: Any) -> FastRCNNDetector:
    return FastRCNNDetector(net, mean=[0.5] * 3, std=[0.25] * 3, options=FastRCNNLoss(**options))


def parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def regions(count: int, sides: tuple[int, int] = SIDES, images: int = 2) -> Tensor:
    """Regions of all sizes."""
    corners = torch.rand(images, count, 2, 2) * torch.tensor([sides[1], sides[0]])
    return torch.cat([corners.amin(dim=2), corners.amax(dim=2) + 1], dim=-1)


def batch(proposals: Tensor, boxes: Tensor, labels: Tensor) -> Batch:
    pixels = torch.randint(0, 256, (len(boxes), 3, *SIDES), dtype=torch.uint8)
    truth = TrueBoxes(boxes, labels, torch.zeros_like(labels, dtype=torch.bool))
    return Batch(ProposedImages(pixels, proposals), truth, torch.arange(len(boxes)))


@dataclass
class GivenRegions(Regions):
    """The same regions for every image."""

    boxes: Floats

    def in_image(self, image: Pixels, name: str) -> Floats:
        return self.boxes


def test_counts_and_multiply_adds_are_the_papers() -> None:
    net = bare("fast_rcnn_vgg16", 20)
    assert parameters(net) == 134_690_729
    counted = count(net, (3, 600, 1000))
    of_head = sum(layer.macs for layer in counted.layers if layer.name.startswith("roi_heads"))
    assert of_head == 119_967_744  # the whole image is the only region
    assert round((counted.macs - of_head) / 1e9, 2) == 183.87


def test_a_truncated_layer_of_u_and_v_has_rank_times_u_plus_v_weights() -> None:
    whole = bare("fast_rcnn_vgg16", 20).roi_heads.box_head
    cut = bare("fast_rcnn_vgg16", 20, svd_fc6=1024, svd_fc7=256).roi_heads.box_head
    assert parameters(whole.fc6) == 25_088 * 4096 + 4096
    assert parameters(cut.fc6) == 1024 * (25_088 + 4096) + 4096
    assert parameters(cut.fc7) == 256 * (4096 + 4096) + 4096


def test_one_map_is_pooled_by_its_maxima_and_a_pyramid_by_alignment() -> None:
    assert isinstance(narrow(features="C4").roi_heads.pooling, RoIMaxPool)
    assert isinstance(narrow().roi_heads.pooling, RoIAlign)
    assert isinstance(narrow("fast_rcnn_vgg16").roi_heads.pooling, RoIMaxPool)


def around(box: Tensor, overlap: float) -> Tensor:
    """A region inside a box that overlaps it by this much."""
    x1, y1, x2, y2 = box
    return torch.stack([x1, y1, x1 + overlap * (x2 - x1), y2])


def test_sixty_four_regions_of_an_image_are_drawn_a_quarter_of_them_objects_and_no_far_ones() -> None:
    system = detector(narrow())
    box = torch.tensor([10.0, 10, 50, 50])
    overlaps = [0.9] * 50 + [0.3] * 200 + [0.05] * 500
    proposals = torch.stack([around(box, overlap) for overlap in overlaps]).expand(2, -1, -1)
    truth = TrueBoxes(box.expand(2, 1, 4), torch.ones(2, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.bool))
    drawn = draw(proposals, torch.ones(2, 750, dtype=torch.bool), *truth, system.rules)
    assert drawn.labels.shape == (2, 64)
    assert drawn.counted.all()
    assert ((drawn.labels > 0).sum(dim=1) == 16).all()
    assert (drawn.places < 250).all(), "a region that overlaps no object by 0.1 is not looked at"
    everywhere = detector(narrow(), lowest_background=0.0)
    drawn = draw(proposals, torch.ones(2, 750, dtype=torch.bool), *truth, everywhere.rules)
    assert (drawn.places >= 250).any()


def test_an_image_without_objects_teaches_background() -> None:
    system = detector(narrow("fast_rcnn_vgg16"))
    none = batch(regions(40), torch.zeros(2, 1, 4), torch.full((2, 1), -1))
    losses = system.losses(none)
    assert losses.terms["box"].total == 0
    assert 0 < losses.terms["class"].mean() < math.inf
    sum(term.mean() for term in losses.terms.values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in system.net.parameters())
    assert any(parameter.grad.any() for parameter in system.net.parameters())


def test_an_image_with_neither_regions_nor_boxes_teaches_nothing() -> None:
    system = detector(narrow("fast_rcnn_vgg16"))
    losses = system.losses(batch(torch.zeros(2, 40, 4), torch.zeros(2, 1, 4), torch.full((2, 1), -1)))
    assert all(term.total == 0 for term in losses.terms.values())


def measured(reader: BoxArrayReader, given: Floats) -> FastRCNNDetector:
    system = detector(narrow())
    system.measure(with_regions(reader, GivenRegions(given), 40))
    return system


def test_mean_and_deviation_of_offsets_are_those_of_all_regions_that_overlap_a_box_by_half() -> None:
    reader = box_reader(((32, 32),) * 6)
    given = regions(400, (32, 32), images=1)[0].double().clamp(max=32).numpy()
    system = detector(narrow(proposals=400))
    system.measure(with_regions(reader, GivenRegions(given), 400))
    by_class: dict[int, list[Floats]] = {0: [], 1: []}
    for index in range(len(reader)):  # region by region, by what the paper says
        truth = reader[index].target
        for region in [*given, *truth.boxes]:
            overlaps = [overlap(region, box) for box in truth.boxes]
            if overlaps and max(overlaps) >= 0.5:
                best = int(np.argmax(overlaps))
                by_class[int(truth.labels[best])].append(offsets(region, truth.boxes[best]))
    for label, some in by_class.items():
        assert len(some) > 10
        np.testing.assert_allclose(system.net.offsets.mean[1 + label], np.mean(some, axis=0), atol=1e-5)
        deviation = np.maximum(np.std(some, axis=0), SMALLEST_STD)
        np.testing.assert_allclose(system.net.offsets.std[1 + label], deviation, atol=1e-5)
    assert system.net.offsets.mean[0].tolist() == [0] * 4
    assert system.net.offsets.std[0].tolist() == [1] * 4


def overlap(first: Floats, second: Floats) -> float:
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    common = np.prod(np.maximum(sides, 0))
    return float(common / (np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - common))


def offsets(region: Floats, box: Floats) -> Floats:
    sides, wanted = region[2:] - region[:2], box[2:] - box[:2]
    shift = ((box[:2] + box[2:]) - (region[:2] + region[2:])) / 2 / sides
    return np.concatenate([shift, np.log(wanted / sides)])


def test_a_class_that_is_hardly_there_takes_the_offsets_of_all_classes_and_none_at_all_the_usual_ones() -> None:
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    reader = box_reader(((32, 32),))
    reader = BoxArrayReader(
        name="one", split="train", classes=CLASSES, view=reader.view, crop_px=None, images=[image],
        boxes=[targets([[4, 4, 16, 24], [18, 4, 30, 24]], [0, 0])],
    )  # fmt: skip
    scale = measured(reader, np.array([[4.0, 4, 14, 24], [4, 6, 16, 24], [20, 4, 30, 24]])).net.offsets
    assert torch.equal(scale.mean[1], scale.mean[2])
    assert (scale.std[1] > SMALLEST_STD).any()
    nothing = measured(
        BoxArrayReader(
            name="none", split="train", classes=CLASSES, view=reader.view, crop_px=None, images=[image],
            boxes=[targets([])],
        ),
        np.empty((0, 4)),
    ).net.offsets  # fmt: skip
    torch.testing.assert_close(nothing.std[1:], torch.tensor([USUAL_STD] * 2))
    assert not nothing.mean.any()


def test_decoding_undoes_what_was_encoded_with_measured_offsets() -> None:
    net = narrow()
    nn.init.normal_(net.offsets.mean)
    nn.init.uniform_(net.offsets.std, 0.1, 0.5)
    system = detector(net)
    given = regions(10)
    boxes = given + torch.tensor([1.0, 2.0, 3.0, 1.0])
    boxes = boxes.clamp(min=0).minimum(torch.tensor([80.0, 96.0, 80.0, 96.0]))
    labels = torch.randint(1, 3, (2, 10))
    deltas = torch.zeros(2, 10, 3, 4)
    deltas.scatter_(
        2, labels[..., None, None].expand(-1, -1, 1, 4), net.offsets.encode(boxes, given, labels)[:, :, None]
    )
    logits = 20 * nn.functional.one_hot(labels, 3).float()
    found, scores, of_class = system.candidates(FastRCNNMaps(given, logits, deltas), SIDES)
    best = scores > 0.5
    assert best.sum() == 20
    for image in range(2):
        wanted = {(label, *box) for label, box in zip((labels[image] - 1).tolist(), rounded(boxes[image]), strict=True)}
        sure = best[image]
        assert {
            (label, *box)
            for label, box in zip(of_class[image][sure].tolist(), rounded(found[image][sure]), strict=True)
        } == wanted


def rounded(boxes: Tensor) -> list[tuple[float, ...]]:
    return [tuple(round(value, 2) for value in box) for box in boxes.tolist()]


def test_places_without_a_region_are_never_found() -> None:
    system = detector(narrow()).eval()
    proposals = torch.cat([regions(3), torch.zeros(2, 5, 4)], dim=1)
    with torch.no_grad():
        maps = system.maps(ProposedImages(torch.zeros(2, 3, *SIDES, dtype=torch.uint8), proposals))
        scores = system.candidates(maps, SIDES).scores
    assert maps.logits.shape == (2, 8, 3)
    assert ((scores > 0).sum(dim=1) == 6).all()


def test_without_regions_the_whole_image_is_the_only_one_and_more_than_it_takes_are_left_out() -> None:
    net = narrow(proposals=5).eval()
    images = torch.randn(2, 3, *SIDES)
    with torch.no_grad():
        assert net(images).proposals.tolist() == [[[0, 0, 80, 96]]] * 2
        given = regions(9)
        assert torch.equal(net(images, given).proposals, given[:, :5])


def test_a_step_without_regions_learns_from_the_true_boxes() -> None:
    system = detector(narrow())
    one = batch(regions(1), torch.tensor([[[10.0, 10, 30, 40]]] * 2), torch.ones(2, 1, dtype=torch.int64))
    terms = system.losses(one._replace(inputs=Images(one.inputs.images))).terms
    assert all(torch.isfinite(term.total) for term in terms.values())


def test_the_papers_net_starts_with_vgg16_and_a_truncated_layer_starts_afresh(tmp_path: Path) -> None:
    vgg = catalog.build("vgg16", num_classes=5, width=2)
    file = tmp_path / "net.safetensors"
    save_file(vgg.state_dict(), file)
    state = encoder_state(narrow("fast_rcnn_vgg16", width=2), file)
    assert torch.equal(state["roi_heads.box_head.fc6.weight"], vgg.state_dict()["classifier.0.weight"])
    assert torch.equal(state["backbone.features.28.bias"], vgg.state_dict()["features.28.bias"])
    cut = encoder_state(narrow("fast_rcnn_vgg16", width=2, svd_fc6=3), file)
    assert torch.equal(cut["roi_heads.box_head.fc7.weight"], vgg.state_dict()["classifier.3.weight"])
    assert "roi_heads.box_head.fc6.weight" not in cut


def test_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(MissingStageError, match="C5"):
        narrow(backbone="resnet20")
    with pytest.raises(SettingsError, match="pyramid, C4, C5"):
        narrow(features="C3")
    for name in ("proposals", "svd_fc6", "svd_fc7"):
        with pytest.raises(SettingsError, match=f"{name} is 0; it must be at least 1"):
            narrow(**{name: 0})
    with pytest.raises(ValueError, match="regions"):
        FastRCNNLoss(regions=2)
    with pytest.raises(ValueError, match="lowest_background"):
        FastRCNNLoss(lowest_background=0.5)
