"""The policies of torchvision: seeded by counted draws, on grey and on colour, with torch's generator left alone."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from resvision.core.draws import uniform
from resvision.loading.augment import ImageAugment
from resvision.loading.policies import apply_policy

POLICIES = [
    ImageAugment(policy="rand-augment", policy_magnitude=15, policy_ops=3),
    ImageAugment(policy="trivial-augment"),
]
DRAWS = uniform(0, 0, np.arange(200), 1)[:, 0]


def pictures(n: int, channels: int) -> np.ndarray:
    """Smooth images, (n, 20, 24, channels)."""
    y, x, c = np.meshgrid(np.arange(20), np.arange(24), np.arange(channels), indexing="ij")
    return np.stack([(8 * y + 3 * x + 40 * c + 9 * i) % 256 for i in range(n)]).astype(np.uint8)


@pytest.mark.parametrize("augment", POLICIES, ids=lambda augment: augment.policy)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_policy_is_what_torchvision_gives_for_the_seed(augment: ImageAugment, channels: int) -> None:
    fill = [7, 8, 9][:channels]
    theirs = (
        v2.RandAugment(num_ops=3, magnitude=15, interpolation="bilinear", fill=fill)
        if augment.policy == "rand-augment"
        else v2.TrivialAugmentWide(interpolation="bilinear", fill=fill)
    )
    images = pictures(200, channels)
    changed = apply_policy(images, augment, DRAWS, fill)
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    for image, draw, there in zip(images, DRAWS, changed, strict=True):
        torch.manual_seed(int(draw * 2**53))
        expected = np.asarray(theirs(Image.fromarray(image.squeeze())))
        assert np.array_equal(there.squeeze(), expected)
    unchanged = (changed == images).all(axis=(1, 2, 3)).mean()
    assert unchanged < 0.5


@pytest.mark.parametrize("augment", POLICIES, ids=lambda augment: augment.policy)
def test_a_grey_image_becomes_what_it_becomes_in_colour(augment: ImageAugment) -> None:
    grey = pictures(200, 1)
    colour = apply_policy(np.repeat(grey, 3, axis=3), augment, DRAWS, [30, 30, 30])
    difference = np.abs(colour.astype(int) - apply_policy(grey, augment, DRAWS, [30]))
    assert difference.max() <= 1  # a weighted sum of three equal bytes may be rounded


@pytest.mark.parametrize("augment", POLICIES, ids=lambda augment: augment.policy)
def test_a_policy_leaves_the_generators_alone_and_does_not_listen_to_them(augment: ImageAugment) -> None:
    images = pictures(30, 3)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
        found.append(apply_policy(images, augment, DRAWS[:30], [0, 0, 0]))
        assert torch.equal(torch.get_rng_state(), before)
        assert np.array_equal(np.random.get_state()[1], numpy_before)
    assert np.array_equal(*found)


def test_what_an_image_becomes_does_not_depend_on_the_others() -> None:
    images = pictures(30, 3)
    together = apply_policy(images, POLICIES[0], DRAWS[:30], [0, 0, 0])
    for i in (0, 7, 29):
        alone = apply_policy(images[i : i + 1], POLICIES[0], DRAWS[i : i + 1], [0, 0, 0])
        assert np.array_equal(alone[0], together[i])


def test_the_fill_is_what_moves_in() -> None:
    images = np.full((200, 20, 24, 1), 200, np.uint8)
    for fill, other in ((7, 90), (90, 7)):
        shades = np.unique(apply_policy(images, POLICIES[1], DRAWS, [fill]))
        assert fill in shades
        assert other not in shades
