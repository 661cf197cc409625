"""Pictures of the study of representations, from its results alone: tables of CKA, first filters, feature maps."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from resvision.report.grids import Strip, Table, heat_maps, picture, strips
from resvision.studies.experiment_plots import column
from resvision.studies.results import Member, Results

Floats = NDArray[np.float64]

COMPARED = {"within": "of the same net", "seeds": "of the next seed", "nets": "of the other net"}
"""The tables of a member, with the titles of their pictures."""


def tables(results: Results, *, name: str) -> str:
    """The CKA of layers as heat maps, a row of pictures for each condition: means over the seeds."""
    drawn = []
    for condition in results.conditions:
        for key, title in COMPARED.items():
            known = [_square(member, f"cka.{key}") for member in results.of(condition)]
            values = [values for values in known if values.size]
            if values:
                drawn.append(Table(title, np.mean(values, axis=0), x_label="layer", y_label=f"layer of {condition}"))
    if not drawn:
        return nothing("No table of CKA was measured.")
    ends = "; ".join(f"{t.y_label} {t.title}: {np.nanmean(np.diag(t.values)):.2f} on the diagonal" for t in drawn)
    plot = heat_maps("Linear CKA between layers, means over the seeds", drawn, label="CKA", words=f"CKA; {ends}")
    return plot.svg(name)


def filters(results: Results, *, name: str) -> str:
    """The first filters of every condition under seed 0; three channels as colours."""
    rows = []
    for member in _pictured(results):
        kept = _shaped(member, "seen.filters")
        rows.append(Strip(f"{member.condition}, {len(kept)} filters", [picture(one) for one in kept / 127.5 - 1.0]))
    words = f"first filters of {', '.join(member.condition for member in _pictured(results))}"
    return strips("First filters, seed 0", rows, words=words).svg(name) if rows else nothing("No filters were kept.")


def maps(results: Results, *, name: str) -> str:
    """Feature maps of the first test image at four depths of every condition under seed 0."""
    members = [*_pictured(results)]
    if not members:
        return nothing("No feature maps were kept.")
    shown = _shaped(members[0], "seen.image") / 255.0
    image = np.moveaxis(shown, 0, -1) if len(shown) == 3 else shown.mean(axis=0)
    rows = [Strip("the image", [image])]
    for member in members:
        by_layer: dict[int, list[Floats]] = {}
        for layer, values in _maps(member):
            by_layer.setdefault(layer, []).append(values)
        rows += [Strip(f"{member.condition}, layer {layer}", found) for layer, found in by_layer.items()]
    words = f"feature maps of {', '.join(member.condition for member in members)}"
    return strips("Feature maps, seed 0, each in its own greys", rows, words=words).svg(name)


def nothing(words: str) -> str:
    """A sentence in the place of a picture that cannot be drawn."""
    return f'<p class="soft">{words}</p>'


def _pictured(results: Results) -> Iterator[Member]:
    yield from (member for member in results.members if member.series.get("seen.filters"))


def _maps(member: Member) -> Iterator[tuple[int, Floats]]:
    """The maps of a member (h, w), each with the number of its layer."""
    values, at = column(member, "seen.maps"), 0
    for layer, height, width in column(member, "seen.maps_sides").astype(int).reshape(-1, 3).tolist():
        yield layer, values[at : at + height * width].reshape(height, width)
        at += height * width


def _shaped(member: Member, series: str) -> Floats:
    return column(member, series).reshape(column(member, f"{series}_shape").astype(int))


def _square(member: Member, series: str) -> Floats:
    """A table of a member, (L, M), empty where it has none."""
    values = column(member, series)
    rows = column(member, f"{series}_shape")
    side = int(rows[0]) if len(rows) else round(len(values) ** 0.5)
    return values.reshape(side, -1) if side else values
