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
    "axes.edgecolor": "#868e96",
    "axes.labelcolor": "#343a40",
    "xtick.color": "#495057",
    "ytick.color": "#495057",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e9ecef",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.solid_capstyle": "round",
}


def colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour for every different label, in order of appearance; they repeat after eight."""
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(dict.fromkeys(labels))}


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


def svg_of(figure: Figure, *, name: str, title: str) -> str:
    """The figure as one inline <svg>, without prolog, namespaces, metadata and style sheet, its ids under `name`."""
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
    body = re.sub(r"\s*\n\s*", " ", body)
    return (
        f'<svg class="plot" role="img" aria-label="{escape(printable(title))}" viewBox="{box[1]}"'
        f' style="font-family: {FONTS}; stroke-linejoin: round; stroke-linecap: butt">{body}</svg>'
    )
