"""The test protocols of the papers, as presets by name. Importing it loads no torch.

A protocol resizes an image, cuts views from it, and averages the net's predictions for them. Scales are written as the
papers print them, for a crop of 224 pixels; a net with another crop gets them in proportion.

Glossary
    scale  the shorter side of a resized image, in pixels
    view   (h, w, C) uint8, a part of a resized image that is the input of a net
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from resvision.core.errors import unknown_name
from resvision.core.images import Pixels
from resvision.core.resampling import centre_crop, crop_resize
from resvision.core.views import SquareView

CENTER_CROP = "center-crop"
PAPER_CROPS = (224, 227)
"""Crops for which the papers' scales are meant: AlexNet's are printed as 224 and are 227."""


def centre(image: Pixels, rule: SquareView) -> list[Pixels]:
    """Cut the crop in the middle."""
    return [centre_crop(image, rule.crop_px)]


def corners_and_centre(image: Pixels, rule: SquareView) -> list[Pixels]:
    """Cut the crops in the four corners and in the middle."""
    height, width, px = *image.shape[:2], rule.crop_px
    corners = [(0, 0), (0, width - px), (height - px, 0), (height - px, width - px)]
    return [image[top : top + px, left : left + px] for top, left in corners] + centre(image, rule)


def squares(image: Pixels, rule: SquareView) -> list[Pixels]:
    """Cut three squares, at both ends and in the middle; of each the corner and centre crops, and the whole as a crop.

    In a square image they are one and the same, and are given once: the mean does not change.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    views: list[Pixels] = []
    for start in sorted({0, round((max(height, width) - side) / 2), max(height, width) - side}):
        square = image[start : start + side] if height > width else image[:, start : start + side]
        views += corners_and_centre(square, rule)
        views.append(crop_resize(square, (0, 0, side, side), rule.crop_px, rule.interpolation))
    return views


def whole(image: Pixels, rule: SquareView) -> list[Pixels]:
    """Take the whole image as the only view."""
    return [image]


@dataclass(frozen=True)
class Preset:
    """A test protocol by name.

    summary    in a line
    source     the paper and the section that describe it
    cut        the function that cuts the views of a resized image
    views      the number of views of an image that is not square
    scales     of the resized images, for a crop of 224; empty for the run's own
    mirrored   whether each view is also seen mirrored
    dense      whether views are tested fully convolutionally
    published  its name in the table of published results
    """

    name: str
    _: KW_ONLY
    summary: str
    source: str
    cut: Callable[[Pixels, SquareView], list[Pixels]]
    views: int = 1
    scales: tuple[int, ...] = ()
    mirrored: bool = True
    dense: bool = False
    published: str = ""

    @property
    def crops(self) -> bool:
        """Whether views are crops of the size that the net was trained at, and not whole images."""
        return self.cut is not whole


_VGG = "Simonyan and Zisserman 2014 (VGG)"

PRESETS = (
    Preset(
        CENTER_CROP,
        summary="one view, by the run's own preprocessing",
        source="He et al. 2015 (ResNet), section 4.2",
        cut=centre,
        mirrored=False,
    ),
    Preset(
        "mirror",
        summary="the same view and its mirror image",
        source=f"{_VGG}, section 3.2",
        cut=centre,
    ),
    Preset(
        "ten-crop",
        summary="four corners and centre, and their mirror images",
        source="Krizhevsky et al. 2012 (AlexNet), section 4.1; He et al. 2015 (ResNet), section 3.4",
        cut=corners_and_centre,
        views=5,
        scales=(256,),
    ),
    Preset(
        "full-image",
        summary="one view, the whole image, for a net that takes any size",
        source="He et al. 2014 (SPP-net), section 3.1",
        cut=whole,
        scales=(256,),
        mirrored=False,
    ),
    Preset(
        "dense",
        summary="whole images and mirror images, fully convolutional",
        source="He et al. 2015 (ResNet), section 3.4",
        cut=whole,
        scales=(224, 256, 384, 480, 640),
        dense=True,
    ),
    Preset(
        "vgg-dense",
        summary="whole images and mirror images, fully convolutional, at one scale Q",
        source=f"{_VGG}, sections 3.2 and 4.1",
        cut=whole,
        scales=(256,),
        dense=True,
    ),
    Preset(
        "vgg-dense-fixed",
        summary="whole images and mirror images, fully convolutional, at Q = S - 32, S, S + 32",
        source=f"{_VGG}, sections 3.2 and 4.2",
        cut=whole,
        scales=(224, 256, 288),
        dense=True,
        published="vgg-dense",
    ),
    Preset(
        "vgg-dense-jitter",
        summary="whole images and mirror images, fully convolutional, at the least, middle and largest S of training",
        source=f"{_VGG}, sections 3.2 and 4.2",
        cut=whole,
        scales=(256, 384, 512),
        dense=True,
        published="vgg-dense",
    ),
    Preset(
        "googlenet-144",
        summary="three squares of an image, of each the corners, the centre and the whole, and their mirror images",
        source="Szegedy et al. 2014 (GoogLeNet), section 7",
        cut=squares,
        views=18,
        scales=(256, 288, 320, 352),
    ),
)
_BY_NAME = {preset.name: preset for preset in PRESETS}


def find(name: str) -> Preset:
    """The preset of a name; UnknownNameError with the nearest names."""
    if name not in _BY_NAME:
        raise unknown_name("protocol", name, _BY_NAME, remedy="`resvision evaluate --protocols` shows all")
    return _BY_NAME[name]


def proportional(scale_px: int, crop_px: int) -> int:
    """A scale for crops of 224 px, brought in proportion to a net's crop."""
    return scale_px if crop_px in PAPER_CROPS else round(scale_px * crop_px / 224)
