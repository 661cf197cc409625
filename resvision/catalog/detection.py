"""The rows of detectors: those with regions, then those of one stage."""

from functools import partial

from resvision.catalog.row import Row

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
    _yolov1("yolov1", usual={"backbone": "extraction"}, builder="resvision.detection.yolov1_nets:yolov1"),
    _yolov1("yolov1_tiny", builder="resvision.detection.yolov1_nets:yolov1_tiny"),
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
)
