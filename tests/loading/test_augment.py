"""Augmentation: exact shifts and flips, and crop boxes that stay inside the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvision.core.draws import uniform
from resvision.core.errors import SettingsError
from resvision.core.resampling import resized_sides
from resvision.loading.augment import (
    CROP_SLOTS,
    ERASE_SLOTS,
    ImageAugment,
    MaskAugment,
    brighten,
    erase,
    flip,
    jittered_crop_box,
    random_resized_crop_box,
    shift,
)
from resvision.recipes import compose

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 12, 10, 3), dtype=np.uint8)
DRAWS = uniform(0, 0, np.arange(50), CROP_SLOTS)


def moved(image: np.ndarray, down: int, right: int, fill: tuple[int, ...]) -> np.ndarray:
    """The image moved pixel by pixel."""
    height, width, _ = image.shape
    there = np.empty_like(image)
    for y in range(height):
        for x in range(width):
            inside = 0 <= y - down < height and 0 <= x - right < width
            there[y, x] = image[y - down, x - right] if inside else fill
    return there


@pytest.mark.parametrize("pixels", [1, 4])
def test_a_shift_moves_every_pixel_and_fills_the_rest(pixels: int) -> None:
    fill = (7, 8, 9)
    shifted = shift(IMAGES, pixels, DRAWS[:, :2], fill)
    offsets = pixels - np.floor(DRAWS[:, :2] * (2 * pixels + 1)).astype(int)
    for image, there, (down, right) in zip(IMAGES, shifted, offsets, strict=True):
        assert np.array_equal(there, moved(image, down, right, fill))
    assert set(offsets.ravel()) == set(range(-pixels, pixels + 1))


def test_the_middle_draw_shifts_by_nothing() -> None:
    assert np.array_equal(shift(IMAGES, 4, np.full((50, 2), 0.5), (0, 0, 0)), IMAGES)


def test_a_flip_swaps_left_and_right_in_the_chosen_images() -> None:
    flipped = flip(IMAGES, DRAWS[:, 0])
    for image, there, draw in zip(IMAGES, flipped, DRAWS[:, 0], strict=True):
        assert np.array_equal(there, image[:, ::-1] if draw < 0.5 else image)


def test_flipping_twice_is_nothing_and_leaves_the_input_alone() -> None:
    before = IMAGES.copy()
    assert np.array_equal(flip(flip(IMAGES, DRAWS[:, 0]), DRAWS[:, 0]), IMAGES)
    assert np.array_equal(IMAGES, before)


def erased_box(image: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the white rectangle in a black image; it must be one."""
    rows, columns = np.flatnonzero(image.any(axis=(1, 2))), np.flatnonzero(image.any(axis=(0, 2)))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    assert (image[top:bottom, left:right] == 255).all()
    assert np.count_nonzero(image[..., 0]) == (bottom - top) * (right - left)
    return top, bottom, left, right


@settings(deadline=None)  # other work on the machine is no fault of the code
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 10**6))
def test_what_is_erased_is_one_rectangle_inside(height: int, width: int, index: int) -> None:
    draws = uniform(0, 0, np.array([index]), ERASE_SLOTS)
    black = np.zeros((1, height, width, 3), np.uint8)
    erased_box(erase(black, 1.0, draws, (255, 255, 255))[0])
    assert not black.any()


def test_so_many_images_are_erased_in_a_colour_and_the_others_left() -> None:
    draws = uniform(0, 0, np.arange(2000), ERASE_SLOTS)
    images = np.random.default_rng(0).integers(0, 100, (2000, 12, 10, 3), dtype=np.uint8)
    erased = erase(images, 0.25, draws, (200, 150, 255))
    changed = (erased != images).any(axis=3)
    assert np.array_equal(changed.any(axis=(1, 2)), draws[:, 0] < 0.25)
    assert (erased[changed] == (200, 150, 255)).all()
    assert np.array_equal(erase(images, 0.0, draws, (0, 0, 0)), images)


def test_erased_areas_and_shapes_are_those_of_torchvision() -> None:
    draws = uniform(0, 0, np.arange(4000), ERASE_SLOTS)
    black = np.zeros((4000, 64, 64, 1), np.uint8)
    boxes = np.array([erased_box(image) for image in erase(black, 1.0, draws, (255,))])
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    shares = heights * widths / 64**2
    assert 0.015 < shares.min() < 0.025
    assert 0.31 < shares.max() < 0.345
    assert abs(shares.mean() - 0.175) < 0.005
    shapes = np.log(heights / widths)
    assert abs(shapes.mean()) < 0.05
    assert abs(shapes.std() / (np.log(11) / np.sqrt(12)) - 1) < 0.05
    centres = (boxes[:, 0] + boxes[:, 1]) / 2, (boxes[:, 2] + boxes[:, 3]) / 2
    assert all(abs(places.mean() - 32) < 1 for places in centres)


sides = st.integers(1, 600)


