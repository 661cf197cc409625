"""The torch half of classification: one label an image, judged by top-1 error."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from resvision.classification.classifier import write_out_balanced
from resvision.classification.protocols import MeanOverViews, Protocol, ViewBatches, apply
from resvision.contracts import Batch, System
from resvision.core.errors import SettingsError, printable
from resvision.core.samples import Reader
from resvision.core.settings import Scalar
from resvision.data.folder import FolderReader
from resvision.kinds.classification.kind import KIND
from resvision.kinds.classification.presets import CENTER_CROP, PAPER_CROPS
from resvision.kinds.classification.scores import ClassificationScores, score
from resvision.loading.augment import ImageAugment
from resvision.loading.batches import EvalBatches, TrainBatches, fits_memory
from resvision.loading.workers import batches
from resvision.probes.count import count
from resvision.tasks import Described, How, Model, Task
from resvision.training.evaluation import EVALUATION_COMPILE_PAYS_FROM, Predictions, predict_all
from resvision.training.machine import Machine, can_compile, decoding_workers, keep_freed_memory
from resvision.training.stopping import StopSignals

BATCH_SIZE = 64
"""The number of views that are evaluated at a time by default."""


class ClassificationTask(Task[int]):
    """The task whose systems predict class probabilities (N, K)."""

    kind = KIND
    augment = ImageAugment
    system = "resvision.classification.classifier:Classifier"

    def require(
        self, augment: ImageAugment, loss: Mapping[str, Scalar], reader: Reader[int], *, side_px: int | None
    ) -> None:
        """Raise SettingsError for shifts that move images out of sight."""
        if side_px is not None and augment.shift_px >= side_px:
            raise SettingsError(f"augment.shift_px: {augment.shift_px} moves images of {side_px} px out of sight")

    def result_shape(self, side_px: int, num_classes: int | None) -> tuple[int, ...]:
        """The shape of a logit for each class, (K,)."""
        return (num_classes or 0,)

    def result_words(self, num_classes: int | None) -> str:
        """The result of a classification net in words."""
        return f"a logit for each of {num_classes} classes"

    def decodes(self, reader: Reader[int], augment: ImageAugment) -> bool:
        """Whether images are cropped at random, changed one by one, or do not fit into memory."""
        return augment.crop != "none" or augment.policy != "none" or not fits_memory(reader, reader.view)

    def settled_loss(self, loss: Mapping[str, Scalar], reader: Reader[int]) -> dict[str, Scalar]:
        """Write balanced `class_weights` out as numbers, from the labels of all images."""

        def count_images() -> list[int]:
            images = Counter(reader.target(index) for index in range(len(reader)))
            return [images[k] for k in range(len(reader.classes))]

        return write_out_balanced(loss, count_images, reader=reader, unit="image")

    def train_batches(
        self,
        reader: Reader[int],
        *,
        batch_size: int,
        seed: int,
        augment: ImageAugment,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> TrainBatches:
        """Make batches of images with class indices, or with MixedTargets."""
        return TrainBatches(
            reader,
            batch_size=batch_size,
            seed=seed,
            augment=augment,
            rank=rank,
            world=world,
            grey=True,  # one channel was asked for, or the images are grey
        )

    def exam_batches(self, reader: Reader[int], *, batch_size: int, rank: int, world: int) -> EvalBatches:
        """Make batches of images by the reader's view."""
        return EvalBatches(reader, batch_size=batch_size, rank=rank, world=world, grey=True)

    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: Reader[int],
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> ClassificationScores:
        """Score the system's probabilities, gathered over all processes."""
        predictions = predict_all(system, batches, machine=machine, stop=stop)
        return scored(predictions.outputs, predictions.targets, reader, classes=reader.classes)

    def evaluate(self, model: Model, reader: Reader[int], how: How) -> ClassificationScores:
        """Score by a protocol; classes are matched by name, and `reader` may lack some of them."""
        protocol = apply(how.protocol or CENTER_CROP, model, scales=how.scales)
        index = np.array(model.indices_of(reader.classes, data=reader.name))
        predictions = probabilities(model, reader, protocol, how)
        return scored(predictions.outputs, index[predictions.targets], reader, classes=model.classes)

    def evaluate_together(
        self, models: Sequence[Model], reader: Reader[int], how: How
    ) -> tuple[list[ClassificationScores], ClassificationScores]:
        """Score each model, and the mean of their probabilities (Krizhevsky et al. 2012, section 6)."""
        protocols = [apply(how.protocol or CENTER_CROP, model, scales=how.scales) for model in models]
        classes = models[0].classes
        index = models[0].indices_of(reader.classes, data=reader.name)
        targets = np.array(index)[[reader.target(i) for i in range(len(reader))]]
        outputs: list[NDArray[np.float32]] = []
        for model, protocol in zip(models, protocols, strict=True):
            predicted = probabilities(model, reader, protocol, how).outputs
            outputs.append(predicted[:, [model.classes.index(name) for name in classes]])
        alone = [scored(member, targets, reader, classes=classes) for member in outputs]
        return alone, scored(averaged(outputs), targets, reader, classes=classes)

    def describe(self, model: Model, how: How) -> Described | None:
        """Describe views, scales and pooling, where a protocol was asked for."""
        if how.protocol is None:
            return None
        protocol = apply(how.protocol, model, scales=how.scales)
        return Described(protocol.title, (protocol.details,), protocol.to_json())

    def published_as(self, model: Model, how: How, *, input_px: int) -> tuple[str, tuple[int, ...]] | None:
        """The protocol's published name and scales.

        None where the crops are not of the paper's size, or scales were chosen for a protocol that is not dense.
        """
        protocol = apply(how.protocol or CENTER_CROP, model, scales=how.scales)
        preset = protocol.preset
        own_crops = PAPER_CROPS if input_px in PAPER_CROPS else (input_px,)
        if protocol.view.crop_px not in own_crops or not (preset.dense or protocol.is_usual):
            return None
        return preset.published or preset.name, protocol.scales if preset.dense else ()


