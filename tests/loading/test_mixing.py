"""Mixup and CutMix: exact pixels, shares that are what the pixels show, and draws that a step decides."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, kstest

from resvision.core.draws import uniform
from resvision.loading.augment import ImageAugment
from resvision.loading.mixing import cutmix, mix, mixup, symmetric_beta

BLACK_AND_WHITE = np.stack([np.zeros((8, 8, 1), np.uint8), np.full((8, 8, 1), 255, np.uint8)])
SWAPPED = np.array([1, 0])
DRAWS = uniform(0, 0, np.arange(20_000), 2)


def flat(n: int = 8) -> np.ndarray:
    """Images of one shade each, 10 times their number."""
    return np.repeat(np.arange(n, dtype=np.uint8) * 10, 6 * 5 * 3).reshape(n, 6, 5, 3)


@pytest.mark.parametrize(
    ("share", "first", "second"), [(1.0, 0, 255), (0.75, 64, 191), (0.5, 128, 128), (0.25, 191, 64), (0.0, 255, 0)]
)
def test_mixup_adds_black_and_white_to_the_grey_between(share: float, first: int, second: int) -> None:
    mixed = mixup(BLACK_AND_WHITE, SWAPPED, share)
    assert mixed.share == share
    assert (mixed.images[0] == first).all()
    assert (mixed.images[1] == second).all()


@given(st.floats(0, 1))
def test_mixup_is_right_to_half_a_grey_level(share: float) -> None:
    shades = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    partners = np.arange(256) * 77 % 256
    mixed, kept = mixup(shades, partners, share)
    assert abs(kept - share) <= 1 / 512
    exact = kept * shades + (1 - kept) * shades[partners]
    assert np.abs(mixed - exact).max() <= 0.5


def test_large_batches_are_mixed_like_small_ones() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    partners = np.array([2, 0, 1])
    for i in range(3):
        pair = mixup(images[[i, partners[i]]], SWAPPED, 0.3)
        assert np.array_equal(mixup(images, partners, 0.3).images[i], pair.images[0])


def test_a_cutmix_box_is_where_its_draws_say() -> None:
    mixed = cutmix(BLACK_AND_WHITE, SWAPPED, 0.75, (0.5, 0.5))
    expected = np.zeros((8, 8), np.uint8)
    expected[2:6, 2:6] = 255
    assert np.array_equal(mixed.images[0, :, :, 0], expected)
    assert np.array_equal(mixed.images[1, :, :, 0], 255 - expected)
    assert mixed.share == 0.75


def test_a_cutmix_box_is_cut_off_at_the_border() -> None:
    mixed = cutmix(BLACK_AND_WHITE, SWAPPED, 0.75, (0.0, 0.999))
    assert np.argwhere(mixed.images[0, :, :, 0]).tolist() == [[0, 5], [0, 6], [0, 7], [1, 5], [1, 6], [1, 7]]
    assert mixed.share == 1 - 6 / 64


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.integers(1, 40))
def test_the_share_of_cutmix_is_that_of_the_pixels(share: float, down: float, right: float, width: int) -> None:
    images = np.zeros((2, 17, width, 1), np.uint8)
    images[1] = 255
    mixed = cutmix(images, SWAPPED, share, (down, right))
    assert mixed.share == pytest.approx((mixed.images[0] == 0).mean())
    assert mixed.share >= share - 1.5 / 17 - 1.5 / width


def test_mixing_leaves_its_input_alone() -> None:
    before = flat()
    images = before.copy()
    mixup(images, np.arange(8)[::-1], 0.4)
    cutmix(images, np.arange(8)[::-1], 0.4, (0.5, 0.5))
    assert np.array_equal(images, before)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.4, 1.0, 2.5])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    shares = np.array([symmetric_beta(alpha, *draws) for draws in DRAWS.tolist()])
    assert kstest(shares, beta(alpha, alpha).cdf).pvalue > 0.001
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(shares.mean() - 0.5) < 5 * np.sqrt(variance / len(shares))
    assert abs(shares.var() / variance - 1) < 0.05


@given(st.floats(1e-300, 1e300), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_any_alpha_and_draws_give_a_share(alpha: float, first: float, second: float) -> None:
    assert 0 <= symmetric_beta(alpha, first, second) <= 1


@pytest.mark.parametrize("kind", ["mixup_alpha", "cutmix_alpha"])
def test_targets_say_what_the_images_are_made_of(kind: str) -> None:
    targets = torch.arange(8)
    for step in range(20):
        images, mixed = mix(flat(), targets, ImageAugment(**{kind: 1.0}), seed=0, step=step)
        assert torch.equal(mixed.first, targets)
        assert sorted(mixed.second.tolist()) == list(range(8))
        assert mixed.share.dtype == torch.float32
        expected = 10 * (mixed.share * mixed.first + (1 - mixed.share) * mixed.second)
        assert np.abs(images.mean(axis=(1, 2, 3)) - expected.numpy()).max() <= 0.51


def test_both_given_each_batch_draws_one_of_the_two() -> None:
    both = ImageAugment(mixup_alpha=1.0, cutmix_alpha=1.0)
    shades = [len(np.unique(mix(flat(2), torch.arange(2), both, seed=1, step=step)[0][0])) for step in range(600)]
    pasted = sum(number == 2 for number in shades)  # half of the pairings are an image with itself
    assert abs(pasted - 150) < 5 * np.sqrt(600 * 0.25 * 0.75)
    assert set(shades) == {1, 2}


def test_mixing_follows_from_seed_and_step_alone() -> None:
    both = ImageAugment(mixup_alpha=0.4, cutmix_alpha=1.0)

    def made(seed: int, step: int) -> tuple[bytes, list[int], float]:
        images, mixed = mix(flat(), torch.arange(8), both, seed=seed, step=step)
        return images.tobytes(), mixed.second.tolist(), float(mixed.share[0])

    forward = [made(0, step) for step in range(30)]
    np.random.seed(3)
    torch.manual_seed(3)
    assert [made(0, step) for step in reversed(range(30))] == forward[::-1]
    assert len({share for _, _, share in forward}) > 20  # of 30, rounded to 256ths or pixels
    assert [made(1, step) for step in range(30)] != forward
