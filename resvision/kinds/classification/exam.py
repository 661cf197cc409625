"""The scoring of a classifier whose probabilities come from a graph, image by image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import SettingsError, printable
from resvision.core.samples import Reader
from resvision.kinds.classification.presets import CENTER_CROP, find
from resvision.kinds.classification.scores import ClassificationScores, Tally
from resvision.kinds.model_card import ModelCard
from resvision.kinds.seen_samples import Seen


class ClassificationExam:
    """The exam of one view of each image, a `kinds.kind.Exam`."""

    def __init__(self, model: ModelCard, reader: Reader[int], protocol: str | None) -> None:
        if find(protocol or CENTER_CROP).name != CENTER_CROP:
            raise SettingsError(f"--protocol {protocol}: asks for several views of an image; leave it out")
        self._labels = model.indices_of(reader.classes, data=reader.name)
        self._model, self._reader = model, reader
        self._tally = Tally(len(reader), len(model.classes))

    def add(self, index: int, raw: NDArray[Any], seen: Seen, target: int) -> None:
        """Take in the probabilities of an image, (K,)."""
        self._tally.add(np.array([index]), np.asarray(raw, np.float32)[None], np.array([self._labels[target]]))

    def scores(self) -> ClassificationScores:
        """Errors, loss and confusion; NonFiniteLossError where probabilities were not numbers."""
        return self._tally.scores(self._model.classes, lambda index: printable(self._reader.source(index)))
