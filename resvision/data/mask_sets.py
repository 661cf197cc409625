"""Named sets of label maps: the search for their folders, and their opening."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resvision.core.errors import DataError, printable
from resvision.data.mask_scan import MaskScan, opened
from resvision.data.roots import default_root
from resvision.data.splits import Splits


@dataclass(frozen=True, kw_only=True)
class MaskSet:
    """A data set of images with label maps in a layout of its own.

    folders  its possible places in the data root; the first that holds `marker` is taken
    marker   a path that exists in the set
    read     scans the set's folder for its files and their faults
    """

    name: str
    folders: tuple[str, ...]
    marker: str
    read: Callable[[Path], MaskScan]

    def open_splits(self, root: Path | None = None) -> Splits:
        """Open the set's splits. Raises DataError where it is missing or at fault."""
        return opened(self.scan(root))

    def scan(self, root: Path | None = None) -> MaskScan:
        """Scan the set for splits and all faults of structure and names. Raises DataError where it is missing."""
        folder = self.find(root)
        if folder is None:
            root_name = printable(root or default_root())
            raise DataError(
                f"{self.name}: no {self.folders[0]}/{self.marker} in {root_name}; `--root FOLDER` names the folder that"
                f" holds {self.folders[0]}"
            )
        return self.read(folder)

    def find(self, root: Path | None) -> Path | None:
        """The folder that holds the set, in `root` or the data root, or `root` itself."""
        base = root or default_root()
        return next((base / folder for folder in self.folders if (base / folder / self.marker).exists()), None)