@settings(deadline=None)  # other work on the machine is no fault of the code
@given(sides, sides, st.integers(0, 10**6))
def test_random_resized_boxes_lie_inside_in_whole_pixels(height: int, width: int, index: int) -> None:
    draws = uniform(0, 0, np.array([index]), CROP_SLOTS)[0]
    left, top, right, bottom = random_resized_crop_box(height, width, draws, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert all(isinstance(edge, int) for edge in (left, top, right, bottom))


def test_random_resized_areas_are_uniform_and_shapes_within_the_ratio() -> None:
    draws = uniform(0, 0, np.arange(4000), CROP_SLOTS)
    boxes = np.array([random_resized_crop_box(4000, 4000, row, scale=(0.2, 0.5), ratio=(0.5, 2.0)) for row in draws])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    shares = widths * heights / 4000**2
    assert shares.min() > 0.199
    assert shares.max() < 0.501
    assert abs(shares.mean() - 0.35) < 0.005
    shapes = np.log(widths / heights)
    assert np.abs(shapes).max() < np.log(2) + 0.01
    assert abs(shapes.mean()) < 0.03


def test_an_image_that_no_try_fits_is_cropped_at_the_centre() -> None:
    box = random_resized_crop_box(10, 1000, np.full(CROP_SLOTS, 0.999), scale=(0.9, 1.0), ratio=(3 / 4, 4 / 3))
    assert box == (493, 0, 506, 10)


@settings(deadline=None)  # other work on the machine is no fault of the code
@given(sides, sides, st.integers(0, 10**6))
def test_jittered_boxes_lie_inside(height: int, width: int, index: int) -> None:
    draws = uniform(0, 0, np.array([index]), CROP_SLOTS)[0]
    left, top, right, bottom = jittered_crop_box(height, width, 224, draws)
    assert -1e-6 <= left < right <= width + 1e-6
    assert -1e-6 <= top < bottom <= height + 1e-6


@pytest.mark.parametrize(("draw", "shorter_px"), [(0.0, 256), (0.9999, 480)])
def test_the_jittered_shorter_side_spans_256_to_480(draw: float, shorter_px: int) -> None:
    left, top, right, bottom = jittered_crop_box(480, 600, 224, np.array([draw, 0.0, 0.0]))
    height, width = resized_sides(480, 600, shorter_px)
    assert (left, top) == (0, 0)
    assert right == pytest.approx(224 * 600 / width)
    assert bottom == pytest.approx(224 * 480 / height)


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop": "middle"},
        {"fill": "white"},
        {"shift_px": -1},
        {"sides_px": (224, 0)},
        {"crop_scale": (0.5, 0.1)},
        {"crop_ratio": (0.0, 1.0)},
        {"brightness": 1.1},
        {"policy": "auto-augment"},
        {"policy_magnitude": 31},
        {"policy_ops": 0},
        {"erase": 1.5},
        {"mixup_alpha": -0.1},
        {"cutmix_alpha": float("inf")},
    ],
)
def test_an_augmentation_that_cannot_work_says_which_setting(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ImageAugment(**wrong)


def test_brightness_multiplies_every_image_by_its_own_factor() -> None:
    bright = brighten(IMAGES, 0.4, DRAWS[:, 3])
    for image, there, draw in zip(IMAGES, bright, DRAWS[:, 3], strict=True):
        expected = np.minimum(image * (0.6 + 0.8 * draw), 255)
        assert np.abs(there - expected).max() <= 0.5 + 1e-9
    assert np.array_equal(brighten(IMAGES, 0.4, np.full(50, 0.5)), IMAGES)
    assert bright.dtype == np.uint8


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop": "random-resized"},
        {"fill": "white"},
        {"scale_range": (0.0, 1.0)},
        {"scale_range": (2.0, 0.5)},
        {"scale_range": (0.5, float("inf"))},
        {"elastic_px": -1.0},
        {"elastic_px": float("nan")},
        {"brightness": 1.1},
    ],
)
def test_an_augmentation_of_label_maps_that_cannot_work_says_which_setting(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MaskAugment(**wrong)


@pytest.mark.parametrize("own", [{"crop": "random-scale"}, {"crop": "random-scale", "elastic_px": 10.0}])
def test_classification_refuses_what_is_for_label_maps(own: dict[str, object]) -> None:
    MaskAugment(**own)
    with pytest.raises((ValueError, TypeError), match=r"crop must be|elastic_px"):
        ImageAugment(**own)


@pytest.mark.parametrize(
    ("model", "data", "changed", "told"),
    [
        (
            "resnet20",
            "digits",
            "elastic_px=10",
            "unknown key 'augment.elastic_px'.*keys of augment: crop, crop_scale",
        ),
        ("resnet20", "digits", "crop_px=32", "unknown key 'augment.crop_px'; .*keys of augment: crop, crop_scale"),
        ("resnet20", "digits", "crop=random-scale", "augment.crop: unknown value 'random-scale'.*random-resized"),
        ("unet", "camvid", "shift_px=4", "unknown key 'augment.shift_px'; .*keys of augment: crop, crop_px"),
        ("unet", "camvid", "policy=rand-augment", "unknown key 'augment.policy'; .*keys of augment: crop, crop_px"),
        ("unet", "camvid", "erase=0.1", "unknown key 'augment.erase'; .*keys of augment: crop, crop_px"),
        ("unet", "camvid", "mixup_alpha=0.2", "unknown key 'augment.mixup_alpha'; .*keys of augment: crop, crop_px"),
        ("unet", "camvid", "cutmix_alpha=1", "unknown key 'augment.cutmix_alpha'; .*keys of augment: crop, crop_px"),
        ("unet", "camvid", "crop=random-resized", "augment.crop: unknown value 'random-resized'.*random-scale"),
    ],
)
def test_a_setting_of_another_task_is_refused_with_the_keys_of_this_one(
    model: str, data: str, changed: str, told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        compose(model, data, settings=[f"augment.{changed}"])


def test_what_moves_with_label_maps_can_be_set_for_them() -> None:
    settings = ["augment.crop=random-scale", "augment.elastic_px=10", "augment.flip=true", "augment.fill=mean"]
    run = compose("unet", "camvid", settings=[*settings, "augment.brightness=0.2"])
    assert run.augment == MaskAugment(crop="random-scale", elastic_px=10.0, flip=True, fill="mean", brightness=0.2)
