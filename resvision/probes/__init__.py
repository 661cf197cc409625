"""Probes: instruments that measure a net. They work on any network of the catalog, and know no study.

The public names are loaded when they are first used, so that importing this package loads no torch.
"""

TYPE_CHECKING = False  # that of `typing`, which type checkers know by its name
if TYPE_CHECKING:
    from resvision.probes.attribution import grad_cam as grad_cam
    from resvision.probes.attribution import occlusion as occlusion
    from resvision.probes.blocks import find_blocks as find_blocks
    from resvision.probes.cka import Similarity as Similarity
    from resvision.probes.cka import layer_cka as layer_cka
    from resvision.probes.cka import linear_cka as linear_cka
    from resvision.probes.lesion import delete_each as delete_each
    from resvision.probes.lesion import delete_some as delete_some
    from resvision.probes.lesion import kendall_tau as kendall_tau
    from resvision.probes.lesion import swap_some as swap_some
    from resvision.probes.paths import effective_lengths as effective_lengths
    from resvision.probes.paths import length_shares as length_shares
    from resvision.probes.paths import path_gradients as path_gradients
    from resvision.probes.paths import share_between as share_between
    from resvision.probes.representations import feature_maps as feature_maps
    from resvision.probes.representations import first_filters as first_filters
    from resvision.probes.representations import unit_maps as unit_maps
    from resvision.probes.representations import units as units
    from resvision.probes.saliency import image_gradient as image_gradient
    from resvision.probes.saliency import saliency_map as saliency_map
    from resvision.probes.surface import loss_line as loss_line
    from resvision.probes.surface import loss_surface as loss_surface
    from resvision.probes.surface import random_direction as random_direction

_PUBLIC = {
    "grad_cam": "attribution",
    "occlusion": "attribution",
    "Similarity": "cka",
    "layer_cka": "cka",
    "linear_cka": "cka",
    "delete_each": "lesion",
    "delete_some": "lesion",
    "swap_some": "lesion",
    "kendall_tau": "lesion",
    "find_blocks": "blocks",
    "path_gradients": "paths",
    "effective_lengths": "paths",
    "length_shares": "paths",
    "share_between": "paths",
    "feature_maps": "representations",
    "first_filters": "representations",
    "unit_maps": "representations",
    "units": "representations",
    "image_gradient": "saliency",
    "saliency_map": "saliency",
    "loss_line": "surface",
    "loss_surface": "surface",
    "random_direction": "surface",
}
"""The module of each public name."""

__all__ = [
    "Similarity",
    "delete_each",
    "delete_some",
    "effective_lengths",
    "feature_maps",
    "find_blocks",
    "first_filters",
    "grad_cam",
    "image_gradient",
    "kendall_tau",
    "layer_cka",
    "length_shares",
    "linear_cka",
    "loss_line",
    "loss_surface",
    "occlusion",
    "path_gradients",
    "random_direction",
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
