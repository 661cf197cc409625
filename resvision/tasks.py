"""What a run asks of its task: how a data set becomes batches, and how results become scores.

The loop knows no task; `assembly` asks the one that the model's row of the catalog names, `TASKS` of the catalog being
the table of them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from resvision.contracts import Batch, Batches, CountedBatches, System, TaskName
from resvision.core.images import Preprocess
from resvision.core.settings import Scalar
from resvision.data.sets import Splits
from resvision.loading.augment import Augment
from resvision.training.machine import Machine
from resvision.training.stopping import StopSignals


class Scores(Protocol):
    """Scores over a data set, whatever the task."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of their indices."""
        ...

    @property
    def images(self) -> int:
        """How many were scored."""
        ...

    def figures(self) -> dict[str, float]:
        """What a line of the history says."""
        ...

    def summary(self) -> str:
        """What a person is told at the end, in a line."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        ...


class Task(Protocol):
    """One kind of question that nets answer.

    name       as rows of the catalog and of the table of data sets say it
    judged_by  figures of the history that say which weights are best, the first before the others; the lower the
               better, or the higher where a minus stands before the name
    """

    name: TaskName
    judged_by: tuple[str, ...]

    def open_splits(self, name_or_folder: str, *, root: Path | None) -> Splits:
        """The data set of that name, or a folder of images. Raises UnknownNameError and DataError."""
        ...

    def require(self, augment: Augment, loss: Mapping[str, Scalar], reader: Any) -> None:
        """SettingsError for augmentation that the task does not know, and for a loss that the data do not allow."""
        ...

    def crop_px(self, net: nn.Module, side_px: int) -> int:
        """The side nearest to `side_px` of images that the net can be trained on."""
        ...

    def result_shape(self, side_px: int, num_classes: int) -> tuple[int, ...]:
        """What a net gives for one square image, without the batch."""
        ...

    def decodes(self, reader: Any, rule: Preprocess, augment: Augment) -> bool:
        """Whether every step of training reads image files again."""
        ...

    def balanced_weights(self, reader: Any, *, power: float = 1.0) -> str:
        """`class_weights` under which classes count the same, to a `power`; SettingsError where one does not occur."""
        ...

    def train_batches(
        self,
        reader: Any,
        *,
        batch_size: int,
        seed: int,
        augment: Augment,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> Batches:
        """What this process trains on; `batch_size` is that over all processes."""
        ...

    def exam_batches(self, reader: Any, *, batch_size: int, rank: int, world: int) -> CountedBatches:
        """What this process evaluates, `batch_size` being its own."""
        ...

    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: Any,
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> Scores:
        """Scores of a system over all images of the reader, on every process, from this one's share of the batches.

        Raises Stopped after a stop signal.
        """
        ...
