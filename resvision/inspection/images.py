"""Inspection of images: the pixels and the places on which a run's own answers rest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import printable
from resvision.inference.explain import explain_view
from resvision.inference.heat_pictures import overlay
from resvision.inspection.inspected import Inspected, Inspection, grid_rows
from resvision.kinds.forms import Table
from resvision.prediction.predictions import seen_sample
from resvision.probes.saliency import saliency_map
from resvision.report.grids import Strip, strips
from resvision.tasks import Question, Seen
from resvision.training.machine import at_work

Floats = NDArray[np.float64]

DRAWN = 16
"""The images that are drawn at most."""


def saliency(runs: Sequence[Inspected]) -> Inspection:
    """The saliency of the score that the run gives to its own answer, for each image."""
    (run,) = runs
    maps: list[tuple[str, str, Floats, Floats]] = []
    with at_work(run.system, replace(run.trained.machine, precision="fp32")):
        for seen in _seen(run):
            score = run.trained.task.explained_score(run.trained, seen, Question())
            rows, columns = (slice(score.border_px, score.border_px + side) for side in seen.pixels.shape[:2])
            found = saliency_map(score.net, score.images, score.score)[0, rows, columns].double().cpu().numpy()
            maps.append((seen.name, score.words, _photo(seen.pixels), found))
    shown = maps[:DRAWN]
    drawn = [
        Strip("the images, as the net sees them", [photo for _, _, photo, _ in shown]),
        Strip("saliency, each in its own greys", [np.sqrt(found) for *_, found in shown]),
    ]
    title = f"Saliency of {run.name}"
    return Inspection(
        (_table([(name, words, found) for name, words, _, found in maps], title),),
        (
            "the strongest pixel is that whose change moves the score most; spread is the share of the image that an"
            " equal saliency of the same sum and sum of squares would cover",
        ),
        ("image", "score", "row", "column", "saliency"),
        [row for name, words, _, found in maps for row in grid_rows(found, name, words)],
        {"": strips(title, drawn, words=_said(title, [(name, words, found) for name, words, _, found in maps]))},
    )


def grad_cam(runs: Sequence[Inspected]) -> Inspection:
    """The heat of Grad-CAM at the deepest map, for the run's own answer about each image."""
    (run,) = runs
    maps: list[tuple[str, str, Floats]] = []
    photos: list[Floats] = []
    panels: list[Floats] = []
    layer: str | None = None
    for seen in _seen(run):
        explanation = explain_view(run.trained, seen, [Question()])
        layer = explanation.layer
        heat = explanation.heats[0]
        maps.append((seen.name, heat.words, heat.values.astype(np.float64)))
        if len(panels) < DRAWN:
            photos.append(_photo(seen.pixels))
            panels.append(np.asarray(overlay(seen.image, explanation, heat), dtype=np.float64) / 255.0)
    title = f"Grad-CAM of {run.name} at {layer}"
    drawn = [Strip("the images, as the net sees them", photos), Strip("the brighter, the more rests on it", panels)]
    return Inspection(
        (_table(maps, title),),
        ("`resvision explain RUN IMAGE...` asks about other classes, layers and images",),
        ("image", "score", "row", "column", "heat"),
        [row for name, words, found in maps for row in grid_rows(found, name, words)],
        {
            "": strips(
                title, drawn, words=f"{title}: {'; '.join(f'{name}, {words}' for name, words, _ in maps[:DRAWN])}"
            )
        },
    )


def _seen(run: Inspected) -> Iterator[Seen]:
    """The samples that are asked for, as the net sees them."""
    reader = run.asked_reader()
    for index in range(len(reader)):
        yield seen_sample(run.trained, reader[index], name=printable(reader.source(index)), grey=True)


def _table(maps: Sequence[tuple[str, str, Floats]], title: str) -> Table:
    """A row for each image: the strongest pixel of its map, and the share of the image over which the map is spread."""
    rows = []
    for name, words, found in maps:
        row, column = np.unravel_index(int(found.argmax()), found.shape)
        squares = float((found**2).sum())
        spread = float(found.sum()) ** 2 / squares / found.size if squares > 0 else 0.0
        rows.append((name, words, f"{found.max():.4g}", f"x {column}, y {row}", f"{spread:.1%}"))
    return Table(("image", "score", "largest", "strongest pixel", "spread"), rows, ("largest", "spread"), title)


def _said(title: str, maps: Sequence[tuple[str, str, Floats]]) -> str:
    return f"{title}: {'; '.join(f'{name}, {words}' for name, words, _ in maps[:DRAWN])}"


def _photo(pixels: NDArray[np.uint8]) -> Floats:
    """Pixels (h, w, C) as a picture: three channels as colours in 0..1, the first of others."""
    return pixels / 255.0 if pixels.shape[2] == 3 else np.asarray(pixels[:, :, 0], dtype=np.float64)
