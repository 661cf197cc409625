"""Images that a verb could not use, while the others go on."""

import sys

import typer

from resvision.core.errors import DataError


class Failures:
    """The images that could not be used: each is named as it comes; the error of a lone one is raised."""

    def __init__(self, images: int) -> None:
        self._images, self.number = images, 0

    def add(self, error: DataError) -> None:
        """Name an image that could not be used."""
        if self._images == 1:  # the error is all there is to say
            raise error
        self.number += 1
        print(f"resvision: {error}", file=sys.stderr)

    def finish(self) -> None:
        """Say how many there were, and leave with exit code 1; with 2 where none could be used."""
        if self.number:
            print(f"resvision: {self.number} of {self._images} images could not be used", file=sys.stderr)
            raise typer.Exit(1 if self.number < self._images else 2)
