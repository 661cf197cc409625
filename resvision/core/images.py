"""Decoding of images: the only module that does so.

Pillow decodes; on top of it stand an allow-list of formats, limits on the pixels and on the work that they ask for,
checked before anything is decoded, and the rule that an image is decoded whole or refused. `core.views` turns an image
into the input of a net.

Glossary
    image   (H, W) grey or (H, W, 3) RGB, uint8, as stored and oriented; (H, W, C) where an array has other channels
"""

import ctypes
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    _imaging,
)

from resvision.core.bit_depth import (
    COLOUR_MODES,
    DEEPEST_GREY,
    GREY_MODES,
    eight_bits,
    is_deep,
    is_grey,
    stored_facts,
)
from resvision.core.errors import DataError, TooManyPixelsError, printable
from resvision.core.orientation import UPRIGHT, orientation_in_header, stored_sides, upright, upright_sides

VOID = 255
"""Label of pixels in a mask that are neither trained on nor judged."""

Pixels = NDArray[np.uint8]

PIXEL_LIMIT = 100_000_000
"""Images with more pixels are refused before they are decoded; one of this size takes 1 to 2 GB meanwhile."""
SLOW_PIXEL_LIMIT = 2_000_000
"""The limit of rare codings that Pillow reads pixel by pixel, at a few microseconds each."""
SCANNED_PIXEL_LIMIT = 25 * PIXEL_LIMIT
"""The limit of a JPEG's pixels times its scans: every scan goes over all pixels again."""
SCAN_BYTES = 10
"""The fewest bytes that a scan takes in a file."""

FORMATS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "PPM": PpmImagePlugin.PpmImageFile,
}

_SLOW_CODINGS = {"ppm", "ppm_plain", "bmp_rle"}
_HEIC = "HEIC", "heif-convert IMAGE.heic IMAGE.jpg"
_AVIF = "AVIF", "avifdec IMAGE.avif IMAGE.png"
_BRANDS = dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _HEIC)
_BRANDS |= dict.fromkeys((b"avif", b"avis"), _AVIF)
"""Images of phones and of the web that are no JPEG, by the brand in their first bytes, with a command that converts."""
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither stuffing nor a restart


class Header(NamedTuple):
    """The header of an image file.

    width, height  stored pixels, before orientation
    colour         whether it has colour
    orientation    1..8, by EXIF; 1 is upright
    deep           whether a pixel has 16 bits a channel
    palette        red, green and blue of each index, for a label map alone; empty where it has none
    """

    format: str
    width: int
    height: int
    colour: bool
    orientation: int = UPRIGHT
    deep: bool = False
    palette: bytes = b""

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width once the image stands upright."""
        width, height = upright_sides(self.width, self.height, self.orientation)
        return height, width


def header(source: Path | bytes, *, name: str | None = None) -> Header:
    """The header of an image, read without decoding; DataError for a file that `decode` refuses by its header."""
    with reading(source, name) as (format_name, image):
        sides, colour, deep = stored_sides(image), not is_grey(image), is_deep(image)
        return Header(format_name, *sides, colour, orientation_in_header(image), deep)


def decode(source: Path | bytes, *, name: str | None = None) -> Pixels:
    """The whole image, (H, W) grey or (H, W, 3) RGB, upright by its EXIF orientation.

    16 bits are scaled to 8 (grey to the nearest level, colour by its high byte, at most one level off), palettes
    and CMYK become RGB, transparency is laid over white; colour profiles are not applied. `name` stands in errors
    for bytes that have no path. Raises DataError, with the name and the reason, for whatever is not one whole
    image of `FORMATS`.
    """
    with reading(source, name) as (_, image):
        check_work(image)
        stored = stored_facts(image)
        image.load()
        return eight_bits(upright(image), stored)


def pixels_of(picture: Image.Image, *, name: str) -> Pixels:
    """The pixels of a Pillow image, as `decode` gives those of a file; the picture stays as it is.

    Raises DataError, with the name and the reason, for one of a kind or a size that `decode` refuses, and where loading
    its file fails.
    """
    try:
        with _QUIET:
            _check(picture)
            stored = stored_facts(picture)
            image = upright(picture.copy())
            if image.mode == "I" and not 0 <= np.asarray(image).min() <= np.asarray(image).max() <= DEEPEST_GREY:
                raise RefusedError("grey values beyond 16 bits; convert it to mode L")
            return eight_bits(image, stored)
    except RefusedError as error:
        raise DataError(f"{name}: {error}") from None
    except (OSError, ValueError, SyntaxError) as error:  # a file that is damaged, or was closed before it was loaded
        raise DataError(f"{name}: cannot be read ({printable(str(error))})") from None


class RefusedError(Exception):
    """An image is refused for the reason in the message; `reading` puts the name in front, and raises it as `kind`."""

    def __init__(self, reason: str, kind: type[DataError] = DataError) -> None:
        super().__init__(reason)
        self.kind = kind


@contextmanager
def reading(source: Path | bytes, name: str | None) -> Iterator[tuple[str, ImageFile.ImageFile]]:
    """Open an image undecoded, beside its format; whatever goes wrong in the block is a DataError with the name."""
    shown = printable(name or (source if isinstance(source, Path) else "the image"))
    format_name = "file"
    try:
        with BytesIO(source) if isinstance(source, bytes) else _opened(source) as stream, _QUIET:
            format_name = _format(stream)
            image = FORMATS[format_name](stream)
            _check(image)
            yield format_name, image
    except RefusedError as error:
        raise error.kind(f"{shown}: {error}") from None
    except Image.DecompressionBombError:  # a WEBP, which is not even opened
        raise TooManyPixelsError(f"{shown}: above the limit of {PIXEL_LIMIT // 10**6} million pixels") from None
    except MemoryError:
        raise DataError(f"{shown}: not enough memory to decode this {format_name}") from None
    except PermissionError:
        raise DataError(f"{shown}: no permission to read it") from None
    except Exception as error:  # noqa: BLE001 - damaged bytes make Pillow's plugins raise nearly anything
        if isinstance(error, OSError) and error.strerror:  # of the file system; Pillow's own have a text only
            raise DataError(f"{shown}: cannot be read ({error.strerror})") from None
        # a KeyError and its like say a bare word, which needs the error's name beside it
        reason = str(error) if " " in str(error) else f"{type(error).__name__} {error}".strip()
        if reason == "unknown pixel mode":
            raise DataError(f"{shown}: pixels of a rare kind; save it with 8 or 16 bits, as grey or RGB") from None
        raise DataError(f"{shown}: a damaged {format_name} ({printable(reason)})") from None


def _opened(path: Path) -> IO[bytes]:
    if path.is_file():
        return path.open("rb")
    if path.is_symlink():
        raise RefusedError("a broken link")
    if path.is_dir():
        raise RefusedError("a folder, not an image")
    raise RefusedError("not a regular file" if path.exists() else "no such file")


class _Quiet:
    """Keeps the warnings of Pillow and libtiff off standard error, where they would come once a file.

    Filters of warnings are those of the whole process: the first of several threads sets ours, and the last brings back
    what was there.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._before = warnings.catch_warnings()

    def __enter__(self) -> None:
        _silence_libraries()
        with self._lock:
            if self._inside == 0:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._before.__exit__(None, None, None)


