"""The rows of segmentation nets, one paper a block."""

from functools import partial

from resvision.catalog.row import Row

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

ROWS = (
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
)
