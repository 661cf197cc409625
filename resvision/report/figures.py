"""A figure of matplotlib that is drawn once it is asked for: inside a page as <svg>, or into a file as PNG."""

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

from matplotlib.figure import Figure

from resvision.report.svg import style, svg_of

DPI = 150
PAPER = "#ffffff"


class Plot(NamedTuple):
    """A figure, which `draw` makes in our style, and what it shows in words for those who hear the page."""

    draw: Callable[[], Figure]
    words: str

    def svg(self, name: str) -> str:
        """The figure as one inline <svg>, its ids under `name`."""
        with style(name):
            return svg_of(self.draw(), name=name, words=self.words)

    def png(self) -> bytes:
        """The figure as a PNG on white paper."""
        stream = BytesIO()
        with style("png"):
            self.draw().savefig(stream, format="png", dpi=DPI, facecolor=PAPER, metadata={"Software": None})
        return stream.getvalue()
