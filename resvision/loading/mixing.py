"""Images made of two, with targets to match: Mixup and CutMix.

Mixup (Zhang et al. 2017, https://arxiv.org/abs/1710.09412) adds two images; CutMix (Yun et al. 2019,
https://arxiv.org/abs/1905.04899) covers a part of one with the other. As in the papers' code, every image of a batch
is paired with one of the same batch, and one share holds for the whole batch. All draws follow from the seed and the
step. Mixup's share is rounded to a 256th, and bytes are added in whole numbers, rounded to the nearest.

Glossary
    images    (N, H, W, C) uint8
    partners  (N,) int64, the position of the image that each is mixed with
    share     the part of itself that an image keeps, 0..1
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resvision.contracts import MixedTargets
from resvision.core.draws import key, order, uniform
from resvision.core.images import Pixels
from resvision.loading.augment import ImageAugment

CACHED_BYTES = 2**17
"""The bytes of images added at once: for 32 photos of 224 pixels, blocks took a quarter of the whole batch's time."""


class Mixture(NamedTuple):
    """Mixed images and the share that each keeps of itself."""

    images: Pixels
    share: float


def mix(images: Pixels, targets: Tensor, augment: ImageAugment, *, seed: int, step: int) -> tuple[Pixels, MixedTargets]:
    """Mix the images of step `step` as `augment` says, and their targets (N,) to match.

    Where both Mixup and CutMix are on, a batch takes either with probability one half.
    """
    batch_seed = key(seed, step)
    partners = order(batch_seed, 0, len(images))
    choice, first, second, down, right = uniform(batch_seed, 0, np.zeros(1, dtype=np.int64), 5)[0].tolist()
    if augment.mixup_alpha > 0 and (augment.cutmix_alpha == 0 or choice < 0.5):
        share = symmetric_beta(augment.mixup_alpha, first, second)
        mixed = mixup(images, partners, share)
    else:
        share = symmetric_beta(augment.cutmix_alpha, first, second)
        mixed = cutmix(images, partners, share, (down, right))
    shares = torch.full((len(images),), mixed.share, dtype=torch.float32)
    return mixed.images, MixedTargets(targets, targets[torch.from_numpy(partners)], shares)


def mixup(images: Pixels, partners: NDArray[np.int64], share: float) -> Mixture:
    """Add each image times `share`, as a whole 256th, and its partner times the rest."""
    own = round(256 * share)
    mixed = np.empty_like(images)
    block = max(1, CACHED_BYTES // images[0].nbytes)
    for start in range(0, len(images), block):
        part = slice(start, start + block)
        sums = images[part] * np.uint16(own)
        sums += images[partners[part]] * np.uint16(256 - own)
        sums += 128  # at most 256 * 255 + 128, which 16 bits hold
        sums >>= 8
        mixed[part] = sums
    return Mixture(mixed, own / 256)


def cutmix(images: Pixels, partners: NDArray[np.int64], share: float, draws: tuple[float, float]) -> Mixture:
    """Cover a box of each image with its partner; the box has the image's shape and a place drawn for the whole batch.

    The box has an area of 1 - `share` around a centre of that uniform place, and is cut off at the border: the share
    that comes back is the area really left.
    """
    height, width = images.shape[1:3]
    top, bottom = _cut(height, share, draws[0])
    left, right = _cut(width, share, draws[1])
    mixed = images.copy()
    mixed[:, top:bottom, left:right] = images[partners, top:bottom, left:right]
    return Mixture(mixed, 1 - (bottom - top) * (right - left) / (height * width))


def symmetric_beta(alpha: float, first: float, second: float) -> float:
    """A draw from Beta(alpha, alpha), alpha > 0, made of two uniform ones.

    t / sqrt(2 alpha + t^2) of a Student's t of 2 alpha degrees of freedom, which is made without rejection by the
    polar method of Bailey 1994, https://doi.org/10.2307/2153537, and moved from -1..1 to 0..1.
    """
    log = math.log1p(-first) / alpha
    cosine = math.cos(2 * math.pi * second)
    square = -math.expm1(log) * cosine**2
    return 0.5 + math.copysign(0.5, cosine) * math.sqrt(square / (square + math.exp(log)))


def _cut(side: int, share: float, draw: float) -> tuple[int, int]:
    """The ends of a CutMix box along one side."""
    length = round(side * math.sqrt(1 - share))
    start = math.floor(draw * side) - length // 2
    return max(0, start), min(side, start + length)
