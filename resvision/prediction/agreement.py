"""How far two models say the same of the same images: a run by torch and its bundle, or a bundle on two engines."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from resvision.core.errors import printable
from resvision.core.samples import Reader
from resvision.kinds.prediction_options import PredictionOptions
from resvision.prediction.predictions import result_of, showing
from resvision.prediction.predictor import Predictor

SAMPLES = 200
"""The number of samples that are compared, evenly spread over a set."""


class Agreement(NamedTuple):
    """The mean share of what two models say alike, 0..1, and the number of images."""

    share: float
    images: int


def agreement(
    one: Predictor,
    other: Predictor,
    reader: Reader[Any],
    *,
    most: int = SAMPLES,
    watch: Callable[[int], None] = lambda images: None,
) -> Agreement:
    """Compare what two models of one kind show of the samples of a reader, at most so many.

    watch  called with the number of samples that were compared since the last call

    Raises DataError for an image that cannot be shown.
    """
    models = [showing(model, PredictionOptions()) for model in (one, other)]
    places = np.unique(np.linspace(0, len(reader) - 1, min(most, len(reader))).round().astype(np.int64)).tolist()
    shares = []
    for index in places:
        sample, name = reader[index], printable(reader.source(index))
        results = (result_of(model, sample, name=name, grey=True) for model in models)
        shares.append(one.kind.agreement(*results))
        watch(1)
    return Agreement(float(np.mean(shares)), len(places))
