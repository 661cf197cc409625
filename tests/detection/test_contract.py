"""The contract of detectors, kept by each."""

from typing import Any, ClassVar

from detection.contract import DetectorContract
from torch import nn

from resvision.catalog import ROWS
from resvision.detection.detector import Detector

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


def test_every_builder_of_a_detector_keeps_the_contract() -> None:
    direct = DetectorContract.__subclasses__()
    tests = [*direct, *(test for above in direct for test in above.__subclasses__())]
    kept = {test.name for test in tests if hasattr(test, "name")}
    builders = {row.name: row.builder for row in ROWS if row.task == "detection"}
    assert {builders[name] for name in kept} == {*builders.values()}
