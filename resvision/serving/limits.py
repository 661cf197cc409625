"""Limits of a server, all of them on unless a person changes them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from resvision.core.errors import SettingsError, printable, unknown_name
from resvision.core.files import MEGABYTE
from resvision.core.images import FORMATS


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that a server does for one request, and for all of them together.

    body_bytes       of one request
    held_bytes       of all requests that are read or answered at a time
    pixels           of one image, before it is decoded
    held_pixels      of all images that are decoded and not yet answered
    images           of one request, or samples of a file
    queue            images that wait for an answer
    connections      that are open
    header_seconds   until a connection has said what it wants, from its start and after each answer
    body_seconds     until the body of a request is there
    answer_seconds   from then on until its answer
    formats          of images, of those that are read at all
    """

    body_bytes: int = 32 * MEGABYTE
    held_bytes: int = 256 * MEGABYTE
    pixels: int = 40_000_000
    held_pixels: int = 200_000_000
    images: int = 64
    queue: int = 256
    connections: int = 512
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 30.0
    formats: tuple[str, ...] = tuple(FORMATS)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, tuple) and not value > 0:
                raise SettingsError(f"--limit {field.name}={value}: must be above 0")
        if not self.formats or not {*self.formats} <= {*FORMATS}:
            raise SettingsError(f"--limit formats={','.join(self.formats)}: choices are {', '.join(FORMATS)}")


def limits_of(words: Sequence[str]) -> Limits:
    """The limits with those changed that are given as `name=value`; SettingsError for one that cannot be."""
    types: dict[str, type[Any]] = {field.name: type(field.default) for field in fields(Limits)}
    changed: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in types or not equals:
            raise unknown_name(
                "limit", printable(name), types, remedy=f"write NAME=VALUE; names are {', '.join(types)}"
            )
        if types[name] is tuple:
            changed[name] = tuple(part.strip().upper() for part in value.split(","))
            continue
        try:
            changed[name] = types[name](value)
        except ValueError:
            raise SettingsError(f"--limit {printable(word)}: expected a number") from None
    return Limits(**changed)
