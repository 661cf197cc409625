"""Figures of maps: sides, channels, receptive fields, and vectors of one length from maps of any size."""

from itertools import pairwise

from resvision.studies.claims.formulas import bins, conv_weights, field_after, side_after_conv, side_after_deconv

STAGES = ((56, 64), (28, 128), (14, 256), (7, 512))
"""Side and channels of the four stages of a ResNet of basic blocks, for images of 224 pixels."""

PYRAMID = (6, 3, 2, 1)
"""Bins along a side on each level of the pyramid of He et al. 2014."""


def stage_shapes() -> dict[str, float]:
    """The factors by which sides fall and channels rise from stage to stage of a ResNet."""
    steps = [(before[0] / after[0], after[1] / before[1]) for before, after in pairwise(STAGES)]
    return {"side_factor": min(side for side, _ in steps), "channel_factor": min(channels for _, channels in steps)}


def doubled_channels() -> dict[str, float]:
    """A map of 64x64x64 that becomes one of 32x32x128: its values, and the MACs of a 3x3 convolution on each."""
    return {
        "values_before": 64 * 64 * 64,
        "values_after": 32 * 32 * 128,
        "macs_before": conv_weights(3, 64, 64) * 64 * 64,
        "macs_after": conv_weights(3, 128, 128) * 32 * 32,
        "macs_same_channels": conv_weights(3, 64, 64) * 32 * 32,
    }


def halved_maps() -> dict[str, float]:
    """A side of 64 pixels after a pooling and after a convolution of stride 2; fields of four 3x3 with and without."""
    pooled, strided = side_after_conv(64, 2, stride=2), side_after_conv(64, 3, stride=2, padding=1)
    return {
        "pooled": pooled,
        "strided": strided,
        "by_side": 64 // pooled,
        "by_area": 64 * 64 // (pooled * pooled),
        "field_without": field_after([(3, 1, 1)] * 4),
        "field_with": field_after([(3, 2, 1), *[(3, 1, 1)] * 3]),
    }


def convolution_formula() -> dict[str, float]:
    """The weights of a 3x3 convolution of 64 channels, the sum that note 000 makes of these numbers, and a 1x1."""
    weights = conv_weights(3, 64, 64)
    return {
        "weights": weights,
        "with_bias": weights + 64,
        "summed": 3 + 3 + 64 * 64,
        "pointwise": conv_weights(1, 256, 64),
        "field_1x1": field_after([(1, 1, 1)]),
        "field_2x2": field_after([(2, 1, 1)]),
    }


def stacked_windows() -> dict[str, float]:
    """Three 3x3 convolutions beside one of 7x7: field, weights by the square of the channels, side of a map of 56."""
    return {
        "field_three": field_after([(3, 1, 1)] * 3),
        "field_one": field_after([(7, 1, 1)]),
        "weights_three": 3 * conv_weights(3, 1, 1),
        "weights_one": conv_weights(7, 1, 1),
        "side": side_after_conv(56, 3, padding=1),
    }


def bottleneck_fields() -> dict[str, float]:
    """The positions by which each layer of a bottleneck widens the field."""
    windows = [(1, 1, 1), (3, 1, 1), (1, 1, 1)]
    fields = [field_after(windows[:layers]) for layers in range(4)]
    reduce, middle, restore = (after - before for before, after in pairwise(fields))
    return {"reduce": reduce, "middle": middle, "restore": restore}


def atrous_fields() -> dict[str, float]:
    """Field and weights, for one channel, of a 3x3 convolution at rates 1, 6, 12 and 18."""
    fields = {f"field_{rate}": field_after([(3, 1, rate)]) for rate in (1, 6, 12, 18)}
    return {**fields, "weights_1": conv_weights(3, 1, 1), "weights_18": conv_weights(3, 1, 1)}


def pyramid_lengths() -> dict[str, float]:
    """Lengths of the vectors that a pyramid makes of maps of 256 channels, 13x13 and 10x7."""
    return {
        "length_13x13": 256 * _bins_of(13, 13),
        "length_10x7": 256 * _bins_of(10, 7),
        "bins": sum(n * n for n in PYRAMID),
    }


def _bins_of(height: int, width: int) -> int:
    """The bins of all levels that hold a position of the map."""
    rows = [[bound for bound in bins(height, n) if bound[0] < bound[1]] for n in PYRAMID]
    columns = [[bound for bound in bins(width, n) if bound[0] < bound[1]] for n in PYRAMID]
    return sum(len(high) * len(wide) for high, wide in zip(rows, columns, strict=True))


def region_bins() -> dict[str, float]:
    """Values for a channel that RoI pooling to 7x7 gives of regions of 21x14 and 9x28, and the widths of their bins."""
    narrow, wide = bins(14, 7), bins(28, 7)
    return {
        "first": len(bins(21, 7)) * len(narrow),
        "second": len(bins(9, 7)) * len(wide),
        "bin_first": narrow[0][1] - narrow[0][0],
        "bin_second": wide[0][1] - wide[0][0],
    }


def convolutionalized_layers() -> dict[str, float]:
    """Kernels and weights of VGG-16's linear layers as convolutions; the map before the first has 224 / 32 pixels."""
    side = 224 // 32
    return {
        "fc6": side,
        "fc7": 1,
        "score": 1,
        "fc6_weights": conv_weights(side, 512, 4096),
        "fc6_as_1x1": conv_weights(1, 512, 4096),
    }


def transposed_sides() -> dict[str, float]:
    """Sides that layers make of a map of 14 pixels: with stride 1 and padding, with stride 2, and by unpooling."""
    return {
        "conv": side_after_conv(14, 3, padding=1),
        "conv_strided": side_after_conv(14, 3, stride=2, padding=1),
        "deconv": side_after_deconv(14, 3, padding=1),
        "deconv_strided": side_after_deconv(14, 4, stride=2, padding=1),
        "unpooled": 2 * 14,
    }


def unet_sides() -> dict[str, float]:
    """Sides of U-Net's maps for a tile of 572 pixels, and the passes of a net that tells one pixel a pass."""
    side = 572
    highest = side - 4  # two 3x3 convolutions without padding
    for _ in range(4):
        side = (side - 4) // 2
    lowest = side = side - 4
    for _ in range(4):
        side = 2 * side - 4
    return {
        "halvings": 4,
        "doublings": 4,
        "highest": highest,
        "lowest": lowest,
        "out": side,
        "passes": 1,
        "skipped": 0,  # the one pass computes every pixel of its output
        "passes_by_pixel": side * side,
    }
