"""The beginning of a training, read from its history: how fast a net starts to learn."""

import numpy as np

from resvision.studies.results import Findings
from resvision.studies.subject import Subject


def starts(subject: Subject, steps: int, together: int) -> Findings:
    """Figures `loss` and `first_loss`: means of the training loss over the first steps, and of the first alone.

    Series `step` and `train_loss`: means over `together` steps each. A training of fewer steps is all start.
    """
    losses = subject.outcome.record.steps.metrics["loss"][:steps]
    means = losses[: len(losses) // together * together].reshape(-1, together).mean(axis=1)
    places = (np.arange(len(means)) + 0.5) * together
    return Findings(
        {"loss": float(losses.mean()), "first_loss": float(losses[0])},
        {"step": places.tolist(), "train_loss": means.tolist()},
    )
