"""Figures of whole nets, most of them from `papers.counts`, and two of Python's and torch's tools."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from resvision.papers.counts import Counted, counts
from resvision.papers.printed import is_printed_as
from resvision.studies.claims.block_figures import BLOCKS
from resvision.studies.claims.formulas import conv_weights, side_after_conv

C3_LINKS = 6 * 3 + 9 * 4 + 1 * 6
"""Links from the 6 maps of S2 in LeNet-5 to the 16 of C3; all with all would be 96."""

PRINTED_FLOPS: Mapping[str, str] = {
    "resnet18_a": "1.8x10^9",
    "resnet34_a": "3.6x10^9",
    "resnet50_v1": "3.8x10^9",
    "resnet101_v1": "7.6x10^9",
    "resnet152_v1": "11.3x10^9",
}
"""The last row of Table 1 in He et al. 2015."""


def net_counts() -> Mapping[str, Counted]:
    """Parameters and MACs of every net of the catalog, by its name."""
    return counts()


def layers() -> dict[str, float]:
    """Weighted layers along the longest path: the first convolutions, those of all blocks, the last linear ones."""
    resnets = {name: 2 + convs * sum(stages) for name, (stages, convs) in BLOCKS.items()}
    others = {"vgg16": 13 + 3, "vgg19": 16 + 3, "alexnet": 5 + 3, "googlenet": 3 + 2 * 9 + 1}
    return {**resnets, **others, "times_vgg19": resnets["resnet152"] / others["vgg19"]}


def printed_multiply_adds() -> dict[str, float]:
    """Nets whose printed "FLOPs" are our multiply-adds, or twice as many; and those of ResNet-50 by its stride."""
    kept = counts()
    return {
        "nets": len(PRINTED_FLOPS),
        "as_macs": sum(is_printed_as(kept[name].macs, text) for name, text in PRINTED_FLOPS.items()),
        "as_flops": sum(is_printed_as(2 * kept[name].macs, text) for name, text in PRINTED_FLOPS.items()),
        "macs_34": kept["resnet34_a"].macs,
        "flops_34": 2 * kept["resnet34_a"].macs,
        "macs_50": kept["resnet50_v1"].macs,
        "macs_50_v15": kept["resnet50"].macs,
    }


def costs_of_depth() -> dict[str, float]:
    """MACs of ResNet-34 and ResNet-50, and those of a layer in the mean."""
    kept = counts()
    macs_34, macs_50 = kept["resnet34"].macs, kept["resnet50_v1"].macs
    return {"macs_34": macs_34, "macs_50": macs_50, "by_layer_34": macs_34 / 34, "by_layer_50": macs_50 / 50}


def lenet() -> dict[str, float]:
    """Parameters and sides of LeNet-5; each map of a subsampling layer has a coefficient and a bias."""
    kept = counts()
    return {
        "layers": 7,
        "s2": 2 * 6,
        "s4": 2 * 16,
        "c3": 25 * C3_LINKS + 16,
        "c3_full": 25 * 6 * 16 + 16,
        "c5": conv_weights(5, 16, 120) + 120,
        "total": kept["lenet5"].params,
        "modern": kept["lenet5_modern"].params,
        "c1_side": side_after_conv(32, 5),
        "s2_side": side_after_conv(28, 2, stride=2),
        "c3_side": side_after_conv(14, 5),
        "s4_side": side_after_conv(10, 2, stride=2),
        "c5_side": side_after_conv(5, 5),
    }


def alexnet() -> dict[str, float]:
    """Parameters of AlexNet, in which C2, C4 and C5 see one column each, and of the same net with both seen."""
    grouped = [(5, 96, 256), (3, 384, 384), (3, 384, 256)]
    saved = sum(conv_weights(*shape) - conv_weights(*shape, groups=2) for shape in grouped)
    total = counts()["alexnet_2012"].params
    return {
        "total": total,
        "ungrouped": total + saved,
        "in_groups": len(grouped),
        "pools": len(("after C1", "after C2", "after C5")),
        "across_columns": len(("C3", "FC6", "FC7", "FC8")),
        "normalizations": len(("after C1", "after C2")),
    }


def vgg_of_the_slide() -> dict[str, float]:
    """Parameters of the net that note 002 writes down: thirteen convolutions and three linear layers, with biases."""
    channels = [3, *[64] * 2, *[128] * 2, *[256] * 3, *[512] * 6]
    convs = sum(conv_weights(3, entering, leaving) + leaving for entering, leaving in pairwise(channels))
    linear = sum(entering * leaving + leaving for entering, leaving in pairwise([7 * 7 * 512, 4096, 4096, 1000]))
    return {"written": convs + linear, "vgg16": counts()["vgg16"].params, "linear": linear}


def ranked_scores() -> dict[str, float]:
    """The index of the largest of six probabilities beside the indices of the five largest."""
    probabilities = (0.05, 0.1, 0.4, 0.2, 0.15, 0.1)
    order = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])
    return {
        "argmax": probabilities.index(max(probabilities)),
        "top_1": order[0],
        "indices_of_argmax": 1,
        "indices_of_top_5": len(order[:5]),
    }


class _Pair(NamedTuple):
    first: int
    second: int


def named_tuples() -> dict[str, float]:
    """Whether a value of a named tuple is had by its index, as an attribute, and by its name in brackets: 1 or 0."""
    pair = _Pair(3, 4)
    try:
        by_key = pair["second"]  # type: ignore[call-overload]
    except TypeError:
        by_key = None
    return {"by_index": int(pair[1] == 4), "by_attribute": int(pair.second == 4), "by_key": int(by_key == 4)}
