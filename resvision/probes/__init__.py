"""Probes: instruments that measure a net. They work on any network of the catalog, and know no study.

The public names are loaded when they are first used, so that importing this package loads no torch.
"""

TYPE_CHECKING = False  # that of `typing`, which type checkers know by its name
if TYPE_CHECKING:
    from resvision.probes.attribution import grad_cam as grad_cam
    from resvision.probes.attribution import occlusion as occlusion
    from resvision.probes.cka import Similarity as Similarity
    from resvision.probes.cka import layer_cka as layer_cka
    from resvision.probes.cka import linear_cka as linear_cka
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
    "feature_maps",
    "first_filters",
    "grad_cam",
    "image_gradient",
    "layer_cka",
    "linear_cka",
    "loss_line",
    "loss_surface",
    "occlusion",
    "random_direction",
    "saliency_map",
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
