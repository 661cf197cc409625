"""Figures of blocks and shortcuts: weights, costs, paths. Counts of whole nets are those of `papers.counts`."""

import math
from collections.abc import Mapping

from resvision.papers.counts import counts
from resvision.studies.claims.formulas import conv_weights, side_after_conv

BLOCKS: Mapping[str, tuple[tuple[int, ...], int]] = {
    "resnet18": ((2, 2, 2, 2), 2),
    "resnet34": ((3, 4, 6, 3), 2),
    "resnet50": ((3, 4, 6, 3), 3),
    "resnet101": ((3, 4, 23, 3), 3),
    "resnet152": ((3, 8, 36, 3), 3),
}
"""The blocks in each stage, and the convolutions in a block."""

MODULES = 54
"""The residual modules of the net of 110 layers in Veit et al. 2016."""


def block_weights() -> dict[str, float]:
    """Weights of both blocks of He et al. 2015, Figure 5, and of a basic block as wide as the bottleneck's ends."""
    reduce, middle, restore = conv_weights(1, 256, 64), conv_weights(3, 64, 64), conv_weights(1, 64, 256)
    wide = 2 * conv_weights(3, 256, 256)
    return {
        "basic": 2 * conv_weights(3, 64, 64),
        "bottleneck": reduce + middle + restore,
        "reduce": reduce,
        "middle": middle,
        "restore": restore,
        "wide_basic": wide,
        "times": wide / (reduce + middle + restore),
    }


def bottleneck_savings() -> dict[str, float]:
    """MACs that bottlenecks save against two 3x3 of 256 channels, over the blocks that keep the shape of their map.

    A stage later the weights are four times as many and the positions a quarter, so each of these blocks saves as much.
    """
    weights = block_weights()
    saved = (weights["wide_basic"] - weights["bottleneck"]) * 56 * 56
    blocks = {depth: sum(BLOCKS[f"resnet{depth}"][0]) - 4 for depth in (50, 101, 152)}
    return {
        "saved_a_block": saved,
        **{f"blocks_{depth}": count for depth, count in blocks.items()},
        **{f"saved_{depth}": saved * count for depth, count in blocks.items()},
    }


def cifar_blocks() -> dict[str, float]:
    """Weights of a block in the first stage of a CIFAR net, the same at every depth, and the blocks of two depths."""
    return {"block_20": 2 * conv_weights(3, 16, 16), "block_56": 2 * conv_weights(3, 16, 16), "in_20": 9, "in_56": 27}


def activations() -> dict[str, float]:
    """Blocks of three nets, and their ReLUs: one after the first convolution, one after each of a block's."""
    blocks = {name: sum(stages) for name, (stages, _) in BLOCKS.items()}
    return {
        "blocks_18": blocks["resnet18"],
        "blocks_34": blocks["resnet34"],
        "blocks_50": blocks["resnet50"],
        "blocks_152": blocks["resnet152"],
        "relus_34": 1 + 2 * blocks["resnet34"],
        "relus_50": 1 + 3 * blocks["resnet50"],
    }


def shortcut_kinds() -> dict[str, float]:
    """Shortcuts of ResNet-34 and ResNet-50 with option B: identities, projections, and those that halve the map.

    The first bottleneck of ResNet-50 widens its map and keeps the side; the other projections halve it as well.
    """
    blocks = {name: sum(stages) for name, (stages, _) in BLOCKS.items()}
    return {
        "blocks_34": blocks["resnet34"],
        "identity_34": blocks["resnet34"] - 3,
        "projection_34": 3,
        "identity_50": blocks["resnet50"] - 4,
        "projection_50": 4,
        "halving_34": 3,
        "halving_50": 3,
        "projection_weights": conv_weights(1, 256, 512),
        "side_before": 28,
        "side_after": side_after_conv(28, 1, stride=2),
    }


def shortcut_costs() -> dict[str, float]:
    """Parameters and MACs that the shortcuts of He et al. 2015, options A, B and C, add to the plain nets."""
    kept, plain = counts(), counts()["plain34"]
    return {
        "a": kept["resnet34_a"].params - plain.params,
        "b": kept["resnet34_b"].params - plain.params,
        "c": kept["resnet34_c"].params - plain.params,
        "b_18": kept["resnet18"].params - kept["plain18"].params,
        "share_b": (kept["resnet34_b"].params - plain.params) / plain.params,
        "macs_plain": plain.macs,
        "macs_a": kept["resnet34_a"].macs,
        "macs_b": kept["resnet34_b"].macs,
    }


def path_lengths() -> dict[str, float]:
    """Paths through 54 modules by their number of branches, which is binomial (Veit et al. 2016)."""
    paths = [math.comb(MODULES, length) for length in range(MODULES + 1)]
    total = sum(paths)
    return {
        "paths": total,
        "after_a_deletion": total // 2,
        "without_branches": paths[0],
        "mean": sum(length * count for length, count in enumerate(paths)) / total,
        "effective": sum(paths[5:18]) / total,
        "middle": sum(paths[19:36]) / total,
    }
