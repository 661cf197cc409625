"""What the named sets of label maps share: where they are looked for, and how they are opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resvision.core.errors import DataError, printable
from resvision.data.mask_folder import MaskScan, opened
from resvision.data.roots import default_root
from resvision.data.splits import Splits


@dataclass(frozen=True, kw_only=True)
class MaskSet:
    """A data set of images with label maps in a layout of its own.

    folders  where it may lie in the data root, the first that holds `mark`
    mark     a path inside the set that is there if the set is
    read     names the set's files and what is wrong with them
    """

    name: str
    folders: tuple[str, ...]
    mark: str
    read: Callable[[Path], MaskScan]

    def open_splits(self, root: Path | None = None) -> Splits:
        """The set's splits. Raises DataError where it is missing or at fault."""
        return opened(self.scan(root))

    def scan(self, root: Path | None = None) -> MaskScan:
        """The splits, and all faults of structure and names. Raises DataError where the set is missing."""
        found = self.find(root)
        if found is None:
            where = printable(root or default_root())
            raise DataError(
                f"{self.name}: no {self.folders[0]}/{self.mark} in {where}; `--root FOLDER` names the folder that"
                f" holds {self.folders[0]}"
            )
        return self.read(found)

    def find(self, root: Path | None) -> Path | None:
        """The folder that holds the set, in `root` or the data root, or `root` itself."""
        base = root or default_root()
        return next((base / folder for folder in self.folders if (base / folder / self.mark).exists()), None)
