"""Measures of the surface of the training loss around a net's weights, filter-normalized: Li et al. 2018.

Glossary
    D         directions of the curves, S steps of each, from -span to span
    width     how far from the weights, along a curve, the loss has risen by `RISE`, in the mean over all curves and
              both ways; the span where it never does
    concave   the share of inner steps at which a curve bends downwards: 0 for a convex surface
"""

import numpy as np
from numpy.typing import NDArray

from resvision.core.progress import Bar
from resvision.core.terminal import Terminal
from resvision.probes.surface import loss_line, loss_surface, random_direction
from resvision.studies.results import Findings
from resvision.studies.specimen import Specimen, Split
from resvision.studies.subject import mean_losses
from resvision.training.machine import at_work

Floats = NDArray[np.float64]

RISE = 1.0
"""Nats by which the loss rises to the edge of what counts as width."""
BEND = 1e-4
"""The second difference below which a curve is taken to bend downwards, beyond what rounding makes of a flat one."""


def around(
    specimen: Specimen,
    *,
    images: int,
    directions: int,
    steps: int,
    span: float = 1.0,
    grid: int = 0,
    split: Split = "train",
) -> Findings:
    """The loss of images of a split along random directions, and over the first two of them.

    grid  steps of the surface along each direction; 0 for no surface

    Figures: `middle`, the loss at the weights; `width` and `concave` of the glossary. Series: `step` and `mean`, the
    mean curve; `curves`, one after the other; `at` and `surface`, the steps of the surface and its losses row by row.
    """
    net, system = specimen.net, specimen.system
    batches = specimen.batches(split, images, size=256)
    drawn = [random_direction(net, seed=0, number=number) for number in range(max(directions, 2 if grid else 1))]
    at = odd_steps(span, steps)

    bar = Bar(Terminal(stderr=True), "measuring losses", total=directions * len(at) + grid_points(grid), noun="loss")
    loss = bar.counting(lambda: mean_losses(system, batches)["loss"])
    with bar, at_work(system, specimen.trained.machine):
        curves = np.array([loss_line(net, loss, direction, at.tolist()) for direction in drawn[:directions]])
        figures = {
            "middle": float(curves[0, len(at) // 2]),
            "width": float(np.mean([widths(at, curve) for curve in curves])),
            "concave": float(np.mean([concave(curve) for curve in curves])),
        }
        series = {"step": at.tolist(), "mean": curves.mean(axis=0).tolist(), "curves": curves.ravel().tolist()}
        if grid:
            places = odd_steps(span, grid)
            over = loss_surface(net, loss, (drawn[0], drawn[1]), (places.tolist(), places.tolist()))
            series |= {"at": places.tolist(), "surface": over.ravel().tolist()}
    return Findings(figures, series)


def grid_points(grid: int) -> int:
    """The points of a surface of so many steps along each direction, by `odd_steps`; none for 0."""
    return len(odd_steps(1.0, grid)) ** 2 if grid else 0


def odd_steps(span: float, count: int) -> Floats:
    """An odd number of steps from -span to span, at least three, so that 0 is the one in the middle."""
    half = max(1, count // 2)
    return np.arange(-half, half + 1) / half * span


def widths(steps: Floats, curve: Floats) -> float:
    """The mean distance, of both ways, at which a curve (S,) has risen by `RISE` over its middle."""
    middle = len(steps) // 2
    ways = (curve[middle:], curve[middle::-1])
    return float(np.mean([_crossing(steps[middle:], way, float(curve[middle]) + RISE) for way in ways]))


def concave(curve: Floats) -> float:
    """The share of the inner steps of a curve (S,) at which it bends downwards; NaN losses count as none."""
    bends = curve[2:] - 2 * curve[1:-1] + curve[:-2]
    return float((bends < -BEND).mean())


def _crossing(distances: Floats, losses: Floats, limit: float) -> float:
    """The distance at which losses, from the middle outwards, first pass a limit; a line joins two steps."""
    beyond = np.flatnonzero(~(losses < limit))  # a loss that is no number has passed every limit
    if not len(beyond):
        return float(distances[-1])
    first = int(beyond[0])
    before, after = float(losses[first - 1]), float(losses[first])
    share = (limit - before) / (after - before) if np.isfinite(after) else 0.0
    return float(distances[first - 1] + share * (distances[first] - distances[first - 1]))
