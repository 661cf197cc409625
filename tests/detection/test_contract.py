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


class TestRefineDet(DetectorContract):
    name = "refinedet"
    options: ClassVar[dict[str, Any]] = {**NARROW, "input_size": 64}


class TestRefineDet320(DetectorContract):
    name = "refinedet320"
    options: ClassVar[dict[str, Any]] = {"width": 2}
    side = 320
    other_sides = (256, 330)


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


def test_every_builder_of_a_detector_keeps_the_contract() -> None:
    kept = {test.name for test in DetectorContract.__subclasses__()}
    builders = {row.name: row.builder for row in ROWS if row.task == "detection"}
    assert {builders[name] for name in kept} == {*builders.values()}
