"""Boxes move with their image through every change: rectangles are painted, and found again by their colour.

Glossary
    draws  (64, slots), those of 64 samples
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from resvision.core.draws import uniform
from resvision.core.images import Pixels
from resvision.core.samples import Sample
from resvision.core.views import CentreCrop, Letterbox, ShorterSide, Stretch, View
from resvision.detection.augment import COLOURS, FLIP, JITTER, MOSAIC, BoxAugment, Square, augmented
from resvision.detection.crop_windows import Draws
from resvision.geometry import boxes as geometry
from resvision.kinds.detection.boxes import BoxTargets

SIDE = 96
NORMAL: dict[str, Any] = {"channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}
STRETCH = Stretch(**NORMAL, resize_px=SIDE, crop_px=SIDE)
LETTERBOX = Letterbox(**NORMAL, size_px=SIDE)
VIEWS = [STRETCH, LETTERBOX, CentreCrop(**NORMAL, resize_px=110, crop_px=SIDE), ShorterSide(**NORMAL, shorter_px=80)]

KEPT: dict[str, Any] = {"fill": "black", "least_share": 0.0, "least_px": 0.0}
WAYS = {
    "none": BoxAugment(**KEPT),
    "flip": BoxAugment(flip=True, **KEPT),
    "overlap": BoxAugment(crop="overlap", **KEPT),
    "expand": BoxAugment(expand=1, expand_max=2, **KEPT),
    "scale-jitter": BoxAugment(crop="scale-jitter", scale_range=(0.4, 2.5), **KEPT),
    "mosaic": BoxAugment(mosaic=1, **KEPT),
    "all": BoxAugment(mosaic=0.4, crop="overlap", expand=0.5, expand_max=2, flip=True, **KEPT),
}
"""Changes of place, under which no box goes but by SSD's rule."""


BOXES = [[8, 10, 60, 50], [70, 20, 150, 64], [30, 66, 110, 114]]


