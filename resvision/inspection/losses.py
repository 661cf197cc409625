"""Inspection of the loss around a run's weights."""

from collections.abc import Sequence

import numpy as np

from resvision.inspection.inspected import Inspected, Inspection
from resvision.kinds.forms import Table
from resvision.report.grids import Surface, contours
from resvision.report.line_plots import Line, line_plot
from resvision.studies.measures_landscape import around

DIRECTIONS, STEPS, GRID = 3, 21, 11


def surface(runs: Sequence[Inspected]) -> Inspection:
    """The loss along three directions, and over the first two of them."""
    (run,) = runs
    found = around(run, images=run.count, split=run.split, directions=DIRECTIONS, steps=STEPS, grid=GRID)
    steps, at = (np.array(found.series[name]) for name in ("step", "at"))
    curves = np.array(found.series["curves"]).reshape(DIRECTIONS, -1)
    over = np.array(found.series["surface"]).reshape(len(at), -1)
    names = [f"direction {number + 1}" for number in range(DIRECTIONS)]
    rows = [
        (f"{step:+.2f}", *(f"{loss:.4g}" for loss in (losses.mean(), *losses)))
        for step, losses in zip(steps, curves.T, strict=True)
    ]
    columns = ("step", "mean", *names)
    title = f"loss of {run.count} images of {run.split} around {run.name}"
    figures = found.figures
    middle, width, concave = (figures[name] for name in ("middle", "width", "concave"))
    line = (
        f"loss in the middle {middle:.4g}; it has risen by 1 at a step of {width:.2g} in the mean"
        f" ({steps[-1]:g} where it never does); curves bend downwards at {concave:.0%} of the steps"
    )
    return Inspection(
        (Table(columns, rows, columns, title, least=tuple(names)),),
        (line, "a step of 1 moves every filter by its own length; biases and normalizations stay"),
        ("kind", "direction", "step", "other_step", "loss"),
        [
            ("line", number + 1, float(step), 0.0, float(loss))
            for number, curve in enumerate(curves)
            for step, loss in zip(steps, curve, strict=True)
        ]
        + [
            ("surface", 1, float(first), float(second), float(over[i, j]))
            for i, first in enumerate(at)
            for j, second in enumerate(at)
        ],
        {
            "": contours(f"Loss around {run.name}", [Surface("", over, (at, at))], words=f"{title}: {line}"),
            "lines": line_plot(
                f"Loss around {run.name}",
                [Line(name, steps, curve) for name, curve in zip(names, curves, strict=True)],
                x_label="steps, in lengths of the filters",
                y_label="loss",
                words=f"{title}: {line}",
                log=True,
            ),
        },
    )