_QUIET = _Quiet()


@cache
def _silence_libraries() -> None:
    """Silence libtiff, where Pillow has it as a library of its own, and give Pillow's log a handler."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    libraries = ctypes.CDLL(_imaging.__file__)
    for setter in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(libraries, setter):
            getattr(libraries, setter)(None)


def _format(stream: IO[bytes]) -> str:
    """The format of a file, told by its first bytes, never by its name."""
    start = stream.read(16)
    stream.seek(0)
    if not start:
        raise RefusedError("an empty file (0 bytes)")
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if start.startswith(b"BM"):
        return "BMP"
    if start[:1] == b"P" and start[1:2] in b"123456" and (start[2:3].isspace() or start[2:3] == b"#"):
        return "PPM"
    if start[4:8] == b"ftyp" and start[8:12] in _BRANDS:
        name, command = _BRANDS[start[8:12]]
        raise RefusedError(f"an image of the format {name}, which is not read; convert it first, such as `{command}`")
    guess = "a GIF" if start.startswith(b"GIF8") else "not an image"
    raise RefusedError(f"{guess}; allowed are {', '.join(FORMATS)}")


def _check(image: Image.Image) -> None:
    """Raise RefusedError for an image that must not be decoded."""
    pixels, sides = image.width * image.height, f"{image.width:,} x {image.height:,} pixels"
    if pixels > PIXEL_LIMIT:
        raise RefusedError(f"{sides}, above the limit of {PIXEL_LIMIT // 10**6} million", TooManyPixelsError)
    tile = getattr(image, "tile", None)  # of files alone
    if pixels > SLOW_PIXEL_LIMIT and tile and tile[0].codec_name in _SLOW_CODINGS:
        limit = f"the limit of {SLOW_PIXEL_LIMIT // 10**6} million for this rare kind of {image.format}"
        raise RefusedError(f"{sides}, above {limit}; save it as PNG")
    if image.mode not in GREY_MODES | COLOUR_MODES or (image.mode == "I" and image.format == "TIFF"):
        raise RefusedError(f"pixels of kind {image.mode}; save it with 8 or 16 bits, as grey or RGB")
    if getattr(image, "is_animated", False):
        raise RefusedError("more than one frame; a file must hold one image")


def check_work(image: ImageFile.ImageFile) -> None:
    """Raise RefusedError for a file made so that decoding it takes minutes."""
    assert image.fp is not None, "not decoded yet"
    position = image.fp.tell()
    if image.format == "JPEG":
        image.fp.seek(0)
        data, pixels = image.fp.read(), image.width * image.height
        scan_bound = len(data) // SCAN_BYTES
        if scan_bound * pixels > SCANNED_PIXEL_LIMIT and (scans := _scans(data)) * pixels > SCANNED_PIXEL_LIMIT:
            sides = f"{image.width:,} x {image.height:,}"
            raise RefusedError(f"{scans:,} scans of {sides} pixels take too long to decode; save it as a plain JPEG")
    elif image.tile and image.tile[0].codec_name == "ppm_plain" and b"#" in image.fp.read():
        raise RefusedError("comments between the pixels take too long to decode; save it as PNG")
    image.fp.seek(position)


def _scans(jpeg: bytes) -> int:
    """The number of scans of a JPEG, counted up to its end marker; bytes after that are not decoded."""
    scans, end = 0, 2
    while marker := _JPEG_MARKER.search(jpeg, end):
        code, end = jpeg[marker.end() - 1], marker.end()
        if code == 0xD9:
            break
        scans += code == 0xDA
        if code not in {0x01, 0xD8}:  # these two have no length
            end += int.from_bytes(jpeg[end : end + 2], "big")
    return scans
