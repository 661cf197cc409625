"""Named sets with boxes: the search for their folders, and their opening."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resvision.core.views import View
from resvision.data.box_scan import BoxScan, Find, open_scan, scanned
from resvision.data.named_folders import NamedFolder
from resvision.data.splits import Splits


@dataclass(frozen=True, kw_only=True)
class BoxSet(NamedFolder):
    """A data set of images with boxes.

    parts  finds the parts of the set in its folder
    known  kinds of faults that the published files have; what they concern is left out, and counted, unless the set is
           checked
    view   the usual view; that of any folder with boxes where it is None
    """

    parts: Find
    known: tuple[str, ...] = ()
    view: View | None = None

    def open_splits(self, root: Path | None = None, *, allow: Sequence[str] = ()) -> Splits:
        """Open the set's splits. Raises DataError where it is missing or at fault."""
        return open_scan(self.scan(root, allow=(*self.known, *allow)), name=self.name)

    def scan(self, root: Path | None = None, *, allow: Sequence[str] = ()) -> BoxScan:
        """Scan the set for splits and all faults but those of pixels. Raises DataError where it is missing."""
        scan = scanned(self.parts, self.require(root), allow, name=self.name)
        for reader in scan.readers:
            reader.view = self.view or reader.view
        return scan
