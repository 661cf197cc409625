"""The table of functions whose figures decide claims, by the names under which entries know them."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from resvision.studies.claims import block_figures, map_figures, net_figures, printed_figures

FIGURES: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    function.__name__: function
    for function in (
        block_figures.block_weights,
        block_figures.bottleneck_savings,
        block_figures.cifar_blocks,
        block_figures.activations,
        block_figures.shortcut_kinds,
        block_figures.shortcut_costs,
        block_figures.path_lengths,
        map_figures.stage_shapes,
        map_figures.doubled_channels,
        map_figures.halved_maps,
        map_figures.convolution_formula,
        map_figures.stacked_windows,
        map_figures.bottleneck_fields,
        map_figures.atrous_fields,
        map_figures.pyramid_lengths,
        map_figures.region_bins,
        map_figures.convolutionalized_layers,
        map_figures.transposed_sides,
        map_figures.unet_sides,
        net_figures.net_counts,
        net_figures.layers,
        net_figures.printed_multiply_adds,
        net_figures.costs_of_depth,
        net_figures.lenet,
        net_figures.alexnet,
        net_figures.vgg_of_the_slide,
        net_figures.ranked_scores,
        net_figures.named_tuples,
        printed_figures.ten_crop_errors,
        printed_figures.dense_errors,
        printed_figures.cifar_errors,
        printed_figures.vgg_errors,
    )
}
"""The functions by name. Their figures are numbers, or tuples of numbers such as parameters and MACs."""


def figure_named(figures: Mapping[str, Any], name: str) -> float:
    """The number of a name such as `basic`, or `plain18.params`; KeyError or AttributeError where there is none."""
    first, *rest = name.split(".")
    return float(reduce(getattr, rest, figures[first]))
