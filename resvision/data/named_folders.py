"""The search for the folders of named sets."""

from abc import ABC
from dataclasses import dataclass
from pathlib import Path

from resvision.core.errors import DataError, printable
from resvision.data.roots import default_root


@dataclass(frozen=True, kw_only=True)
class NamedFolder(ABC):
    """A data set that lies in a folder in a layout of its own. Abstract.

    folders  its possible places in the data root; the first that holds `marker` is taken
    marker   a path that exists in the set; where it may lack, one of `other_markers` does
    """

    name: str
    folders: tuple[str, ...]
    marker: str
    other_markers: tuple[str, ...] = ()

    def find(self, root: Path | None) -> Path | None:
        """The folder that holds the set, in `root` or the data root, or `root` itself."""
        base = root or default_root()
        places = (base / folder for folder in self.folders)
        markers = self.marker, *self.other_markers
        return next((place for place in places if any((place / marker).exists() for marker in markers)), None)

    def require(self, root: Path | None) -> Path:
        """The folder that holds the set; DataError where it is missing."""
        folder = self.find(root)
        if folder is None:
            root_name = printable(root or default_root())
            raise DataError(
                f"{self.name}: no {self.folders[0]}/{self.marker} in {root_name}; `--root FOLDER` names the folder that"
                f" holds {self.folders[0]}"
            )
        return folder
