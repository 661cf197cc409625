"""Pictures of the study of landscapes, from its results alone: the surface around a net of every condition."""

import numpy as np

from resvision.report.grids import Surface, contours
from resvision.studies.experiment_plots import column
from resvision.studies.representation_drawings import nothing
from resvision.studies.results import Results


def surfaces(results: Results, *, name: str) -> str:
    """The losses over two directions around the first seed of every condition, with the same levels."""
    drawn = []
    for condition in results.conditions:
        for member in results.of(condition)[:1]:
            steps, values = column(member, "surface.at"), column(member, "surface.surface")
            if len(steps):
                title = f"{condition}, seed {member.seed}"
                drawn.append(Surface(title, values.reshape(len(steps), -1), (steps, steps)))
    if not drawn:
        return nothing("No surface was measured.")
    heights = "; ".join(f"{s.title}: {np.nanmin(s.values):.3g} to {np.nanmax(s.values):.3g}" for s in drawn)
    return contours("Training loss over two directions", drawn, words=f"surfaces of the loss; {heights}").svg(name)
