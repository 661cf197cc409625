"""The results of the papers as a table, by data set, net and test protocol. Importing it loads no torch.

It has only figures read in a paper, in its authors' code, or in torchvision's description of its weights; nothing from
memory. They are printed as published, never as measured. Where one net has two rows that agree in all else, its paper
trained it in two ways, which `note` tells.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True)
class Published:
    """One published result.

    net       the name in our catalog of the net as it was published
    top1      error in percent, as printed or as 100 - accuracy; None where it is not given
    top5      the same, of the five most probable classes
    data      the name of the data set here; its validation images for imagenet, its test images for the others
    protocol  the preset of `resvision evaluate` that tests the same way, empty where none does
    scales    shorter sides of the images in pixels, for protocols that take them
    source    paper or code, with its table
    note      the difference from other results of the same net
    """

    net: str
    top1: float | None
    top5: float | None
    _: KW_ONLY
    data: str = "imagenet"
    protocol: str
    scales: tuple[int, ...] = ()
    source: str
    note: str = ""

    @property
    def percents(self) -> dict[str, float | None]:
        """The results by the names of our figures."""
        return {"top1_error": self.top1, "top5_error": self.top5}

    @property
    def where(self) -> str:
        """Source and note in a line."""
        return f"{self.source}; {self.note}" if self.note else self.source


@dataclass(frozen=True)
class PublishedBoxes:
    """One published result of a detector; fields that it shares are as in `Published`.

    ap, ap50  COCO's, in percent; None where they are not given
    voc07     the mean over the classes of VOC 2007, in percent
    note      the images that it was trained on, and the split where that is another one
    """

    net: str
    ap: float | None = None
    ap50: float | None = None
    voc07: float | None = None
    _: KW_ONLY
    data: str
    protocol: str
    scales: tuple[int, ...] = ()
    source: str
    note: str = ""

    @property
    def percents(self) -> dict[str, float | None]:
        """The results by the names of our figures."""
        return {"ap": self.ap, "ap50": self.ap50, "voc07": self.voc07}

    @property
    def where(self) -> str:
        """Source and note in a line."""
        return f"{self.source}; {self.note}" if self.note else self.source


@dataclass(frozen=True)
class PublishedEnsemble:
    """One published result of several nets with averaged probabilities; fields that it shares are as in `Published`.

    nets   number of nets
    split  val, or test by the challenge's server
    """

    name: str
    nets: int
    top1: float | None
    top5: float
    _: KW_ONLY
    data: str = "imagenet"
    split: str
    protocol: str = ""
    source: str

    @property
    def percents(self) -> dict[str, float | None]:
        """The results by the names of our figures."""
        return {"top1_error": self.top1, "top5_error": self.top5}

    @property
    def where(self) -> str:
        """Source and images in a line."""
        return f"{self.source}, {self.split} images"


_RESNET = "He et al. 2015, arXiv:1512.03385"
_IDENTITY = "He et al. 2016, arXiv:1603.05027"
_ALEXNET = "Krizhevsky et al. 2012"
_VGG = "Simonyan and Zisserman 2014, arXiv:1409.1556"
_GOOGLENET = "Szegedy et al. 2014, arXiv:1409.4842, table 3"
_BN_INCEPTION = "Ioffe and Szegedy 2015, arXiv:1502.03167"
_RCNN = "Girshick et al. 2014, arXiv:1311.2524"
_SPPNET = "He et al. 2014, arXiv:1406.4729"
_FAST_RCNN = "Girshick 2015, arXiv:1504.08083"
_YOLO = "Redmon et al. 2016, arXiv:1506.02640"
_FASTER_RCNN = "Ren et al. 2015, arXiv:1506.01497"
_SSD = "Liu et al. 2016, arXiv:1512.02325"
_REFINEDET = "Zhang et al. 2018, arXiv:1711.06897"
_RETINANET = "Lin et al. 2017, arXiv:1708.02002"
_CAFFE = "BVLC Caffe model zoo"
_JITTER = "256..512"
_RESNET_SCALES = (224, 256, 384, 480, 640)


def _torchvision(net: str, top1_accuracy: float, top5_accuracy: float, weights: str = "IMAGENET1K_V1") -> Published:
    """The row of a pair of accuracies that torchvision reports, turned into errors."""
    errors = round(100 - top1_accuracy, 3), round(100 - top5_accuracy, 3)
    return Published(net, *errors, protocol="center-crop", source=f"torchvision 0.29, {weights}")


def _cifar(net: str, error: float, source: str, *, data: str = "cifar10", note: str = "") -> Published:
    return Published(net, error, None, data=data, protocol="center-crop", source=source, note=note)


def _ten_crop(net: str, top1: float, top5: float | None, table: str) -> Published:
    return Published(net, top1, top5, protocol="ten-crop", source=f"{_RESNET}, {table}")


def _dense(net: str, top1: float, top5: float) -> Published:
    source = f"{_RESNET}, table 4"
    return Published(net, top1, top5, protocol="dense", scales=_RESNET_SCALES, source=source)


def _vgg(net: str, top1: float, top5: float, trained_at: str, *scales: int) -> Published:
    table = "table 3" if len(scales) == 1 else "table 4"
    return Published(
        net,
        top1,
        top5,
        protocol="vgg-dense",
        scales=scales,
        source=f"{_VGG}, {table}",
        note=f"trained at S = {trained_at}",
    )


def _coco(net: str, ap: float, source: str, *, note: str = "") -> PublishedBoxes:
    return PublishedBoxes(net, ap, data="coco", protocol="coco", source=source, note=note)


def _boxes_of_torchvision(net: str, ap: float) -> PublishedBoxes:
    return _coco(net, ap, "torchvision 0.29, COCO_V1")


def _voc07(net: str, percent: float, source: str, note: str) -> PublishedBoxes:
    return PublishedBoxes(net, voc07=percent, data="voc", protocol="voc07", source=source, note=note)


RESULTS = (
    Published(
        "lenet5", 0.95, None, data="mnist", protocol="center-crop", source="LeCun et al. 1998", note="no distortions"
    ),
    Published(
        "lenet5", 0.8, None, data="mnist", protocol="center-crop", source="LeCun et al. 1998", note="with distortions"
    ),
    Published("alexnet_2012", 40.7, 18.2, protocol="ten-crop", source=f"{_ALEXNET}, table 2"),
    Published("alexnet_2012", 42.9, 19.8, protocol="center-crop", source=_CAFFE, note="bvlc_alexnet"),
    _torchvision("alexnet", 56.522, 79.066),
    Published("zf5", 35.99, 14.76, protocol="ten-crop", source=f"{_SPPNET}, table 2"),
    Published("sppnet_zf5", 34.98, 14.14, protocol="ten-crop", source=f"{_SPPNET}, table 2", note="50 bins, 224 px"),
    Published("sppnet_zf5", 35.06, 14.04, protocol="ten-crop", source=f"{_SPPNET}, section 3.1", note="30 bins"),
    _vgg("vgg11", 29.6, 10.4, "256", 256),
    _vgg("vgg11_lrn", 29.7, 10.5, "256", 256),
    _vgg("vgg13", 28.7, 9.9, "256", 256),
    _vgg("vgg16_c", 28.1, 9.4, "256", 256),
    _vgg("vgg16_c", 28.1, 9.3, "384", 384),
    _vgg("vgg16_c", 27.3, 8.8, _JITTER, 384),
    _vgg("vgg16", 27.0, 8.8, "256", 256),
    _vgg("vgg16", 26.8, 8.7, "384", 384),
    _vgg("vgg16", 25.6, 8.1, _JITTER, 384),
    _vgg("vgg16", 24.8, 7.5, _JITTER, 256, 384, 512),
    _vgg("vgg19", 27.3, 9.0, "256", 256),
    _vgg("vgg19", 26.9, 8.7, "384", 384),
    _vgg("vgg19", 25.5, 8.0, _JITTER, 384),
    _vgg("vgg19", 24.8, 7.5, _JITTER, 256, 384, 512),
    _ten_crop("vgg16", 28.07, 9.33, "table 3"),
    _torchvision("vgg11", 69.020, 88.628),
    _torchvision("vgg13", 69.928, 89.246),
    _torchvision("vgg16", 71.592, 90.382),
    _torchvision("vgg19", 72.376, 90.876),
    _torchvision("vgg11_bn", 70.370, 89.810),
    _torchvision("vgg13_bn", 71.586, 90.374),
    _torchvision("vgg16_bn", 73.360, 91.516),
    _torchvision("vgg19_bn", 74.218, 91.842),
    Published("googlenet_2014", None, 10.07, protocol="center-crop", source=_GOOGLENET),
    Published("googlenet_2014", None, 9.15, protocol="ten-crop", source=_GOOGLENET),
    Published("googlenet_2014", None, 7.89, protocol="googlenet-144", source=_GOOGLENET),
    Published("googlenet_2014", 31.3, 11.1, protocol="center-crop", source=_CAFFE, note="bvlc_googlenet"),
    _torchvision("googlenet", 69.778, 89.530),
    Published("bn_inception", 25.2, 7.82, protocol="center-crop", source=_BN_INCEPTION),
    Published("bn_inception", 21.99, 5.82, protocol="googlenet-144", source=_BN_INCEPTION),
    _ten_crop("prelunet_c", 24.27, 7.38, "table 3"),
    Published("prelunet_c", 21.59, 5.71, protocol="", source=f"{_RESNET}, table 4", note="windows of SPP, many scales"),
    Published("plain18", 27.94, None, protocol="ten-crop", source=f"{_RESNET}, table 2"),
    Published("plain34", 28.54, 10.02, protocol="ten-crop", source=f"{_RESNET}, table 3"),
    Published("resnet18_a", 27.88, None, protocol="ten-crop", source=f"{_RESNET}, table 2"),
    _ten_crop("resnet34_a", 25.03, 7.76, "table 3"),
    _ten_crop("resnet34", 24.52, 7.46, "table 3"),
    _ten_crop("resnet34_b", 24.52, 7.46, "table 3"),
    _ten_crop("resnet34_c", 24.19, 7.40, "table 3"),
    _ten_crop("resnet50_v1", 22.85, 6.71, "table 3"),
    _ten_crop("resnet101_v1", 21.75, 6.05, "table 3"),
    _ten_crop("resnet152_v1", 21.43, 5.71, "table 3"),
    _dense("resnet34", 21.84, 5.71),
    _dense("resnet34_b", 21.84, 5.71),
    _dense("resnet34_c", 21.53, 5.60),
    _dense("resnet50_v1", 20.74, 5.25),
    _dense("resnet101_v1", 19.87, 4.60),
    _dense("resnet152_v1", 19.38, 4.49),
    Published("resnet50_v1", 24.7, 7.8, protocol="center-crop", source="KaimingHe/deep-residual-networks"),
    Published("resnet101_v1", 23.6, 7.1, protocol="center-crop", source="KaimingHe/deep-residual-networks"),
    Published("resnet152_v1", 23.0, 6.7, protocol="center-crop", source="KaimingHe/deep-residual-networks"),
    _torchvision("resnet18", 69.758, 89.078),
    _torchvision("resnet34", 73.314, 91.420),
    _torchvision("resnet50", 76.130, 92.862),
    _torchvision("resnet50", 80.858, 95.434, "IMAGENET1K_V2"),
    _torchvision("resnet101", 77.374, 93.546),
    _torchvision("resnet101", 81.886, 95.780, "IMAGENET1K_V2"),
    _torchvision("resnet152", 78.312, 94.046),
    _torchvision("resnet152", 82.284, 96.002, "IMAGENET1K_V2"),
    _cifar("resnet20", 8.75, f"{_RESNET}, table 6"),
    _cifar("resnet32", 7.51, f"{_RESNET}, table 6"),
    _cifar("resnet44", 7.17, f"{_RESNET}, table 6"),
    _cifar("resnet56", 6.97, f"{_RESNET}, table 6"),
    _cifar("resnet110", 6.43, f"{_RESNET}, table 6", note="best of 5, 6.61 +- 0.16"),
    _cifar("resnet1202", 7.93, f"{_RESNET}, table 6"),
    _cifar("preresnet110", 6.37, f"{_IDENTITY}, table 2", note="median of 5"),
    _cifar("preresnet164", 5.46, f"{_IDENTITY}, table 2", note="median of 5"),
    _cifar("preresnet1001", 4.92, f"{_IDENTITY}, table 4", note="median of 5, 4.89 +- 0.14"),
    _cifar("preresnet1001", 4.62, f"{_IDENTITY}, table 4", note="batch 64, median of 5, 4.69 +- 0.20"),
    _cifar("preresnet164", 24.33, f"{_IDENTITY}, table 3", data="cifar100"),
    _cifar("preresnet1001", 22.71, f"{_IDENTITY}, table 4", data="cifar100", note="median of 5, 22.68 +- 0.22"),
)

BOXES = (
    _boxes_of_torchvision("retinanet_resnet50_fpn", 36.4),
    _boxes_of_torchvision("fasterrcnn_resnet50_fpn", 37.0),
    _boxes_of_torchvision("ssd300_vgg16", 25.1),
    _coco("retinanet_2017_resnet50", 34.3, _RETINANET, note="images of 600 px"),
    _coco("retinanet_2017_resnet101", 36.0, _RETINANET, note="images of 600 px"),
    _voc07("ssd300_vgg16", 68.0, _SSD, "trained on VOC 2007"),
    _voc07("ssd300_vgg16", 74.3, _SSD, "trained on VOC 2007 and 2012"),
    _voc07("ssd300_vgg16", 79.6, _SSD, "trained on VOC 2007, 2012 and COCO"),
    _voc07("ssd300_vgg16", 77.2, f"{_SSD}, the authors' code", "trained on VOC 2007 and 2012, with expansion"),
    _voc07("refinedet320", 80.0, _REFINEDET, "trained on VOC 2007 and 2012, 320 px"),
    _voc07("refinedet320", 81.8, _REFINEDET, "trained on VOC 2007 and 2012, 512 px"),
    _voc07("sppnet", 58.0, _SPPNET, "one scale, trained on VOC 2007"),
    _voc07("sppnet", 59.2, _SPPNET, "five scales, trained on VOC 2007"),
    _voc07("rcnn", 54.2, _RCNN, "trained on VOC 2007, boxes as proposed"),
    _voc07("rcnn", 58.5, _RCNN, "trained on VOC 2007, boxes moved by regression"),
    _voc07("fast_rcnn_vgg16", 66.9, _FAST_RCNN, "trained on VOC 2007"),
    _voc07("fast_rcnn_vgg16", 70.0, _FAST_RCNN, "trained on VOC 2007 and 2012"),
    _voc07("yolov1", 63.4, _YOLO, "trained on VOC 2007 and 2012"),
    _voc07("yolov1_tiny", 52.7, _YOLO, "trained on VOC 2007 and 2012"),
    _voc07("faster_rcnn_zf", 59.9, _FASTER_RCNN, "trained on VOC 2007"),
    _voc07("faster_rcnn_vgg16", 69.9, _FASTER_RCNN, "trained on VOC 2007"),
    _voc07("faster_rcnn_vgg16", 73.2, _FASTER_RCNN, "trained on VOC 2007 and 2012"),
    _voc07("faster_rcnn_vgg16", 78.8, _FASTER_RCNN, "trained on COCO, VOC 2007 and 2012"),
)
"""Of COCO on its validation images; figures of servers, on images whose truth is kept back, are left out."""

ENSEMBLES = (
    PublishedEnsemble("AlexNet", 5, 38.1, 16.4, split="val", protocol="ten-crop", source=f"{_ALEXNET}, table 2"),
    PublishedEnsemble("VGG", 7, 24.7, 7.5, split="val", source=f"{_VGG}, table 6"),
    PublishedEnsemble("VGG-16 and VGG-19", 2, 24.0, 7.1, split="val", protocol="vgg-dense", source=f"{_VGG}, table 6"),
    PublishedEnsemble("GoogLeNet", 7, None, 8.09, split="val", protocol="center-crop", source=_GOOGLENET),
    PublishedEnsemble("GoogLeNet", 7, None, 7.62, split="val", protocol="ten-crop", source=_GOOGLENET),
    PublishedEnsemble("GoogLeNet", 7, None, 6.67, split="val", protocol="googlenet-144", source=_GOOGLENET),
    PublishedEnsemble("BN-Inception", 6, 20.1, 4.9, split="val", source=_BN_INCEPTION),
    PublishedEnsemble("ResNet", 6, None, 3.57, split="test", protocol="dense", source=f"{_RESNET}, table 5"),
)


def of_net(net: str) -> list[Published | PublishedBoxes]:
    """All published results of a net of our catalog."""
    return [row for row in (*RESULTS, *BOXES) if row.net == net]


def published(net: str, *, data: str, protocol: str, scales: Sequence[int] = ()) -> list[Published | PublishedBoxes]:
    """The published results of a net of our catalog on this data, tested the same way; often none.

    `scales` are the shorter sides of the images, empty for protocols that take none.
    """
    asked = (data, protocol, tuple(scales))
    return [row for row in of_net(net) if (row.data, row.protocol, row.scales) == asked]


def published_ensembles(*, data: str, protocol: str) -> list[PublishedEnsemble]:
    """The published results of ensembles on this data, tested the same way."""
    return [row for row in ENSEMBLES if (row.data, row.protocol) == (data, protocol)]
