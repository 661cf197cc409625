"""Augmentation of images together with their boxes, from counted draws.

Every change but that of colours is a change of place, and places are composed: a part of the stored image goes into
the square that a net is trained on in one step, so it is read once and blurred once.

Glossary
    square  (S, S, C) uint8, what the net is trained on
    boxes   (M, 4) float64, x1 y1 x2 y2 in pixels of the image, or of the square
    draws   (slots,) float64 in [0, 1), which follow from (seed, epoch, index)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, get_args

import numpy as np
from msgspec import Meta

from resvision.core.draws import key
from resvision.core.images import Pixels
from resvision.core.resampling import Box
from resvision.core.samples import Sample
from resvision.core.views import LARGEST_PX, CentreCrop, Letterbox, Stretch, View
from resvision.detection.crop_windows import OVERLAP_SLOTS, Draws, expanded, jittered, overlap_window
from resvision.geometry import boxes as geometry
from resvision.geometry.placements import Area, Placement, letterboxed, stretched, whole_area
from resvision.kinds.detection.boxes import BoxTargets
from resvision.loading.augment import Augmentation, require_choice
from resvision.loading.batches import mean_colour
from resvision.loading.colours import ColourChange

Crop = Literal["none", "overlap", "scale-jitter"]
Fill = Literal["view", "black", "mean"]

TILES = 4
"""The images of a mosaic."""

STEPS_OF_A_SIDE = 10
"""The steps for which squares keep a side that was drawn."""

MOSAIC = slice(0, 3)
PARTNERS = slice(3, 3 + TILES - 1)
JITTER = slice(PARTNERS.stop, PARTNERS.stop + 3 * TILES)
EXPAND = slice(JITTER.stop, JITTER.stop + 4)
FLIP = EXPAND.stop
COLOURS = slice(FLIP + 1, FLIP + 9)
OVERLAP = slice(COLOURS.stop, COLOURS.stop + OVERLAP_SLOTS)
"""The slots of a sample's draws by change; a new change goes to the end, so that the other draws stay the same."""


