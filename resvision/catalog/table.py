"""The table of models that can be built by name. Rows name functions as text, so the table loads no torch.

A user's own builder is named like ours, `package.module:function`, wherever a name is taken.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any

from resvision.core import references
from resvision.core.errors import unknown_name
from resvision.kinds.table import TASKS, USUAL


@dataclass(frozen=True)
class Row:
    """A row describes one model.

    options      builder arguments that the name fixes, so that a user cannot give them
    usual        builder arguments that apply unless a user gives others
    builder      "module:function"; its other parameters are the options that a user may give. If it has a parameter
                 `backbone` that is an nn.Module, the user gives the name of a model, whose options are options of this
                 model too
    system       "module:class" that trains the net, where that is not the usual system of its task
    recipe       the recipe when none is named
    input        (C, H, W) of the paper's images
    num_classes  the paper's number of classes, None for a net without classes
    encoder      the model whose weights the net's first layers take, where it stands on no backbone
    is_backbone  whether a system may stand on the net, if the net has the stages that the system needs
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    usual: Mapping[str, Any] = field(default_factory=dict)
    task: str = USUAL
    paper: str
    year: int
    builder: str
    system: str = ""
    recipe: str = TASKS[USUAL].recipe
    input: tuple[int, int, int] = (3, 32, 32)
    num_classes: int | None = 10
    encoder: str = ""
    is_backbone: bool = True


_lenet_1998 = partial(
    Row,
    paper="LeCun et al. 1998, Gradient-Based Learning, doi:10.1109/5.726791",
    year=1998,
    input=(1, 32, 32),
)
_vgg_2014 = partial(
    Row,
    paper="Simonyan, Zisserman 2014, Very Deep Convolutional Networks, arXiv:1409.1556",
    year=2014,
    builder="resvision.classification.vgg:vgg",
    recipe="vgg-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_sppnet_2014 = partial(
    Row,
    paper="He et al. 2014, Spatial Pyramid Pooling, arXiv:1406.4729",
    year=2014,
    recipe="alexnet-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_imagenet_2015 = partial(
    Row,
    paper="He et al. 2015, Deep Residual Learning, arXiv:1512.03385",
    year=2015,
    builder="resvision.classification.resnet:resnet",
    recipe="photos-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_cifar_2015 = partial(
    Row,
    paper="He et al. 2015, Deep Residual Learning, arXiv:1512.03385",
    year=2015,
    builder="resvision.classification.resnet_cifar:resnet_cifar",
)
_cifar_2016 = partial(
    Row,
    paper="He et al. 2016, Identity Mappings, arXiv:1603.05027",
    year=2016,
    builder="resvision.classification.preresnet:preresnet",
)
_googlenet = partial(
    Row,
    paper="Szegedy et al. 2014, Going Deeper with Convolutions, arXiv:1409.4842",
    year=2014,
    builder="resvision.classification.googlenet:googlenet",
    system="resvision.classification.auxiliary:AuxiliaryClassifier",
    recipe="inception-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_bn_inception = partial(
    Row,
    paper="Ioffe, Szegedy 2015, Batch Normalization, arXiv:1502.03167",
    year=2015,
    builder="resvision.classification.bn_inception:bn_inception",
    recipe="inception-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_prelunet = partial(
    Row,
    paper="He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852",
    year=2015,
    builder="resvision.classification.prelunet:prelunet",
    recipe="prelunet-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_darknet = partial(
    Row,
    recipe="photos-short",
    num_classes=1000,
)
_perceptron = partial(
    Row,
    paper="ours, after He et al. 2015, arXiv:1512.03385",
    year=2015,
    builder="resvision.classification.mlp:mlp",
)
_motion = partial(
    Row,
    task="motion",
    recipe="motion-short",
    is_backbone=False,
    num_classes=None,
)
_segmentation = partial(
    Row,
    task="segmentation",
    recipe="segmentation-short",
    is_backbone=False,
    input=(3, 512, 512),
    num_classes=21,
)
_fcn = partial(
    _segmentation,
    paper="Long et al. 2015, Fully Convolutional Networks, arXiv:1411.4038",
    year=2015,
)
_fcn_vgg = partial(
    _fcn,
    builder="resvision.segmentation.fcn_vgg:fcn_vgg",
    encoder="vgg16",
    input=(3, 500, 500),
)
_fcn_any = partial(
    _fcn,
    builder="resvision.segmentation.fcn:fcn",
)
_pspnet = partial(
    _segmentation,
    paper="Zhao et al. 2017, Pyramid Scene Parsing Network, arXiv:1612.01105",
    year=2017,
    builder="resvision.segmentation.pspnet:pspnet",
    input=(3, 473, 473),
)
_deeplabv3 = partial(
    _segmentation,
    paper="Chen et al. 2017, Rethinking Atrous Convolution, arXiv:1706.05587",
    year=2017,
    builder="resvision.segmentation.deeplabv3:deeplabv3",
    input=(3, 513, 513),
)
_deeplabv3plus = partial(
    _segmentation,
    paper="Chen et al. 2018, Encoder-Decoder with Atrous Separable Convolution, arXiv:1802.02611",
    year=2018,
    builder="resvision.segmentation.deeplabv3plus:deeplabv3plus",
    input=(3, 513, 513),
)
_unet = partial(
    _segmentation,
    paper="Ronneberger et al. 2015, U-Net, arXiv:1505.04597",
    year=2015,
    num_classes=2,
)

