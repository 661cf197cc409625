"""The test protocols of segmentation, as presets by name. Importing it loads no torch.

A protocol shows an image at some scales, and its mirror images, and averages the class probabilities of every pixel.
"""

from dataclasses import KW_ONLY, dataclass

from resvision.core.errors import unknown_name

WHOLE = "whole"


@dataclass(frozen=True)
class Preset:
    """A test protocol by name.

    summary  in a line
    source   the paper that describes it
    scales   factors of an image's sides
    mirror   whether each scale is also seen mirrored
    windows  whether images go in windows of the side of training crops, which overlap by a third
    """

    name: str
    _: KW_ONLY
    summary: str
    source: str
    scales: tuple[float, ...] = (1.0,)
    mirror: bool = False
    windows: bool = False


PRESETS = (
    Preset(WHOLE, summary="the image at its own size", source="Long et al. 2015 (FCN)"),
    Preset("flip", summary="the image and its mirror image", source="Chen et al. 2017 (DeepLabv3)", mirror=True),
    Preset(
        "multi-scale",
        summary="the image at six sizes",
        source="Chen et al. 2017 (DeepLabv3)",
        scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75),
    ),
    Preset(
        "multi-scale-flip",
        summary="the image and its mirror image at six sizes",
        source="Chen et al. 2017 (DeepLabv3)",
        scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75),
        mirror=True,
    ),
    Preset(
        "sliding-window",
        summary="windows of the side of training crops, which overlap by a third",
        source="Zhao et al. 2017 (PSPNet)",
        windows=True,
    ),
)
_BY_NAME = {preset.name: preset for preset in PRESETS}


def find(name: str) -> Preset:
    """The preset of a name; UnknownNameError with the nearest names."""
    if name not in _BY_NAME:
        raise unknown_name("protocol", name, _BY_NAME, remedy="`resvision evaluate --protocols` shows all")
    return _BY_NAME[name]
