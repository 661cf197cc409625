"""The architecture of a net as an SVG picture, in the manner of Fig. 3 of He et al. 2015 (arXiv:1512.03385).

A box a layer, coloured by the size of its map; shortcuts as arcs, solid for the identity, dotted where the shape
changes; other branches side by side. Repeated parts of long nets are folded, `N x`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.report.blocks import Box, Item, Repeat, Split, folded, items_of

if TYPE_CHECKING:
    from resvision.probes.graph import Node

FOLD_ABOVE = 40
"""Layers of a net whose repeated parts are folded unless it is said."""

FONT = "system-ui, sans-serif"
INK, FAINT, PLAIN = "#1f2328", "#57606a", "#f1f3f5"
COLOURS = ("#fde2c8", "#e6dcf7", "#d6efd8", "#fbd7d5", "#d3e5fa", "#fdf0b8", "#cdeeee", "#f4d3e6")

BOX, HEIGHT, GAP = 164.0, 22.0, 13.0
BETWEEN = 14.0  # branches side by side
ARC = 22.0  # from the boxes to a shortcut
LETTER = 6.2  # about, at 11 px
PLUS = 7.0


class Extent(NamedTuple):
    """Space to both sides of the middle line, and height."""

    left: float
    right: float
    height: float


def draw(nodes: Sequence["Node"], *, title: str, notes: Sequence[str] = (), fold: bool | None = None) -> str:
    """The picture of a graph (`probes.graph.graph`) as the text of an SVG file, the lines `notes` below its title.

    `fold` says whether repeated parts are drawn once; None leaves it to the number of layers.
    """
    items = items_of(nodes)
    layers = sum(node.kind not in {"image", "meeting"} for node in nodes)
    if layers > FOLD_ABOVE if fold is None else fold:
        items = folded(items)
    picture = _Picture(_colours(nodes))
    return picture.finish(items, nodes[0].shape, title=title, notes=notes, contents=_contents(nodes))


def require_free(path: Path, *, force: bool) -> None:
    """Raise SettingsError where there is no folder for the picture, or a file that `force` does not replace."""
    if path.is_dir():
        raise SettingsError(f"{path}: is a folder; name a file, such as {path / 'net.svg'}")
    if not path.parent.is_dir():
        raise SettingsError(f"{path}: there is no folder {path.parent}; make it first, or name another file")
    if path.exists() and not force:
        raise SettingsError(f"{path}: is there already; name another place with --svg, or say --force")


def write(path: Path, svg: str) -> None:
    """Write the picture, all of it or nothing; RunError where that fails."""
    rundir.write_text(path, svg, option="--svg")


def _contents(nodes: Sequence["Node"]) -> str:
    """ "20 convolution, 2 pooling, 1 linear, 8 add", for those who hear the picture."""
    counted = Counter(node.label if node.kind == "meeting" else node.kind for node in nodes[1:])
    return ", ".join(f"{count} {kind}" for kind, count in counted.items())


def _colours(nodes: Sequence["Node"]) -> dict[tuple[int, ...], str]:
    """A colour for every size of map that a convolution gives, in order of appearance."""
    sizes = dict.fromkeys(node.shape[1:] for node in nodes if node.kind == "convolution")
    return {size: COLOURS[i % len(COLOURS)] for i, size in enumerate(sizes)}


@dataclass
class _Picture:
    """Text of the SVG as it grows.

    sizes   of maps, with the height that they are written at
    styles  of the shortcuts that occur, for the legend
    tint    colour of all convolutions of a residual block: that of the map which it gives
    aside   branches around what is drawn; where they stand side by side, no size is written
    """

    colours: dict[tuple[int, ...], str]
    parts: list[str] = field(default_factory=list)
    sizes: list[tuple[str, float]] = field(default_factory=list)
    styles: set[str] = field(default_factory=set)
    tint: str = ""
    aside: int = 0

    def finish(
        self, items: tuple[Item, ...], image: tuple[int, ...], *, title: str, notes: Sequence[str], contents: str
    ) -> str:
        """The whole file."""
        extent = _extent_of(items)
        left = extent.left + 84
        width = max(left + extent.right + 24, *(LETTER * len(line) + 28 for line in notes), 12 * len(title) + 28)
        top = 70.0 + 16 * len(notes)
        self.text(left, top - 8, f"image {'x'.join(map(str, image))}", anchor="middle", colour=FAINT)
        bottom = self.series(items, left, top + GAP)
        previous = ""
        for text, y in self.sizes:
            if text != previous:
                self.text(14, y, text, colour=FAINT)
            previous = text
        height = self.legend(bottom + 34) + 12
        words = ". ".join([f"{title} from top to bottom: {contents}", *notes])
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
            f' viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="title desc"'
            f' font-family="{FONT}" font-size="11">'
        )
        lines = [
            head,
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(words)}</desc>',
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6"'
            f' orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z" fill="{INK}"/></marker></defs>',
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
            f'<text x="14" y="30" font-size="18" font-weight="bold" fill="{INK}">{escape(title)}</text>',
            *(f'<text x="14" y="{50 + 16 * i}" fill="{FAINT}">{escape(line)}</text>' for i, line in enumerate(notes)),
            *self.parts,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def series(self, items: tuple[Item, ...], x: float, y: float) -> float:
        """Draw items below each other from y on, an arrow into each; the bottom."""
        for i, item in enumerate(items):
            if i:
                y += GAP
            self.line(x, y - GAP, x, y, arrow=not isinstance(item, Split))
            y = self.item(item, x, y)
        return y

    def item(self, item: Item, x: float, y: float) -> float:
        """Draw one item, its top at y; the bottom."""
        if isinstance(item, Box):
            return self.box(item, x, y)
        if isinstance(item, Repeat):
            return self.repeat(item, x, y)
        trunk = item.trunk
        return self.branches(item, x, y) if trunk is None else self.residual(item, trunk, x, y)

    def box(self, box: Box, x: float, y: float) -> float:
        """A rectangle with the layer's label."""
        fill = self.tint or self.colours[box.shape[1:]] if box.kind == "convolution" else PLAIN
        dash = "" if box.kind in {"convolution", "linear"} else ' stroke-opacity="0.45"'
        self.parts.append(
            f'<rect x="{x - BOX / 2:g}" y="{y:g}" width="{BOX:g}" height="{HEIGHT:g}" rx="3" fill="{fill}"'
            f' stroke="{INK}"{dash}/>'
        )
        self.text(x, y + HEIGHT / 2 + 4, box.label, anchor="middle", room=BOX - 8)
        if len(box.shape) == 3 and not self.aside:
            self.sizes.append(("x".join(map(str, box.shape[1:])), y + HEIGHT / 2 + 4))
        return y + HEIGHT

    def repeat(self, repeat: Repeat, x: float, y: float) -> float:
        """The items once, in a frame that says how often they follow each other."""
        extent = _extent_of(repeat.items)
        inside = y + 10
        self.line(x, y, x, inside, arrow=not isinstance(repeat.items[0], Split))
        bottom = self.series_inside(repeat.items, x, inside)
        self.line(x, bottom, x, bottom + 8)
        left, right = x - extent.left - 10, x + extent.right + 8
        self.parts.append(
            f'<rect x="{left:g}" y="{y:g}" width="{right - left:g}" height="{bottom + 8 - y:g}" rx="6" fill="none"'
            f' stroke="{FAINT}" stroke-dasharray="6 3"/>'
        )
        self.text(left - 6, (y + bottom) / 2 + 8, f"{repeat.count} \N{MULTIPLICATION SIGN}", anchor="end", size=15)
        return bottom + 8

    def series_inside(self, items: tuple[Item, ...], x: float, y: float) -> float:
        """Items whose first has its arrow already."""
        y = self.item(items[0], x, y)
        return self.series(items[1:], x, y + GAP) if len(items) > 1 else y

    def residual(self, split: Split, trunk: tuple[Item, ...], x: float, y: float) -> float:
        """The branch with its layers, a plus below, and the shortcut as an arc to the right."""
        around = split.shortcut
        style = "identity" if not around else "changes" if split.entering != split.shape else "projection"
        self.styles.add(style)
        before, self.tint = self.tint, self.colours.get(split.shape[1:], "")
        bottom = self.series(trunk, x, y + GAP)
        self.tint = before
        plus = bottom + GAP + PLUS
        self.line(x, bottom, x, plus - PLUS, arrow=True)
        right = x + _extent_of(trunk).right + ARC
        dash = {"identity": "", "changes": ' stroke-dasharray="2 3"', "projection": ' stroke-dasharray="7 3"'}[style]
        self.parts.append(
            f'<path d="M{x:g} {y:g} H{right - 16:g} Q{right:g} {y:g} {right:g} {y + 16:g} V{plus - 16:g}'
            f' Q{right:g} {plus:g} {right - 16:g} {plus:g} H{x + PLUS + 1:g}" fill="none" stroke="{INK}"'
            f' stroke-width="1.3"{dash} marker-end="url(#arrow)"/>'
        )
        for box in around:
            assert isinstance(box, Box), "a shortcut has one layer at most"
            self.text(right + 6, (y + plus) / 2 + 4, box.label, colour=FAINT)
        self.plus(x, plus)
        return plus + PLUS

    def branches(self, split: Split, x: float, y: float) -> float:
        """The branches side by side between two bars; below, how they meet."""
        extents = [_extent_of(branch) for branch in split.branches]
        tops = y + 8
        bottom = tops + GAP + max(extent.height for extent in extents) + 10
        left = x - (sum(e.left + e.right for e in extents) + BETWEEN * (len(extents) - 1)) / 2
        middles: list[float] = []
        for extent, branch in zip(extents, split.branches, strict=True):
            middle = left + extent.left
            middles.append(middle)
            self.aside += 1
            ends = self.series(branch, middle, tops + GAP) if branch else tops
            self.aside -= 1
            self.line(middle, ends, middle, bottom)
            left += extent.left + extent.right + BETWEEN
        self.line(x, y, x, tops)
        self.line(middles[0], tops, middles[-1], tops)
        self.line(middles[0], bottom, middles[-1], bottom)
        self.line(x, bottom, x, bottom + GAP, arrow=True)
        if split.meeting == "add":
            self.plus(x, bottom + GAP + PLUS)
            return bottom + GAP + 2 * PLUS
        label = f"{split.meeting}, {split.shape[0]}" if split.shape else split.meeting
        return self.box(Box(label, "meeting", split.shape), x, bottom + GAP)

    def plus(self, x: float, y: float) -> None:
        """The sign of an addition around (x, y)."""
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{PLUS:g}" fill="#ffffff" stroke="{INK}"/>')
        self.line(x - 4, y, x + 4, y)
        self.line(x, y - 4, x, y + 4)

    def line(self, x: float, y: float, to_x: float, to_y: float, *, arrow: bool = False) -> None:
        """A straight line."""
        end = ' marker-end="url(#arrow)"' if arrow else ""
        self.parts.append(f'<path d="M{x:g} {y:g} L{to_x:g} {to_y:g}" stroke="{INK}"{end}/>')

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        colour: str = INK,
        size: int | None = None,
        room: float | None = None,
    ) -> None:
        """One line of text, narrowed where it has no room."""
        extra = f' font-size="{size}" font-weight="bold"' if size else ""
        if room is not None and LETTER * len(text) > room:
            extra += f' textLength="{room:g}" lengthAdjust="spacingAndGlyphs"'
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}"{extra}>{escape(text)}</text>'
        )

    def legend(self, y: float) -> float:
        """Draw the meaning of each kind of arc that occurs, and return the bottom."""
        for style, dash, words in (
            ("identity", "", "shortcut: the identity"),
            ("changes", "2 3", "shortcut where the shape changes"),
            ("projection", "7 3", "shortcut with a layer of its own"),
        ):
            if style in self.styles:
                self.parts.append(
                    f'<path d="M14 {y:g} H54" stroke="{INK}" stroke-width="1.3" stroke-dasharray="{dash or "none"}"/>'
                )
                self.text(62, y + 4, words, colour=FAINT)
                y += 18
        return y