_detection = partial(
    Row,
    task="detection",
    recipe="detection-short",
    is_backbone=False,
)
_retinanet = partial(
    _detection,
    paper="Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv:1708.02002",
    year=2017,
    builder="resvision.detection.retinanet:retinanet",
    system="resvision.detection.retinanet:RetinaNetDetector",
    input=(3, 600, 600),
    num_classes=80,
)
_ssd = partial(
    _detection,
    paper="Liu et al. 2016, SSD: Single Shot MultiBox Detector, arXiv:1512.02325",
    year=2016,
    system="resvision.detection.ssd:SSDDetector",
    input=(3, 300, 300),
    num_classes=20,
)
_fast_rcnn = partial(
    _detection,
    paper="Girshick 2015, Fast R-CNN, arXiv:1504.08083",
    year=2015,
    system="resvision.detection.fast_rcnn:FastRCNNDetector",
    input=(3, 600, 1000),
    num_classes=20,
)
_refinedet = partial(
    _detection,
    paper="Zhang et al. 2018, Single-Shot Refinement Neural Network for Object Detection, arXiv:1711.06897",
    year=2018,
    system="resvision.detection.refinedet:RefineDetDetector",
    input=(3, 320, 320),
    num_classes=20,
)
_faster_rcnn = partial(
    _detection,
    paper="Ren et al. 2015, Faster R-CNN, arXiv:1506.01497",
    year=2015,
    builder="resvision.detection.faster_rcnn_nets:faster_rcnn",
    system="resvision.detection.faster_rcnn:FasterRCNNDetector",
    input=(3, 600, 1000),
    num_classes=20,
)
_yolov1 = partial(
    _detection,
    paper="Redmon et al. 2016, You Only Look Once, arXiv:1506.02640",
    year=2016,
    system="resvision.detection.yolov1:YOLOv1Detector",
    input=(3, 448, 448),
    num_classes=20,
)
_yolov2 = partial(
    _detection,
    paper="Redmon, Farhadi 2016, YOLO9000, arXiv:1612.08242",
    year=2016,
    builder="resvision.detection.yolov2:yolov2",
    system="resvision.detection.yolov2:YOLOv2Detector",
    input=(3, 416, 416),
    num_classes=20,
)
_yolov3 = partial(
    _detection,
    paper="Redmon, Farhadi 2018, YOLOv3, arXiv:1804.02767",
    year=2018,
    system="resvision.detection.yolov3:YOLOv3Detector",
    input=(3, 416, 416),
    num_classes=80,
)

