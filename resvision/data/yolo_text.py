"""The labels of one image as YOLO's text: a line for each object, its class and its box in shares of the image.

`class cx cy width height`, where the centre and the sides are shares of width and height of the image; or `class x y
x y x y ...`, a polygon, whose extent is the box. Classes are counted from 0.
"""

from math import isfinite
from typing import NamedTuple

from resvision.core.errors import DataError, printable
from resvision.core.files import LIST
from resvision.data.box_columns import Row
from resvision.data.places import Place, read_text

LARGEST = 1e6
"""The limit of a value; pixels in place of shares are below, and named as boxes outside of their image."""
BOX_COLUMNS = 5
FEWEST_CORNERS = 3


class YoloLabels(NamedTuple):
    """The boxes of an image in shares of its sides, with the ids of their classes; `polygons` are the extent of one."""

    rows: list[Row]
    polygons: int


def read_labels(place: Place, *, keypoints: bool = False) -> YoloLabels:
    """Read the labels in a file. Raises DataError, with the file, the line and the reason.

    keypoints  whether points follow each box, which are left out
    """
    return parse_labels(read_text(place, LIST), str(place), keypoints=keypoints)


def parse_labels(text: str, where: str, *, keypoints: bool = False) -> YoloLabels:
    """The labels in a text. Raises DataError, with `where`, the line and the reason."""
    rows: list[Row] = []
    polygons = 0
    for line, content in enumerate(text.split("\n"), start=1):
        cells = content.split()
        if not cells:
            continue
        try:
            if "_" in content:  # which Python takes between digits
                raise ValueError
            label, *values = map(float, cells)
            row, is_polygon = _row(label, values[:4] if keypoints else values, line)
        except ValueError as error:
            what = str(error) if str(error).startswith(_OURS) else f"{content.strip()!r:.60} is no line of numbers"
            raise DataError(f"{printable(where)}:{line}: {printable(what)}") from None
        rows.append(row)
        polygons += is_polygon
    return YoloLabels(rows, polygons)


_OURS = "a "


def _row(label: float, values: list[float], line: int) -> tuple[Row, bool]:
    """The box of a line, and whether it is the extent of a polygon."""
    if not (label.is_integer() and 0 <= label < LARGEST):
        raise ValueError(f"a class {label:g}, which is no number of 0, 1, ...")
    if not all(isfinite(value) and abs(value) <= LARGEST for value in values):
        raise ValueError("a value that is no share of an image")
    if len(values) == BOX_COLUMNS - 1:
        cx, cy, width, height = values
        return Row(cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2, int(label), line), False
    if len(values) % 2 or len(values) < 2 * FEWEST_CORNERS:
        columns = len(values) + 1
        raise ValueError(f"a line of {columns} columns: a box has {BOX_COLUMNS}, a polygon 7 or more, an odd number")
    xs, ys = values[::2], values[1::2]
    return Row(min(xs), min(ys), max(xs), max(ys), int(label), line), True
