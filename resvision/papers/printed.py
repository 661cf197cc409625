"""Tables as papers print them, and the comparison of each printed value with a net of ours.

A cell names the figure, and the modules of ours, that its printed value is about. Where a paper prints nothing, it is
"-".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import floor
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from resvision.probes.count import Count, Layer

NOTHING = "-"

Figure = Literal["size", "map", "window", "channels", "depth", "params", "macs", "blocks", "words"]


@dataclass(frozen=True)
class Cell:
    """A printed value.

    figure   size      "56x56", of what the last module of `where` gives
             map       the same with channels, "56x56x64"
             window    "3x3/2", of the first convolution or pooling
             channels  of the last convolution; "(3x3)" is added where its window is not `window`
             depth     weighted layers on the longest path through the modules
             params, macs   of the modules together
             blocks    "[3x3, 64; 3x3, 64] x2", in the manner of He et al. 2015
             words     "conv3-64 LRN maxpool", in the manner of VGG; of the part before the `part`-th pooling
    where    dotted names of our modules; none is the whole net
    unit     the value of a printed K
    """

    printed: str
    figure: Figure
    where: tuple[str, ...] = ()
    window: str = ""
    part: int = 0
    unit: int = 1000


@dataclass(frozen=True)
class Line:
    """A printed row: its label, and cells by the name of their column."""

    label: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class PrintedTable:
    """A table of a paper, or the part of it that is about one net."""

    title: str
    paper: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    order: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: those of `order`, then the others as they appear."""
        return tuple(dict.fromkeys([*self.order, *(column for line in self.lines for column in line.cells)]))


@dataclass(frozen=True)
class Compared:
    """A printed value beside ours; `agrees` is None where the paper prints nothing."""

    printed: str
    ours: str
    agrees: bool | None


@dataclass(frozen=True)
class _Net:
    """A counted net with the rows that a cell is about."""

    count: "Count"
    where: tuple[str, ...]
    rows: list["Layer"]


def compare(cell: Cell, count: "Count") -> Compared:
    """Compare a cell with the same figure of a counted net; ours is "-" where our net has no such module."""
    rows = [row for row in count.layers if not cell.where or _is_in(row.name, cell.where)]
    if not rows:
        return Compared(cell.printed, NOTHING, None if cell.printed == NOTHING else False)
    ours = FIGURES[cell.figure](cell, _Net(count, cell.where, rows))
    text = f"{ours:,}" if isinstance(ours, int) else ours
    if cell.printed == NOTHING:
        return Compared(cell.printed, text, None)
    agrees = is_printed_as(ours, cell.printed, unit=cell.unit) if isinstance(ours, int) else ours == cell.printed
    return Compared(cell.printed, text, agrees)


def is_printed_as(value: int, printed: str, *, unit: int = 1000) -> bool:
    """Whether `printed` ("3.6x10^9", "159K", "0.27M", "1,516") is the value, rounded or cut after its last digit.

    A K is `unit`; an M is a million.
    """
    digits, _, power = printed.replace(",", "").partition("x10^")
    scale = 10 ** int(power) if power else {"K": unit, "M": 10**6}.get(digits[-1], 1)
    digits = digits.rstrip("KM")
    decimals = len(digits.partition(".")[2])
    shown = value / scale * 10**decimals
    return round(float(digits) * 10**decimals) in {round(shown), floor(shown)}


def _is_in(name: str, where: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in where)


def _size(cell: Cell, net: _Net) -> str:
    return "x".join(map(str, net.count.outputs[net.where[-1]][1:] or (1, 1)))


def _map(cell: Cell, net: _Net) -> str:
    return f"{_size(cell, net)}x{net.count.outputs[net.where[-1]][0]}"


def _window(cell: Cell, net: _Net) -> str:
    row = next(row for row in net.rows if _is_conv(row) or "Pool" in row.kind)
    _, *sizes = row.kind.split()
    if sizes:
        return sizes[0] + (sizes[1] if len(sizes) > 1 else "/1")
    layers = list(net.count.layers)
    entering = layers[layers.index(row) - 1].shape
    return "x".join(map(str, entering[1:])) + "/1"  # a global average


def _channels(cell: Cell, net: _Net) -> int | str:
    row = [row for row in net.rows if _is_conv(row)][-1]
    window = row.kind.split()[1]
    return row.shape[0] if window == (cell.window or window) else f"{row.shape[0]} ({window})"


def _depth(cell: Cell, net: _Net) -> int:
    layers = list(net.count.layers)
    before = max((layer.depth for layer in layers[: layers.index(net.rows[0])]), default=0)
    return max(row.depth for row in net.rows) - before


def _params(cell: Cell, net: _Net) -> int:
    return sum(row.params for row in net.rows)


def _macs(cell: Cell, net: _Net) -> int:
    return sum(row.macs for row in net.rows)


def _blocks(cell: Cell, net: _Net) -> str:
    texts: list[str] = []
    for name, group in groupby(net.rows, key=lambda row: ".".join(row.name.split(".")[:2])):
        rows = [row for row in group if not _is_shortcut(row.name)]
        layers = [_in_words(row, stride=name == row.name) for row in rows if _has_words(row)]
        texts += [layers[0]] if "." not in name and layers else [f"[{'; '.join(layers)}]"] if layers else []
    return ", ".join(_times(text, len([*same])) for text, same in groupby(texts))


def _times(text: str, count: int) -> str:
    return f"{text} x{count}" if text.startswith("[") else text


def _in_words(row: "Layer", *, stride: bool) -> str:
    """A layer in the words of He et al. 2015, such as "3x3, 64"."""
    kind, *sizes = row.kind.split()
    if kind == "Linear":
        return f"{row.shape[0]}-d fc"
    if kind == "AdaptiveAvgPool2d":
        return "average pool"
    what = "max pool" if "MaxPool" in kind else str(row.shape[0])
    strided = [f"stride {size[1:]}" for size in sizes if size.startswith("/") and stride]
    return ", ".join([f"{sizes[0]} {what}" if "MaxPool" in kind else f"{sizes[0]}, {what}", *strided])


def _words(cell: Cell, net: _Net) -> str:
    parts: list[list[str]] = [[]]
    for row in net.rows:
        kind, *sizes = row.kind.split()
        if _is_conv(row):
            parts[-1].append(f"conv{sizes[0].partition('x')[0]}-{row.shape[0]}")
        elif kind == "LocalResponseNorm":
            parts[-1].append("LRN")
        elif kind == "Linear":
            parts[-1].append(f"FC-{row.shape[0]}")
        elif "MaxPool" in kind:
            parts[-1].append("maxpool")
            parts.append([])
    return " ".join(parts[cell.part])


def _is_conv(row: "Layer") -> bool:
    return row.kind.startswith("Conv2d")


def _has_words(row: "Layer") -> bool:
    return _is_conv(row) or row.kind.split()[0] in {"Linear", "MaxPool2d", "AdaptiveAvgPool2d"}


def _is_shortcut(name: str) -> bool:
    return bool({"downsample", "shortcut"} & set(name.split(".")))


FIGURES: Mapping[Figure, Callable[[Cell, _Net], int | str]] = {
    "size": _size,
    "map": _map,
    "window": _window,
    "channels": _channels,
    "depth": _depth,
    "params": _params,
    "macs": _macs,
    "blocks": _blocks,
    "words": _words,
}
