"""The contract of detectors, kept by each."""

from typing import Any, ClassVar

import torch
from detection.contract import DetectorContract
from detection.region_contract import RegionDetectorContract
from torch import nn

from resvision.catalog import ROWS
from resvision.contracts import Batch
from resvision.detection.detector import Detector, TrueBoxes

NARROW: dict[str, Any] = {"backbone": "resnet18", "width": 4, "channels": 8}


class TestRetinaNet(DetectorContract):
    name = "retinanet"
    options = NARROW


class TestTorchvisionsRetinaNet(DetectorContract):
    name = "retinanet"
    options: ClassVar[dict[str, Any]] = {"backbone": "vgg11", "width": 4, "channels": 8, "variant": "torchvision"}


class TestSSD(DetectorContract):
    name = "ssd"
    options: ClassVar[dict[str, Any]] = {"backbone": "resnet18", "width": 8, "channels": 16, "input_size": 64}


class TestSSD300(DetectorContract):
    name = "ssd300_vgg16"
    options: ClassVar[dict[str, Any]] = {"width": 2}
    side = 300
    other_sides = (300, 320)


class TestRefineDet(DetectorContract):
    name = "refinedet"
    options: ClassVar[dict[str, Any]] = {**NARROW, "input_size": 64}


class TestRefineDet320(DetectorContract):
    name = "refinedet320"
    options: ClassVar[dict[str, Any]] = {"width": 2, "anchor_scale": 1.0}
    side = 128
    other_sides = (128, 170)


class TestFasterRCNN(DetectorContract):
    name = "faster_rcnn"
    options: ClassVar[dict[str, Any]] = {
        **NARROW,
        "backbone": "vgg11",
        "hidden": 16,
        "proposals": 40,
        "smallest_anchor_px": 8,
    }
    draws = True


class TestFasterRCNNOnOneMap(TestFasterRCNN):
    options: ClassVar[dict[str, Any]] = {**TestFasterRCNN.options, "backbone": "resnet18", "features": "C4"}


class TestPapersFasterRCNN(DetectorContract):
    name = "faster_rcnn_vgg16"
    options: ClassVar[dict[str, Any]] = {"width": 2, "proposals": 20}
    side = 160
    other_sides = (160, 200)
    draws = True


class TestFasterRCNNOnZF(DetectorContract):
    name = "faster_rcnn_zf"
    options: ClassVar[dict[str, Any]] = {"width": 4, "proposals": 20}
    side = 160
    other_sides = (160, 200)
    draws = True


class WithScores(DetectorContract):
    """A net with scores within 0..1, where others are beyond 1, and of one size, as its last layers take."""

    options: ClassVar[dict[str, Any]] = {"width": 4, "input_size": 64, "grid": 3, "batch_norm": True}
    other_sides = (64, 64)

    def lively(self) -> Detector:
        system = super().lively()
        nn.init.normal_(system.net.head[-1].weight, std=0.003)
        return system


class TestYOLOv1(WithScores):
    name = "yolov1"


class TestFastYOLO(WithScores):
    name = "yolov1_tiny"


class TestFastRCNN(RegionDetectorContract):
    name = "fast_rcnn"
    options: ClassVar[dict[str, Any]] = {**NARROW, "hidden": 16, "proposals": 40}
    draws = True

    def with_boxes_of_each_map(self, system: Detector) -> Batch:
        """True boxes are regions too, and by their area each is looked at in another map, also beyond the edge."""
        batch = self.batch()
        boxes = torch.tensor([[0.0, 0.0, side, side] for side in (60, 150, 300, 500)])
        images, labels = len(batch.ids), torch.arange(4) % 2
        truth = boxes, labels, torch.zeros(4, dtype=torch.bool)
        return batch._replace(targets=TrueBoxes(*(torch.stack([member] * images) for member in truth)))


class TestPapersFastRCNN(RegionDetectorContract):
    name = "fast_rcnn_vgg16"
    options: ClassVar[dict[str, Any]] = {"width": 2, "proposals": 40}
    draws = True


class TestRCNN(RegionDetectorContract):
    name = "rcnn"
    options: ClassVar[dict[str, Any]] = {"backbone": "resnet18", "width": 4, "window_px": 32, "proposals": 40}
    draws = True


class TestRCNNOverCaffeNet(RegionDetectorContract):
    name = "rcnn"
    options: ClassVar[dict[str, Any]] = {"width": 4, "init": "he", "window_px": 67, "proposals": 40}
    draws = True


class TestSPPNet(RegionDetectorContract):
    name = "sppnet"
    options: ClassVar[dict[str, Any]] = {
        "backbone": "resnet18",
        "width": 4,
        "features": "C3",
        "hidden": 64,
        "proposals": 20,
    }
    side = 96  # so that no two regions have the same cells, and so the same score
    draws = True


class TestSPPNetOverZF5(RegionDetectorContract):
    name = "sppnet"
    options: ClassVar[dict[str, Any]] = {"width": 8, "init": "he", "proposals": 20, "scales": 5, "canonical_px": 40}
    side = 96
    other_sides = (100, 130)
    draws = True


class TestYOLOv2(DetectorContract):
    name = "yolov2"
    options: ClassVar[dict[str, Any]] = {"width": 4, "anchors": "14,8 8,14 30,30"}


class TestYOLOv3(DetectorContract):
    name = "yolov3"
    options: ClassVar[dict[str, Any]] = {
        "backbone": "resnet18",
        "width": 4,
        "channels": 64,
        "anchors": "14,8 8,14 20,20",
    }


class TestYOLOv3Tiny(DetectorContract):
    name = "yolov3_tiny"
    options: ClassVar[dict[str, Any]] = {"width": 4, "anchors": "14,8 8,14 20,20 30,30"}


def test_every_builder_of_a_detector_keeps_the_contract() -> None:
    direct = DetectorContract.__subclasses__()
    tests = [*direct, *(test for above in direct for test in above.__subclasses__())]
    kept = {test.name for test in tests if hasattr(test, "name")}
    builders = {row.name: row.builder for row in ROWS if row.task == "detection"}
    assert {builders[name] for name in kept if name} == {*builders.values()}