def probabilities(model: Model, reader: Reader[int], protocol: Protocol, how: How) -> Predictions:
    """Predict class probabilities of every image by a protocol, (N, K), beside the reader's class indices, (N,).

    Raises SettingsError where compiling is asked for and the protocol is not the single view.
    """
    view, machine, batch_size = protocol.view, model.machine, how.batch_size or BATCH_SIZE
    system, compiled = model.system, how.compiled
    share: EvalBatches | ViewBatches
    if protocol.preset.name == CENTER_CROP:
        share = EvalBatches(reader, batch_size=batch_size, view=view, grey=how.grey, in_memory=False)
        if compiled is None:
            macs = count(system.net, (view.channels, view.crop_px, view.crop_px)).macs
            compiled = macs * len(reader) > EVALUATION_COMPILE_PAYS_FROM and can_compile(machine.device)
    elif compiled:
        raise SettingsError(f"{protocol.preset.name}: --compile is for {CENTER_CROP}; leave it out")
    else:
        share = ViewBatches(reader, protocol, batch_size=batch_size, grey=how.grey)
        system = MeanOverViews(system, protocol, batch_size=batch_size)
    keep_freed_memory()
    workers = decoding_workers() if isinstance(reader, FolderReader) else 0
    with closing(batches(share, 0, len(share), workers=workers)) as running:
        return predict_all(system, running, machine=machine, compiled_for=batch_size if compiled else None)


def averaged(members: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Average the class probabilities (N, K) of several nets, to the bit the same in any order of them."""
    stacked = np.stack(members)
    stacked.sort(axis=0)  # a sum of floats depends on its order
    mean: NDArray[np.float32] = stacked.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def scored(
    outputs: NDArray[np.float32], targets: NDArray[np.int64], reader: Reader[int], *, classes: tuple[str, ...]
) -> ClassificationScores:
    """Score class probabilities (N, K) of a reader's images against class indices (N,)."""
    return score(outputs, targets, classes=classes, source=lambda index: printable(reader.source(index)))


TASK = ClassificationTask()
