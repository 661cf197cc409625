"""A row of the table of data sets. It names functions as text, so that listing and completion open nothing.

A set's opener is a function `open_splits(root: Path | None) -> Splits`, named as "module:function".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resvision.core import references
from resvision.core.errors import DataError
from resvision.kinds.table import USUAL


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A row of the table.

    task       the task that its labels are for
    opener     "module:function" that opens the set
    scanner    "module:function" that lists its files and all faults of structure, `(root) -> Scan`, for `check`
    allows     whether opener and scanner also take `allow`, kinds of faults that they leave out (`data.fault_kinds`)
    finder     "module:function" that finds its folder, `(root) -> Path | None`; empty if embedded
    fetcher    "module:function" that downloads it, `(root) -> Path`; empty if we cannot
    images     training + test images
    licence    as the source states it
    """

    name: str
    summary: str
    task: str = USUAL
    opener: str
    scanner: str = ""
    allows: bool = False
    finder: str = ""
    fetcher: str = ""
    images: str
    classes: int
    licence: str
    source: str

    @property
    def fetchable(self) -> bool:
        """Whether `resvision data fetch` can download it."""
        return bool(self.fetcher)

    def where(self, root: Path | None) -> str | None:
        """The location of the set on this machine, None if it was not found."""
        if not self.finder:
            return "embedded"
        folder = references.load(self.finder, noun="data set")(root)
        return None if folder is None else str(folder)


def load(data_set: DataSet, function: str, root: Path | None, allow: Sequence[str]) -> Any:
    """The result of the opener or the scanner of a row; a set that has no kinds of faults leaves none out.

    Raises DataError for a set that is missing or damaged; where a folder of its name is here, it says how to name that.
    """
    opened = references.load(function, noun="data set")
    try:
        return opened(root, allow=allow) if data_set.allows else opened(root)
    except DataError as error:
        if not Path(data_set.name).is_dir() or data_set.where(root) is not None:
            raise
        raise DataError(f"{error}; the folder of that name here is ./{data_set.name}") from None
