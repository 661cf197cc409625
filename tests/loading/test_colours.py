"""Changes of colours against the numbers they stand for."""

import numpy as np

from resvision.loading.colours import ColourChange

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)
LUMA = (0.299, 0.587, 0.114)


def test_no_change_is_the_image_itself() -> None:
    assert ColourChange().of(IMAGE) is IMAGE


def test_brightness_and_contrast_are_a_sum_and_a_factor_cut_off_at_the_ends() -> None:
    expected = np.rint((IMAGE.astype(float) + 20) * 1.3).clip(0, 255)
    np.testing.assert_array_equal(ColourChange(levels=20, contrast=1.3).of(IMAGE), expected)
    slightly = ColourChange(levels=20, contrast=1.3, saturation=1 + 1e-9).of(IMAGE)
    assert np.abs(slightly - expected).max() <= 1, "one matrix gives what the table of levels gives"


def test_without_saturation_an_image_is_its_luma() -> None:
    changed = ColourChange(saturation=0).of(IMAGE)
    assert np.abs(changed - (IMAGE @ np.array(LUMA))[..., None]).max() <= 1


def test_a_turn_of_hue_keeps_greys_and_luma_and_is_undone_by_the_turn_back() -> None:
    muted = (IMAGE // 4 + 96).astype(np.uint8)  # no colour that a turn drives beyond 0 or 255
    turned = ColourChange(hue_degrees=40).of(muted)
    assert np.abs(turned @ np.array(LUMA) - muted @ np.array(LUMA)).max() <= 1
    assert np.abs(turned.astype(int) - muted).max() > 10
    assert np.abs(ColourChange(hue_degrees=-40).of(turned).astype(int) - muted).max() <= 2
    grey = np.repeat(IMAGE[..., :1], 3, axis=2)
    assert np.abs(ColourChange(hue_degrees=90, saturation=2).of(grey).astype(int) - grey).max() <= 1


def test_a_turn_of_hue_goes_the_way_of_the_colour_circle() -> None:
    red = np.full((1, 1, 3), (200, 60, 60), dtype=np.uint8)
    r, g, b = ColourChange(hue_degrees=30).of(red)[0, 0].tolist()
    assert r > g > b, "towards yellow"
