"""The papers that entries name as `@name`, with their links."""

import re
from collections.abc import Mapping
from typing import NamedTuple

ARXIV = "https://arxiv.org/abs/"


class Source(NamedTuple):
    """A paper: its authors with the year, and where it is."""

    name: str
    link: str


SOURCES: Mapping[str, Source] = {
    "lenet": Source("LeCun et al. 1998", "https://doi.org/10.1109/5.726791"),
    "alexnet": Source(
        "Krizhevsky et al. 2012",
        "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
    ),
    "vgg": Source("Simonyan and Zisserman 2014", f"{ARXIV}1409.1556"),
    "googlenet": Source("Szegedy et al. 2014", f"{ARXIV}1409.4842"),
    "bn": Source("Ioffe and Szegedy 2015", f"{ARXIV}1502.03167"),
    "resnet": Source("He et al. 2015", f"{ARXIV}1512.03385"),
    "identity": Source("He et al. 2016", f"{ARXIV}1603.05027"),
    "veit": Source("Veit et al. 2016", f"{ARXIV}1605.06431"),
    "goyal": Source("Goyal et al. 2017", f"{ARXIV}1706.02677"),
    "landscape": Source("Li et al. 2018", f"{ARXIV}1712.09913"),
    "cka": Source("Kornblith et al. 2019", f"{ARXIV}1905.00414"),
    "attention": Source("Vaswani et al. 2017", f"{ARXIV}1706.03762"),
    "rcnn": Source("Girshick et al. 2014", f"{ARXIV}1311.2524"),
    "sppnet": Source("He et al. 2014", f"{ARXIV}1406.4729"),
    "fastrcnn": Source("Girshick 2015", f"{ARXIV}1504.08083"),
    "fasterrcnn": Source("Ren et al. 2015", f"{ARXIV}1506.01497"),
    "yolo": Source("Redmon et al. 2016", f"{ARXIV}1506.02640"),
    "ssd": Source("Liu et al. 2016", f"{ARXIV}1512.02325"),
    "retinanet": Source("Lin et al. 2017", f"{ARXIV}1708.02002"),
    "refinedet": Source("Zhang et al. 2018", f"{ARXIV}1711.06897"),
    "fcn": Source("Long et al. 2015", f"{ARXIV}1411.4038"),
    "deconvnet": Source("Noh et al. 2015", f"{ARXIV}1505.04366"),
    "unet": Source("Ronneberger et al. 2015", f"{ARXIV}1505.04597"),
    "pspnet": Source("Zhao et al. 2017", f"{ARXIV}1612.01105"),
    "deeplabv3": Source("Chen et al. 2017", f"{ARXIV}1706.05587"),
    "deeplabv3plus": Source("Chen et al. 2018", f"{ARXIV}1802.02611"),
    "mtp": Source("Cui et al. 2019", f"{ARXIV}1809.10732"),
    "l5kit": Source("Houston et al. 2020", f"{ARXIV}2006.14480"),
}
"""The papers by the names that entries give them."""

_MARK = re.compile(r"@([a-z0-9]+)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def with_links(text: str) -> str:
    """The text with a Markdown link in the place of each `@name`; KeyError for a paper that is not listed."""
    return _MARK.sub(lambda mark: "[{}]({})".format(*SOURCES[mark[1]]), text)


def without_marks(text: str) -> str:
    """A Markdown text as it is read on a terminal: links by their words, no stars."""
    return _LINK.sub(r"\1", text).replace("**", "").replace("*", "").replace("`", "")
