"""Figures of matplotlib as SVG text inside an HTML page: it stays text, loads nothing, is equal for equal data.

The `name` of a figure must be unique on its page; every id inside it begins with it.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from resvision.core.errors import printable

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"
COLOURS = ("#0b62c4", "#d9480f", "#2b8a3e", "#9c36b5", "#b08800", "#0c8599", "#c2255c", "#5c5f66")
"""The colours of runs; on a page each is a variable of CSS, so that it has another value on dark paper."""
INK, FAINT_INK, AXIS, GRID, CARD = "#343a40", "#495057", "#868e96", "#e9ecef", "#fffffe"
"""Colours of plots that have another value on dark paper; CARD is that of the paper itself."""
_VARIABLES = {
    **{colour: f"--run{number}" for number, colour in enumerate(COLOURS, start=1)},
    INK: "--ink",
    FAINT_INK: "--soft",
    AXIS: "--axis",
    GRID: "--grid",
    CARD: "--card",
}
LABEL = 38  # letters of a name in a legend

_STYLE: dict[str, Any] = {
    "text.parse_math": False,  # a class may be called a$b$
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": AXIS,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": FAINT_INK,
    "ytick.color": FAINT_INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.solid_capstyle": "round",
}


def colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour for every different label, in order of appearance; they repeat after eight."""
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(dict.fromkeys(labels))}


def themed(text: str) -> str:
    """Text of a page or a plot in which each colour that follows the reader's theme is a variable of CSS."""
    return re.sub("|".join(_VARIABLES), lambda colour: f"var({_VARIABLES[colour[0]]})", text)


def short(text: str, letters: int = LABEL) -> str:
    """The text on one line and not too long."""
    text = printable(text)
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def inline(svg: str) -> Markup:
    """An <svg> of ours for a template, which leaves it as it is: names in it were escaped when it was drawn."""
    return Markup(svg)  # noqa: S704 - matplotlib escapes the texts of a figure


@contextmanager
def style(name: str) -> Iterator[None]:
    """Draw in our style, whatever the user's matplotlibrc says, with ids that follow from `name` and the content."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: dict[Any, Any] = {**_STYLE, "svg.hashsalt": name}
        matplotlib.rcParams.update(settings)
        yield


def svg_of(figure: Figure, *, name: str, words: str) -> str:
    """The figure as one inline <svg>, without prolog, namespaces, metadata and style sheet, its ids under `name`.

    words  what it shows, with its figures, for those who hear the page
    """
    stream = StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the browser's fonts draw it, not matplotlib's
        nothing: dict[str, Any] = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(stream, format="svg", metadata=nothing)
    text = stream.getvalue()
    box = re.search(r'viewBox="([^"]+)"', text)
    assert box is not None, "matplotlib writes a view box"
    body = text[text.index(">", box.end()) + 1 : text.rindex("</svg>")]
    body = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r" ?font-family: [^;\"]*;?", "", body)
    body = re.sub(r'( id="|href="#|url\(#)', rf"\1{name}-", body).replace("xlink:href", "href")
    body = themed(re.sub(r"\s*\n\s*", " ", body))
    return (
        f'<svg class="plot" role="img" aria-label="{escape(printable(words))}" viewBox="{box[1]}"'
        f' style="font-family: {FONTS}; stroke-linejoin: round; stroke-linecap: butt">{body}</svg>'
    )
