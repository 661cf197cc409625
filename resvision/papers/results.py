"""Published errors, by the names of our nets: what was printed, under which protocol, and where."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from resvision.papers.tables import GOOGLENET, LENET, PRERESNET, RESNET, VGG

ALEXNET = "Krizhevsky et al. 2012, ImageNet Classification, doi:10.1145/3065386"
BN_INCEPTION = "Ioffe, Szegedy 2015, Batch Normalization, arXiv:1502.03167"
TORCHVISION = "torchvision, IMAGENET1K_V1"


class Published(NamedTuple):
    """Errors in %, as printed; "-" where none is.

    data      the images that were tested
    protocol  how
    source    paper and table, or whose weights
    """

    top1: str
    top5: str
    data: str
    protocol: str
    source: str


IMAGENET, CIFAR = "ImageNet val", "CIFAR-10 test"


def _of(data: str, protocol: str, source: str, top1: str, top5: str = "-") -> Published:
    return Published(top1, top5, data, protocol, source)


_ten_crop = partial(_of, IMAGENET, "10-crop")
_dense = partial(_of, IMAGENET, "fully convolutional, 5 scales", f"{RESNET}, Table 4")
_torchvision = partial(_of, IMAGENET, "centre crop 224 of 256", TORCHVISION)
_cifar = partial(_of, CIFAR, "single view", f"{RESNET}, Table 6")
_median = partial(_of, CIFAR, "single view, median of 5 runs")
_vgg = partial(_of, IMAGENET, "dense, one scale", f"{VGG}, Table 3")
_vgg_scales = partial(_of, IMAGENET, "dense, 3 scales", f"{VGG}, Table 4")
_googlenet = partial(_of, IMAGENET, source=f"{GOOGLENET}, Table 3", top1="-")

_RESNET34_B = (
    _ten_crop(f"{RESNET}, Table 3", "24.52", "7.46"),
    _dense("21.84", "5.71"),
    _torchvision("26.686", "8.580"),
)

RESULTS: Mapping[str, tuple[Published, ...]] = {
    "lenet5": (_of("MNIST test", "single view", LENET, "0.95"),),
    "alexnet_2012": (_ten_crop(f"{ALEXNET}, Table 2", "40.7", "18.2"),),
    "alexnet": (_torchvision("43.478", "20.934"),),
    "vgg11": (_vgg("29.6", "10.4"), _torchvision("30.980", "11.372")),
    "vgg11_lrn": (_vgg("29.7", "10.5"),),
    "vgg13": (_vgg("28.7", "9.9"), _torchvision("30.072", "10.754")),
    "vgg16_c": (_vgg("27.3", "8.8"),),
    "vgg16": (_vgg("25.6", "8.1"), _vgg_scales("24.8", "7.5"), _torchvision("28.408", "9.618")),
    "vgg19": (_vgg("25.5", "8.0"), _vgg_scales("24.8", "7.5"), _torchvision("27.624", "9.124")),
    "vgg11_bn": (_torchvision("29.630", "10.190"),),
    "vgg13_bn": (_torchvision("28.414", "9.626"),),
    "vgg16_bn": (_torchvision("26.640", "8.484"),),
    "vgg19_bn": (_torchvision("25.782", "8.158"),),
    "googlenet_2014": (
        _googlenet("1 crop", top5="10.07"),
        _googlenet("10 crops", top5="9.15"),
        _googlenet("144 crops", top5="7.89"),
    ),
    "googlenet": (_torchvision("30.222", "10.470"),),
    "bn_inception": (
        _of(IMAGENET, "1 crop", BN_INCEPTION, "25.2", "7.82"),
        _of(IMAGENET, "144 crops", BN_INCEPTION, "21.99", "5.82"),
    ),
    "prelunet_c": (
        _ten_crop(f"{RESNET}, Table 3", "24.27", "7.38"),
        _of(IMAGENET, "single net, several scales", f"{RESNET}, Table 4", "21.59", "5.71"),
    ),
    "resnet18": (_torchvision("30.242", "10.922"),),
    "resnet34": _RESNET34_B,
    "resnet34_b": _RESNET34_B,
    "resnet50": (_torchvision("23.870", "7.138"),),
    "resnet101": (_torchvision("22.626", "6.454"),),
    "resnet152": (_torchvision("21.688", "5.954"),),
    "resnet50_v1": (_ten_crop(f"{RESNET}, Table 3", "22.85", "6.71"), _dense("20.74", "5.25")),
    "resnet101_v1": (_ten_crop(f"{RESNET}, Table 3", "21.75", "6.05"), _dense("19.87", "4.60")),
    "resnet152_v1": (_ten_crop(f"{RESNET}, Table 3", "21.43", "5.71"), _dense("19.38", "4.49")),
    "resnet18_a": (_ten_crop(f"{RESNET}, Table 2", "27.88"),),
    "resnet34_a": (_ten_crop(f"{RESNET}, Table 3", "25.03", "7.76"),),
    "resnet34_c": (_ten_crop(f"{RESNET}, Table 3", "24.19", "7.40"), _dense("21.53", "5.60")),
    "plain18": (_ten_crop(f"{RESNET}, Table 2", "27.94"),),
    "plain34": (_ten_crop(f"{RESNET}, Table 3", "28.54", "10.02"),),
    "resnet20": (_cifar("8.75"),),
    "resnet32": (_cifar("7.51"),),
    "resnet44": (_cifar("7.17"),),
    "resnet56": (_cifar("6.97"),),
    "resnet110": (_of(CIFAR, "single view, best of 5 runs", f"{RESNET}, Table 6", "6.43"),),
    "resnet1202": (_cifar("7.93"),),
    "preresnet110": (_median(f"{PRERESNET}, Table 2", "6.37"),),
    "preresnet164": (_median(f"{PRERESNET}, Table 2", "5.46"),),
    "preresnet1001": (_median(f"{PRERESNET}, Table 4", "4.92"),),
}
"""Single nets only, the paper's first; nets without an entry were published without errors."""
