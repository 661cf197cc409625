"""The test protocols of detection, as presets by name: how average precision is reckoned. It loads no torch."""

from dataclasses import KW_ONLY, dataclass

from resvision.core.errors import unknown_name

COCO, VOC07, VOC_AREA = "coco", "voc07", "voc-area"


@dataclass(frozen=True)
class Preset:
    """A test protocol by name.

    summary  in a line
    source   the paper or the page that describes it
    figure   the main figure of the scores by this protocol
    noun     its name in text
    """

    name: str
    _: KW_ONLY
    summary: str
    source: str
    figure: str
    noun: str


PRESETS = (
    Preset(
        COCO,
        summary="AP over ten thresholds of IoU, .50 to .95, at 101 points of recall",
        source="Lin et al. 2014 (COCO), arXiv:1405.0312",
        figure="ap",
        noun="AP",
    ),
    Preset(
        VOC07,
        summary="AP at an IoU above .5, at 11 points of recall; difficult boxes count neither way",
        source="Everingham et al. 2010 (VOC 2007)",
        figure="voc07",
        noun="VOC07 AP",
    ),
    Preset(
        VOC_AREA,
        summary="AP at an IoU above .5, the area below the curve; difficult boxes count neither way",
        source="Everingham et al. 2015 (VOC 2010 to 2012)",
        figure="voc_area",
        noun="VOC AP",
    ),
)
_BY_NAME = {preset.name: preset for preset in PRESETS}


def find(name: str) -> Preset:
    """The preset of a name; UnknownNameError with the nearest names."""
    if name not in _BY_NAME:
        raise unknown_name("protocol", name, _BY_NAME, remedy="`resvision evaluate --protocols` shows all")
    return _BY_NAME[name]
