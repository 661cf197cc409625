"""What a kind asks of an exported net, whichever engine runs it."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

PIXELS = "pixels"
"""The input of every graph: views of images, (N, h, w, C) uint8."""

Feed = Mapping[str, NDArray[Any]]
"""Arrays by the names of a graph's inputs or outputs, with N first."""


class Graph(Protocol):
    """An exported net: from arrays of its sides to results of shapes that follow from them."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | None, ...]]:
        """The inputs by name, with their shapes apart from N; None for a side that may be any."""
        ...

    def __call__(self, feed: Feed) -> dict[str, NDArray[Any]]:
        """The outputs by name, for any N."""
        ...
