"""The scoring of a detector whose boxes come from a graph, image by image."""

import numpy as np

from resvision.core.errors import printable
from resvision.core.samples import Reader
from resvision.kinds.detection.boxes import BoxTargets, RawDetections
from resvision.kinds.detection.presets import COCO, find
from resvision.kinds.detection.scores import DetectionScores
from resvision.kinds.detection.tally import Tally
from resvision.kinds.model_card import ModelCard
from resvision.kinds.seen_samples import Seen


class DetectionExam:
    """The exam by a protocol of boxes, a `kinds.kind.Exam`."""

    def __init__(self, model: ModelCard, reader: Reader[BoxTargets], protocol: str | None) -> None:
        self._protocol = find(protocol or COCO).name
        self._labels = np.array(model.indices_of(reader.classes, data=reader.name), dtype=np.int64)
        self._model, self._reader = model, reader
        self._tally = Tally(len(reader), len(model.classes))

    def add(self, index: int, raw: RawDetections, seen: Seen, target: BoxTargets) -> None:
        """Take in the boxes of a view."""
        boxes = seen.geometry.boxes_to_image(raw.boxes.astype(np.float64))
        self._tally.add(index, raw._replace(boxes=boxes), target._replace(labels=self._labels[target.labels]))

    def scores(self) -> DetectionScores:
        """Average precision and the faults; DataError where there is not one box to find."""

        def source(index: int) -> str:
            return printable(self._reader.source(index))

        return self._tally.scores(self._model.classes, source, protocol=self._protocol)
