"""Augmentation from counted draws: whole batches by array operations, crops of one image as boxes.

No function here draws by itself: each takes numbers in [0, 1) and is a pure function of them. It is
numpy rather than torch, since moving bytes gains nothing from torch's threads and loses 10 ms a batch where
they wait for each other.

Glossary
    images  (N, H, W, C) uint8
    draws   (N, slots) or (slots,) float64 in [0, 1)
    box     (left, top, right, bottom) in pixels of an image, fractions allowed
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import numpy as np
from msgspec import Meta
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from resvision.core.images import Pixels
from resvision.core.resampling import Box, resized_sides
from resvision.core.views import LARGEST_PX

Fill = Literal["black", "mean"]

CROP_SLOTS = 22
"""The number of draws for a crop of one image at most: ten tries of area and ratio, and a place."""

ERASE_SLOTS = 5
"""The number of draws for erasing in one image: whether, area, ratio, top, left."""

ELASTIC_SLOTS = 18
"""The number of draws for an elastic deformation of one image: two displacements at each of 3x3 points."""

ERASE_AREA, ERASE_RATIO = (0.02, 0.33), (0.3, 3.3)
"""Share of the image that is erased, and height / width of it; torchvision's, where the paper erases up to 0.4."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """The settings of a task's augmentation; each task declares its own. Abstract."""

    @property
    def mixes(self) -> bool:
        """Whether images are made of two, with targets to match."""
        return False

    @property
    def further_sides(self) -> tuple[int, ...]:
        """The sides in pixels at which a net is shown images beside that of the data; none where it is the only one."""
        return ()


@dataclass(frozen=True, kw_only=True)
class ImageAugment(Augmentation):
    """Changes of images that all become one size, in this order: crop, shift, flip, brightness, policy, erase, mix.

    crop              none: the centre, as in evaluation
                      random-resized: area and shape drawn (Szegedy et al. 2014)
                      scale-jitter: shorter side drawn from 256..480 for 224 pixels, then a crop of that size drawn
                      (the recipe of VGG and of ResNet on ImageNet)
    crop_scale        smallest and largest share of the image's area, for random-resized
    crop_ratio        smallest and largest width / height, for random-resized
    sides_px          sides of the images, one an epoch in turn, for a net that takes any size (224,180 in SPP-net); the
                      part of an image that is shown stays the same. Empty: that of the data
    shift_px          the image moves by -shift_px..shift_px in both axes (4 in the CIFAR recipe of ResNet)
    fill              the colour that a shift or a policy moves in: black, or the mean colour (zero once normalized)
    flip              left and right are swapped in half of the images
    brightness        pixels are multiplied by a factor drawn from 1 - brightness .. 1 + brightness
    policy            rand-augment: so many changes of one strength, drawn (Cubuk et al. 2019, arXiv:1909.13719)
                      trivial-augment: one change of any strength (Müller, Hutter 2021, arXiv:2103.10158), which moves
                      by up to 32 pixels: most of a small image
    policy_magnitude  strength of rand-augment, 0..30
    policy_ops        changes of rand-augment
    erase             in this share of the images a rectangle takes the mean colour (Zhong et al. 2017,
                      arXiv:1708.04896)
    mixup_alpha       above 0, two images are added, with shares from Beta(alpha, alpha)
    cutmix_alpha      above 0, a part of one image covers another, with shares from Beta(alpha, alpha); where both are
                      given, a batch draws one of the two with probability one half
    """

    crop: Literal["none", "random-resized", "scale-jitter"] = "none"
    crop_scale: tuple[float, float] = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    sides_px: tuple[Annotated[int, Meta(ge=1, le=LARGEST_PX)], ...] = ()
    shift_px: Annotated[int, Meta(ge=0)] = 0
    fill: Fill = "black"
    flip: bool = False
    brightness: Annotated[float, Meta(ge=0, le=1)] = 0.0
    policy: Literal["none", "rand-augment", "trivial-augment"] = "none"
    policy_magnitude: Annotated[int, Meta(ge=0, le=30)] = 9
    policy_ops: Annotated[int, Meta(ge=1)] = 2
    erase: Annotated[float, Meta(ge=0, le=1)] = 0.0
    mixup_alpha: Annotated[float, Meta(ge=0)] = 0.0
    cutmix_alpha: Annotated[float, Meta(ge=0)] = 0.0

    def __post_init__(self) -> None:
        require_choice("crop", self.crop, ("none", "random-resized", "scale-jitter"))
        require_choice("fill", self.fill, get_args(Fill))
        require_choice("policy", self.policy, ("none", "rand-augment", "trivial-augment"))
        if self.shift_px < 0:
            raise ValueError(f"shift_px must not be negative, got {self.shift_px}")
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ValueError(f"crop_scale must be two rising shares of 0..1, got {self.crop_scale}")
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ValueError(f"crop_ratio must be two rising numbers above 0, got {self.crop_ratio}")
        if not all(1 <= side <= LARGEST_PX for side in self.sides_px):
            raise ValueError(f"sides_px must lie in 1..{LARGEST_PX}, got {self.sides_px}")
        if not 0 <= self.policy_magnitude <= 30:
            raise ValueError(f"policy_magnitude must be 0..30, got {self.policy_magnitude}")
        if self.policy_ops < 1:
            raise ValueError(f"policy_ops must be at least 1, got {self.policy_ops}")
        for name, share in {"brightness": self.brightness, "erase": self.erase}.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be a share of 0..1, got {share}")
        for name, alpha in {"mixup_alpha": self.mixup_alpha, "cutmix_alpha": self.cutmix_alpha}.items():
            if not 0 <= alpha < math.inf:
                raise ValueError(f"{name} must be a number of at least 0, got {alpha}")

    @property
    def mixes(self) -> bool:
        """Whether images are made of two, with targets to match."""
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0

    @property
    def further_sides(self) -> tuple[int, ...]:
        """The sides in pixels that come in turn."""
        return self.sides_px

    def side_at(self, epoch: int) -> int | None:
        """The side of the images of an epoch, counted from 0; None for that of the data."""
        return self.sides_px[epoch % len(self.sides_px)] if self.sides_px else None

    def crop_box(self, height: int, width: int, crop_px: int, draws: NDArray[np.float64]) -> Box:
        """The part of an image that is trained on, from CROP_SLOTS draws; for random-resized and scale-jitter."""
        if self.crop == "scale-jitter":
            return jittered_crop_box(height, width, crop_px, draws)
        return random_resized_crop_box(height, width, draws, scale=self.crop_scale, ratio=self.crop_ratio)


@dataclass(frozen=True, kw_only=True)
class MaskAugment(Augmentation):
    """Changes of an image together with its label map, in this order: crop, elastic and rotation, flip, brightness.

    crop              none: the centre, padded where the image is smaller
                      random-scale: the image scaled by a factor drawn from `scale_range`, then a crop drawn, padded
                      where the scaled image is smaller (Chen et al. 2017, arXiv:1706.05587)
    crop_px           side of the crops; None: `data.image_size`, or as the data set says
    scale_range       smallest and largest factor, for random-scale
    fill              the colour that pads a crop: black, or the mean colour (zero once normalized)
    elastic_px        standard deviation, in pixels of the crop, of the displacements of 3x3 points, between which the
                      image is stretched (Ronneberger et al. 2015, arXiv:1505.04597, has 10)
    rotation_degrees  the crop is turned by an angle drawn from -rotation_degrees .. rotation_degrees, with its edges
                      mirrored (Zhao et al. 2017, arXiv:1612.01105, have 10)
    flip              left and right are swapped in half of the images
    brightness        pixels are multiplied by a factor drawn from 1 - brightness .. 1 + brightness
    """

    crop: Literal["none", "random-scale"] = "none"
    crop_px: Annotated[int, Meta(ge=1, le=LARGEST_PX)] | None = None
    scale_range: tuple[float, float] = (0.5, 2.0)
    fill: Fill = "black"
    elastic_px: Annotated[float, Meta(ge=0)] = 0.0
    rotation_degrees: Annotated[float, Meta(ge=0, le=180)] = 0.0
    flip: bool = False
    brightness: Annotated[float, Meta(ge=0, le=1)] = 0.0

    def __post_init__(self) -> None:
        require_choice("crop", self.crop, ("none", "random-scale"))
        require_choice("fill", self.fill, get_args(Fill))
        if not 0 < self.scale_range[0] <= self.scale_range[1] < math.inf:
            raise ValueError(f"scale_range must be two rising numbers above 0, got {self.scale_range}")
        if not 0 <= self.elastic_px < math.inf:
            raise ValueError(f"elastic_px must be a number of at least 0, got {self.elastic_px}")
        if not 0 <= self.rotation_degrees <= 180:
            raise ValueError(f"rotation_degrees must be 0..180, got {self.rotation_degrees}")
        if not 0 <= self.brightness <= 1:
            raise ValueError(f"brightness must be a share of 0..1, got {self.brightness}")


def require_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise ValueError where a setting is none of its choices."""
    if value not in choices:
        raise ValueError(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, got {value!r}")


def shift(images: Pixels, pixels: int, draws: NDArray[np.float64], fill: Sequence[int]) -> Pixels:
    """Move the images by -pixels..pixels in both axes, from draws (N, 2); `fill` (C,) moves in.

    This is padding by `pixels` and cropping back at a random place (Lee et al. 2015).
    """
    n, height, width, channels = images.shape
    rows = np.empty((n, height + 2 * pixels, (width + 2 * pixels) * channels), dtype=np.uint8)
    rows[:] = np.tile(np.array(fill, dtype=np.uint8), width + 2 * pixels)  # whole rows copy faster than pixels
    across = slice(pixels * channels, (pixels + width) * channels)
    rows[:, pixels : pixels + height, across] = images.reshape(n, height, width * channels)
    top, left = np.floor(draws * (2 * pixels + 1)).astype(np.int64).T
    shifted = sliding_window_view(rows, (height, width * channels), axis=(1, 2))
    return np.asarray(shifted[np.arange(n), top, channels * left].reshape(images.shape))


def flip(images: Pixels, draws: NDArray[np.float64]) -> Pixels:
    """Swap left and right of the images whose draw, (N,), is below one half."""
    swapped = draws < 0.5
    flipped = images.copy()
    flipped[swapped] = np.take(images[swapped], np.arange(images.shape[2])[::-1], axis=2)
    return flipped


def brighten(images: Pixels, share: float, draws: NDArray[np.float64]) -> Pixels:
    """Multiply the images by factors uniform in 1 - share .. 1 + share, cut off at 255, from draws (N,)."""
    factors = 1 + share * (2 * draws - 1)
    levels = np.rint(factors[:, None] * np.arange(256)).clip(0, 255).astype(np.uint8)
    return np.stack([level[image] for level, image in zip(levels, images, strict=True)])


def erase(images: Pixels, share: float, draws: NDArray[np.float64], colour: Sequence[int]) -> Pixels:
    """Cover a rectangle of a `share` of the images with one colour (C,), from draws (N, ERASE_SLOTS).

    Area is uniform in ERASE_AREA, log(height / width) in log ERASE_RATIO, the place uniform. A rectangle longer than
    the image, one in some 270 of square images, is cut to it, where the paper and torchvision draw again.
    """
    height, width = images.shape[1:3]
    chosen, area, ratio, down, right = draws.T
    pixels = height * width * (ERASE_AREA[0] + (ERASE_AREA[1] - ERASE_AREA[0]) * area)
    shape = ERASE_RATIO[0] * (ERASE_RATIO[1] / ERASE_RATIO[0]) ** ratio
    h = np.clip(np.rint(np.sqrt(pixels * shape)), 1, height)
    w = np.clip(np.rint(np.sqrt(pixels / shape)), 1, width)
    top, left = np.floor(down * (height - h + 1)), np.floor(right * (width - w + 1))
    erased = images.copy()
    boxes = np.stack([top, top + h, left, left + w], axis=1).astype(int).tolist()
    for i in np.flatnonzero(chosen < share):
        y, bottom, x, end = boxes[i]
        erased[i, y:bottom, x:end] = colour
    return erased


def random_resized_crop_box(
    height: int,
    width: int,
    draws: NDArray[np.float64],
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> Box:
    """A box of random area and shape, by torchvision's rule; whole pixels.

    Area is uniform in `scale`, log(width / height) in log `ratio`. After ten tries that do not fit, the
    largest centred box whose shape `ratio` allows.
    """
    log_ratio = math.log(ratio[0]), math.log(ratio[1])
    for attempt in range(10):
        area = height * width * _between(scale, draws[2 * attempt])
        shape = math.exp(_between(log_ratio, draws[2 * attempt + 1]))
        w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < w <= width and 0 < h <= height:
            top, left = _whole(height - h, draws[20]), _whole(width - w, draws[21])
            return left, top, left + w, top + h
    w = min(width, max(1, round(height * ratio[1])))
    h = min(height, max(1, round(width / ratio[0])))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def jittered_crop_box(height: int, width: int, crop_px: int, draws: NDArray[np.float64]) -> Box:
    """The box of a random crop of `crop_px` after the shorter side was resized to a random length.

    The length is uniform over the whole numbers of 256..480 for 224 pixels, in proportion for others.
    """
    smallest, largest = round(crop_px * 256 / 224), round(crop_px * 480 / 224)
    shorter_px = smallest + _whole(largest - smallest, draws[0])
    resized_height, resized_width = resized_sides(height, width, shorter_px)
    top, left = _whole(resized_height - crop_px, draws[1]), _whole(resized_width - crop_px, draws[2])
    x, y = width / resized_width, height / resized_height
    return left * x, top * y, (left + crop_px) * x, (top + crop_px) * y


def _between(ends: tuple[float, float], draw: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * float(draw)


def _whole(largest: int, draw: float) -> int:
    """A whole number of 0..largest, all equally likely."""
    return math.floor(float(draw) * (largest + 1))