def _extent_of(items: tuple[Item, ...]) -> Extent:
    """The space that items take below each other."""
    extents = [_extent(item) for item in items]
    if not extents:
        return Extent(10, 10, 0)
    height = sum(extent.height for extent in extents) + GAP * (len(extents) - 1)
    return Extent(max(e.left for e in extents), max(e.right for e in extents), height)


def _extent(item: Item) -> Extent:
    if isinstance(item, Box):
        return Extent(BOX / 2, BOX / 2, HEIGHT)
    if isinstance(item, Repeat):
        inner = _extent_of(item.items)
        return Extent(inner.left + 16 + 12 * (2 + len(str(item.count))), inner.right + 10, inner.height + 18)
    trunk = item.trunk
    if trunk is not None:
        inner = _extent_of(trunk)
        words = max((LETTER * len(box.label) for box in item.shortcut if isinstance(box, Box)), default=0.0)
        return Extent(inner.left, inner.right + ARC + (words + 10 if words else 2), inner.height + 2 * GAP + 2 * PLUS)
    extents = [_extent_of(branch) for branch in item.branches]
    half = (sum(e.left + e.right for e in extents) + BETWEEN * (len(extents) - 1)) / 2
    foot = 2 * PLUS if item.meeting == "add" else HEIGHT
    return Extent(half, half, 8 + GAP + max(e.height for e in extents) + 10 + GAP + foot)
