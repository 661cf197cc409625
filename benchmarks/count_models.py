"""Count every model of the catalog and write what `resvision list --table` shows: resvision/papers/counts.csv.

`make counts` after a net has come or changed. It takes about half a minute.
"""

from pathlib import Path

import torch

import resvision.papers
from resvision import catalog
from resvision.core.rundir import write_text
from resvision.papers.counts import KEPT
from resvision.probes.count import count
from resvision.probes.shapes import WithoutDrawing


def line(row: catalog.Row) -> str:
    with torch.device("meta"), WithoutDrawing():
        net = catalog.build(row.name, num_classes=row.num_classes)
    counted = count(net, row.input)
    return f"{row.name},{counted.params},{counted.macs}"


if __name__ == "__main__":
    lines = ["name,params,macs", *map(line, catalog.ROWS)]
    write_text(Path(resvision.papers.__path__[0]) / KEPT, "\n".join(lines) + "\n")
