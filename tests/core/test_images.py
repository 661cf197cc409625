"""Decoding and resampling: what is let in, what is refused, and that pixels are what they should be."""

import contextlib
import os
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from torchvision import io

from resvision.core import bit_depth, images
from resvision.core.errors import DataError, printable
from resvision.core.images import FORMATS, SLOW_PIXEL_LIMIT, Header, decode, header
from resvision.core.resampling import as_channels, crop_resize, resized_sides

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]
PNG_KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8)]
PNG_KINDS += [(4, 8), (4, 16), (6, 8), (6, 16)]  # 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples: np.ndarray, kind: int, depth: int, *chunks: bytes, interlaced: bool = False) -> bytes:
    """A PNG of (H, W, C) samples of `depth` bits, 1..16, written without Pillow."""
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [samples[top::down, left::right] for top, left, down, right in adam7] if interlaced else [samples]
    lines = b""
    for row in (row for part in passes if part.size for row in part):
        bits = np.unpackbits(row.astype(">u2").view(np.uint8)).reshape(-1, 16)[:, 16 - depth :]
        lines += b"\0" + np.packbits(bits).tobytes()
    height, width = samples.shape[:2]
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))
    whole = [start, *chunks, chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def tiff(samples: np.ndarray, bits: int, photometric: int, order: str = "<") -> bytes:
    """A raw grey TIFF of (H, W) samples of 12 or 16 bits, written without Pillow."""
    data = samples.astype(f"{order}u2").tobytes()
    if bits == 12:
        packed = np.unpackbits(samples.astype(">u2").view(np.uint8)).reshape(-1, 16)[:, 4:]
        data = np.packbits(packed).tobytes()
    height, width = samples.shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 122), (277, 1)]
    tags += [(278, height), (279, len(data))]
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}IH", 8, len(tags)) + entries + struct.pack(f"{order}I", 0) + data


