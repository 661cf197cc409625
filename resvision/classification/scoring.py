"""Scores of a classifier from its probabilities over a whole data set."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import NonFiniteLossError
from resvision.core.results import ClassificationScores, Mistake

WORST = 25  # mistakes that are kept by name
JUDGED_BY = ("top1_error", "loss")
"""Figures that say which weights are the best, the lower the better: equal errors are parted by the loss."""


def score(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    classes: tuple[str, ...],
    source: Callable[[int], str],
) -> ClassificationScores:
    """Scores of probabilities (N, K) against class indices (N,); `source(i)` names image i.

    A class tied with the true one does not push it out: the true class is among the top k when fewer than
    k classes are more probable, ties broken towards the lower index as argmax does. Raises NonFiniteLossError for
    probabilities that are not numbers.
    """
    if not np.isfinite(probabilities).all():
        raise NonFiniteLossError(
            "the net's predictions are not finite: its weights are damaged or its training diverged"
        )
    images = len(targets)
    true = probabilities[np.arange(images), targets]
    ahead = probabilities > true[:, None]
    ahead |= (probabilities == true[:, None]) & (np.arange(len(classes)) < targets[:, None])
    rank = ahead.sum(axis=1)
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (targets, predicted), 1)
    wrong = np.flatnonzero(rank > 0)
    worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:WORST]
    return ClassificationScores(
        classes=classes,
        images=images,
        loss=float(-np.log(np.maximum(true.astype(np.float64), np.finfo(np.float32).tiny)).mean()),
        top1_error=float((rank >= 1).mean()),
        top5_error=float((rank >= 5).mean()),
        confusion=confusion,
        mistakes=tuple(
            Mistake(
                index=int(i),
                source=source(int(i)),
                true=classes[targets[i]],
                predicted=classes[predicted[i]],
                score=float(probabilities[i, predicted[i]]),
            )
            for i in worst
        ),
    )
