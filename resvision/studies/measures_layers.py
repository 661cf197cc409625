"""Measures of a finished training layer by layer: gradients that it kept while it was trained, and responses."""

import numpy as np
import torch
from numpy.typing import NDArray

from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.core.gradient_norms import read
from resvision.probes.responses import layer_responses
from resvision.studies.results import Findings
from resvision.studies.subject import Subject

LEAST_NORM = 1e-30
"""The norm that stands for a gradient of 0, which has no logarithm."""


def gradients_kept(subject: Subject) -> Findings:
    """The gradient norms that a training kept, and by how many decades the first layer's lies above the last's.

    start    at the first step
    trained  mean over all later samples

    Series over layers: `layer` from 1, `start_norms`, `trained_norms` (geometric means). Series over samples: `step`,
    `ratios`. Raises SettingsError where the run kept none, or the first step alone.
    """
    path = subject.folder / rundir.GRADIENTS
    samples = [*read(path)] if path.is_file() else []
    if len(samples) < 2:
        raise SettingsError(
            f"{subject.folder}: keeps gradients of {len(samples)} steps, two are needed; train it with"
            " training.gradients_every above 0 and below the number of its steps"
        )
    decades = np.log10([np.maximum([*sample.norms.values()], LEAST_NORM) for sample in samples])
    lead = decades[:, 0] - decades[:, -1]
    on_the_way = _mean_of_numbers(decades[1:])
    return Findings(
        {"start": float(lead[0]), "trained": float(_mean_of_numbers(lead[1:]))},
        {
            "layer": [*map(float, range(1, decades.shape[1] + 1))],
            "start_norms": (10 ** decades[0]).tolist(),
            "trained_norms": (10**on_the_way).tolist(),
            "step": [float(sample.step) for sample in samples],
            "ratios": (10**lead).tolist(),
        },
    )


def response_sizes(subject: Subject, images: int) -> Findings:
    """The responses of the 3x3 layers of a training to so many test images: mean, smallest and largest of all layers.

    Series over layers: `layer` from 1, `stds` in the order of the forward pass, `ranked` from the largest on.
    """
    found = layer_responses(subject.net, torch.split(subject.images("test", images), 64))
    stds = np.array([response.std for response in found])
    return Findings(
        {"mean": float(stds.mean()), "smallest": float(stds.min()), "largest": float(stds.max())},
        {
            "layer": [*map(float, range(1, len(stds) + 1))],
            "stds": stds.tolist(),
            "ranked": np.sort(stds)[::-1].tolist(),
        },
    )


def _mean_of_numbers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the first axis of what is a number, NaN where nothing is."""
    numbers = np.isfinite(values)
    counts = numbers.sum(axis=0)
    return np.where(counts > 0, np.where(numbers, values, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)
