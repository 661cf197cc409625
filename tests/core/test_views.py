"""Views: what a net sees of an image, the way back to the image, and how a view is written and refused."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.transforms import v2

from resvision.core.errors import DataError, SettingsError
from resvision.core.images import PIXEL_LIMIT, VOID
from resvision.core.resampling import centre_crop, resample, resized_sides
from resvision.core.settings import from_json, leaves, to_json
from resvision.core.views import (
    CentreCrop,
    Letterbox,
    LongerSide,
    ShorterSide,
    SquareView,
    Stretch,
    View,
    Whole,
    described,
)

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]
NORMALIZED: dict[str, Any] = {"channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}
VIEWS: list[View] = [
    Stretch(**NORMALIZED, resize_px=32, crop_px=28),
    CentreCrop(**NORMALIZED, resize_px=32, crop_px=27),
    Whole(**NORMALIZED),
    ShorterSide(**NORMALIZED, shorter_px=40),
    ShorterSide(**NORMALIZED, shorter_px=40, longest_px=48),
    LongerSide(**NORMALIZED, longer_px=33, interpolation="bicubic"),
    Letterbox(**NORMALIZED, size_px=36, fill=7),
]
every_view = pytest.mark.parametrize("view", VIEWS, ids=described)
sides = st.integers(2, 60)


def centre(**changes: object) -> CentreCrop:
    return CentreCrop(**{**NORMALIZED, "resize_px": 256, "crop_px": 224, **changes})


def drawn(height: int, width: int, *channels: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, *channels), dtype=np.uint8)


# What a net sees -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(300, 500), (500, 301), (256, 256), (100, 1000), (7, 3), (257, 640)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_shorter_side_and_crop_equal_torchvision(height: int, width: int, interpolation: str) -> None:
    image = drawn(height, width, 3)
    peers = v2.Compose([v2.Resize(256, v2.InterpolationMode(interpolation)), v2.CenterCrop(224)])
    theirs = np.asarray(peers(Image.fromarray(image)))
    assert np.array_equal(centre(interpolation=interpolation).show(image, name="x").pixels, theirs)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (427, 640), (1100, 900), (600, 2000), (97, 120), (833, 61)])
def test_the_shorter_side_with_a_longest_is_resized_as_torchvisions_detectors_do(height: int, width: int) -> None:
    image = drawn(height, width, 3)
    views: dict[tuple[int, int] | None, View] = {
        None: ShorterSide(**NORMALIZED, shorter_px=200, longest_px=333, interpolation="bilinear-aliased"),
        (60, 60): Stretch(**NORMALIZED, resize_px=60, crop_px=60, interpolation="bilinear-aliased"),
    }
    for fixed, view in views.items():
        peer = GeneralizedRCNNTransform(200, 333, [0.0] * 3, [1.0] * 3, size_divisible=1, fixed_size=fixed)
        theirs = peer([torch.from_numpy(image).permute(2, 0, 1).float()])[0].tensors[0].permute(1, 2, 0).numpy()
        ours = view.show(image, name="x").pixels
        assert ours.shape == theirs.shape
        shrinks = ours.shape[0] < height
        assert np.abs(ours - theirs).max() <= (0.55 if shrinks else 1.01), "Pillow, which enlarges, rounds twice"


@given(sides, sides, st.integers(1, 40), st.integers(0, 10))
def test_squares_are_the_centre_of_the_resampled_image(height: int, width: int, crop_px: int, margin: int) -> None:
    image, resize_px = drawn(height, width, 3), crop_px + margin
    kept: dict[type[SquareView], tuple[int, int]] = {
        Stretch: (resize_px, resize_px),
        CentreCrop: resized_sides(height, width, resize_px),
    }
    for kind, (high, wide) in kept.items():
        view = kind(**NORMALIZED, resize_px=resize_px, crop_px=crop_px)
        whole = resample(image, high, wide, "bilinear")
        assert np.array_equal(view.resized(image, name="x"), whole)
        assert np.array_equal(view.show(image, name="x").pixels, centre_crop(whole, crop_px))


def test_an_image_that_already_fits_is_left_alone() -> None:
    image = RGB[:20, :20]
    for kind in (Stretch, CentreCrop):
        assert np.array_equal(kind(**NORMALIZED, resize_px=20, crop_px=20).show(image, name="x").pixels, image)
    assert np.array_equal(Whole(**NORMALIZED).show(RGB, name="x").pixels, RGB)
    assert np.array_equal(ShorterSide(**NORMALIZED, shorter_px=20).show(RGB, name="x").pixels, RGB)
    assert np.array_equal(LongerSide(**NORMALIZED, longer_px=30).show(RGB, name="x").pixels, RGB)
    assert np.array_equal(Letterbox(**NORMALIZED, size_px=20).show(image, name="x").pixels, image)


@every_view
@given(sides, sides)
def test_pixels_have_the_sides_that_view_and_geometry_say(view: View, height: int, width: int) -> None:
    pixels, geometry = view.show(drawn(height, width, 3), name="x")
    assert geometry.image_sides == (height, width)
    assert geometry == view.geometry(height, width), "it is known before an image is read"
    assert pixels.shape == (*geometry.view_sides, 3)
    assert pixels.dtype == np.uint8
    assert view.side_px is None or geometry.view_sides == (view.side_px, view.side_px)


def test_a_grey_view_of_colour_needs_to_be_told_to_convert() -> None:
    grey = Letterbox(channels=1, mean=(0.5,), std=(0.5,), size_px=30)
    with pytest.raises(DataError, match=r"x\.png: a colour image .* `--grey`"):
        grey.show(RGB, name="x.png")
    assert grey.show(RGB, name="x.png", grey=True).pixels.shape == (30, 30, 1)
    assert grey.show(GREY, name="x.png").pixels.shape == (30, 30, 1)
    assert np.ptp(VIEWS[0].show(GREY, name="x").pixels, axis=2).max() == 0  # grey is repeated


@given(sides, sides, st.integers(2, 80), st.integers(0, 60))
def test_the_shorter_side_is_as_asked_unless_the_longer_would_pass_its_maximum(
    height: int, width: int, shorter_px: int, more: int
) -> None:
    image, longest_px = drawn(height, width, 3), shorter_px + more
    free = ShorterSide(**NORMALIZED, shorter_px=shorter_px).show(image, name="x").geometry.view_sides
    bound = ShorterSide(**NORMALIZED, shorter_px=shorter_px, longest_px=longest_px).show(image, name="x")
    longer, shorter = max(bound.geometry.view_sides), min(bound.geometry.view_sides)
    assert min(free) == shorter_px
    if max(free) <= longest_px:  # but for a pixel that torchvision's arithmetic loses
        assert max(free) - 1 <= longer <= max(free)
        assert shorter_px - 1 <= shorter <= shorter_px
    else:
        assert longest_px - 1 <= longer <= longest_px
        assert shorter <= shorter_px


@pytest.mark.parametrize(
    ("stored", "shown"), [((480, 640), (800, 1066)), ((400, 1200), (444, 1333)), ((1200, 400), (1333, 444))]
)
def test_sides_of_a_detector_in_known_cases(stored: tuple[int, int], shown: tuple[int, int]) -> None:
    """Cut down to whole pixels, as torchvision does."""
    view = ShorterSide(**NORMALIZED, shorter_px=800, longest_px=1333)
    assert view.show(np.zeros((*stored, 3), np.uint8), name="x").geometry.view_sides == shown


@given(sides, sides, st.integers(2, 80))
def test_views_that_keep_the_proportions_do_so_to_the_pixel(height: int, width: int, side_px: int) -> None:
    image = drawn(height, width, 3)
    for view in (
        ShorterSide(**NORMALIZED, shorter_px=side_px),
        LongerSide(**NORMALIZED, longer_px=side_px),
        Letterbox(**NORMALIZED, size_px=side_px),
    ):
        geometry = view.show(image, name="x").geometry
        high, wide = geometry.scale_y * height, geometry.scale_x * width
        scale = side_px / (min if isinstance(view, ShorterSide) else max)(height, width)
        rounding = 1.0 if isinstance(view, ShorterSide) else 0.5  # cut down to whole pixels, or the nearest
        assert abs(high - max(1, scale * height)) <= rounding + 1e-9
        assert abs(wide - max(1, scale * width)) <= rounding + 1e-9


@given(sides, sides)
def test_a_letterbox_holds_the_whole_image_in_the_middle_and_fills_the_rest(height: int, width: int) -> None:
    image = drawn(height, width, 3) // 2 + 128  # never the fill
    pixels, geometry = Letterbox(**NORMALIZED, size_px=36, fill=7).show(image, name="x")
    high, wide = round(geometry.scale_y * height), round(geometry.scale_x * width)
    assert 36 in (high, wide)
    top, left = int(geometry.top), int(geometry.left)
    assert abs(2 * top + high - 36) <= 1
    assert abs(2 * left + wide - 36) <= 1
    assert np.array_equal(pixels[top : top + high, left : left + wide], resample(image, high, wide, "bilinear"))
    outside = np.ones((36, 36), dtype=bool)
    outside[top : top + high, left : left + wide] = False
    assert (pixels[outside] == 7).all()


@pytest.mark.parametrize("channels", [2, 4, 5])
@pytest.mark.parametrize("grown", [True, False])
def test_any_number_of_channels_is_resampled_channel_by_channel(channels: int, grown: bool) -> None:
    image = drawn(20, 30, channels)
    side, more = (48, 56) if grown else (11, 13)
    many: dict[str, Any] = {"channels": channels, "mean": (0.5,) * channels, "std": (0.5,) * channels}
    one: dict[str, Any] = {"channels": 1, "mean": (0.5,), "std": (0.5,)}
    for kind, sizes in (
        (Stretch, {"resize_px": more, "crop_px": side}),
        (CentreCrop, {"resize_px": more, "crop_px": side}),
        (ShorterSide, {"shorter_px": side}),
        (LongerSide, {"longer_px": side}),
        (Letterbox, {"size_px": side}),
        (Whole, {}),
    ):
        shown = kind(**many, **sizes).show(image, name="x").pixels
        assert shown.shape[2] == channels
        for channel in range(channels):
            alone = kind(**one, **sizes).show(image[:, :, channel], name="x").pixels
            assert np.array_equal(shown[:, :, channel : channel + 1], alone)
    with pytest.raises(DataError, match=rf"x: an image of {channels} channels for a net that takes 3"):
        VIEWS[0].show(image, name="x")


@pytest.mark.parametrize("view", [centre(), ShorterSide(**NORMALIZED, shorter_px=256)], ids=described)
def test_a_thin_image_that_would_grow_beyond_the_limit_is_refused(view: View) -> None:
    thin = np.zeros((1, PIXEL_LIMIT // 256**2 + 2), dtype=np.uint8)
    with pytest.raises(DataError, match=r"thin.png: .* too long and thin"):
        view.show(thin, name="thin.png")


# The way back --------------------------------------------------------------------------------------------------------


@every_view
@given(sides, sides, st.integers(0, 10**6))
def test_points_to_the_view_and_back_are_the_same(view: View, height: int, width: int, seed: int) -> None:
    geometry = view.show(drawn(height, width, 3), name="x").geometry
    points = np.random.default_rng(seed).uniform(-10, 70, (6, 2))
    assert np.allclose(geometry.points_to_image(geometry.points_to_view(points)), points, rtol=0, atol=1e-9)
    assert np.allclose(geometry.points_to_view(geometry.points_to_image(points)), points, rtol=0, atol=1e-9)


@every_view
@given(sides, sides, st.integers(0, 10**6))
def test_boxes_to_the_view_and_back_are_the_same(view: View, height: int, width: int, seed: int) -> None:
    geometry = view.show(drawn(height, width, 3), name="x").geometry
    draw = np.random.default_rng(seed)
    corners = np.sort(draw.uniform(0, 1, (5, 2, 2)), axis=1) * (width, height)
    boxes = corners.reshape(5, 4)
    assert np.allclose(geometry.boxes_to_image(geometry.boxes_to_view(boxes)), boxes, rtol=0, atol=1e-9)
    beyond = geometry.boxes_to_image(geometry.boxes_to_view(np.array([[-5.0, -5.0, width + 5.0, height + 5.0]])))
    assert np.allclose(beyond, [[0, 0, width, height]])
    assert geometry.boxes_to_image(np.zeros((0, 4))).shape == (0, 4)


@every_view
def test_a_mark_in_the_image_lies_where_the_geometry_says(view: View) -> None:
    image = np.zeros((120, 150, 3), dtype=np.uint8)
    image[60:84, 66:90] = 255
    pixels, geometry = view.show(image, name="x")
    (left, top, right, bottom) = geometry.boxes_to_view(np.array([[66.0, 60.0, 90.0, 84.0]]))[0]
    if isinstance(view, Letterbox):
        pixels = np.where(pixels == view.fill, 0, pixels)
    weights = pixels[:, :, 0].astype(float)
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]] + 0.5
    assert np.average(x, weights=weights) == pytest.approx((left + right) / 2, abs=0.1)
    assert np.average(y, weights=weights) == pytest.approx((top + bottom) / 2, abs=0.1)
    assert weights.sum() / 255 == pytest.approx((right - left) * (bottom - top), rel=0.03)


@every_view
@given(sides, sides)
def test_a_map_of_the_view_becomes_one_of_the_image_in_its_size(view: View, height: int, width: int) -> None:
    pixels, geometry = view.show(drawn(height, width, 3), name="x")
    labels = np.random.default_rng(1).integers(0, 5, pixels.shape[:2], dtype=np.uint8)
    back = geometry.map_to_image(labels)
    assert back.shape == (height, width)
    assert back.dtype == np.uint8
    for row, column in ((0, 0), (height - 1, width - 1), (height // 2, width // 3)):
        x, y = np.floor(geometry.points_to_view(np.array([[column + 0.5, row + 0.5]]))[0]).astype(int)
        inside = 0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]
        assert back[row, column] == (labels[y, x] if inside else VOID)


def test_a_map_knows_what_a_centre_crop_does_not_show() -> None:
    view = CentreCrop(**NORMALIZED, resize_px=20, crop_px=20)
    pixels, geometry = view.show(RGB, name="x")  # 20 x 30: five columns at either side are not shown
    back = geometry.map_to_image(np.zeros(pixels.shape[:2], dtype=np.uint8))
    assert (back[:, 5:25] == 0).all()
    assert (back[:, :5] == VOID).all()
    assert (back[:, 25:] == VOID).all()


@pytest.mark.parametrize("view", [Whole(**NORMALIZED), Letterbox(**NORMALIZED, size_px=30)], ids=described)
def test_a_map_at_the_image_s_own_scale_is_not_changed(view: View) -> None:
    pixels, geometry = view.show(RGB, name="x")
    labels = np.full(pixels.shape[:2], VOID, dtype=np.uint8)
    top, left = int(geometry.top), int(geometry.left)
    truth = np.arange(600, dtype=np.int64).reshape(20, 30).astype(np.uint8)
    labels[top : top + 20, left : left + 30] = truth
    assert np.array_equal(geometry.map_to_image(labels), truth)


# Views as settings ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Holder:
    view: View | None = None


@every_view
def test_every_kind_of_view_survives_json(view: View) -> None:
    data = json.loads(json.dumps(to_json(Holder(view=view))))
    assert data["view"]["kind"] == view.kind
    again = from_json(Holder, data).view
    assert again == view
    assert type(again) is type(view)
    assert ("view.kind", view.kind) in [*leaves(Holder(view=view))]


def test_kinds_of_views_are_told_apart_by_their_names() -> None:
    assert len({view.kind for view in VIEWS}) == len({type(view) for view in VIEWS}) == 6
    assert from_json(Holder, {"view": None}) == Holder()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "squash"}, r"view\.kind: unknown value 'squash'.*choices: stretch, centre-crop, whole"),
        ({"kind": "strech"}, r"view\.kind: unknown value 'strech'; nearest: stretch"),
        ({"kind": None}, r"view\.kind: unknown value 'None'"),
        ({"kind": ["stretch"]}, r"view\.kind: unknown value"),
        ({"kind": "whole"}, r"unknown key 'view\.resize_px'"),
        ({"resize_px": "32"}, r"view\.resize_px: expected a whole number"),
        ({"crop_px": 33}, r"view: 1 <= crop_px <= resize_px"),
        ({"interpolation": "nearest"}, r"view\.interpolation: unknown value 'nearest'"),
        ({"mean": [0.5]}, r"view: mean and std need one number for each of 3 channels"),
        ({"fill": 3}, r"unknown key 'view\.fill'"),
    ],
)
def test_a_view_in_json_that_cannot_be_is_refused_by_its_key(changes: dict[str, Any], told: str) -> None:
    data = {**to_json(VIEWS[0]), **changes}
    with pytest.raises(SettingsError, match=told):
        from_json(Holder, {"view": data})


@pytest.mark.parametrize("missing", ["kind", "resize_px", "mean"])
def test_a_missing_key_of_a_view_is_named(missing: str) -> None:
    data = to_json(VIEWS[0])
    del data[missing]
    with pytest.raises(SettingsError, match=rf"view\.{missing}"):
        from_json(Holder, {"view": data})


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        (CentreCrop, {"channels": 2}, "each of 2 channels"),
        (CentreCrop, {"channels": 0, "mean": (), "std": ()}, "channels must be at least 1"),
        (CentreCrop, {"crop_px": 300}, "crop_px <= resize_px"),
        (CentreCrop, {"crop_px": 0}, "1 <= crop_px"),
        (Stretch, {"resize_px": 9000}, "resize_px <= 8192"),
        (CentreCrop, {"interpolation": "nearest"}, "interpolation must be"),
        (CentreCrop, {"mean": (0.5,)}, "each of 3 channels"),
        (CentreCrop, {"mean": (123.7, 116.3, 103.5)}, r"mean must lie in 0\.\.1"),
        (CentreCrop, {"std": (0.0, 1.0, 1.0)}, "std must be above 0"),
        (Whole, {"std": (float("nan"), 1.0, 1.0)}, "std must be above 0"),
        (ShorterSide, {"shorter_px": 0}, "1 <= shorter_px"),
        (ShorterSide, {"shorter_px": 800, "longest_px": 600}, "shorter_px <= longest_px"),
        (ShorterSide, {"shorter_px": 9000}, "longest_px <= 8192"),
        (LongerSide, {"longer_px": 0}, r"longer_px must be 1\.\.8192"),
        (Letterbox, {"size_px": 0}, r"size_px must be 1\.\.8192"),
        (Letterbox, {"size_px": 30, "fill": 256}, r"fill must be a grey level of 0\.\.255"),
    ],
)
def test_a_view_that_cannot_work_says_why(kind: type[Any], changes: dict[str, object], reason: str) -> None:
    sizes = {"resize_px": 256, "crop_px": 224} if kind in (CentreCrop, Stretch) else {}
    with pytest.raises(ValueError, match=reason):
        kind(**{**NORMALIZED, **sizes, **changes})


def test_a_size_keeps_the_margin_and_a_channel_count_keeps_the_normalization() -> None:
    assert centre().sized(112).resize_px == 128
    assert centre().sized(224) == centre()
    assert Stretch(**NORMALIZED, resize_px=32, crop_px=32).sized(28).resize_px == 28
    assert Letterbox(**NORMALIZED, size_px=30, fill=3).sized(28) == Letterbox(**NORMALIZED, size_px=28, fill=3)
    for view in (VIEWS[2], VIEWS[3], VIEWS[5]):
        assert view.sized(28) is view
    there = centre().coloured(1)
    assert there.mean == (0.5,)
    assert there.coloured(3).mean == (0.5, 0.5, 0.5)
    assert centre().coloured(3) == centre()


def test_a_view_of_other_channels_has_no_colours_to_go_to() -> None:
    five = Whole(channels=5, mean=(0.5,) * 5, std=(0.5,) * 5)
    assert five.coloured(5) is five
    for channels in (1, 3):
        with pytest.raises(ValueError, match=rf"got {channels} for images of 5"):
            five.coloured(channels)
    with pytest.raises(ValueError, match="got 4 for images of 3"):
        centre().coloured(4)


def test_a_label_map_follows_its_image_into_a_view_and_back() -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = np.zeros((3, 4, 3), dtype=np.uint8)
    larger = ShorterSide(**NORMALIZED, shorter_px=9).show(image, name="x").geometry
    assert np.array_equal(larger.map_to_view(labels), labels.repeat(3, axis=0).repeat(3, axis=1))
    assert np.array_equal(larger.map_to_image(larger.map_to_view(labels)), labels)
    boxed = Letterbox(**NORMALIZED, size_px=4).show(image, name="x").geometry
    assert np.array_equal(boxed.map_to_view(labels), [[*row] for row in labels] + [[255] * 4])