@dataclass(frozen=True, kw_only=True)
class BoxAugment(Augmentation):
    """Changes of an image together with its boxes, in this order: mosaic, or expand and crop; flip; colours.

    crop               none: the whole image, as evaluation shows it
                       overlap: a part of the image by one of SSD's samplers: all of it, any part, or one that overlaps
                       an object by at least one of `crop_overlaps` (Liu et al. 2016, arXiv:1512.02325)
                       scale-jitter: the image scaled by a factor drawn from `scale_range`, then a crop drawn, padded
                       where the scaled image is smaller (Ghiasi et al. 2021, arXiv:2012.07177)
    crop_px            side of the squares that are trained on; None: `data.image_size`, or as the data set says
    sides_px           sides of the squares in place of that one, of which one is drawn for every ten steps, for a net
                       that takes any (Redmon, Farhadi 2016, arXiv:1612.08242: 320,352,384,...,608). Empty: always one
    crop_overlaps      least intersection over union of a crop with an object, a sampler for each, for overlap
    crop_scale         smallest and largest side of a crop as a share of the image's, for overlap
    crop_ratio         smallest and largest width / height of a crop in shares of the image's sides, for overlap
    scale_range        smallest and largest factor of the scale that evaluation has, for scale-jitter and mosaic
    expand             this share of the images is laid into a larger area of the colour `fill` first
    expand_max         the most times that the area's sides are longer than the image's
    mosaic             this share of the images is joined with three others, each scaled by a factor drawn from
                       `scale_range`; neither expanded nor cropped otherwise (Bochkovskiy et al. 2020, arXiv:2004.10934)
    fill               the colour around an image: the view's where it has one, and the mean colour elsewhere; black; or
                       the mean colour (zero once normalized)
    flip               left and right are swapped in half of the images
    brightness_levels  up to so many grey levels are added or taken away (32 in SSD)
    contrast           pixels are multiplied by a factor drawn from 1 - contrast .. 1 + contrast (0.5 in SSD)
    saturation         colours move from grey by a factor drawn from 1 - saturation .. 1 + saturation (0.5 in SSD)
    hue_degrees        colours turn by an angle drawn from -hue_degrees .. hue_degrees (18 in SSD)
    colour_share       share of the images in which each of the four changes of colours is made
    least_share        a box goes, with its label, where a smaller share of its area remains
    least_px           a box goes, with its label, where its shorter side becomes smaller
    """

    crop: Crop = "none"
    crop_px: Annotated[int, Meta(ge=1, le=LARGEST_PX)] | None = None
    sides_px: tuple[Annotated[int, Meta(ge=1, le=LARGEST_PX)], ...] = ()
    crop_overlaps: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    crop_scale: tuple[float, float] = (0.3, 1.0)
    crop_ratio: tuple[float, float] = (0.5, 2.0)
    scale_range: tuple[float, float] = (0.5, 2.0)
    expand: Annotated[float, Meta(ge=0, le=1)] = 0.0
    expand_max: Annotated[float, Meta(ge=1)] = 4.0
    mosaic: Annotated[float, Meta(ge=0, le=1)] = 0.0
    fill: Fill = "view"
    flip: bool = False
    brightness_levels: Annotated[float, Meta(ge=0, le=255)] = 0.0
    contrast: Annotated[float, Meta(ge=0, le=1)] = 0.0
    saturation: Annotated[float, Meta(ge=0, le=1)] = 0.0
    hue_degrees: Annotated[float, Meta(ge=0, le=180)] = 0.0
    colour_share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    least_share: Annotated[float, Meta(ge=0, le=1)] = 0.2
    least_px: Annotated[float, Meta(ge=0)] = 1.0

    def __post_init__(self) -> None:
        require_choice("crop", self.crop, get_args(Crop))
        require_choice("fill", self.fill, get_args(Fill))
        if self.crop_px is not None and self.crop_px < 1:
            raise ValueError(f"crop_px must be at least 1, got {self.crop_px}")
        if not all(1 <= side <= LARGEST_PX for side in self.sides_px):
            raise ValueError(f"sides_px must lie in 1..{LARGEST_PX}, got {self.sides_px}")
        if not all(0 < overlap <= 1 for overlap in self.crop_overlaps):
            raise ValueError(f"crop_overlaps must be numbers above 0 and up to 1, got {self.crop_overlaps}")
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ValueError(f"crop_scale must be two rising shares of 0..1, got {self.crop_scale}")
        for name in ("crop_ratio", "scale_range"):
            low, high = getattr(self, name)
            if not 0 < low <= high < math.inf:
                raise ValueError(f"{name} must be two rising numbers above 0, got {(low, high)}")
        if not 1 <= self.expand_max < math.inf:
            raise ValueError(f"expand_max must be a number of at least 1, got {self.expand_max}")
        for name in ("expand", "mosaic", "contrast", "saturation", "colour_share", "least_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a share of 0..1, got {getattr(self, name)}")
        for name, most in {"brightness_levels": 255.0, "hue_degrees": 180.0, "least_px": math.inf}.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be a number of 0..{most:g}, got {getattr(self, name)}")

    @property
    def further_sides(self) -> tuple[int, ...]:
        """The sides in pixels that are drawn."""
        return self.sides_px

    def side_at(self, step: int, *, seed: int) -> int | None:
        """The side of the squares at a step, counted from 0; None where it is always the same."""
        if not self.sides_px:
            return None
        return self.sides_px[key(seed, step // STEPS_OF_A_SIDE) % len(self.sides_px)]

    @property
    def slots(self) -> int:
        """The number of draws that a sample needs."""
        return OVERLAP.stop if self.crop == "overlap" else OVERLAP.start

    def partners(self, draws: Draws, num_samples: int) -> list[int]:
        """The indices of the three other samples of a mosaic, of 0..num_samples - 1; none for any other image."""
        if float(draws[MOSAIC.start]) >= self.mosaic:
            return []
        return [int(float(draw) * num_samples) for draw in draws[PARTNERS]]

    def colours(self, draws: Draws) -> ColourChange:
        """The change of colours of one image, from eight draws: whether and how much, four times."""
        is_made = draws[0::2] < self.colour_share
        amounts = np.where(is_made, 2 * draws[1::2] - 1, 0.0).tolist()
        levels, contrast, saturation, hue = amounts
        return ColourChange(
            self.brightness_levels * levels,
            1 + self.contrast * contrast,
            1 + self.saturation * saturation,
            self.hue_degrees * hue,
        )


class Square(NamedTuple):
    """The square that a net is trained on, and the way of images into it.

    side_px  its side
    view     how evaluation shows images: stretched or in their own proportions, and at which scale
    fill     the colour around an image, (C,)
    """

    side_px: int
    view: View
    fill: tuple[int, ...]

    @classmethod
    def of(cls, view: View, side_px: int, fill: Fill = "view") -> "Square":
        """The square for a view and the setting of its fill."""
        if fill == "view" and isinstance(view, Letterbox):
            return cls(side_px, view, (view.fill,) * view.channels)
        return cls(side_px, view, (0,) * view.channels if fill == "black" else tuple(mean_colour(view)))

    def scales(self, canvas: Box) -> tuple[float, float]:
        """The scales of x and y at which evaluation would show a canvas."""
        wide, high = canvas[2] - canvas[0], canvas[3] - canvas[1]
        resized_high, resized_wide = self.view.sized(self.side_px).resized_sides(
            max(1, round(high)), max(1, round(wide))
        )
        return resized_wide / wide, resized_high / high

    def of_whole(self, canvas: Box) -> Placement:
        """The placement of a canvas as evaluation would show it; the whole of it where evaluation has no squares."""
        if not isinstance(self.view, Stretch | CentreCrop):
            return letterboxed(canvas, self.side_px)
        left, top, right, bottom = canvas
        scale_x, scale_y = self.scales(canvas)
        x = -round((scale_x * (right - left) - self.side_px) / 2)  # half pixels go to the even side, as in the view
        y = -round((scale_y * (bottom - top) - self.side_px) / 2)
        return Placement(scale_x, scale_y, x - scale_x * left, y - scale_y * top, whole_area(self.side_px))

    def of_part(self, window: Box) -> Placement:
        """The placement of a part of an image: stretched where evaluation stretches, in its proportions elsewhere."""
        return (stretched if isinstance(self.view, Stretch) else letterboxed)(window, self.side_px)


def augmented(
    samples: Sequence[Sample[BoxTargets]], draws: Draws, augment: BoxAugment, square: Square
) -> Sample[BoxTargets]:
    """A sample as it is trained on: the square, (S, S, C) uint8, with the boxes in its pixels.

    Labels below 0 mark regions, which move with the image and decide nothing.

    samples  the sample itself, and behind it those that `augment.partners` asks for; images (H, W, C), as many
             channels as the square has
    draws    (augment.slots,), those of the first sample
    """
    places = (
        _mosaic(samples, draws, augment, square) if len(samples) > 1 else [_single(samples[0], draws, augment, square)]
    )
    pixels = _drawn(samples, places, augment.colours(draws[COLOURS]), square)
    targets = [
        _moved(sample.target, place, augment, by_centre=augment.crop == "overlap" and len(samples) == 1)
        for sample, place in zip(samples, places, strict=True)
    ]
    joined = BoxTargets(*(np.concatenate(members) for members in zip(*targets, strict=True)))
    if augment.flip and float(draws[FLIP]) < 0.5:
        pixels = np.take(pixels, np.arange(square.side_px)[::-1], axis=1)
        joined = joined._replace(boxes=geometry.flipped(joined.boxes, square.side_px))
    return Sample(pixels, joined)


def _single(sample: Sample[BoxTargets], draws: Draws, augment: BoxAugment, square: Square) -> Placement:
    """The placement of an image that is alone in its square: expanded first, then cropped."""
    height, width = sample.image.shape[:2]
    canvas: Box = 0.0, 0.0, float(width), float(height)
    whether, *place = draws[EXPAND]
    if float(whether) < augment.expand:
        canvas = expanded(height, width, augment.expand_max, np.array(place))
    if augment.crop == "overlap":
        objects = sample.target.boxes[~sample.target.crowd & (sample.target.labels >= 0)]
        window = overlap_window(
            canvas,
            objects,
            overlaps=augment.crop_overlaps,
            scale=augment.crop_scale,
            ratio=augment.crop_ratio,
            draws=draws[OVERLAP],
        )
        return square.of_part(window) if window != canvas else square.of_whole(canvas)
    if augment.crop == "scale-jitter":
        return _jittered(canvas, whole_area(square.side_px), draws[JITTER][:3], augment, square)
    return square.of_whole(canvas)


def _mosaic(
    samples: Sequence[Sample[BoxTargets]], draws: Draws, augment: BoxAugment, square: Square
) -> list[Placement]:
    """The placements of four images in the quarters about a point, drawn from the middle half of the square."""
    side = square.side_px
    x, y = (round(side * (0.25 + 0.5 * float(draw))) for draw in draws[MOSAIC][1:])
    areas = [(0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)]
    canvases = [(0.0, 0.0, float(image.shape[1]), float(image.shape[0])) for image, _ in samples]
    tiles = draws[JITTER].reshape(TILES, 3)
    return [_jittered(*tile, augment, square) for tile in zip(canvases, areas, tiles, strict=True)]


def _jittered(canvas: Box, area: Area, draws: Draws, augment: BoxAugment, square: Square) -> Placement:
    smallest, largest = augment.scale_range
    factor = smallest + (largest - smallest) * float(draws[0])
    return jittered(canvas, square.scales(canvas), factor, area, draws[1:])


def _drawn(
    samples: Sequence[Sample[BoxTargets]], places: Sequence[Placement], colours: ColourChange, square: Square
) -> Pixels:
    """The images at their places, their colours changed, and the fill around them, which keeps its colour."""
    side = square.side_px
    parts = [
        place.pixels(sample.image, square.view.interpolation) for sample, place in zip(samples, places, strict=True)
    ]
    if parts[0][1].shape[:2] == (side, side):
        return colours.of(parts[0][1])
    pixels = np.empty((side, side, len(square.fill)), dtype=np.uint8)
    pixels[:] = np.tile(np.array(square.fill, dtype=np.uint8), (side, 1))  # whole rows copy faster than pixels
    for (left, top, right, bottom), part in parts:
        if part.size:
            pixels[top:bottom, left:right] = colours.of(part)
    return pixels


def _moved(targets: BoxTargets, place: Placement, augment: BoxAugment, *, by_centre: bool) -> BoxTargets:
    """The boxes that remain at a place, cut off at its edges.

    Of a crowd region whatever can be seen remains, since nothing is to be learned there.

    by_centre  a box also needs its centre inside, as in SSD
    """
    boxes = place.boxes(targets.boxes)
    share, cut = geometry.visible_share(boxes, place.area), geometry.clip(boxes, place.area)
    remains = (share >= augment.least_share) & (geometry.sides(cut).min(axis=1, initial=math.inf) >= augment.least_px)
    if by_centre:
        remains &= geometry.centre_inside(boxes, place.area)
    remains = np.where(targets.crowd, share > 0, remains & (share > 0))
    areas = targets.areas * share * (place.scale_x * place.scale_y)
    return targets._replace(boxes=cut, areas=areas).at(remains)
