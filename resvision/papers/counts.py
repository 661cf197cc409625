"""Our parameters and MACs of every model at the input of its paper: counted once and kept, so that lists need no torch.

`make counts` writes them anew; a test holds them against the nets.
"""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

KEPT = "counts.csv"


class Counted(NamedTuple):
    """The parameters of a model, and its multiply-adds for one image."""

    params: int
    macs: int


@cache
def counts() -> dict[str, Counted]:
    """The counts of every model, by its name in the catalog."""
    lines = (files("resvision.papers") / KEPT).read_text(encoding="utf-8").splitlines()
    return {row["name"]: Counted(int(row["params"]), int(row["macs"])) for row in csv.DictReader(lines)}
