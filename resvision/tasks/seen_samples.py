"""One image as a net sees it, and files that hold several samples to be seen."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from resvision.core.images import Pixels
from resvision.core.view_geometry import Geometry


class Seen(NamedTuple):
    """One image as a net sees it.

    pixels    (h, w, C) uint8, its view
    geometry  the place of the view in the image
    name      of the image, for errors and for what is known of it by name
    image     (H, W) or (H, W, C) uint8, upright, as it is stored
    beside    what the net takes beside the pixels, which `Task.beside` brings; None where that was not asked for
    """

    pixels: Pixels
    geometry: Geometry
    name: str
    image: Pixels
    beside: Any = None


class SampleFile(ABC):
    """An opened file that holds several samples, such as recorded tracks. Abstract."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The samples that a person may ask for, none twice."""

    @property
    def usual(self) -> Sequence[str]:
        """The samples that are shown where a person names none: all of them, unless the file knows better."""
        return self.names

    @abstractmethod
    def seen(self, name: str) -> Seen:
        """One of the samples as the net sees it; DataError, with its name, where that cannot be."""
