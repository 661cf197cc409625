"""Named sets of label maps: the search for their folders, and their opening."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resvision.data.mask_scan import MaskScan, opened
from resvision.data.named_folders import NamedFolder
from resvision.data.splits import Splits


@dataclass(frozen=True, kw_only=True)
class MaskSet(NamedFolder):
    """A data set of images with label maps in a layout of its own.

    read  scans the set's folder for its files and their faults
    """

    read: Callable[[Path], MaskScan]

    def open_splits(self, root: Path | None = None) -> Splits:
        """Open the set's splits. Raises DataError where it is missing or at fault."""
        return opened(self.scan(root))

    def scan(self, root: Path | None = None) -> MaskScan:
        """Scan the set for splits and all faults of structure and names. Raises DataError where it is missing."""
        return self.read(self.require(root))
