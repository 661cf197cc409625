"""`data.yaml`, which describes a set of images with YOLO's labels: its folders and the names of its classes.

The subset of YAML 1.2 that such files use is read here: keys with scalars, lists and mappings, in blocks or in
brackets, comments and quotes. Keys that a set of boxes does not need are skipped, whatever they hold. Anchors and tags
are refused where they concern what is read.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from resvision.core.errors import DataError, printable
from resvision.core.files import SMALL
from resvision.data.places import Place, read_text

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"")
_NULLS = {"", "~", "null", "Null", "NULL"}
_BEYOND = "&*!|>%@`"

SPLITS = ("train", "val", "test")


class Description(NamedTuple):
    """The content of a file.

    names      of the classes, in the order of their ids, which are 0, 1, ...
    root       the folder that the others lie in; "" for that of the file
    folders    the folders or lists of images of each split that has some
    keypoints  whether labels have points behind their boxes
    """

    names: tuple[str, ...]
    root: str
    folders: dict[str, tuple[str, ...]]
    keypoints: bool


class _Entry(NamedTuple):
    """A key at the left margin, what follows it in its line, and the lines below that belong to it."""

    line: int
    value: str
    below: list[str]


def read_description(place: Place) -> Description:
    """Read the description in a file. Raises DataError, with the file, the line and the reason."""
    return parse_description(read_text(place, SMALL), str(place))


def parse_description(text: str, where: str) -> Description:
    """The description in a text. Raises DataError, with `where`, the line and the reason."""
    line = 1
    try:
        entries = dict(_entries(text))
        values: dict[str, str | list[str] | dict[str, str]] = {}
        for key in ("path", *SPLITS, "valid", "nc", "names", "kpt_shape"):
            if key in entries:
                line = entries[key].line
                values[key] = _value(entries[key])
        values.setdefault("val", values.pop("valid", ""))
        line = entries["names"].line if "names" in entries else 1
        names = _names(values.get("names"))
        if (count := values.get("nc", str(len(names)))) != str(len(names)):
            line = entries["nc"].line
            raise ValueError(f"nc is {count!s:.20}, but names has {len(names):,}")
        folders = {split: _folders(values.get(split)) for split in SPLITS}
    except ValueError as error:
        raise DataError(f"{printable(where)}:{line}: {printable(str(error))}") from None
    root = values.get("path", "")
    return Description(
        names, root if isinstance(root, str) else "", {s: f for s, f in folders.items() if f}, "kpt_shape" in values
    )


def _names(value: str | list[str] | dict[str, str] | None) -> tuple[str, ...]:
    """The names of classes, of a list or of a mapping from ids."""
    if isinstance(value, dict):
        if sorted(value, key=lambda key: (len(key), key)) != [str(number) for number in range(len(value))]:
            raise ValueError("the ids of names are not 0, 1, ... without a gap")
        return tuple(value[str(number)] for number in range(len(value)))
    if not isinstance(value, list) or not value:
        raise ValueError("no names of classes: a list `names: [cat, dog]`, or a mapping of ids to names")
    return tuple(value)


def _folders(value: str | list[str] | dict[str, str] | None) -> tuple[str, ...]:
    if isinstance(value, dict):
        raise ValueError("a mapping where a folder, or a list of folders, is due")
    return tuple(value) if isinstance(value, list) else tuple(filter(None, [value]))


def _entries(text: str) -> Iterator[tuple[str, _Entry]]:
    """Yield the keys at the left margin. Raises ValueError for a key that is there twice."""
    seen: set[str] = set()
    entry: _Entry | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#") or line.rstrip() == "---":
            continue
        pair = None if line[0].isspace() else _pair(line.rstrip())
        if pair is None:
            if entry is None:
                raise ValueError(f"line {number} is no `key: value`")
            entry.below.append(line.rstrip())  # a list may begin at the margin of its key
            continue
        key, value = pair
        if key in seen:
            raise ValueError(f"the key {key!r:.40} is there twice")
        seen.add(key)
        entry = _Entry(number, value, [])
        yield key, entry


def _value(entry: _Entry) -> str | list[str] | dict[str, str]:
    """The value of a key: a scalar, a list of scalars, or a mapping to scalars."""
    own = _without_comment(entry.value)
    below = [text for line in entry.below if (text := _without_comment(line))]
    if (own or "".join(below[:1]).strip())[:1] in ("[", "{"):
        return _flow("\n".join([own, *below]))
    if own[:1] and own[0] in _BEYOND:
        raise ValueError(f"{own[:20]!r} is YAML beyond what is read here: scalars, lists and mappings")
    if below and own:
        raise ValueError("a scalar over several lines")
    return _block([line for line in entry.below if _without_comment(line)]) if below else _scalar(own)


def _block(lines: list[str]) -> list[str] | dict[str, str]:
    """The list or the mapping in the lines below a key, all of one depth."""
    if len({len(line) - len(line.lstrip()) for line in lines}) != 1:
        raise ValueError("lines of several depths")
    texts = [line.strip() for line in lines]
    if all(text == "-" or text.startswith("- ") for text in texts):
        return [_plain(text[1:].strip()) for text in texts]
    pairs = [pair for text in texts if (pair := _pair(text))]
    if len(pairs) < len(texts):
        raise ValueError("neither a list of scalars nor a mapping to scalars")
    mapping = {key: _plain(value) for key, value in pairs}
    if len(mapping) < len(pairs):
        raise ValueError("a key that is there twice")
    return mapping


def _plain(text: str) -> str:
    """The scalar of an item or a key; ValueError for anything else."""
    own = _without_comment(text)
    if own[:1] and own[0] in "[{" + _BEYOND:
        raise ValueError(f"{own[:20]!r} where a scalar is due")
    if own[:1] not in ("'", '"') and ": " in own:
        raise ValueError(f"{own[:20]!r}: a scalar with a colon and a space, which takes quotes")
    return _scalar(own)


def _flow(text: str) -> list[str] | dict[str, str]:
    """The list or mapping in brackets, over as many lines as it takes."""
    tokens = _tokens(text)
    closing = {"[": "]", "{": "}"}[tokens[0]]
    if tokens[-1] != closing:
        raise ValueError(f"no {closing} at the end of a list or mapping")
    parts: list[list[str]] = [[]]
    for part in tokens[1:-1]:
        if part in ("[", "{", "]", "}"):
            raise ValueError("a list or mapping inside of another")
        if part == ",":
            parts.append([])
        else:
            parts[-1].append(part)
    parts = parts if parts[-1] else parts[:-1]  # a comma may end it
    if closing == "]":
        if any(len(part) != 1 for part in parts):
            raise ValueError("a list with an item that is no scalar")
        return [_scalar(part[0]) for part in parts]
    if any(len(part) != 3 or part[1] != ":" for part in parts):
        raise ValueError("a mapping with a part that is no `key: scalar`")
    mapping = {_scalar(part[0]): _scalar(part[2]) for part in parts}
    if len(mapping) < len(parts):
        raise ValueError("a key that is there twice")
    return mapping


def _tokens(text: str) -> list[str]:
    """Brackets, commas, colons and scalars, comments left out; a scalar in quotes keeps them."""
    tokens: list[str] = []
    for line in map(_without_comment, text.splitlines()):
        start = position = 0
        blank = True  # whether nothing but spaces stands between the two
        while position < len(line):
            letter, quoted = line[position], None
            if blank and letter in "'\"":
                quoted = _QUOTED.match(line, position)
                if quoted is None:
                    raise ValueError(f"{line[position : position + 20]!r} is not well quoted")
            ends = letter in "[]{}," or (letter == ":" and line[position + 1 : position + 2].strip() == "")
            if ends or quoted is not None:
                tokens += filter(None, [line[start:position].strip()])
                tokens.append(letter if quoted is None else quoted[0])
                start = position = position + 1 if quoted is None else quoted.end()
                blank = True
            else:
                blank &= letter.isspace()
                position += 1
        tokens += filter(None, [line[start:].strip()])
    return tokens


def _pair(text: str) -> tuple[str, str] | None:
    """The key and the value of a line `key: value`; None where it is none."""
    quoted = _QUOTED.match(text)
    position = text.find(":", quoted.end() if quoted else 0)
    while position >= 0 and text[position + 1 : position + 2].strip():
        position = text.find(":", position + 1)
    key = text[:position].strip() if position > 0 else ""
    if not key or key[0] in "[]{},#" + _BEYOND or key[:2] in ("-", "- ") or " #" in key:
        return None
    return _scalar(key), text[position + 1 :].strip()


def _without_comment(text: str) -> str:
    """The text up to a # that begins a comment: behind a space, and in no quotes."""
    quote = before = ""
    for position, letter in enumerate(text):
        if letter == "#" and not quote and (position == 0 or text[position - 1].isspace()):
            return text[:position].strip()
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and before in ("", *",[{:-"):  # within a word it is an apostrophe
            quote = letter
        before = before if letter.isspace() else letter
    return text.strip()


def _scalar(text: str) -> str:
    """The text of a scalar, out of its quotes; "" for null."""
    text = text.strip()
    if text[:1] == "'" and text[-1:] == "'" and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text[:1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            raise ValueError(f"{text[:40]} is not well quoted") from None
    return "" if text in _NULLS else text
