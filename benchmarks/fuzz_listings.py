"""Mutated zips and tables of images into their readers: directories of zips, CSV and JSON lines.

    python benchmarks/fuzz_listings.py --seconds 120 --save found

Expected: nothing crashed, nothing hung.
"""

import io
import json
import sys
import zipfile
from functools import cache
from pathlib import Path

from fuzz_data import encoded, picture, put, read_archive, refuse
from fuzzing import Target, main
from mutations import changed, mutated_bytes, mutated_json, mutated_lines, pick
from numpy.random import Generator

from resvision.data.check import check
from resvision.data.sets import open_splits

IMAGES = [f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(3)]
HEADS = (b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\3\4")
"""The signatures of the parts of a zip: its directory's entries, its two ends, and the heads of members."""


# ---------------------------------------------------------------------------------------------- zip


def zips() -> list[bytes]:
    """Images of two classes: stored, deflated, and with sizes of 64 bits."""
    return [_zipped(zipfile.ZIP_STORED), _zipped(zipfile.ZIP_DEFLATED), _zipped(zipfile.ZIP_STORED, wide=True)]


def _zipped(method: int, *, wide: bool = False) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for number, name in enumerate([*IMAGES, "README.md"]):
            with archive.open(f"pets/{name}", "w", force_zip64=wide) as file:
                file.write(encoded(picture(number).resize((4, 4))))
    whole = stream.getvalue()
    if not wide:
        return whole
    end = whole.rindex(b"PK\5\6")
    count, size, offset = whole[end + 8 : end + 10], whole[end + 12 : end + 16], whole[end + 16 : end + 20]
    long_end = b"PK\6\6" + (44).to_bytes(8, "little") + bytes((45, 0, 45, 0)) + bytes(8)
    long_end += (count + bytes(6)) * 2 + size + bytes(4) + offset + bytes(4)
    locator = b"PK\6\7" + bytes(4) + end.to_bytes(8, "little") + (1).to_bytes(4, "little")
    return whole[:end] + long_end + locator + b"PK\5\6" + bytes(4) + b"\xff" * 12 + bytes(2)


def mutated_zip(corpus: list[bytes], draws: Generator) -> bytes:
    """Most of the time other bytes in the head of a part, else anywhere."""
    data = bytearray(pick(corpus, draws))
    if draws.random() < 0.2:
        return mutated_bytes([bytes(data)], draws)
    for _ in range(int(draws.integers(1, 4))):
        head = pick(HEADS, draws)
        places = [place for place in range(len(data)) if data.startswith(head, place)]
        if places:
            start = pick(places, draws) + 4
            part = data[start : start + 60]
            size = int(draws.choice([2, 4, 8]))
            place = int(draws.integers(max(1, len(part) - size)))
            extreme = pick([b"\xff", b"\0", b"\x7f", b"\x80"], draws) * size
            part = part[:place] + extreme + part[place + size :] if draws.random() < 0.6 else changed(part, draws)
            data[start : start + 60] = part
    return bytes(data)


def read_zip(data: bytes, folder: Path) -> None:
    path = folder / "pets.zip"
    put(path, data)
    read_archive(path)


# ---------------------------------------------------------------------------------------------- tables


def tables() -> list[bytes]:
    """Labels and splits by comma, semicolon and tab, with marks and without."""
    rows = [(name, name[:3], ("train", "val")[place % 2]) for place, name in enumerate(IMAGES)]
    texts = ["\n".join(mark.join(row) for row in [("path", "label", "split"), *rows]) + "\n" for mark in ",;\t"]
    quoted = "\r\n".join(f'"{name}","{label}"' for name, label, _ in rows)
    return [*(text.encode() for text in texts), b"\xef\xbb\xbf" + quoted.encode(), texts[0].encode("utf-16")]


def json_lines() -> list[bytes]:
    """An object a line, of text, numbers and nothing."""
    rows = [{"file": name, "label": name[:3], "id": place, "note": None} for place, name in enumerate(IMAGES)]
    return ["\n".join(map(json.dumps, rows)).encode()]


def mutated_table(corpus: list[bytes], draws: Generator) -> bytes:
    """Half of the time other lines, else other bytes."""
    return (mutated_lines if draws.random() < 0.5 else mutated_bytes)(corpus, draws)


def mutated_json_lines(corpus: list[bytes], draws: Generator) -> bytes:
    """Most of the time one object changed, else other lines."""
    lines = pick(corpus, draws).splitlines() or [b"{}"]
    if draws.random() < 0.3:
        return mutated_lines(corpus, draws)
    place = int(draws.integers(len(lines)))
    lines[place] = mutated_json([lines[place]], draws)
    return b"\n".join(lines)


def read_csv(data: bytes, folder: Path) -> None:
    read_listing(data, folder, "labels.csv")


def read_json_lines(data: bytes, folder: Path) -> None:
    read_listing(data, folder, "labels.jsonl")


def read_listing(data: bytes, folder: Path, name: str) -> None:
    for number, image in enumerate(IMAGES):
        if not (folder / image).exists():
            put(folder / image, encoded(picture(number).resize((4, 4))))
    put(folder / name, data)
    refuse(check(str(folder / name), again=True).faults, folder)
    splits = open_splits(str(folder / name))
    assert all(label.isprintable() for label in splits.train.classes)


TARGETS = [
    Target(name="zip", seeds=cache(zips), read=read_zip, mutate=mutated_zip),
    # a table of 16 MB may have a million rows, with a fault in each
    Target(name="table", seeds=cache(tables), read=read_csv, mutate=mutated_table, seconds=60.0, memory_mb=1024),
    Target(name="JSON lines", seeds=cache(json_lines), read=read_json_lines, mutate=mutated_json_lines),
]

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
