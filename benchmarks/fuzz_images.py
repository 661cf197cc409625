"""Mutated images of every allowed format into the decoder: how many were decoded, refused, crashed, or hung.

    python benchmarks/fuzz_images.py --images 100000 --seed 0 --save found

Each image is read as training and prediction read it (header, decode, preprocessing) in a child process with a limit
on its time and on its address space. Whatever ends otherwise than with pixels or a DataError is saved by its format
and number, and the exit code is 1. Image `number` of a format depends on the seed alone.

Expected: nothing crashed, hung or escaped; nothing on standard error; 100,000 images in a few minutes on one core.
"""

import argparse
import json
import os
import re
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import BytesIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import decode, header
from resvision.core.views import CentreCrop, Stretch

SECONDS = 30.0
ADDRESS_SPACE = 4 * 2**30
EXTREMES = (0, 1, 2, 7, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 10_000, 30_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
COLOUR = CentreCrop(channels=3, resize_px=64, crop_px=56, mean=(0.5,) * 3, std=(0.5,) * 3)
GREY = Stretch(channels=1, resize_px=28, crop_px=28, mean=(0.5,), std=(0.5,))


@dataclass
class Tally:
    """What became of the images of one format.

    escaped     those that gave an error which is no DataError, or pixels that are not what the header said
    slowest_ms  of the processor, for one image
    largest_mb  that the process held at any time, some 30 of them before the first image
    """

    format: str
    decoded: int = 0
    refused: int = 0
    escaped: int = 0
    crashed: int = 0
    hung: int = 0
    slowest_ms: float = 0.0
    largest_mb: int = 0
    stderr_lines: int = 0

    @property
    def images(self) -> int:
        return self.decoded + self.refused + self.escaped + self.crashed + self.hung


# ---------------------------------------------------------------------------------------------- originals


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


def _png(samples: np.ndarray, depth: int, kind: int, *, interlaced: bool) -> bytes:
    """A PNG of (H, W, C) samples; Pillow writes neither interlaced ones nor 16-bit colour."""
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [samples[top::down, left::right] for top, left, down, right in adam7] if interlaced else [samples]
    lines = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    height, width = samples.shape[:2]
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


# ---------------------------------------------------------------------------------------------- mutations

Mutation = Callable[[bytearray, Generator], bytearray]


def mutant(images: list[bytes], number: int, seed: int, kind: str) -> bytes:
    """Image `number` of a format: one of its originals, or two spliced, after one to six mutations."""
    draws = np.random.default_rng([seed, number, *kind.encode()])
    data = bytearray(images[draws.integers(len(images))])
    if draws.random() < 0.15:
        data = _splice(data, bytearray(images[draws.integers(len(images))]), draws)
    own = {"PNG": [_recompress, _in_chunk] * 4, "PPM": [_other_number] * 3}.get(kind, [])
    start = bytes(data[:4])
    for _ in range(min(6, draws.geometric(0.5))):
        mutate = (MUTATIONS + own)[draws.integers(len(MUTATIONS) + len(own))]
        data = mutate(data, draws) or data
    if draws.random() < 0.9:  # else many would not even be known for what they are
        data[:4] = start
    if kind == "PNG" and draws.random() < 0.75:  # else its sums would end nearly every try at the door
        data = _summed(data)
    return bytes(data)


def _place(data: bytearray, draws: Generator) -> int:
    """An offset; half of them among the first 64 bytes, where headers are."""
    end = min(64, len(data)) if draws.random() < 0.5 else len(data)
    return int(draws.integers(max(1, end)))


def _flip_bits(data: bytearray, draws: Generator) -> bytearray:
    for _ in range(draws.integers(1, 9)):
        data[_place(data, draws)] ^= 1 << int(draws.integers(8))
    return data


def _set_field(data: bytearray, draws: Generator) -> bytearray:
    """An extreme number of one, two or four bytes, at the start, or at the end, where a TIFF may have its tags."""
    size = int(draws.choice([1, 2, 4]))
    place = _place(data, draws) if draws.random() < 0.75 else max(0, len(data) - int(draws.integers(1, 256)))
    value = EXTREMES[draws.integers(len(EXTREMES))] % 256**size
    data[place : place + size] = value.to_bytes(size, "big" if draws.random() < 0.5 else "little")
    return data


def _insert(data: bytearray, draws: Generator) -> bytearray:
    place = _place(data, draws)
    data[place:place] = draws.bytes(int(draws.integers(1, 17)))
    return data


def _delete(data: bytearray, draws: Generator) -> bytearray:
    place = _place(data, draws)
    del data[place : place + int(draws.integers(1, 17))]
    return data


def _truncate(data: bytearray, draws: Generator) -> bytearray:
    return data[: draws.integers(8, len(data))] if len(data) > 8 else data


def _repeat(data: bytearray, draws: Generator) -> bytearray:
    """A piece of the file, up to fifty times over."""
    place = _place(data, draws)
    piece = data[place : place + int(draws.integers(1, 200))]
    data[place:place] = piece * int(draws.choice([1, 2, 50]))
    return data


def _blank(data: bytearray, draws: Generator) -> bytearray:
    place, length = _place(data, draws), int(draws.integers(1, 65))
    length = min(length, len(data) - place)
    data[place : place + length] = bytes([int(draws.choice([0, 255]))]) * length
    return data


def _splice(data: bytearray, other: bytearray, draws: Generator) -> bytearray:
    """The beginning of one file and the end of another, or a piece of the other put in; at marks if it has any."""
    here, there = _mark(data, draws), _mark(other, draws)
    if draws.random() < 0.5:
        return data[:here] + other[there:]
    return data[:here] + other[there : there + int(draws.integers(1, 400))] + data[here:]


def _mark(data: bytearray, draws: Generator) -> int:
    """Where a chunk of a PNG or WEBP or a segment of a JPEG begins, or anywhere."""
    names = b"IHDR|PLTE|tRNS|IDAT|IEND|eXIf|VP8.|ALPH|EXIF|ANIM"
    marks = [found.start() - 4 * (data[1:4] == b"PNG") for found in re.finditer(rb"\xff[\xc0-\xfe]|" + names, data)]
    return int(draws.choice(marks)) if marks and draws.random() < 0.8 else int(draws.integers(len(data)))


def _other_number(data: bytearray, draws: Generator) -> bytearray:
    """Another number in the text of a PPM."""
    found = list(re.finditer(rb"\d+", data[:64]))
    if found:
        one = found[draws.integers(len(found))]
        data[one.start() : one.end()] = b"%d" % EXTREMES[draws.integers(len(EXTREMES))]
    return data


def _recompress(data: bytearray, draws: Generator) -> bytearray:
    """A PNG whose pixels are changed under the compression: filters, lengths."""
    for name, start, end in _chunks(data):
        if name == b"IDAT":
            try:
                lines = bytearray(zlib.decompress(data[start:end]))
            except zlib.error:
                return data
            return data[: start - 8] + _chunk(name, zlib.compress(_changed(lines, draws))) + data[end + 4 :]
    return data


def _in_chunk(data: bytearray, draws: Generator) -> bytearray:
    """A PNG with other contents of one chunk, under the right length and sum."""
    chunks = _chunks(data)
    if not chunks:
        return data
    name, start, end = chunks[draws.integers(len(chunks))]
    return data[: start - 8] + _chunk(name, _changed(data[start:end], draws)) + data[end + 4 :]


def _changed(data: bytearray, draws: Generator) -> bytearray:
    return [_flip_bits, _set_field, _insert, _delete, _repeat][draws.integers(5)](data, draws) if data else data


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


MUTATIONS: list[Mutation] = [_flip_bits, _set_field, _set_field, _insert, _delete, _truncate, _repeat, _blank]


# ---------------------------------------------------------------------------------------------- reading


def read(data: bytes) -> str:
    """`decoded` or `refused`, or what was wrong."""
    try:
        try:
            said = header(data, name="it")
        except DataError:
            said = None
        image = decode(data, name="it")
        if said is None:
            return "decoded although its header was refused"
        sides = image.shape[:2]
        if image.dtype != np.uint8 or said.colour != (image.ndim == 3) or {*sides} != {said.height, said.width}:
            return f"{image.dtype} {image.shape} decoded, but the header said {said}"
        COLOUR.show(image, name="it")
        GREY.show(image, name="it", grey=True)
    except DataError:
        return "refused"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return f"{type(error).__name__}: {error}"
    return "decoded"


def serve(connection: Connection, images: list[bytes], kind: str, numbers: range, seed: int, stderr: int) -> None:
    """Read the images of those numbers in this process, and tell what became of each and of the memory."""
    os.dup2(stderr, 2)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for number in numbers:
        data = mutant(images, number, seed, kind)
        began = time.process_time()
        outcome = read(data)
        taken = time.process_time() - began
        connection.send((outcome, taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def fuzz(kind: str, images: list[bytes], count: int, seed: int, save: Path | None) -> Tally:
    """Read `count` mutants of one format; a child that crashes or hangs is replaced and goes on behind that image."""
    tally, number, processes = Tally(kind), 0, get_context("fork")

    def found(what: str) -> None:
        print(f"{kind} {number}: {what}", file=sys.stderr)
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            (save / f"{kind}-{seed}-{number}").write_bytes(mutant(images, number, seed, kind))

    with tempfile.TemporaryFile() as stderr:
        while number < count:
            here, there = processes.Pipe(duplex=False)
            arguments = (there, images, kind, range(number, count), seed, stderr.fileno())
            child = processes.Process(target=serve, args=arguments)
            child.start()
            there.close()
            while number < count:
                if not here.poll(SECONDS):
                    tally.hung += 1
                    found(f"takes more than {SECONDS:.0f} s")
                    break
                try:
                    outcome, seconds, megabytes = here.recv()
                except EOFError:
                    child.join()
                    tally.crashed += 1
                    found(f"ended the process with {child.exitcode}")
                    break
                tally.slowest_ms = max(tally.slowest_ms, 1000 * seconds)
                tally.largest_mb = max(tally.largest_mb, megabytes)
                if outcome == "decoded":
                    tally.decoded += 1
                elif outcome == "refused":
                    tally.refused += 1
                else:
                    tally.escaped += 1
                    found(outcome)
                number += 1
            else:
                child.join()
                break
            child.kill()
            child.join()
            number += 1
        stderr.seek(0)
        tally.stderr_lines = sum(1 for _ in stderr)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000, help="over all formats")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="folder for what ended otherwise than it should")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    whole = originals()
    for kind, images in whole.items():
        assert all(read(data) == "decoded" for data in images), f"an original of {kind} is not read"
    shares = np.diff(np.linspace(0, asked.images, len(whole) + 1).astype(int)).tolist()
    tallies = []
    if not asked.json:
        print(f"{'format':<8}{'images':>9}{'decoded':>9}{'refused':>9}{'escaped':>9}{'crashed':>9}{'hung':>6}", end="")
        print(f"{'slowest ms':>12}{'largest MB':>12}{'stderr lines':>14}", flush=True)
    for (kind, images), count in zip(whole.items(), shares, strict=True):
        tally = fuzz(kind, images, count, asked.seed, asked.save)
        tallies.append(tally)
        if not asked.json:
            _print(tally)
    total = Tally("all")
    for name in ("decoded", "refused", "escaped", "crashed", "hung", "stderr_lines"):
        setattr(total, name, sum(getattr(tally, name) for tally in tallies))
    total.slowest_ms = max(tally.slowest_ms for tally in tallies)
    total.largest_mb = max(tally.largest_mb for tally in tallies)
    if asked.json:
        print(json.dumps([asdict(tally) for tally in tallies]))
    else:
        _print(total)
    return 1 if total.escaped + total.crashed + total.hung else 0


def _print(tally: Tally) -> None:
    counts = f"{tally.images:>9,}{tally.decoded:>9,}{tally.refused:>9,}{tally.escaped:>9,}{tally.crashed:>9,}"
    print(f"{tally.format:<8}{counts}{tally.hung:>6,}", end="")
    print(f"{tally.slowest_ms:>12,.0f}{tally.largest_mb:>12,}{tally.stderr_lines:>14,}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