def painted(boxes: Any = BOXES, height: int = 120, width: int = 160) -> Sample[BoxTargets]:
    """A black image with a red, a green and a blue rectangle, their labels 0, 1 and 2."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    for channel, (left, top, right, bottom) in enumerate(boxes):
        image[top:bottom, left:right, channel] = 255
    return Sample(image, BoxTargets.of(np.array(boxes, dtype=np.float64), np.arange(len(boxes))))


EMPTY = painted([])


def draws_of(augment: BoxAugment) -> Draws:
    """Draws of 64 samples."""
    return uniform(7, 0, np.arange(64), augment.slots)


def shown(
    sample: Sample[BoxTargets], draws: Draws, augment: BoxAugment, view: View = STRETCH, tile: int = 0
) -> Sample[BoxTargets]:
    """The sample augmented; in a mosaic it is image `tile`, and the others are empty."""
    joined = len(augment.partners(draws, 10)) + 1
    samples = [sample if index == tile % joined else EMPTY for index in range(joined)]
    return augmented(samples, draws, augment, Square.of(view, SIDE, augment.fill))


def found(pixels: Pixels, channel: int) -> list[int] | None:
    """The box about all pixels of a colour; None where there are none."""
    rows, columns = np.nonzero(pixels[..., channel] > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else None


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: str(view.kind))
@pytest.mark.parametrize("way", WAYS)
def test_a_box_goes_where_its_rectangle_goes(way: str, view: View) -> None:
    seen, cut = 0, 0
    for tile, draws in enumerate(draws_of(WAYS[way])):
        pixels, targets = shown(painted(), draws, WAYS[way], view, tile=tile)
        assert pixels.shape == (SIDE, SIDE, 3)
        for box, label, area in zip(targets.boxes, targets.labels, targets.areas, strict=True):
            assert 0 <= box.min() <= box.max() <= SIDE
            assert area == pytest.approx(geometry.area(box[None])[0])
            if geometry.sides(box[None]).min() >= 2:
                assert found(pixels, label) == pytest.approx(box, abs=1.0), f"label {label}"
                seen += 1
        cut += len(targets.boxes) < 3
        if WAYS[way].crop != "overlap":
            colours = {channel for channel in range(3) if found(pixels, channel)}
            assert colours <= {*targets.labels.tolist()}, "nothing that can be seen has lost its box"
    assert seen > 64
    assert cut > 0 or way not in {"overlap", "scale-jitter", "mosaic", "all"}


@pytest.mark.parametrize("view", VIEWS[:3], ids=lambda view: str(view.kind))
def test_without_changes_training_shows_what_evaluation_shows(view: View) -> None:
    image = np.random.default_rng(0).integers(0, 256, (97, 161, 3), dtype=np.uint8)
    sample = Sample(image, BoxTargets.of(np.array([[5, 7, 90, 80.0]]), np.zeros(1, dtype=np.int64)))
    pixels, targets = augmented([sample], np.zeros(200), BoxAugment(), Square.of(view, SIDE))
    evaluated = view.show(image, name="image")
    assert np.abs(pixels.astype(int) - evaluated.pixels).max() <= 1
    in_view = evaluated.geometry.boxes_to_view(sample.target.boxes)
    np.testing.assert_allclose(targets.boxes, geometry.clip(in_view, (0, 0, SIDE, SIDE)))


def test_flipping_swaps_half_of_the_images_and_twice_is_nothing() -> None:
    sample, flips = painted(), 0
    for draws in draws_of(BoxAugment()):
        plain, once = (shown(sample, draws, BoxAugment(flip=flip)) for flip in (False, True))
        flips += draws[FLIP] < 0.5
        again = augmented([once], draws, BoxAugment(flip=True), Square.of(STRETCH, SIDE))
        np.testing.assert_array_equal(again.image, plain.image)
        np.testing.assert_allclose(again.target.boxes, plain.target.boxes, atol=1e-9)
        assert np.array_equal(once.image, plain.image) == (draws[FLIP] >= 0.5)
    assert 20 < flips < 44


def jitter_to(factor: float, left: float, top: float) -> tuple[BoxAugment, Draws]:
    """Settings and draws that show a part of an image at `factor`, at a place of 0..1 in both directions."""
    draws = np.full(400, 0.9)
    draws[JITTER.start : JITTER.start + 3] = 0, left, top
    return BoxAugment(crop="scale-jitter", scale_range=(factor, factor), **KEPT), draws


def test_a_sliver_goes_with_its_label_and_the_others_keep_theirs() -> None:
    square = painted([[0, 0, 50, 96], [44, 0, 60, 10], [50, 50, 96, 96]], SIDE, SIDE)
    augment, draws = jitter_to(
        2, 0.999, 0
    )  # the right upper quarter, which leaves 2 of the 50 columns of the first box
    everything = shown(square, draws, augment).target
    assert everything.labels.tolist() == [0, 1]  # the third lies outside
    np.testing.assert_allclose(everything.boxes, [[0, 0, 4, 96], [0, 0, 24, 20]], atol=1e-9)
    assert shown(square, draws, replace(augment, least_share=0.05)).target.labels.tolist() == [1]
    assert shown(square, draws, replace(augment, least_px=5)).target.labels.tolist() == [1]
    assert shown(square, draws, replace(augment, least_px=30)).target.labels.tolist() == []


def test_crowds_and_difficult_objects_keep_their_marks_and_a_crowd_its_last_part() -> None:
    sample = painted([[0, 0, 50, 96], [44, 0, 60, 10], [50, 50, 96, 96]], SIDE, SIDE)
    marked = sample.target._replace(crowd=np.array([True, False, True]), difficult=np.array([False, True, False]))
    augment, draws = jitter_to(2, 0.999, 0)
    strict = replace(augment, least_share=0.5, least_px=5)
    targets = shown(Sample(sample.image, marked), draws, strict).target
    assert targets.labels.tolist() == [0, 1], "nothing is to be learned in what can be seen of a crowd"
    assert targets.crowd.tolist() == [True, False]
    assert targets.difficult.tolist() == [False, True]


def test_an_overlapping_crop_keeps_the_boxes_whose_centre_it_holds() -> None:
    augment = WAYS["overlap"]
    boxes = [[x, y, x + 20, y + 20] for x in (0, 20, 40, 60) for y in (0, 30, 60)][:3]
    lost = 0
    for draws in draws_of(augment):
        pixels, targets = shown(painted(boxes), draws, augment)
        for channel in range(3):
            box = found(pixels, channel)
            lost += box is not None and channel not in targets.labels
    assert lost > 0, "some can be seen, and are not learned"


def test_a_mosaic_shows_four_images_and_the_boxes_of_all() -> None:
    augment = BoxAugment(mosaic=1, scale_range=(0.4, 0.4), **KEPT)
    draws = draws_of(augment)[0]
    draws[MOSAIC] = 0, 0.5, 0.5
    assert len(augment.partners(draws, 100)) == 3
    samples = [painted([[0, 0, 160, 120]], 120, 160) for _ in range(4)]
    pixels, targets = augmented(samples, draws, augment, Square.of(STRETCH, SIDE, "black"))
    assert len(targets.boxes) == 4
    quarters = [pixels[y : y + 48, x : x + 48, 0] > 127 for y in (0, 48) for x in (0, 48)]
    np.testing.assert_allclose([quarter.sum() for quarter in quarters], geometry.area(targets.boxes), rtol=0.06)


def test_partners_follow_from_the_draws_alone_and_lie_in_the_set() -> None:
    augment = BoxAugment(mosaic=0.5)
    chosen = [augment.partners(draws, 5) for draws in draws_of(augment)]
    assert chosen == [augment.partners(draws, 5) for draws in draws_of(augment)]
    assert {len(partners) for partners in chosen} == {0, 3}
    assert {index for partners in chosen for index in partners} == {0, 1, 2, 3, 4}


def test_colours_change_the_pixels_and_no_box_nor_the_fill() -> None:
    augment = BoxAugment(brightness_levels=32, contrast=0.5, saturation=0.5, hue_degrees=18, least_px=0)
    draws = np.zeros(400)
    draws[COLOURS] = (0, 0.9) * 4
    sample = painted(height=60, width=160, boxes=[[0, 0, 80, 60]])
    square = Square.of(LETTERBOX, SIDE)
    plain, changed = augmented([sample], draws, BoxAugment(), square), augmented([sample], draws, augment, square)
    np.testing.assert_array_equal(plain.target.boxes, changed.target.boxes)
    assert (plain.image[30:66] != changed.image[30:66]).any()
    assert (changed.image[:29] == 114).all()


def test_images_without_boxes_pass_every_change() -> None:
    for augment in WAYS.values():
        for draws in draws_of(augment)[:8]:
            assert shown(EMPTY, draws, augment).target.boxes.shape == (0, 4)


def test_grey_images_are_augmented() -> None:
    view = Stretch(channels=1, mean=(0.5,), std=(0.5,), resize_px=SIDE, crop_px=SIDE)
    sample = Sample(painted().image[..., :1], painted([BOXES[0]]).target)
    augment = replace(WAYS["all"], saturation=0.5, contrast=0.5, hue_degrees=18)
    for draws in draws_of(augment)[:8]:
        assert shown(sample, draws, replace(augment, mosaic=0), view).image.shape == (SIDE, SIDE, 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"crop": "random"},
        {"fill": "white"},
        {"crop_px": 0},
        {"crop_overlaps": (0.0,)},
        {"crop_scale": (0.5, 1.5)},
        {"crop_ratio": (2, 0.5)},
        {"scale_range": (0, 1)},
        {"expand": 1.5},
        {"expand_max": 0.5},
        {"mosaic": -0.1},
        {"brightness_levels": 300},
        {"hue_degrees": float("nan")},
        {"least_share": 2},
    ],
    ids=str,
)
def test_impossible_settings_are_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        BoxAugment(**settings)
