"""What is inspected, and what a probe finds: a loaded run with the images that are asked for, and an Inspection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from resvision.contracts import Batch
from resvision.core.samples import Reader
from resvision.inference.load import Trained
from resvision.inspection.table import Split
from resvision.kinds.forms import Table
from resvision.report.figures import Plot
from resvision.studies.specimen import Specimen


@dataclass(frozen=True)
class Inspected(Specimen):
    """A loaded run with the images that a probe is to look at.

    split, images  the split, and how many of its samples
    """

    run: Trained
    split: Split
    count: int

    @property
    def trained(self) -> Trained:
        """The run with the weights of its result, in evaluation mode."""
        return self.run

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return Path(self.run.folder).name

    def asked_reader(self) -> Reader[Any]:
        """The samples that are asked for."""
        return self.reader(self.split, self.count)

    def asked_batches(self, *, size: int = 64) -> list[Batch]:
        """The samples that are asked for, in batches."""
        return self.batches(self.split, self.count, size=size)

    def asked_images(self) -> Tensor:
        """The images that are asked for, normalized, (N, C, H, W); raises as `images`."""
        return self.images(self.split, self.count)


class Inspection(NamedTuple):
    """The findings of a probe in a run.

    tables         for a terminal, and `lines` below them
    columns, rows  the same findings in full, for CSV
    plots          pictures, by what their files are called behind the probe's name; "" for the first
    """

    tables: tuple[Table, ...]
    lines: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    plots: Mapping[str, Plot]


def grid_rows(values: Any, *before: Any) -> list[tuple[Any, ...]]:
    """A row of CSV for each number of a map (h, w), behind what stands `before`: its row, its column, the number."""
    return [
        (*before, y, x, float(f"{value:.6g}")) for y, line in enumerate(values.tolist()) for x, value in enumerate(line)
    ]
