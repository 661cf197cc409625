"""`resvision data anchors`: shapes of anchors for the boxes of a set, by k-means."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from resvision.cli.tables import new_table, print_lines, print_tables
from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.plurals import counted
from resvision.core.samples import Reader, side_of
from resvision.data.box_shapes import box_shapes
from resvision.data.sets import open_splits
from resvision.geometry.shape_clusters import Clusters, clusters, mean_best_iou

USUAL_PX = 416
"""The side of the squares where neither a person nor the set says one: that of the papers."""


class AnchorSearch(NamedTuple):
    """The search for anchors that the options of the verb ask for.

    size_px  side of the squares that a net sees; None leaves it to the set
    count    the number of anchors
    """

    root: Path | None
    allow: Sequence[str]
    size_px: int | None
    count: int
    seed: int


def show(data: str, search: AnchorSearch, *, as_json: bool, wide: bool) -> None:
    """Print anchors for the training boxes of a set, and how well fewer of them would fit."""
    splits = open_splits(data, root=search.root, task="detection", allow=search.allow)
    reader: Reader[Any] = splits.train
    side_px = search.size_px or side_of(reader) or USUAL_PX
    sides = box_shapes(reader, side_px)
    if not len(sides):
        raise DataError(f"{printable(data)}: no training image has a box, so there are no shapes to find anchors for")
    try:
        by_count = clusters(sides, search.count, seed=search.seed)
    except ValueError as error:
        raise SettingsError(f"{printable(data)}: {error}; ask for fewer anchors by --count") from None
    best = by_count[-1]
    text = " ".join(f"{_number(width)},{_number(height)}" for width, height in best.shapes)
    option = f"--set model.options.anchors='{text}'"
    rounded = best.shapes.round(_DECIMALS)
    if as_json:
        document = {
            "data": data,
            "split": reader.split,
            "boxes": len(sides),
            "size_px": side_px,
            "seed": search.seed,
            "anchors": [{"width": width, "height": height} for width, height in rounded.tolist()],
            "mean_best_iou": round(mean_best_iou(sides, rounded), 4),
            "by_count": [
                {"anchors": count, "mean_best_iou": round(some.mean_iou, 4)}
                for count, some in enumerate(by_count, start=1)
            ],
            "option": option,
        }
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    _print_table(by_count, wide=wide)
    print_lines(
        f"{counted(search.count, 'anchor')} for {counted(len(sides), 'box')} of {reader.split}, in squares of"
        f" {side_px} px, which they overlap by {mean_best_iou(sides, rounded):.1%} in the mean, width,height in pixels:",
        f"  {text}",
        "to train a net with them:",
        f"  resvision train yolov3 --data {data} --set data.image_size={side_px} {option}",
    )


_DECIMALS = 1
"""The decimals of a side in pixels."""


def _print_table(by_count: Sequence[Clusters], *, wide: bool) -> None:
    columns = ("anchors", "mean best overlap", "gain")
    table = new_table(*columns, numbers=columns, least=("gain",))
    before = None
    for count, some in enumerate(by_count, start=1):
        gain = "" if before is None else f"+{100 * (some.mean_iou - before):.1f}"
        table.add_row(str(count), f"{some.mean_iou:.1%}", gain)
        before = some.mean_iou
    print_tables(table, wide=wide)


def _number(side_px: float) -> str:
    return f"{side_px:.{_DECIMALS}f}".removesuffix(".0")
