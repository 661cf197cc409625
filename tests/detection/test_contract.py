"""The contract of detectors, kept by each."""

from typing import Any, ClassVar

from detection.contract import DetectorContract

from resvision.catalog import ROWS

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


class TestYOLOv2(DetectorContract):
    name = "yolov2"
    options: ClassVar[dict[str, Any]] = {"width": 4, "anchors": "14,8 8,14 30,30"}


class TestYOLOv2OverAResNet(TestYOLOv2):
    options: ClassVar[dict[str, Any]] = {"backbone": "resnet18", "width": 4, "anchors": "14,8 8,14 30,30"}


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
    kept = {test.name for test in DetectorContract.__subclasses__()}
    builders = {row.name: row.builder for row in ROWS if row.task == "detection"}
    assert {builders[name] for name in kept} == {*builders.values()}