ROWS = (
    _lenet_1998(
        "lenet5",
        builder="resvision.classification.lenet:lenet5",
        system="resvision.classification.lenet:LeNetClassifier",
        recipe="lenet-short",
    ),
    _lenet_1998("lenet5_modern", builder="resvision.classification.lenet:lenet5_modern"),
    Row(
        "alexnet_2012",
        paper="Krizhevsky et al. 2012, ImageNet Classification, doi:10.1145/3065386",
        year=2012,
        builder="resvision.classification.alexnet:alexnet_2012",
        recipe="alexnet-short",
        input=(3, 227, 227),
        num_classes=1000,
    ),
    Row(
        "caffenet",
        {"pool_first": True},
        paper="Jia et al. 2014, Caffe, arXiv:1408.5093",
        year=2014,
        builder="resvision.classification.alexnet:alexnet_2012",
        recipe="alexnet-short",
        input=(3, 227, 227),
        num_classes=1000,
    ),
    Row(
        "alexnet",
        paper="Krizhevsky 2014, One Weird Trick, arXiv:1404.5997",
        year=2014,
        builder="resvision.classification.alexnet:alexnet",
        recipe="alexnet-short",
        input=(3, 224, 224),
        num_classes=1000,
    ),
    _sppnet_2014("zf5", builder="resvision.classification.zf5:zf5"),
    _sppnet_2014("sppnet_zf5", builder="resvision.classification.zf5:sppnet_zf5"),
    _vgg_2014("vgg11", {"config": "A", "batch_norm": False}),
    _vgg_2014("vgg13", {"config": "B", "batch_norm": False}),
    _vgg_2014("vgg16", {"config": "D", "batch_norm": False}),
    _vgg_2014("vgg19", {"config": "E", "batch_norm": False}),
    _vgg_2014("vgg11_bn", {"config": "A", "batch_norm": True}),
    _vgg_2014("vgg13_bn", {"config": "B", "batch_norm": True}),
    _vgg_2014("vgg16_bn", {"config": "D", "batch_norm": True}),
    _vgg_2014("vgg19_bn", {"config": "E", "batch_norm": True}),
    _vgg_2014("vgg11_lrn", {"config": "A-LRN", "batch_norm": False}),
    _vgg_2014("vgg16_c", {"config": "C", "batch_norm": False}),
    _imagenet_2015("resnet18", {"depth": 18}),
    _imagenet_2015("resnet34", {"depth": 34}),
    _imagenet_2015("resnet50", {"depth": 50}),
    _imagenet_2015("resnet101", {"depth": 101}),
    _imagenet_2015("resnet152", {"depth": 152}),
    _imagenet_2015("resnet50_v1", {"depth": 50, "stride_in": "1x1"}),
    _imagenet_2015("resnet101_v1", {"depth": 101, "stride_in": "1x1"}),
    _imagenet_2015("resnet152_v1", {"depth": 152, "stride_in": "1x1"}),
    _imagenet_2015("resnet18_a", {"depth": 18, "shortcut": "A"}),
    _imagenet_2015("resnet34_a", {"depth": 34, "shortcut": "A"}),
    _imagenet_2015("resnet34_b", {"depth": 34, "shortcut": "B"}),
    _imagenet_2015("resnet34_c", {"depth": 34, "shortcut": "C"}),
    _imagenet_2015("plain18", {"depth": 18, "shortcut": "none"}),
    _imagenet_2015("plain34", {"depth": 34, "shortcut": "none"}),
    _cifar_2015("resnet20", {"depth": 20}),
    _cifar_2015("resnet32", {"depth": 32}),
    _cifar_2015("resnet44", {"depth": 44}),
    _cifar_2015("resnet56", {"depth": 56}),
    _cifar_2015("resnet110", {"depth": 110}),
    _cifar_2015("resnet1202", {"depth": 1202}),
    _cifar_2015("resnet20_b", {"depth": 20, "shortcut": "B"}),
    _cifar_2015("resnet32_b", {"depth": 32, "shortcut": "B"}),
    _cifar_2015("resnet44_b", {"depth": 44, "shortcut": "B"}),
    _cifar_2015("resnet56_b", {"depth": 56, "shortcut": "B"}),
    _cifar_2015("resnet110_b", {"depth": 110, "shortcut": "B"}),
    _cifar_2015("resnet1202_b", {"depth": 1202, "shortcut": "B"}),
    _cifar_2015("plain20", {"depth": 20, "shortcut": "none"}),
    _cifar_2015("plain32", {"depth": 32, "shortcut": "none"}),
    _cifar_2015("plain44", {"depth": 44, "shortcut": "none"}),
    _cifar_2015("plain56", {"depth": 56, "shortcut": "none"}),
    _cifar_2015("plain110", {"depth": 110, "shortcut": "none"}),
    _cifar_2016("preresnet20", {"depth": 20, "block": "basic"}),
    _cifar_2016("preresnet32", {"depth": 32, "block": "basic"}),
    _cifar_2016("preresnet56", {"depth": 56, "block": "basic"}),
    _cifar_2016("preresnet110", {"depth": 110, "block": "basic"}),
    _cifar_2016("preresnet29", {"depth": 29, "block": "bottleneck"}),
    _cifar_2016("preresnet47", {"depth": 47, "block": "bottleneck"}),
    _cifar_2016("preresnet83", {"depth": 83, "block": "bottleneck"}),
    _cifar_2016("preresnet164", {"depth": 164, "block": "bottleneck"}),
    _cifar_2016("preresnet1001", {"depth": 1001, "block": "bottleneck"}),
    Row(
        "resnet_forms",
        paper="He et al. 2016, Identity Mappings, arXiv:1603.05027",
        year=2016,
        builder="resvision.classification.shortcut_forms:resnet_forms",
    ),
    _googlenet("googlenet", {"variant": "torchvision"}),
    _googlenet("googlenet_2014", {"variant": "2014"}),
    _bn_inception("bn_inception"),
    _prelunet("prelunet_a", {"model": "A"}),
    _prelunet("prelunet_b", {"model": "B"}),
    _prelunet("prelunet_c", {"model": "C"}),
    Row(
        "xception65",
        paper="Chen et al. 2018, Encoder-Decoder with Atrous Separable Convolution, arXiv:1802.02611",
        year=2018,
        builder="resvision.classification.xception65:xception65",
        recipe="photos-short",
        input=(3, 299, 299),
        num_classes=1000,
    ),
    Row(
        "extraction",
        paper="Redmon et al. 2016, You Only Look Once, arXiv:1506.02640",
        year=2016,
        builder="resvision.classification.extraction:extraction",
        recipe="photos-short",
        input=(3, 224, 224),
        num_classes=1000,
    ),
    _darknet(
        "darknet19",
        paper="Redmon, Farhadi 2016, YOLO9000, arXiv:1612.08242",
        year=2016,
        builder="resvision.classification.darknet:darknet19",
        input=(3, 224, 224),
    ),
    _darknet(
        "darknet53",
        paper="Redmon, Farhadi 2018, YOLOv3, arXiv:1804.02767",
        year=2018,
        builder="resvision.classification.darknet:darknet53",
        input=(3, 256, 256),
    ),
    _perceptron("resmlp", {"shortcut": "identity"}),
    _perceptron("plainmlp", {"shortcut": "none"}),
    _fcn_vgg("fcn32s", {"stride": 32}),
    _fcn_vgg("fcn16s", {"stride": 16}),
    _fcn_vgg("fcn8s", {"stride": 8}),
    _fcn_any("fcn", usual={"backbone": "resnet50"}),
    _fcn_any("fcn_resnet50", {"backbone": "resnet50"}),
    _fcn_any("fcn_resnet101", {"backbone": "resnet101"}),
    _pspnet("pspnet", usual={"backbone": "resnet50"}),
    # As released: the encoder of 50 layers strides in its 1x1 convolutions, that of 101 in its 3x3.
    _pspnet("pspnet_resnet50", {"backbone": "resnet50"}, usual={"stem": "deep", "stride_in": "1x1"}),
    _pspnet("pspnet_resnet101", {"backbone": "resnet101"}, usual={"stem": "deep"}),
    _deeplabv3("deeplabv3", usual={"backbone": "resnet50"}),
    _deeplabv3("deeplabv3_resnet50", {"backbone": "resnet50", "head": "torchvision"}),
    _deeplabv3("deeplabv3_resnet101", {"backbone": "resnet101", "head": "torchvision"}),
    _deeplabv3("deeplabv3_2017_resnet50", {"backbone": "resnet50", "head": "2017"}),
    _deeplabv3("deeplabv3_2017_resnet101", {"backbone": "resnet101", "head": "2017"}),
    _deeplabv3plus("deeplabv3plus", usual={"backbone": "resnet50"}),
    _deeplabv3plus("deeplabv3plus_resnet18", {"backbone": "resnet18"}),
    _deeplabv3plus("deeplabv3plus_resnet50", {"backbone": "resnet50"}),
    _deeplabv3plus("deeplabv3plus_resnet101", {"backbone": "resnet101"}),
    _deeplabv3plus("deeplabv3plus_xception65", {"backbone": "xception65"}, usual={"depthwise": True}),
    _unet("unet", builder="resvision.segmentation.unet:unet", input=(1, 572, 572)),
    _unet("unet_padded", builder="resvision.segmentation.unet:unet_padded"),
    _unet("unet_encoder", usual={"backbone": "resnet18"}, builder="resvision.segmentation.unet:unet_encoder"),
    _segmentation(
        "deconvnet",
        paper="Noh et al. 2015, Learning Deconvolution Network, arXiv:1505.04366",
        year=2015,
        builder="resvision.segmentation.deconvnet:deconvnet",
        encoder="vgg16_bn",
        input=(3, 224, 224),
    ),
    _detection(
        "rcnn",
        usual={"backbone": "caffenet"},
        paper="Girshick et al. 2014, Rich Feature Hierarchies, arXiv:1311.2524",
        year=2014,
        builder="resvision.detection.rcnn:rcnn",
        system="resvision.detection.rcnn:RCNNDetector",
        recipe="rcnn-short",
        input=(3, 227, 227),
        num_classes=20,
    ),
    _detection(
        "sppnet",
        usual={"backbone": "sppnet_zf5"},
        paper="He et al. 2014, Spatial Pyramid Pooling, arXiv:1406.4729",
        year=2014,
        builder="resvision.detection.sppnet:sppnet",
        system="resvision.detection.sppnet:SPPNetDetector",
        recipe="sppnet-detection-short",
        input=(3, 688, 917),
        num_classes=20,
    ),
    _fast_rcnn("fast_rcnn", usual={"backbone": "resnet50"}, builder="resvision.detection.fast_rcnn:fast_rcnn"),
    _fast_rcnn("fast_rcnn_vgg16", builder="resvision.detection.fast_rcnn:fast_rcnn_vgg16", encoder="vgg16"),
    _faster_rcnn("faster_rcnn", usual={"backbone": "resnet50"}),
    _faster_rcnn(
        "faster_rcnn_vgg16", builder="resvision.detection.faster_rcnn_nets:faster_rcnn_vgg16", encoder="vgg16"
    ),
    _faster_rcnn("faster_rcnn_zf", builder="resvision.detection.faster_rcnn_nets:faster_rcnn_zf", encoder="zf5"),
    _faster_rcnn(
        "fasterrcnn_resnet50_fpn",
        {"backbone": "resnet50", "features": "pyramid"},
        input=(3, 800, 800),
        num_classes=90,
    ),
    _yolov1("yolov1", usual={"backbone": "extraction"}, builder="resvision.detection.yolov1:yolov1"),
    _yolov1("yolov1_tiny", builder="resvision.detection.yolov1:yolov1_tiny"),
    _ssd("ssd", usual={"backbone": "vgg16"}, builder="resvision.detection.ssd:ssd"),
    _ssd("ssd300_vgg16", builder="resvision.detection.ssd:ssd300_vgg16", encoder="vgg16"),
    _yolov2("yolov2", usual={"backbone": "darknet19"}),
    # The rows of torchvision's nets have the classes that its files are for, COCO's ids with their gaps.
    _retinanet("retinanet", usual={"backbone": "resnet50"}),
    _retinanet("retinanet_2017_resnet50", {"backbone": "resnet50", "variant": "2017"}),
    _retinanet("retinanet_2017_resnet101", {"backbone": "resnet101", "variant": "2017"}),
    _retinanet(
        "retinanet_resnet50_fpn",
        {"backbone": "resnet50", "variant": "torchvision"},
        input=(3, 800, 800),
        num_classes=91,
    ),
    _refinedet("refinedet", usual={"backbone": "vgg16"}, builder="resvision.detection.refinedet:refinedet"),
    _refinedet("refinedet320", builder="resvision.detection.refinedet:refinedet320", encoder="vgg16"),
    _yolov3("yolov3", usual={"backbone": "darknet53"}, builder="resvision.detection.yolov3:yolov3"),
    _yolov3("yolov3_tiny", builder="resvision.detection.yolov3:yolov3_tiny"),
    _motion(
        "motion_regression",
        usual={"backbone": "resnet50", "in_channels": 25},
        paper="Houston et al. 2020, One Thousand and One Hours, arXiv:2006.14480",
        year=2020,
        builder="resvision.motion.motion_regression:motion_regression",
        system="resvision.motion.motion_regression:RegressionForecaster",
        input=(25, 224, 224),
    ),
    _motion(
        "mtp",
        usual={"backbone": "resnet50"},
        paper="Cui et al. 2019, Multimodal Trajectory Predictions, arXiv:1809.10732",
        year=2019,
        builder="resvision.motion.mtp:mtp",
        system="resvision.motion.mtp:MTPForecaster",
        input=(3, 300, 300),
    ),
    _motion(
        "covernet",
        usual={"backbone": "resnet50"},
        paper="Phan-Minh et al. 2020, CoverNet, arXiv:1911.10298",
        year=2020,
        builder="resvision.motion.covernet:covernet",
        system="resvision.motion.covernet:CoverForecaster",
        input=(3, 500, 500),
    ),
    _motion(
        "vector",
        paper="ours, baselines without a raster",
        year=2026,
        builder="resvision.motion.vector:vector",
        system="resvision.motion.mtp:MTPForecaster",
        input=(3, 224, 224),
    ),
    _motion(
        "replay",
        paper="ours, baselines without a raster",
        year=2026,
        builder="resvision.motion.replay:replay",
        system="resvision.motion.replay:ReplayForecaster",
        recipe="motion-replay",
        input=(3, 224, 224),
    ),
)
_BY_NAME = {row.name: row for row in ROWS}


def find(name: str) -> Row:
    """The row of a model's name; for `package.module:function`, a new row that names this function as builder.

    Raises UnknownNameError with the nearest names.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    if references.is_reference(name):
        return Row(name, paper="your own", year=0, builder=name)
    raise unknown_name("model", name, _BY_NAME, remedy="`resvision list` shows all")
