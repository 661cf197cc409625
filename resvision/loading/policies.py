"""The augmentation policies of torchvision: changes of geometry and colour, drawn for each image.

They run on Pillow images, which are changed in whole numbers by one thread: no sum depends on the number of threads,
and it takes about half the time of torchvision's tensors. On grey images `Color` changes nothing.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from resvision.core.images import Pixels
from resvision.loading.augment import ImageAugment


def apply_policy(images: Pixels, augment: ImageAugment, draws: NDArray[np.float64], fill: Sequence[int]) -> Pixels:
    """Change the images (N, H, W, C) by `augment.policy`, each seeded by its draw, (N,); `fill` (C,) moves in.

    torch's generator is left as it was.
    """
    change = _transform(augment.policy, augment.policy_ops, augment.policy_magnitude, tuple(fill))
    changed = np.empty_like(images)
    with torch.random.fork_rng(devices=[]):
        for image, draw, result in zip(images, draws, changed, strict=True):
            torch.default_generator.manual_seed(int(draw * 2**53))
            pillow = Image.fromarray(image[..., 0] if len(fill) == 1 else image)
            result[:] = np.asarray(change(pillow)).reshape(result.shape)
    return changed


@cache
def _transform(policy: str, ops: int, magnitude: int, fill: tuple[int, ...]) -> Callable[[Image.Image], Image.Image]:
    from torchvision.transforms import v2  # a second of importing that other runs are spared

    transform: Callable[[Image.Image], Image.Image]
    if policy == "rand-augment":
        transform = v2.RandAugment(num_ops=ops, magnitude=magnitude, interpolation="bilinear", fill=list(fill))
    else:
        transform = v2.TrivialAugmentWide(interpolation="bilinear", fill=list(fill))
    return transform