def read_by_torchvision(decoder: str, data: bytes, mode: str) -> np.ndarray:
    """(H, W, C) from libpng or libjpeg without Pillow; what torchvision means to leave to another package one day."""
    if not hasattr(io, decoder):
        pytest.skip(f"torchvision has no {decoder}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        image = getattr(io, decoder)(torch.frombuffer(bytearray(data), dtype=torch.uint8), io.ImageReadMode[mode])
    return np.asarray(image.permute(1, 2, 0).numpy())


def over_white(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.rint((values.astype(float) * alpha + 255.0 * (255 - alpha)) / 255).astype(np.uint8)


@pytest.mark.parametrize("kind", sorted(FORMATS.keys() - {"JPEG"}))
def test_lossless_formats_give_back_the_pixels(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode(encoded(RGB, kind, **options)), RGB)
    assert header(encoded(RGB, kind, **options)) == Header(kind, 30, 20, colour=True)


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


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("kind", "depth"), PNG_KINDS)
def test_every_kind_of_png_gives_its_known_pixels(kind: int, depth: int, interlaced: bool) -> None:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    samples = np.random.default_rng(depth).integers(0, 2**depth, (11, 13, channels)).astype(np.uint16)
    colours = np.random.default_rng(7).integers(0, 256, (min(256, 2**depth), 3), dtype=np.uint8)
    extra = [chunk(b"PLTE", colours.tobytes())] if kind == 3 else []
    found = decode(png(samples, kind, depth, *extra, interlaced=interlaced))
    eight = samples >> 8 if depth == 16 else samples * (255 // (2**depth - 1))
    if kind == 0:
        expected = np.rint(samples[:, :, 0] / 257) if depth == 16 else eight[:, :, 0]
    elif kind == 3:
        expected = colours[samples[:, :, 0]]
    else:
        expected = eight if kind == 2 else over_white(eight[:, :, :-1], eight[:, :, -1:])
        expected = expected[:, :, 0] if kind == 4 else expected
    assert np.array_equal(found, expected)
    assert header(png(samples, kind, depth, *extra)).colour == (found.ndim == 3)


@pytest.mark.parametrize(("kind", "depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)])
def test_the_transparent_colour_of_a_png_becomes_white(kind: int, depth: int) -> None:
    samples = np.random.default_rng(3).integers(0, min(4, 2**depth), (9, 9, 3 if kind == 2 else 1)).astype(np.uint16)
    samples[:, 0] = clear = (1,) * samples.shape[2]
    if depth == 16:
        samples, clear = samples * 4097, (4097,) * len(clear)
    data = png(samples, kind, depth, chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear)))
    is_clear = (samples == clear).all(axis=2)
    plain = decode(png(samples, kind, depth))
    assert (decode(data)[is_clear] == 255).all()
    assert (plain[is_clear] != 255).any() or depth == 1  # where it is white as it is
    assert np.array_equal(decode(data)[~is_clear], plain[~is_clear])


def test_a_palette_with_alpha_for_each_colour_is_laid_over_white() -> None:
    index = np.random.default_rng(4).integers(0, 16, (8, 9, 1))
    colours = np.random.default_rng(5).integers(0, 256, (16, 3), dtype=np.uint8)
    alpha = np.arange(0, 256, 17).astype(np.uint8)
    data = png(index, 3, 8, chunk(b"PLTE", colours.tobytes()), chunk(b"tRNS", alpha.tobytes()))
    assert np.array_equal(decode(data), over_white(colours[index[:, :, 0]], alpha[index]))


@pytest.mark.parametrize("kind", [2, 4, 6])
def test_sixteen_bits_of_png_are_what_libpng_reads_within_one_level(kind: int) -> None:
    samples = np.random.default_rng(6).integers(0, 65536, (12, 10, {2: 3, 4: 2, 6: 4}[kind])).astype(np.uint16)
    data = png(samples, kind, 16)
    theirs = read_by_torchvision("decode_png", data, "UNCHANGED") / 257
    if kind != 2:
        theirs = theirs[:, :, :-1] * theirs[:, :, -1:] / 255 + 255 - theirs[:, :, -1:]
    assert np.abs(decode(data).reshape(theirs.shape) - theirs).max() <= 2.0  # colour and alpha each lose a low byte


@pytest.mark.parametrize(("kind", "depth"), PNG_KINDS)
def test_conversion_in_bands_gives_the_pixels_of_the_whole(
    kind: int, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = np.random.default_rng(9).integers(0, 2**depth, (11, 13, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]))
    clear = {0: [1], 2: samples[5, 5].tolist()}.get(kind)
    extra = [chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear))] if clear else []
    if kind == 3:
        colours = np.random.default_rng(7).integers(0, 256, (2**depth, 3), dtype=np.uint8)
        extra = [chunk(b"PLTE", colours.tobytes()), chunk(b"tRNS", bytes(range(2**depth)))]
    data = png(samples.astype(np.uint16), kind, depth, *extra)
    whole = decode(data)
    monkeypatch.setattr(bit_depth, "BAND_PIXELS", 4 * 13)
    assert np.array_equal(decode(data), whole)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_conversion_holds_little_beside_the_result(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bit_depth, "BAND_PIXELS", 2**16)
    data = encoded(Image.linear_gradient("L").resize((1500, 1000)).convert(mode))
    decode(data)
    tracemalloc.start()  # sees the arrays, not what Pillow holds
    try:
        found = decode(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < found.nbytes + 2**20


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 1}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_is_what_libjpeg_alone_reads(mode: str, options: dict[str, object]) -> None:
    data = encoded(Image.fromarray(RGB).convert(mode), "JPEG", quality=90, **options)
    theirs = read_by_torchvision("decode_jpeg", data, "RGB").astype(int)
    ours = decode(data)
    ours = ours if ours.ndim == 3 else np.repeat(ours[:, :, None], 3, axis=2)
    assert np.abs(ours - theirs).max() <= 1


def test_a_grey_tiff_of_12_bits_or_with_white_as_zero_is_no_darker_and_no_negative() -> None:
    grey = np.random.default_rng(8).integers(0, 4096, (6, 8))
    assert np.array_equal(decode(tiff(grey, 12, 1)), np.rint(grey * 255 / 4095))
    deep = grey * 16
    assert np.array_equal(decode(tiff(deep, 16, 1)), np.rint(deep / 257))
    assert np.array_equal(decode(tiff(deep, 16, 1, order=">")), np.rint(deep / 257))
    assert np.array_equal(decode(tiff(65535 - deep, 16, 0)), np.rint(deep / 257))


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


