"""One image as a net sees it, and files that hold several samples to be seen."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from resvision.core.images import Pixels
from resvision.core.samples import Sample
from resvision.core.view_geometry import Geometry
from resvision.kinds.model_card import ModelCard


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


class SampleSource(Protocol):
    """The way to samples of a task whose files hold several, and whose nets see them drawn."""

    def opened(self, model: ModelCard, file: Path, columns: Sequence[str]) -> SampleFile:
        """Open a file; `columns` are the names of a table's columns, as `role=column`.

        Raises DataError, which names the file, for one that holds no samples that the model can be shown. A file that
        belongs to others, such as the map of several recordings, has no names.
        """
        ...

    def seen(self, model: ModelCard, sample: Sample[Any], name: str) -> Seen:
        """One labelled sample as the net sees it."""
        ...
