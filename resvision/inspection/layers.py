"""Inspection of layers: how alike they are, the first filters, and the maps of an image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import SettingsError
from resvision.inspection.inspected import Inspected, Inspection, grid_rows
from resvision.kinds.forms import Table
from resvision.probes.cka import layer_cka
from resvision.probes.representations import first_filters, unit_maps
from resvision.report import grids
from resvision.report.grids import PER_ROW, Strip, heat_maps, picture, strips

Floats = NDArray[np.float64]

SHOWN_LAYERS = 12
"""The layers whose maps are drawn at most, from the first to the last."""
SHOWN_FILTERS = 64


def cka(runs: Sequence[Inspected]) -> Inspection:
    """The CKA of every two layers of a run, or of every layer of one with every layer of another.

    Raises SettingsError for two runs on different images.
    """
    first, second = runs[0], runs[-1]
    if len(runs) == 1:
        found = layer_cka(first.net, first.asked_images())
    else:
        _require_same_images(first, second)
        found = layer_cka(first.net, first.asked_images(), second.net, second_images=second.asked_images())
    numbers = tuple(str(number + 1) for number in range(len(found.columns)))
    rows = [
        (name, *(f"{value:.2f}" for value in values)) for name, values in zip(found.rows, found.values, strict=True)
    ]
    legend = ", ".join(f"{number} {name}" for number, name in zip(numbers, found.columns, strict=True))
    title = f"linear CKA, {first.name}" + (f" in rows, {second.name} in columns" if len(runs) > 1 else "")
    likest = "; ".join(
        f"{name} is most like {found.columns[place]}" for name, place in _most_alike(found.rows, found.values, runs)
    )
    table = grids.Table("", found.values, found.rows, found.columns, second.name, first.name)
    return Inspection(
        (Table(("layer", *numbers), rows, numbers, title, least=numbers[1:-1]),),
        (f"columns: {legend}", likest, f"over {first.count} images of {first.split} at most; 1 is alike, 0 is not"),
        ("layer", "other", "cka"),
        [
            (row, column, round(float(found.values[i, j]), 6))
            for i, row in enumerate(found.rows)
            for j, column in enumerate(found.columns)
        ],
        {"": heat_maps(title, [table], label="CKA", words=f"{title}: {likest}", per_row=1)},
    )


def filters(runs: Sequence[Inspected]) -> Inspection:
    """The filters of the first convolution."""
    (run,) = runs
    name, weights = first_filters(run.net)
    kept = weights.double().cpu().numpy()
    norms = np.sqrt((kept**2).sum(axis=(1, 2, 3)))
    title = f"{len(kept)} filters of {name}, {'x'.join(map(str, kept.shape[1:]))}"
    rows = [
        (str(number + 1), f"{norm:.4g}", f"{one.mean():+.4g}")
        for number, (one, norm) in enumerate(zip(kept, norms, strict=True))
    ]
    shown = Strip("three channels as colours, 0 is grey" if kept.shape[1] == 3 else "", _pictures(kept), shared=True)
    return Inspection(
        (Table(("filter", "norm", "mean"), rows, ("filter", "norm", "mean"), title),),
        (f"norms from {norms.min():.3g} to {norms.max():.3g}",),
        ("filter", "channel", "row", "column", "weight"),
        [
            row
            for number, one in enumerate(kept)
            for channel, values in enumerate(one)
            for row in grid_rows(values, number + 1, channel + 1)
        ],
        {"": strips(title, [shown], words=title)},
    )


def feature_maps(runs: Sequence[Inspected]) -> Inspection:
    """The maps of every layer for the first image; a map is dead where it is 0 everywhere."""
    (run,) = runs
    image = run.asked_images()[:1]
    maps = {name: found[0].double().cpu().numpy() for name, found in unit_maps(run.net, image).items()}
    if not maps:
        raise SettingsError(f"{run.trained.title}: no layer of {run.trained.name} gives maps")
    rows = [
        (name, *map(str, found.shape), f"{found.mean():.4g}", f"{(found == 0).mean():.1%}", str(_dead(found)))
        for name, found in maps.items()
    ]
    columns = ("layer", "maps", "height", "width", "mean", "zero", "dead maps")
    source = run.asked_reader().source(0)
    title = f"Feature maps of {source}"
    pixels = image[0].double().cpu().numpy()
    shown = [*maps.items()]
    chosen = sorted({round(place) for place in np.linspace(0, len(shown) - 1, SHOWN_LAYERS).tolist()})
    drawn = [Strip("the image", [_as_picture(pixels)])]
    drawn += [Strip(shown[i][0], [*shown[i][1][:PER_ROW]]) for i in chosen]
    return Inspection(
        (Table(columns, rows, columns[1:], title),),
        (f"drawn are the first {PER_ROW} maps of each layer, each in its own greys",),
        ("layer", "map", "row", "column", "value"),
        [
            row
            for name, found in maps.items()
            for number, values in enumerate(found)
            for row in grid_rows(values, name, number + 1)
        ],
        {"": strips(title, drawn, words=f"{title}: {', '.join(maps)}")},
    )


def _require_same_images(first: Inspected, second: Inspected) -> None:
    names = [[reader.source(i) for i in range(len(reader))] for reader in (first.asked_reader(), second.asked_reader())]
    if names[0] != names[1]:
        raise SettingsError(
            f"--probe cka: compares layers over the same images, but {first.name} has {first.trained.data} and"
            f" {second.name} {second.trained.data}, or other splits of it; name two runs on one data set"
        )


def _most_alike(rows: Sequence[str], values: Floats, runs: Sequence[Inspected]) -> list[tuple[str, int]]:
    """For the first, the middle and the last layer, which other layer is most like it."""
    found = []
    for place in sorted({0, len(rows) // 2, len(rows) - 1}):
        line = np.nan_to_num(values[place].copy(), nan=-1.0)
        if len(runs) == 1 and len(line) > 1:
            line[place] = -np.inf  # a layer is most like itself
        found.append((rows[place], int(line.argmax())))
    return found


def _pictures(kept: Floats) -> list[Floats]:
    return [picture(one) for one in kept[:SHOWN_FILTERS]]


def _as_picture(image: Floats) -> Floats:
    """A normalized image (C, H, W) as a picture: three channels as colours in 0..1, of others the mean."""
    if len(image) != 3:
        return np.asarray(image.mean(axis=0))
    low, high = float(image.min()), float(image.max())
    return np.moveaxis((image - low) / ((high - low) or 1.0), 0, -1)


def _dead(maps: Floats) -> int:
    return int((maps == 0).all(axis=(1, 2)).sum())
