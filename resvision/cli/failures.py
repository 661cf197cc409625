"""A verb that goes through images: a bar while it does, and those that it could not use."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

import typer

from resvision.core.errors import DataError
from resvision.core.plurals import counted
from resvision.core.progress import Bar

V = TypeVar("V")


class Failures:
    """The images that could not be used: each is named as it comes; the error of a lone one is raised.

    images  those that were asked for, or the files, each of which may hold several samples
    noun    one of them in text
    """

    def __init__(self, images: int, bar: Bar, *, noun: str = "image") -> None:
        self._images, self._bar, self._noun = images, bar, noun
        self.number = self._used = 0

    def watched(self, results: Iterable[V]) -> Iterator[V]:
        """Yield the results, the bar taken away while one is printed."""
        for result in self._bar.aside(results):
            yield result
            self._used += 1
            self._bar.advance()

    def add(self, error: DataError) -> None:
        """Name an image that could not be used."""
        if self._images == 1:  # the error is all there is to say
            raise error
        self.number += 1
        self._bar.clear()
        print(f"resvision: {error}", file=sys.stderr)

    def finish(self) -> None:
        """Say how many there were, and leave with exit code 1; with 2 where none could be used."""
        if self.number:
            images = max(self._images, self.number + self._used)  # where files hold several
            print(f"resvision: {self.number} of {counted(images, self._noun)} could not be used", file=sys.stderr)
            raise typer.Exit(1 if self.number < images else 2)
