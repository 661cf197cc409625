"""Classification as a run asks for it: one label an image, judged by top-1 error."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import nn

from resvision.classification import scoring
from resvision.classification.classifier import balanced_weights
from resvision.contracts import Batch, Reader, System, TaskName
from resvision.core.errors import SettingsError, printable
from resvision.core.images import Preprocess
from resvision.core.results import ClassificationScores
from resvision.core.settings import Scalar
from resvision.data.sets import Splits, open_splits
from resvision.loading.augment import Augment, require_for_labels
from resvision.loading.loader import EvalBatches, TrainBatches, fits_memory
from resvision.training.evaluation import predict_all
from resvision.training.machine import Machine
from resvision.training.stopping import StopSignals


class Classification:
    """The task whose systems give class probabilities (N, K). See `tasks.Task` for what its parts are asked."""

    name: TaskName = "classification"
    judged_by = scoring.JUDGED_BY

    def open_splits(self, name_or_folder: str, *, root: Path | None) -> Splits:
        """A named set, or a folder with a folder for each class."""
        return open_splits(name_or_folder, root=root)

    def require(self, augment: Augment, loss: Mapping[str, Scalar], reader: Reader) -> None:
        """Masks alone know random scales and elastic deformation."""
        require_for_labels(augment)

    def crop_px(self, net: nn.Module, side_px: int) -> int:
        """The side itself: nets here are built for it."""
        return side_px

    def result_shape(self, side_px: int, num_classes: int) -> tuple[int, ...]:
        """A logit for each class, (K,)."""
        return (num_classes,)

    def decodes(self, reader: Reader, rule: Preprocess, augment: Augment) -> bool:
        """Where images are cropped at random, changed one by one, or do not fit into memory."""
        return augment.crop != "none" or augment.policy != "none" or not fits_memory(reader, rule)

    def balanced_weights(self, reader: Reader, *, power: float = 1.0) -> str:
        """From the labels of all images."""
        images = Counter(reader.target(index) for index in range(len(reader)))
        counts = [images[k] for k in range(len(reader.classes))]
        if 0 in counts:
            name = printable(reader.classes[counts.index(0)])
            raise SettingsError(f"loss.class_weights: balanced, but {reader.name} has no training image of {name}")
        return balanced_weights(counts, power=power)

    def train_batches(
        self,
        reader: Reader,
        *,
        batch_size: int,
        seed: int,
        augment: Augment,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> TrainBatches:
        """Images and class indices, or MixedTargets."""
        return TrainBatches(
            reader,
            batch_size=batch_size,
            seed=seed,
            augment=augment,
            rank=rank,
            world=world,
            grey=True,  # one channel was asked for, or the images are grey
        )

    def exam_batches(self, reader: Reader, *, batch_size: int, rank: int, world: int) -> EvalBatches:
        """Images as evaluation shows them."""
        return EvalBatches(reader, batch_size=batch_size, rank=rank, world=world, grey=True)

    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: Reader,
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> ClassificationScores:
        """Scores of the system's probabilities, gathered over all processes."""
        predictions = predict_all(system, batches, machine=machine, stop=stop)
        return scoring.score(*predictions, classes=reader.classes, source=lambda index: printable(reader.source(index)))
