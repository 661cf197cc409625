"""Mutated images of every allowed format, and mutated masks, into the decoders.

    python benchmarks/fuzz_images.py --seconds 120 --save found

Each image is read as training and prediction read it: header, decode, views.

Expected: nothing crashed or hung; nothing on standard error.
"""

import re
import struct
import sys
import zlib
from functools import cache, partial
from io import BytesIO
from pathlib import Path

import numpy as np
from fuzzing import Target, main
from mutations import EXTREMES, MUTATIONS, changed, few, pick, splice
from numpy.random import Generator
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import decode, header
from resvision.core.masks import mask_header, read_mask
from resvision.core.views import CentreCrop, Stretch

MEMORY_MB = 2048
"""One image may take that much: the limit of pixels is below it."""
COLOUR = CentreCrop(channels=3, resize_px=64, crop_px=56, mean=(0.5,) * 3, std=(0.5,) * 3)
GREY = Stretch(channels=1, resize_px=28, crop_px=28, mean=(0.5,), std=(0.5,))


# ---------------------------------------------------------------------------------------------- originals


@cache
def originals() -> dict[str, list[bytes]]:
    """Small whole images of every format, in its main kinds of pixels and codings."""
    y, x = np.mgrid[:21, :33]
    grey = (127 + 60 * np.sin(x / 4) + 60 * np.cos(y / 3)).astype(np.uint8)
    rgb = np.dstack([grey, 255 - grey, (7 * x + 3 * y).astype(np.uint8)])
    alpha = (x * 255 // 32).astype(np.uint8)
    colour, plain, bilevel = Image.fromarray(rgb), Image.fromarray(grey), Image.fromarray(grey).convert("1")
    palette, cmyk, rgba = colour.quantize(16), colour.convert("CMYK"), Image.fromarray(np.dstack([rgb, alpha]))
    deep = Image.fromarray(grey.astype(np.uint16) * 257 + x.astype(np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    deep_rgb = np.dstack([grey, grey, alpha]).astype(">u2") * 257
    tiff = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "tiff_lzma", "zstd"]
    return {
        "JPEG": [
            _encoded(colour, "JPEG", exif=exif),
            _encoded(colour, "JPEG", progressive=True, subsampling=2),
            _encoded(colour, "JPEG", restart_marker_blocks=2),
            _encoded(cmyk, "JPEG"),
            _encoded(plain, "JPEG"),
            _encoded(plain, "JPEG", progressive=True),
        ],
        "PNG": [
            *(_encoded(image, "PNG") for image in (colour, rgba, rgba.convert("LA"), plain, deep, bilevel, palette)),
            _encoded(palette, "PNG", transparency=3),
            _encoded(colour, "PNG", exif=exif, transparency=(127, 128, 0)),
            _png(deep_rgb, 16, 2, interlaced=False),
            _png(rgb, 8, 2, interlaced=True),
            _png(grey[:, :, None], 8, 0, interlaced=True),
        ],
        "WEBP": [
            _encoded(colour, "WEBP", quality=80, exif=exif),
            _encoded(colour, "WEBP", lossless=True),
            _encoded(rgba, "WEBP", quality=60),
            _encoded(rgba, "WEBP", lossless=True),
        ],
        "BMP": [*(_encoded(image, "BMP") for image in (colour, rgba, plain, palette, bilevel)), _bmp_rle(grey)],
        "TIFF": [
            *(_encoded(colour, "TIFF", compression=name) for name in tiff),
            *(_encoded(bilevel, "TIFF", compression=name) for name in ("group3", "group4")),
            *(_encoded(image, "TIFF") for image in (deep, rgba, palette, cmyk, bilevel)),
            _encoded(deep, "TIFF", compression="tiff_lzw", exif=exif),
        ],
        "PPM": [
            *(_encoded(image, "PPM") for image in (colour, plain, bilevel)),
            b"P5 33 21 65535\n" + np.asarray(deep).astype(">u2").tobytes(),
            b"P6\n# a comment\n33 21\n1000\n" + (rgb.astype(">u2") * 3).tobytes(),
            b"P2 33 21 255\n" + " ".join(map(str, grey.ravel())).encode(),
            b"P1 33 21\n" + b" ".join(b"%d" % bit for bit in (grey > 127).ravel()),
        ],
    }


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _png(samples: np.ndarray, depth: int, kind: int, *, interlaced: bool, width: int | None = None) -> bytes:
    """A PNG of (H, W, C) samples; Pillow writes neither interlaced ones nor 16-bit colour."""
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [samples[top::down, left::right] for top, left, down, right in adam7] if interlaced else [samples]
    lines = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    height, width = samples.shape[0], width or samples.shape[1]
    start = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    chunks = [(b"IHDR", start), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _bmp_rle(grey: np.ndarray) -> bytes:
    """An 8-bit BMP in runs of one pixel."""
    body = b"".join(b"".join(bytes((1, value)) for value in row) + b"\0\0" for row in grey) + b"\0\1"
    palette = b"".join(bytes((i, 255 - i, i, 0)) for i in range(256))
    sizes = struct.pack("<IiiHHIIiiII", 40, grey.shape[1], grey.shape[0], 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + sizes + palette + body


def masks() -> list[bytes]:
    """Small masks: grey of 1, 2, 4, 8 and 16 bits, palettes, two values."""
    y, x = np.mgrid[:21, :33]
    labels = ((x // 8 + y // 8) % 4).astype(np.uint8)
    stored = [Image.fromarray(labels), Image.fromarray(labels.astype(np.uint16)), Image.fromarray(labels % 2 > 0)]
    palette = Image.fromarray(labels)
    palette.putpalette(bytes(range(12)))
    packed = [np.packbits(_bits(labels, depth), axis=1)[:, :, None] for depth in (2, 4)]
    grey = [_png(rows, depth, 0, interlaced=False, width=33) for rows, depth in zip(packed, (2, 4), strict=True)]
    return [*(_encoded(image, "PNG") for image in (*stored, palette)), *grey]


def _bits(labels: np.ndarray, depth: int) -> np.ndarray:
    """The last bits of every label, side by side, (H, W depth)."""
    return np.unpackbits(labels[:, :, None], axis=2)[:, :, -depth:].reshape(len(labels), -1)


# ---------------------------------------------------------------------------------------------- mutations

MARKS = r"\xff[\xc0-\xfe]|....(?:IHDR|PLTE|tRNS|IDAT|IEND|eXIf)|VP8.|ALPH|EXIF|ANIM"
"""The starts of segments of a JPEG and of chunks of a PNG or WEBP."""


def mutant(kind: str, images: list[bytes], draws: Generator) -> bytes:
    """One of the images of a format, or two spliced, after one to six mutations."""
    data = bytearray(pick(images, draws))
    if draws.random() < 0.15:
        data = splice(data, bytearray(pick(images, draws)), draws, marks=MARKS)
    own = {"PNG": [_recompress, _in_chunk] * 4, "PPM": [_other_number] * 3}.get(kind, [])
    start = bytes(data[:4])
    for _ in few(draws):
        mutate = pick(MUTATIONS + own, draws)
        data = mutate(data, draws) or data
    if draws.random() < 0.9:  # else many would not even be known for what they are
        data[:4] = start
    if kind == "PNG" and draws.random() < 0.75:  # else its sums would end nearly every try at the door
        data = _summed(data)
    return bytes(data)


def _other_number(data: bytearray, draws: Generator) -> bytearray:
    """Another number in the text of a PPM."""
    found = list(re.finditer(rb"\d+", data[:64]))
    if found:
        one = pick(found, draws)
        data[one.start() : one.end()] = b"%d" % pick(EXTREMES, draws)
    return data


def _recompress(data: bytearray, draws: Generator) -> bytearray:
    """A PNG whose pixels are changed under the compression: filters, lengths."""
    for name, start, end in _chunks(data):
        if name == b"IDAT":
            try:
                lines = bytearray(zlib.decompress(data[start:end]))
            except zlib.error:
                return data
            return data[: start - 8] + _chunk(name, zlib.compress(changed(lines, draws))) + data[end + 4 :]
    return data


def _in_chunk(data: bytearray, draws: Generator) -> bytearray:
    """A PNG with other contents of one chunk, under the right length and sum."""
    chunks = _chunks(data)
    if not chunks:
        return data
    name, start, end = pick(chunks, draws)
    return data[: start - 8] + _chunk(name, changed(data[start:end], draws)) + data[end + 4 :]


def _summed(data: bytearray) -> bytearray:
    """The PNG with right sums in all chunks that can be found."""
    for name, start, end in _chunks(data):
        data[end : end + 4] = struct.pack(">I", zlib.crc32(name + data[start:end]))
    return data


def _chunks(data: bytearray) -> list[tuple[bytes, int, int]]:
    """Name, start and end of the contents of a PNG's chunks, as far as they hang together."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        start = place + 8
        end = start + int.from_bytes(data[place : place + 4], "big")
        if end + 4 > len(data):
            break
        chunks.append((bytes(data[place + 4 : start]), start, end))
        place = end + 4
    return chunks


# ---------------------------------------------------------------------------------------------- reading


def read_image(data: bytes, folder: Path) -> None:
    """An image by its header, by its pixels, and by two views."""
    try:
        head = header(data, name="it")
    except DataError:
        head = None
    image = decode(data, name="it")
    assert head is not None, "decoded although its header was refused"
    assert image.dtype == np.uint8
    assert head.colour == (image.ndim == 3)
    assert {*image.shape[:2]} == {head.height, head.width}  # it may have been turned upright
    COLOUR.show(image, name="it")
    GREY.show(image, name="it", grey=True)


def read_label_map(data: bytes, folder: Path) -> None:
    """A mask by its header and by its values."""
    try:
        head = mask_header(data, name="it")
    except DataError:
        head = None
    labels = read_mask(data, name="it")
    assert head is not None, "read although its header was refused"
    assert labels.dtype == np.uint8
    assert {*labels.shape} == {head.height, head.width}


TARGETS = [
    *(
        Target(
            name=kind,
            seeds=partial(originals().get, kind),
            read=read_image,
            mutate=partial(mutant, kind),
            memory_mb=MEMORY_MB,
        )
        for kind in originals()
    ),
    Target(name="mask", seeds=cache(masks), read=read_label_map, mutate=partial(mutant, "PNG"), memory_mb=MEMORY_MB),
]

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