def test_a_jpeg_that_repeats_its_scan_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    monkeypatch.setattr(images, "SCANNED_PIXEL_LIMIT", 20 * 64 * 64)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(DataError, match=r"26 scans of 64 x 64 pixels take too long"):
        decode(data[:-2] + 20 * scan + data[-2:])
    assert decode(data + 20_000 * scan).shape == (64, 64)  # what follows the end of an image is not the image
    comment = b"\xff\xfe" + struct.pack(">H", 8002) + 1000 * scan[:8]
    assert decode(data[:2] + comment + data[2:]).shape == (64, 64)


def test_rare_codings_that_pillow_reads_pixel_by_pixel_are_limited() -> None:
    assert decode(b"P2 2 2 9\n0 9 3 6").tolist() == [[0, 255], [85, 170]]
    assert decode(b"P5 2 1 9\n\0\x09").tolist() == [[0, 255]]
    with pytest.raises(DataError, match="above the limit of 2 million for this rare kind of PPM"):
        header(b"P5 2000 1001 9\n" + bytes(2_002_000))
    assert decode(b"P5 2000 1001 255\n" + bytes(2_002_000)).size > SLOW_PIXEL_LIMIT
    with pytest.raises(DataError, match="comments between the pixels"):
        decode(b"P2 2 2 9\n0 #\n9 3 6")


def test_large_images_of_a_tiny_file_are_refused_by_every_format() -> None:
    webp = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0"
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, 9, 1, 24, 0, 0, 0, 0, 0, 0)
    small = tiff(np.zeros((1, 1)), 16, 1)
    wide = small[:18] + struct.pack("<I", 2**31 - 1) + small[22:]
    for data in (webp, bmp, wide, b"P6 99999 99999 255\n"):
        with pytest.raises(DataError, match="above the limit of 100 million"):
            decode(data)


def test_too_little_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: ImageFile) -> None:
        raise MemoryError

    monkeypatch.setattr(FORMATS["BMP"], "load", load)
    with pytest.raises(DataError, match=r"x\.bmp: not enough memory to decode this BMP"):
        decode(encoded(RGB, "BMP"), name="x.bmp")


def test_an_error_of_the_file_system_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read \(File name too long\)"):
        decode(tmp_path / ("x" * 300))


def test_what_pillow_warns_of_is_no_error() -> None:
    data = png(GREY[:, :, None].astype(np.uint16), 0, 8, chunk(b"acTL", bytes(8)))  # an animation of no frames
    assert np.array_equal(decode(data), GREY)


def test_damaged_files_leave_standard_error_alone(capfd: pytest.CaptureFixture[str]) -> None:
    for compression in ("group4", "tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        mode = "1" if compression == "group4" else "RGB"
        data = bytearray(encoded(Image.fromarray(RGB).convert(mode), "TIFF", compression=compression))
        for place in range(8, len(data), 7):
            worse = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
            with contextlib.suppress(DataError):
                decode(bytes(worse))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", sorted(FORMATS))
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
        (
            b"\0\0\0\x18ftypheic" + bytes(20),
            "an image of the format HEIC, which is not read; convert it first,"
            " such as `heif-convert IMAGE.heic IMAGE.jpg`",
        ),
        (
            b"\0\0\0\x1cftypavif" + bytes(20),
            "an image of the format AVIF, which is not read; convert it first, such as `avifdec IMAGE.avif IMAGE.png`",
        ),
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
        with pytest.raises(DataError, match="more than one frame"):
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


@settings(deadline=None)  # other work on the machine is no fault of the code
@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 400), st.integers(0, 255))
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


def test_crop_resize_is_resize_then_crop_within_rounding() -> None:
    image = np.random.default_rng(2).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    height, width = resized_sides(120, 90, 60)
    whole = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    scale_x, scale_y = 90 / width, 120 / height
    part = crop_resize(image, (10 * scale_x, 20 * scale_y, 42 * scale_x, 52 * scale_y), 32, "bilinear")
    assert np.abs(part.astype(int) - whole[20:52, 10:42]).max() <= 1


def test_threads_that_decode_beside_each_other_leave_the_filters_of_warnings_as_they_were(tmp_path: Path) -> None:
    Image.new("RGB", (300, 300)).save(tmp_path / "one.png")
    before = [*warnings.filters]
    with ThreadPoolExecutor(4) as pool:
        assert {image.shape for image in pool.map(decode, [tmp_path / "one.png"] * 100)} == {(300, 300, 3)}
    assert warnings.filters == before
