"""Mutations of files for the fuzzers: of bytes, of text line by line, and of JSON by its values.

A mutator takes a corpus and a generator of draws, and gives one mutant: an entry, or two spliced, after a few changes.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from numpy.random import Generator

Mutation = Callable[[bytearray, Generator], bytearray]
Mutator = Callable[[list[bytes], Generator], bytes]

EXTREMES = (0, 1, 2, 7, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 10_000, 30_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers of one, two or four bytes at which readers go wrong."""


def few(draws: Generator, most: int = 6) -> range:
    """One to `most` rounds, each half as likely as one less."""
    return range(min(most, int(draws.geometric(0.5))))


def pick(choices: Any, draws: Generator) -> Any:
    """One of the choices, which stays of its own type."""
    return choices[int(draws.integers(len(choices)))]


# ---------------------------------------------------------------------------------------------- bytes


def mutated_bytes(corpus: list[bytes], draws: Generator) -> bytes:
    """An entry with bits, numbers and pieces of it changed."""
    data = bytearray(pick(corpus, draws))
    if draws.random() < 0.15:
        data = splice(data, bytearray(pick(corpus, draws)), draws)
    for _ in few(draws):
        data = pick(MUTATIONS, draws)(data, draws)
    return bytes(data)


def changed(data: bytearray, draws: Generator) -> bytearray:
    """The bytes after one change that keeps most of them."""
    return pick([flip_bits, set_field, insert, delete, repeat], draws)(data, draws) if data else data


def flip_bits(data: bytearray, draws: Generator) -> bytearray:
    for _ in range(draws.integers(1, 9) if data else 0):
        data[_place(data, draws)] ^= 1 << int(draws.integers(8))
    return data


def set_field(data: bytearray, draws: Generator) -> bytearray:
    """An extreme number of one, two or four bytes, at the start, or at the end, where a TIFF may have its tags."""
    size = int(draws.choice([1, 2, 4]))
    place = _place(data, draws) if draws.random() < 0.75 else max(0, len(data) - int(draws.integers(1, 256)))
    data[place : place + size] = (pick(EXTREMES, draws) % 256**size).to_bytes(
        size, "big" if draws.random() < 0.5 else "little"
    )
    return data


def insert(data: bytearray, draws: Generator) -> bytearray:
    place = _place(data, draws)
    data[place:place] = draws.bytes(int(draws.integers(1, 17)))
    return data


def delete(data: bytearray, draws: Generator) -> bytearray:
    place = _place(data, draws)
    del data[place : place + int(draws.integers(1, 17))]
    return data


def truncate(data: bytearray, draws: Generator) -> bytearray:
    return data[: draws.integers(8, len(data))] if len(data) > 8 else data


def repeat(data: bytearray, draws: Generator) -> bytearray:
    """A piece of the file, up to fifty times over."""
    place = _place(data, draws)
    piece = data[place : place + int(draws.integers(1, 200))]
    data[place:place] = piece * int(draws.choice([1, 2, 50]))
    return data


def blank(data: bytearray, draws: Generator) -> bytearray:
    place, length = _place(data, draws), int(draws.integers(1, 65))
    length = min(length, len(data) - place)
    data[place : place + length] = bytes([int(draws.choice([0, 255]))]) * length
    return data


def splice(data: bytearray, other: bytearray, draws: Generator, *, marks: str = "") -> bytearray:
    """The beginning of one file and the end of another, or a piece of the other put in; at `marks` if it has any."""
    here, there = _mark(data, draws, marks), _mark(other, draws, marks)
    if draws.random() < 0.5:
        return data[:here] + other[there:]
    return data[:here] + other[there : there + int(draws.integers(1, 400))] + data[here:]


def _place(data: bytearray, draws: Generator) -> int:
    """An offset; half of them among the first 64 bytes, where headers are."""
    end = min(64, len(data)) if draws.random() < 0.5 else len(data)
    return int(draws.integers(max(1, end)))


def _mark(data: bytearray, draws: Generator, marks: str) -> int:
    """Where a mark, a regular expression, begins; or anywhere."""
    starts = [found.start() for found in re.finditer(marks.encode("latin1"), data)] if marks else []
    return int(draws.choice(starts)) if starts and draws.random() < 0.8 else int(draws.integers(max(1, len(data))))


MUTATIONS: list[Mutation] = [flip_bits, set_field, set_field, insert, delete, truncate, repeat, blank]


# ---------------------------------------------------------------------------------------------- JSON


class _Token(str):
    """A piece of JSON as it is to stand in the document, though no value of Python gives it."""


NUMBERS = ["-1", "0", "1", "0.5", "-0.0", "1e308", "-1e308", "1e-320", "1e999", "NaN", "Infinity", "-Infinity"]
NUMBERS += ["255", "256", "60000", "2147483648", "9223372036854775807", "9223372036854775808", "1" * 400, "1" * 5000]
TEXTS = ["", "a", "..", "../x", "/etc/passwd", "void", "none", "auto", "own:thing", "x" * 70_000, "\u202ea"]
TEXTS += ["\x00", "a\nb", "\x1b[2J\x1b]0;title\x07", "\x7f\x9b1m", "\u2028", "%s", "<script>", "1", "\u0131", "\uff21"]
TOKENS = [r'"\ud800"', r'"\udc80x"', '"\\u0000"', '{"a": 1, "a": 2}', "[[[[]]]]", "{}", "[]", "null", "true", "false"]
TOKENS += ['[""]', '{"": {}}', "[" * 200 + "]" * 200, "[" * 20_000 + "]" * 20_000, '{"a":' * 3000 + "1" + "}" * 3000]


