"""What a task gives, as the house sees it: scores over a data set, the result for an image, and forms of labels."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from resvision.core.images import Pixels


class Scores(Protocol):
    """Scores over a data set, whatever the task."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of their indices; empty where targets are no classes."""
        ...

    @property
    def images(self) -> int:
        """The number of images that were scored."""
        ...

    def figures(self) -> dict[str, float]:
        """The figures that a line of the history keeps."""
        ...

    def summary(self) -> str:
        """The line that a person reads at the end of a training."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        ...


class Result(Protocol):
    """A net's answer for one image, whatever the task."""

    def to_json(self) -> dict[str, Any]:
        """Plain data, which holds `source`."""
        ...


@runtime_checkable
class LabelForm(Protocol):
    """A form in which results are written into a folder as labels of a data set."""

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The paths of the files that hold the labels of an image in the folder `out`."""
        ...

    def contents(self, result: Any, image: Pixels) -> Iterator[bytes]:
        """Yield the content of each path that `files` gives; `image` is the decoded image."""
        ...

    def common_files(self, out: Path) -> tuple[Path, ...]:
        """The paths of the files that stand for all images together."""
        ...

    def require_open(self, out: Path) -> None:
        """Raise DataError where one of these is there that `finish` would write over with other content."""
        ...

    def finish(self, sources: Iterable[Path], out: Path) -> None:
        """Write these, once every image that can be read has its files. `sources` can be gone through repeatedly."""
        ...
