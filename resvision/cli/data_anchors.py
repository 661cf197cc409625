"""`resvision data anchors`: shapes of anchors for the boxes of a set, by k-means."""

import json
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import typer

from resvision.cli.tables import new_table, print_lines, print_tables
from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.plurals import counted
from resvision.core.samples import Reader, side_of
from resvision.data.box_shapes import box_shapes
from resvision.data.sets import open_splits
from resvision.geometry.shape_clusters import Clusters, Floats, clusters, mean_best_iou

USUAL_PX = 416
"""The side of the squares where neither a person nor the set says one: that of the papers."""

DECIMALS = 1
"""The decimals of a side in pixels."""


class AnchorSearch(NamedTuple):
    """The search for anchors that the options of the verb ask for.

    anchors  the number of them
    size_px  side of the squares that a net sees; None leaves it to the set
    """

    data: str
    root: Path | None
    allow: Sequence[str]
    anchors: int
    size_px: int | None
    seed: int


class Result(NamedTuple):
    """The clusters of every number up to the one that is asked for, for the boxes of a split.

    sides    (M, 2), width and height of the boxes in squares of `side_px`
    shapes   (S, 2), those of the anchors, rounded
    """

    split: str
    side_px: int
    sides: Floats
    by_number: Sequence[Clusters]
    shapes: Floats

    @property
    def mean_best_iou(self) -> float:
        """The mean over all boxes of the overlap with the nearest anchor, 0..1."""
        return mean_best_iou(self.sides, self.shapes)

    @property
    def text(self) -> str:
        """The anchors as an option of a net."""
        return " ".join(f"{_number(width)},{_number(height)}" for width, height in self.shapes.tolist())


def show(search: AnchorSearch, *, as_json: bool, wide: bool) -> None:
    """Print anchors for the training boxes of a set, and how well fewer of them would fit.

    Raises DataError for a set without boxes, SettingsError for fewer shapes than anchors.
    """
    result = _found(search)
    if as_json:
        typer.echo(json.dumps(_document(search, result), indent=2, ensure_ascii=False))
        return
    print_tables(_table(result.by_number), wide=wide)
    boxes = counted(len(result.sides), "box")
    print_lines(
        f"{counted(search.anchors, 'anchor')} for {boxes} of {result.split} in squares of {result.side_px} px; a box"
        f" overlaps the nearest by {result.mean_best_iou:.1%} in the mean; width,height in pixels:",
        f"  {result.text}",
        "a net with them is trained by",
        f"  {_training(search, result)}",
    )


def _found(search: AnchorSearch) -> Result:
    splits = open_splits(search.data, root=search.root, task="detection", allow=search.allow)
    reader: Reader[Any] = splits.train
    side_px = search.size_px or side_of(reader) or USUAL_PX
    sides = box_shapes(reader, side_px)
    name = printable(search.data)
    if not len(sides):
        raise DataError(f"{name}: no training image has a box, so there are no shapes to find anchors for")
    try:
        by_number = clusters(sides, search.anchors, seed=search.seed)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}; ask for fewer anchors by --count") from None
    shapes = by_number[-1].shapes.round(DECIMALS).clip(10.0**-DECIMALS)
    return Result(reader.split, side_px, sides, by_number, shapes)


def _table(by_number: Sequence[Clusters]) -> Any:
    columns = ("anchors", "mean best overlap", "gain")
    table = new_table(*columns, numbers=columns, least=("gain",))
    overlaps = [some.mean_iou for some in by_number]
    gains = ["", *(f"{100 * (after - before):+.1f}" for before, after in pairwise(overlaps))]
    for number, (overlap, gain) in enumerate(zip(overlaps, gains, strict=True), start=1):
        table.add_row(str(number), f"{overlap:.1%}", gain)
    return table


def _document(search: AnchorSearch, result: Result) -> dict[str, Any]:
    return {
        "data": search.data,
        "split": result.split,
        "boxes": len(result.sides),
        "size_px": result.side_px,
        "seed": search.seed,
        "anchors": [{"width": width, "height": height} for width, height in result.shapes.tolist()],
        "mean_best_iou": round(result.mean_best_iou, 4),
        "by_count": [
            {"anchors": number, "mean_best_iou": round(some.mean_iou, 4)}
            for number, some in enumerate(result.by_number, start=1)
        ],
        "option": f"model.options.anchors={result.text}",
    }


def _training(search: AnchorSearch, result: Result) -> str:
    """The command of a training with the anchors, of a net whose maps share so many evenly."""
    model = "yolov3" if search.anchors % 3 == 0 else "yolov3_tiny" if search.anchors % 2 == 0 else "yolov2"
    root = ["--root", str(search.root)] if search.root else []
    allow = ["--allow", ",".join(search.allow)] if search.allow else []
    size = ["--set", f"data.image_size={result.side_px}"]
    words = ["resvision", "train", model, "--data", search.data, *root, *allow, *size]
    return f"{shlex.join(words)} --set model.options.anchors='{result.text}'"


def _number(side_px: float) -> str:
    return f"{side_px:.{DECIMALS}f}".removesuffix(".0")
