"""Measures of what layers represent: CKA within a net, between seeds, between nets; filters and maps as numbers.

Glossary
    L        layers: the units of a net, from its first layer to its classifier
    near     neighbours, and `far` layers that are at least half of all layers apart
"""

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray

from resvision.probes.cka import layer_cka
from resvision.probes.representations import first_filters, unit_maps
from resvision.studies.results import Findings
from resvision.studies.subject import Subject

Floats = NDArray[np.float64]

DEPTHS = 4
"""The layers, from the first to the last that gives a map, whose maps are kept."""


def likeness(subjects: Sequence[Subject], *, images: int, batch_size: int = 128) -> list[Findings]:
    """The CKA of layers of each net with its own, with those of the next seed, and of the other condition.

    Figures: `near` and `far` of the net's own layers; `seeds_same` and `seeds_far` between this seed and the next of
    the condition; `nets_same` between this net and that of the next condition and seed, layer by layer.
    Series: the tables `within`, `seeds` and `nets`, row by row. Nets that have no partner lack its figures.
    """
    shown = {id(subject): subject.images("test", images) for subject in subjects}
    findings = []
    for subject in subjects:
        mine = shown[id(subject)]
        within = layer_cka(subject.net, mine, batch_size=batch_size).values
        figures = {"near": near(within), "far": far(within)}
        series: dict[str, Sequence[float]] = {"within": within.ravel().tolist()}
        partners = {"seeds": _next_seed(subject, subjects), "nets": _next_condition(subject, subjects)}
        for name, partner in partners.items():
            if partner is None:
                continue
            theirs = shown[id(partner)]
            table = layer_cka(subject.net, mine, partner.net, second_images=theirs, batch_size=batch_size).values
            series |= {name: table.ravel().tolist(), f"{name}_shape": [float(side) for side in table.shape]}
            if table.shape[0] == table.shape[1]:
                figures |= {f"{name}_same": float(np.nanmean(np.diag(table))), f"{name}_far": far(table)}
        findings.append(Findings(figures, series))
    return findings


def near(table: Floats) -> float:
    """The mean CKA of neighbouring layers of a square table, (L, L)."""
    return float(np.nanmean(np.diag(table, 1)))


def far(table: Floats) -> float:
    """The mean CKA of layers that are at least half of all layers apart."""
    places = np.arange(len(table))
    return float(np.nanmean(table[np.abs(places[:, None] - places) >= len(table) / 2]))


def pictures(subject: Subject, *, filters: int = 16, channels: int = 8, most_px: int = 16) -> Findings:
    """The first filters, and the maps of the first test image at four depths, as whole numbers 0..255, of seed 0 alone.

    Series: `filters`, one after the other, with their shape in `filters_shape`; `image`, with `image_shape`; `maps`,
    with the number of its layer, height and width for each in `maps_sides`. Larger maps are averaged down to `most_px`.
    """
    if subject.seed != 0:
        return Findings({})
    kept = first_filters(subject.net)[1][:filters].double().cpu().numpy()
    image = subject.images("test", 1)
    found = [*unit_maps(subject.net, image).values()]
    series: dict[str, list[float]] = {
        "filters": _whole(kept).ravel().tolist(),
        "filters_shape": [float(side) for side in kept.shape],
        "image": _whole(image[0].double().cpu().numpy()).ravel().tolist(),
        "image_shape": [float(side) for side in image.shape[1:]],
        "maps": [],
        "maps_sides": [],
    }
    for number in sorted({round(place) for place in np.linspace(0, len(found) - 1, DEPTHS).tolist()}):
        maps = found[number][0, :channels].double()
        if max(maps.shape[1:]) > most_px:
            maps = F.adaptive_avg_pool2d(maps, most_px)
        for one in maps.cpu().numpy():
            series["maps"] += _whole(one).ravel().tolist()
            series["maps_sides"] += [float(number + 1), *map(float, one.shape)]
    return Findings({"layers": float(len(found))}, series)


def _whole(values: Floats) -> Floats:
    """Numbers as whole ones from 0, the lowest of them, to 255, the highest."""
    low, high = float(values.min()), float(values.max())
    return np.rint(255 * (values - low) / ((high - low) or 1.0))


def _next_seed(subject: Subject, subjects: Sequence[Subject]) -> Subject | None:
    """The subject of the same condition that has the next seed, the first after the last; None where there is none.

    Of two seeds, the second has none: their one pair would count as two.
    """
    same = sorted((s for s in subjects if s.condition == subject.condition), key=lambda other: other.seed)
    place = same.index(subject) + 1
    return same[place % len(same)] if place < len(same) or len(same) > 2 else None


def _next_condition(subject: Subject, subjects: Sequence[Subject]) -> Subject | None:
    """The subject of the next condition under the next seed, each the first after the last; None where there is none.

    Under the same seed both nets begin with the same weights, and are alike for that reason alone.
    """
    conditions = [*dict.fromkeys(other.condition for other in subjects)]
    condition = conditions[(conditions.index(subject.condition) + 1) % len(conditions)]
    seeds = sorted({other.seed for other in subjects})
    seed = seeds[(seeds.index(subject.seed) + 1) % len(seeds)]
    found = [other for other in subjects if (other.condition, other.seed) == (condition, seed)]
    return found[0] if found and condition != subject.condition and seed != subject.seed else None
