"""The scoring of a segmentation net whose label maps come from a graph, image by image."""

from math import nan

import numpy as np

from resvision.core.errors import SettingsError, printable
from resvision.core.images import VOID, Pixels
from resvision.core.samples import Mask, Reader
from resvision.kinds.model_card import ModelCard
from resvision.kinds.seen_samples import Seen
from resvision.kinds.segmentation.presets import WHOLE, find
from resvision.kinds.segmentation.scores import SegmentationScores, Tally


class SegmentationExam:
    """The exam of whole images, each seen once, a `kinds.kind.Exam`. Label maps have no loss."""

    def __init__(self, model: ModelCard, reader: Reader[Mask], protocol: str | None) -> None:
        if find(protocol or WHOLE).name != WHOLE:
            raise SettingsError(f"--protocol {protocol}: asks for several views of an image; leave it out")
        self._labels = np.full(VOID + 1, VOID, dtype=np.uint8)
        self._labels[: len(reader.classes)] = model.indices_of(reader.classes, data=reader.name)
        self._model, self._reader = model, reader
        self._tally = Tally(len(reader), len(model.classes))

    def add(self, index: int, raw: Pixels, seen: Seen, target: Mask) -> None:
        """Take in the label map of a view, (h, w)."""
        truth = self._labels[seen.geometry.map_to_view(target)]
        classes = len(self._model.classes)
        judged = truth != VOID
        cells = truth[judged].astype(np.int64) * classes + raw[judged]
        confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
        self._tally.add(index, confusion, nan)

    def scores(self) -> SegmentationScores:
        """IoU and accuracies; DataError where no pixel is judged."""
        return self._tally.scores(self._model.classes, lambda index: printable(self._reader.source(index)))
