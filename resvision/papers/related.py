"""Results on a data set that were published for nets which are not in the catalog, to stand beside measured ones.

They are printed as published. A table says in its title what keeps its numbers from being compared with ours.
"""

from resvision.kinds.forms import ClassRow, ClassTable, Written

_SOURCE = "zjujournals 2026-5, table 1"
NGSIM_SECONDS = (1, 2, 3, 4, 5)
"""The horizons of the published errors."""
NGSIM_RMSE = {
    "constant velocity": (0.73, 1.78, 3.13, 4.78, 6.68),
    "M-LSTM": (0.58, 1.26, 2.13, 3.23, 4.67),
    "GC-LSTM": (0.47, 0.89, 1.41, 2.08, 3.22),
}
"""Root mean squared errors in metres after each of the seconds, from `_SOURCE`."""


def related(data: str) -> list[ClassTable]:
    """The tables of a data set by its name; most have none."""
    return [_ngsim()] if data == "ngsim" else []


def _ngsim() -> ClassTable:
    rows = [ClassRow(name, None, errors) for name, errors in NGSIM_RMSE.items()]
    title = f"Published RMSE by horizon, m; not comparable: another split, 3 s of history ({_SOURCE})"
    written: list[Written] = ["hundredths"] * len(NGSIM_SECONDS)
    headings = ("windows", *(f"{second} s" for second in NGSIM_SECONDS))
    return ClassTable(headings, rows, title=title, noun="system", written=tuple(written))
