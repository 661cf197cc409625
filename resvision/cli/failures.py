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
    """The images that could not be used: each is named as it comes; the error of a lone one is raised."""

    def __init__(self, images: int, bar: Bar) -> None:
        self._images, self._bar, self.number = images, bar, 0

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
            print(f"resvision: {self.number} of {counted(self._images, 'image')} could not be used", file=sys.stderr)
            raise typer.Exit(1 if self.number < self._images else 2)


def watched(results: Iterable[V], bar: Bar) -> Iterator[V]:
    """Yield the results, the bar taken away while one is printed."""
    for result in bar.aside(results):
        yield result
        bar.advance()
