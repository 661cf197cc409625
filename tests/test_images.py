"""Decoding and preprocessing: what is let in, what is refused, and that pixels are what they should be."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torchvision.transforms import v2

from resvision.core.errors import DataError
from resvision.core.images import (
    FORMATS,
    PIXEL_LIMIT,
    Preprocess,
    as_channels,
    crop_resize,
    decode,
    header,
    printable,
    resized_sides,
)

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **options)
    return stream.getvalue()


def rule(**changes: object) -> Preprocess:
    settings = {"channels": 3, "resize": "shorter-side", "resize_px": 256, "crop_px": 224}
    return Preprocess(**{**settings, "mean": (0.5,) * 3, "std": (0.25,) * 3, **changes})


@pytest.mark.parametrize("kind", sorted(FORMATS.keys() - {"JPEG"}))
def test_lossless_formats_give_back_the_pixels(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode(encoded(RGB, kind, **options)), RGB)
    assert header(encoded(RGB, kind, **options)) == (kind, 30, 20, True)


@pytest.mark.parametrize("kind", sorted(FORMATS.keys() - {"WEBP"}))  # which has no grey
def test_grey_stays_grey_in_two_dimensions(kind: str) -> None:
    assert decode(encoded(GREY, kind)).shape == (20, 30)
    assert header(encoded(GREY, kind)).colour is False


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_to_the_nearest_of_eight(kind: str) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (9, 7)).astype(np.uint16)
    deep.flat[:2] = 0, 65535
    assert np.array_equal(decode(encoded(deep, kind)), np.rint(deep / 257).astype(np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(RGB, kind, exif=exif)
    assert np.array_equal(decode(data), np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data)))))
    assert decode(data).shape[:2] == ((20, 30) if orientation < 5 else (30, 20))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_is_laid_over_white(kind: str) -> None:
    alpha = np.zeros((20, 30, 1), dtype=np.uint8)
    alpha[:, 10:20] = 255
    alpha[:, 20:] = 128
    seen = decode(encoded(np.concatenate([RGB, alpha], axis=2), kind))
    assert (seen[:, :10] == 255).all()
    assert np.array_equal(seen[:, 10:20], RGB[:, 10:20])
    mixed = (RGB[:, 20:] * (128 / 255) + 255 * (127 / 255)).astype(float)
    assert np.abs(seen[:, 20:] - mixed).max() <= 0.5001


def test_palettes_become_rgb_and_their_transparent_colour_white() -> None:
    palette = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(decode(encoded(palette)), np.asarray(palette.convert("RGB")))
    chosen = np.asarray(palette) == 3
    seen = decode(encoded(palette, transparency=3))
    assert chosen.any()
    assert (seen[chosen] == 255).all()
    assert np.array_equal(seen[~chosen], np.asarray(palette.convert("RGB"))[~chosen])


def test_cmyk_becomes_rgb_of_the_same_colour() -> None:
    orange = Image.new("RGB", (16, 16), (250, 120, 10))
    seen = decode(encoded(orange.convert("CMYK"), "JPEG", quality=95))
    assert np.abs(seen.astype(int) - (250, 120, 10)).max() < 12


def test_bilevel_images_become_black_and_white() -> None:
    assert set(np.unique(decode(encoded(Image.fromarray(GREY).convert("1"))))) == {0, 255}


def test_a_header_bomb_is_refused_before_it_is_decoded() -> None:
    small = encoded(RGB)
    sides = struct.pack(">II", 30_000, 30_000)
    start = b"IHDR" + sides + small[24:29]
    bomb = small[:12] + start + struct.pack(">I", zlib.crc32(start)) + small[33:]
    for read in (decode, header):
        with pytest.raises(DataError, match=r"bomb.png: 30,000 x 30,000 pixels, above the limit"):
            read(bomb, name="bomb.png")


@pytest.mark.parametrize("kind", sorted(FORMATS))
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, of a cut TIFF
def test_truncated_files_are_errors_at_every_length(kind: str) -> None:
    data = encoded(RGB, kind)
    for length in range(0, len(data) - 64, max(1, len(data) // 40)):
        with pytest.raises(DataError, match=r"^cut:"):
            decode(data[:length], name="cut")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"no image, but text", "not an image; allowed are JPEG"),
        (encoded(RGB, "GIF"), "a GIF; allowed are JPEG"),
        (encoded(RGB.astype(np.float32)[:, :, 0], "TIFF"), "pixels of kind F"),
        (b"P6 0 0 255\n", "a damaged PPM"),
    ],
)
def test_what_is_no_image_of_ours_is_named_with_the_reason(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(DataError, match=f"x.png: {reason}"):
        decode(tmp_path / "x.png")


def test_animations_are_refused() -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    for kind in ("PNG", "WEBP", "TIFF"):
        with pytest.raises(DataError, match="2 frames"):
            decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))


def test_paths_that_are_no_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.png")
    for name, reason in {
        "link.png": "a broken link",
        "gone.png": "no such file",
        "pipe.png": "not a regular file",
        ".": "a folder, not an image",
    }.items():
        with pytest.raises(DataError, match=reason):
            decode(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(encoded(RGB))
    (tmp_path / "x.png").chmod(0)
    with pytest.raises(DataError, match=r"x.png: no permission"):
        decode(tmp_path / "x.png")


@settings(deadline=None)  # other work on the machine is no fault of the code
@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 400), st.integers(0, 255))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_one_changed_byte_gives_an_image_or_a_data_error(kind: str, place: int, value: int) -> None:
    data = bytearray(encoded(RGB[:6, :5], kind))
    data[place % len(data)] = value
    try:
        image = decode(bytes(data))
    except DataError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 2 or image.shape[2] == 3


def test_names_are_printed_on_one_line() -> None:
    assert printable("a\nb\tc") == r"a\nb\tc"
    assert printable("고양이 ä") == "고양이 ä"
    assert printable(os.fsdecode(b"\xff.png")).isprintable()


def test_grey_is_repeated_and_equal_channels_are_one() -> None:
    assert np.array_equal(as_channels(GREY, 3, name="x"), np.stack([GREY] * 3, axis=2))
    assert np.array_equal(as_channels(np.stack([GREY] * 3, axis=2), 1, name="x")[:, :, 0], GREY)
    assert as_channels(RGB, 3, name="x") is RGB


def test_colour_for_a_grey_net_names_the_option() -> None:
    with pytest.raises(DataError, match=r"x.png: a colour image .* `--grey`"):
        as_channels(RGB, 1, name="x.png")
    luma = RGB @ np.array([0.299, 0.587, 0.114])
    assert np.abs(as_channels(RGB, 1, name="x.png", grey=True)[:, :, 0] - luma).max() <= 0.51


@pytest.mark.parametrize(("height", "width"), [(300, 500), (500, 301), (256, 256), (100, 1000), (7, 3), (257, 640)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_shorter_side_and_crop_equal_torchvision(height: int, width: int, interpolation: str) -> None:
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    peers = v2.Compose([v2.Resize(256, v2.InterpolationMode(interpolation)), v2.CenterCrop(224)])
    theirs = np.asarray(peers(Image.fromarray(image)))
    assert np.array_equal(rule(interpolation=interpolation).pixels(image, name="x"), theirs)


def test_an_image_that_already_fits_is_left_alone() -> None:
    image = RGB[:20, :20]
    for resize in ("stretch", "shorter-side"):
        assert np.array_equal(rule(resize=resize, resize_px=20, crop_px=20).pixels(image, name="x"), image)


def test_pixels_have_the_shape_that_the_rule_names() -> None:
    grey = rule(channels=1, resize="stretch", resize_px=32, crop_px=28, mean=(0.5,), std=(0.5,))
    assert grey.pixels(GREY, name="x").shape == (28, 28, 1)
    assert rule().pixels(GREY, name="x").shape == (224, 224, 3)


def test_a_thin_image_that_would_grow_beyond_the_limit_is_refused() -> None:
    thin = np.zeros((1, PIXEL_LIMIT // 256**2 + 2), dtype=np.uint8)
    with pytest.raises(DataError, match=r"thin.png: .* too long and thin"):
        rule().pixels(thin, name="thin.png")


def test_crop_resize_is_resize_then_crop_within_rounding() -> None:
    image = np.random.default_rng(2).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    height, width = resized_sides(120, 90, 60)
    whole = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    scale_x, scale_y = 90 / width, 120 / height
    part = crop_resize(image, (10 * scale_x, 20 * scale_y, 42 * scale_x, 52 * scale_y), 32, "bilinear")
    assert np.abs(part.astype(int) - whole[20:52, 10:42]).max() <= 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": 2}, "channels must be 1"),
        ({"resize": "squash"}, "resize must be"),
        ({"crop_px": 300}, "crop_px <= resize_px"),
        ({"crop_px": 0}, "1 <= crop_px"),
        ({"interpolation": "nearest"}, "interpolation must be"),
        ({"mean": (0.5,)}, "each of 3 channels"),
        ({"mean": (123.7, 116.3, 103.5)}, r"mean must lie in 0\.\.1"),
        ({"std": (0.0, 1.0, 1.0)}, "std must be above 0"),
        ({"std": (float("nan"), 1.0, 1.0)}, "std must be above 0"),
    ],
)
def test_a_rule_that_cannot_work_says_why(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        rule(**changes)


def test_a_size_keeps_the_margin_and_a_channel_count_keeps_the_normalization() -> None:
    assert rule().sized(112).resize_px == 128
    assert rule(resize="stretch", resize_px=32, crop_px=32).sized(28).resize_px == 28
    there = rule().coloured(1)
    assert there.mean == (0.5,)
    assert there.coloured(3).mean == (0.5, 0.5, 0.5)
    assert rule().coloured(3) == rule()
