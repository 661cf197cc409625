"""Inspection of what goes through the layers of a run: gradients on the way back, responses on the way forward."""

from collections.abc import Sequence

import numpy as np

from resvision.inspection.inspected import Inspected, Inspection
from resvision.kinds.forms import Table
from resvision.probes.gradients import layer_gradients
from resvision.probes.responses import layer_responses
from resvision.report.line_plots import Line, line_plot


def gradients(runs: Sequence[Inspected]) -> Inspection:
    """The norms of the loss's gradient at each layer, over one batch of all images that are asked for."""
    (run,) = runs
    (batch,) = run.asked_batches(size=run.count)
    found = layer_gradients(run.system, batch)
    rows = [(each.layer, f"{each.weight:.4g}", f"{each.arriving:.4g}") for each in found]
    columns = ("layer", "at its weights", "at its input")
    title = f"Norm of the gradient in {run.name}"
    first, last = found[0], found[-1]
    line = f"at the weights of {first.layer} {first.weight:.3g}, of {last.layer} {last.weight:.3g}"
    places = np.arange(len(found), dtype=np.float64)
    return Inspection(
        (Table(columns, rows, columns[1:], title),),
        (line, f"the mean loss of {len(batch.ids)} images of {run.split}, in training mode"),
        ("layer", "weight", "arriving"),
        [tuple(each) for each in found],
        {
            "": line_plot(
                title,
                [
                    Line("at the weights", places, np.array([each.weight for each in found])),
                    Line("at the input", places, np.array([each.arriving for each in found])),
                ],
                x_label="layer",
                y_label="norm",
                words=f"{title}: {line}",
                log=True,
                ticks=[each.layer for each in found],
            )
        },
    )


def responses(runs: Sequence[Inspected]) -> Inspection:
    """The standard deviation of every convolution's response, after normalization, before ReLU and addition."""
    (run,) = runs
    found = layer_responses(run.net, run.asked_images(), window=None)
    rows = [(each.layer, each.window, f"{each.std:.4g}") for each in found]
    title = f"Responses of the layers of {run.name}"
    line = f"standard deviations from {min(each.std for each in found):.3g} to {max(each.std for each in found):.3g}"
    places, stds = np.arange(len(found), dtype=np.float64), np.array([each.std for each in found])
    return Inspection(
        (Table(("layer", "window", "standard deviation"), rows, ("standard deviation",), title),),
        (line,),
        ("layer", "window", "std"),
        [tuple(each) for each in found],
        {
            "": line_plot(
                title,
                [Line("response", places, stds)],
                x_label="convolution",
                y_label="standard deviation",
                words=f"{title}: {line}",
                ticks=[each.layer for each in found],
            )
        },
    )