def mutated_json(corpus: list[bytes], draws: Generator) -> bytes:
    """An entry with some of its values, keys or lists changed; one in six with its bytes changed too."""
    document = pick(corpus, draws)
    try:
        tree = json.loads(document)
    except (ValueError, RecursionError):
        return mutated_bytes(corpus, draws)
    other = _tree(pick(corpus, draws))
    for _ in few(draws):
        tree = _with_change(tree, draws, other)
    written = written_json(tree)
    return mutated_bytes([written], draws) if draws.random() < 0.16 else written


def written_json(tree: Any) -> bytes:
    """The document of a tree that may hold tokens."""
    pieces: list[str] = []
    _write(tree, pieces)
    return "".join(pieces).encode(errors="surrogatepass")


def _write(tree: Any, pieces: list[str]) -> None:
    if isinstance(tree, _Token):
        pieces.append(str(tree))
    elif isinstance(tree, dict):
        pieces.append("{")
        for number, (key, value) in enumerate(tree.items()):
            pieces.append(f"{', ' if number else ''}{json.dumps(str(key))}: ")
            _write(value, pieces)
        pieces.append("}")
    elif isinstance(tree, list):
        pieces.append("[")
        for number, value in enumerate(tree):
            pieces.append(", " if number else "")
            _write(value, pieces)
        pieces.append("]")
    else:
        pieces.append(json.dumps(tree))


def _tree(document: bytes) -> Any:
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None


def _with_change(tree: Any, draws: Generator, other: Any) -> Any:
    """The tree with one change at a place that is drawn on the way down."""
    if not isinstance(tree, dict | list) or not tree or draws.random() < 0.04:
        return _other_value(tree, draws, other)
    keys = [*tree] if isinstance(tree, dict) else [*range(len(tree))]
    key = pick(keys, draws)
    what = draws.random()
    if what < 0.06:
        del tree[key]
    elif what < 0.12 and isinstance(tree, dict):
        tree[_other_text(str(key), draws)] = tree.pop(key)
    elif what < 0.12:
        tree[key:key] = tree[key : key + 1] * int(pick([1, 2, 300], draws))
    else:
        tree[key] = _with_change(tree[key], draws, other)
    return tree


def _other_value(value: Any, draws: Generator, other: Any) -> Any:
    what = draws.random()
    if what < 0.3:
        return _Token(pick(NUMBERS, draws))
    if what < 0.4 and isinstance(value, int | float) and abs(value) < 1e15:
        return value + pick([-1, 1, 0.5], draws)
    if what < 0.6:
        return _other_text(value if isinstance(value, str) else "", draws)
    if what < 0.75:
        return _Token(pick(TOKENS, draws))
    if what < 0.85:
        return [value] if draws.random() < 0.5 else {"a": value}
    return _piece(other, draws)


def _other_text(text: str, draws: Generator) -> str:
    other = str(pick(TEXTS, draws))
    return pick([other, text + other, text[: len(text) // 2], text.swapcase(), text * 2], draws)


def _piece(tree: Any, draws: Generator) -> Any:
    """A subtree of some depth."""
    while isinstance(tree, dict | list) and tree and draws.random() < 0.8:
        tree = pick([*tree.values()] if isinstance(tree, dict) else tree, draws)
    return json.loads(json.dumps(tree))


# ---------------------------------------------------------------------------------------------- text


def mutated_lines(corpus: list[bytes], draws: Generator) -> bytes:
    """An entry with lines dropped, doubled, changed places, or changed: by their values where they are JSON."""
    lines = pick(corpus, draws).split(b"\n")
    for _ in few(draws):
        number = int(draws.integers(len(lines))) if lines else 0
        what = draws.random()
        if what < 0.1 or not lines:
            lines[number:number] = [str(pick(TEXTS, draws)).encode()]
        elif what < 0.2:
            del lines[number]
        elif what < 0.3:
            lines[number:number] = lines[number : number + 1] * int(pick([1, 2, 300], draws))
        elif what < 0.4:
            lines.append(lines.pop(number))
        else:
            lines[number] = _other_line(lines[number], draws)
    ending = pick([b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\xe2\x80\xa8"], draws)
    return pick([b"", b"", b"", b"\xef\xbb\xbf", b"\xff\xfe"], draws) + ending.join(lines)


def _other_line(line: bytes, draws: Generator) -> bytes:
    if line.startswith(b"{"):
        return mutated_json([line], draws)
    words = line.split(b" ")
    word = pick([*TEXTS, *NUMBERS, "000", "1_0", "٣", "²", "a:b", "3,x", "3\tx"], draws).encode()
    change = pick(["word", "more", "bytes"], draws)
    if change == "word":
        words[int(draws.integers(len(words)))] = word
    elif change == "more":
        words.append(word)
    else:
        return mutated_bytes([line], draws)
    return b" ".join(words)
