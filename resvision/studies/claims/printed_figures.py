"""Figures that papers print, from `papers.results`, by the names of our nets."""

from collections.abc import Mapping

from resvision.papers.results import RESULTS, Published


def ten_crop_errors() -> Mapping[str, Published]:
    """Errors on ImageNet of single nets with ten crops, He et al. 2015, tables 2 and 3."""
    return {row.net: row for row in RESULTS if row.protocol == "ten-crop" and "1512.03385" in row.source}


def dense_errors() -> Mapping[str, Published]:
    """Errors on ImageNet of single nets at several scales, He et al. 2015, table 4."""
    return {row.net: row for row in RESULTS if "1512.03385, table 4" in row.source}


def cifar_errors() -> Mapping[str, Published]:
    """Test errors on CIFAR-10, He et al. 2015, table 6."""
    return {row.net: row for row in RESULTS if row.data == "cifar10" and "1512.03385" in row.source}


def vgg_errors() -> Mapping[str, Published]:
    """Errors on ImageNet of VGG nets trained and tested at 256 pixels, Simonyan and Zisserman 2014, table 3."""
    return {row.net: row for row in RESULTS if row.protocol == "vgg-dense" and row.scales == (256,)}
