"""Probes: instruments that measure a net. They work on any network of the catalog, and know no study.

The public names are loaded when they are first used, so that importing this package loads no torch.
"""

TYPE_CHECKING = False  # that of `typing`, which type checkers know by its name
if TYPE_CHECKING:
    from resvision.probes.attribution import grad_cam as grad_cam
    from resvision.probes.attribution import occlusion as occlusion
    from resvision.probes.blocks import Block as Block
    from resvision.probes.blocks import deleted as deleted
    from resvision.probes.blocks import find_blocks as find_blocks
    from resvision.probes.blocks import reordered as reordered
    from resvision.probes.cka import Similarity as Similarity
    from resvision.probes.cka import layer_cka as layer_cka
    from resvision.probes.cka import linear_cka as linear_cka
    from resvision.probes.gradients import LayerGradient as LayerGradient
    from resvision.probes.gradients import layer_gradients as layer_gradients
    from resvision.probes.lesion import Deletion as Deletion
    from resvision.probes.lesion import Deletions as Deletions
    from resvision.probes.lesion import Removal as Removal
    from resvision.probes.lesion import Shuffle as Shuffle
    from resvision.probes.lesion import delete_each as delete_each
    from resvision.probes.lesion import delete_some as delete_some
    from resvision.probes.lesion import kendall_tau as kendall_tau
    from resvision.probes.lesion import swap_some as swap_some
    from resvision.probes.paths import EffectiveLengths as EffectiveLengths
    from resvision.probes.paths import PathGradient as PathGradient
    from resvision.probes.paths import decades_per_block as decades_per_block
    from resvision.probes.paths import effective_lengths as effective_lengths
    from resvision.probes.paths import length_shares as length_shares
    from resvision.probes.paths import mean_effective_length as mean_effective_length
    from resvision.probes.paths import mean_length as mean_length
    from resvision.probes.paths import path_gradients as path_gradients
    from resvision.probes.paths import share_between as share_between
    from resvision.probes.representations import feature_maps as feature_maps
    from resvision.probes.representations import first_filters as first_filters
    from resvision.probes.representations import unit_maps as unit_maps
    from resvision.probes.representations import units as units
    from resvision.probes.responses import Response as Response
    from resvision.probes.responses import layer_responses as layer_responses
    from resvision.probes.saliency import image_gradient as image_gradient
    from resvision.probes.saliency import saliency_map as saliency_map
    from resvision.probes.surface import loss_line as loss_line
    from resvision.probes.surface import loss_surface as loss_surface
    from resvision.probes.surface import random_direction as random_direction

_PUBLIC = {
    "grad_cam": "attribution",
    "occlusion": "attribution",
    "Block": "blocks",
    "deleted": "blocks",
    "find_blocks": "blocks",
    "reordered": "blocks",
    "Similarity": "cka",
    "layer_cka": "cka",
    "linear_cka": "cka",
    "LayerGradient": "gradients",
    "layer_gradients": "gradients",
    "Deletion": "lesion",
    "Deletions": "lesion",
    "Removal": "lesion",
    "Shuffle": "lesion",
    "delete_each": "lesion",
    "delete_some": "lesion",
    "kendall_tau": "lesion",
    "swap_some": "lesion",
    "EffectiveLengths": "paths",
    "PathGradient": "paths",
    "decades_per_block": "paths",
    "effective_lengths": "paths",
    "length_shares": "paths",
    "mean_effective_length": "paths",
    "mean_length": "paths",
    "path_gradients": "paths",
    "share_between": "paths",
    "feature_maps": "representations",
    "first_filters": "representations",
    "unit_maps": "representations",
    "units": "representations",
    "Response": "responses",
    "layer_responses": "responses",
    "image_gradient": "saliency",
    "saliency_map": "saliency",
    "loss_line": "surface",
    "loss_surface": "surface",
    "random_direction": "surface",
}
"""The module of each public name."""

__all__ = [
    "Block",
    "Deletion",
    "Deletions",
    "EffectiveLengths",
    "LayerGradient",
    "PathGradient",
    "Removal",
    "Response",
    "Shuffle",
    "Similarity",
    "decades_per_block",
    "delete_each",
    "delete_some",
    "deleted",
    "effective_lengths",
    "feature_maps",
    "find_blocks",
    "first_filters",
    "grad_cam",
    "image_gradient",
    "kendall_tau",
    "layer_cka",
    "layer_gradients",
    "layer_responses",
    "length_shares",
    "linear_cka",
    "loss_line",
    "loss_surface",
    "mean_effective_length",
    "mean_length",
    "occlusion",
    "path_gradients",
    "random_direction",
    "reordered",
    "saliency_map",
    "share_between",
    "swap_some",
    "unit_maps",
    "units",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module 'resvision.probes' has no attribute {name!r}; it has {', '.join(_PUBLIC)}")
    public: object = getattr(import_module(f"resvision.probes.{_PUBLIC[name]}"), name)
    return public


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
