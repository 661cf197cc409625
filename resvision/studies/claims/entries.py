"""The claims of the notes as they are kept, in English and Korean, each with what decides it.

They stand in `notes/NNN.toml`, a file for each note; what is said about papers names its paper with a link.

Glossary
    place   a line of a note, as `002:234`; a range as `002:234-237`
    figure  a number by name that a check computes, or that a paper prints
    words   the texts of an entry in one language
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from resvision.core.errors import UnknownNameError, nearest

NOTES = ("000", "001", "002", "003", "004")

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")

Relation = Literal["<", "=", ">"]

Measured = Literal["supported", "contradicted", "undecided", "not measured"]
"""The words for a claim that a study decides."""

_PLACE = re.compile(r"(\d{3}):(\d+)(?:-(\d+))?")


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The texts of an entry in one language.

    claim   of the note, in our words
    papers  what the papers say of it, with links
    fact    the right fact where the claim is wrong, or right in part; "" for none
    shown   a sentence with the figures of a check in braces, as `{basic:,}`; "" where there is no check
    """

    claim: str
    papers: str
    fact: str = ""
    shown: str = ""


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A decision by figures: the note is right where all that it says holds of them, and wrong where nothing does.

    by       arithmetic of ours, or a table that a paper prints
    figures  the name of a function of `figures`; or the numbers themselves, which a paper prints
    says     what the note says, as (figure or number, relation, figure or number)
    """

    by: Literal["arithmetic", "table"]
    figures: str | dict[str, float]
    says: tuple[tuple[str | float, Relation, str | float], ...]


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A decision by the text of a paper, where no number decides: the word, the paper of `sources`, its section."""

    word: Literal["right", "partly right", "wrong"]
    source: str
    section: str = ""


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A claim of a study by its text, and the word for the note's claim that each of its two verdicts gives.

    The opposite of a claim need not decide the note's: blocks that are missed refute "no block is missed", but one
    block that is not missed does not prove it. And "it makes a difference" holds whichever side is ahead.
    """

    text: str
    when_supported: Measured = "supported"
    when_contradicted: Measured = "contradicted"


class StudyClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A decision by a study: the note's claim holds when all of these do; all of the study's where none is named."""

    name: str
    claims: tuple[Bound, ...] = ()


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A claim of the notes, which exactly one of `check`, `paper` and `study` decides.

    places   where the notes make it
    command  by which anyone tests it
    """

    id: str
    places: tuple[str, ...]
    command: str
    en: Words
    ko: Words
    check: Check | None = None
    paper: Reading | None = None
    study: StudyClaims | None = None

    def __post_init__(self) -> None:
        deciding = [part for part in (self.check, self.paper, self.study) if part is not None]
        if len(deciding) != 1:
            raise ValueError(f"{self.id}: decided by {len(deciding)} of check, paper and study, not by one")

    def words(self, language: Language) -> Words:
        """The texts in a language."""
        return self.ko if language == "ko" else self.en

    def stands_at(self, place: str) -> bool:
        """Whether the notes make the claim at a place, or within its lines."""
        return any(_overlap(lines_of(place), lines_of(own)) for own in self.places)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    claim: tuple[Entry, ...]


@cache
def entries() -> tuple[Entry, ...]:
    """All claims of the notes, in the order of notes and lines."""
    folder = files("resvision.studies.claims") / "notes"
    kept = [tomllib.loads((folder / f"{note}.toml").read_text(encoding="utf-8")) for note in NOTES]
    found = [entry for document in kept for entry in msgspec.convert(document, _File).claim]
    return tuple(sorted(found, key=lambda entry: lines_of(entry.places[0])))


def lines_of(place: str) -> tuple[str, int, int]:
    """The note of a place with its first and its last line; ValueError where it is none."""
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ValueError(f"{place}: is no place in a note, such as 002:234")
    note, first, last = match.groups()
    return note, int(first), int(last or first)


def find(name: str) -> Sequence[Entry]:
    """The claims of an id, or at a place of the notes; UnknownNameError where there is none."""
    is_place = _PLACE.fullmatch(name) is not None
    found = [entry for entry in entries() if (entry.stands_at(name) if is_place else entry.id == name)]
    if not found:
        near = ", ".join(nearest(name, [entry.id for entry in entries()]))
        hint = f"nearest: {near}; " if near and not is_place else ""
        raise UnknownNameError(f"no claim {name!r}; {hint}name an id of the book, or a line of a note such as 002:234")
    return found


def _overlap(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    return one[0] == other[0] and one[1] <= other[2] and other[1] <= one[2]
