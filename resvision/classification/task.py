"""The torch half of classification: one label an image, judged by top-1 error."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resvision.classification.classifier import Classifier, write_out_balanced
from resvision.classification.protocols import MeanOverViews, Protocol, ViewBatches, apply
from resvision.contracts import Batch, Images, MixedTargets, System
from resvision.core.errors import SettingsError, printable
from resvision.core.samples import Reader
from resvision.core.settings import Scalar
from resvision.core.views import SquareView, View
from resvision.data.folder_reader import FolderReader
from resvision.data.selection import Selection
from resvision.kinds.classification.kind import KIND
from resvision.kinds.classification.presets import CENTER_CROP, PAPER_CROPS
from resvision.kinds.classification.scores import ClassificationScores, Tally
from resvision.kinds.kind import Exhibit, Panel
from resvision.loading.augment import ImageAugment
from resvision.loading.batches import EvalBatches, TrainBatches, fits_memory
from resvision.loading.workers import batches
from resvision.probes.count import count
from resvision.tasks import Described, ExplainedScore, How, Model, Question, Seen, Task, images_of, pictures_of
from resvision.training.evaluation import (
    EVALUATION_COMPILE_PAYS_FROM,
    PredictedBatch,
    merged,
    predicted_batches,
)
from resvision.training.machine import Machine, can_compile, decoding_workers, keep_freed_memory
from resvision.training.stopping import StopSignals

T = TypeVar("T")

BATCH_SIZE = 64
"""The number of views that are evaluated at a time by default."""


class ClassificationTask(Task[int]):
    """The task whose systems predict class probabilities (N, K)."""

    kind = KIND
    augment = ImageAugment
    system = "resvision.classification.classifier:Classifier"

    def require_view(self, view: View) -> None:
        """Raise SettingsError for a view that is no crop of a resized image, as all test protocols are."""
        if not isinstance(view, SquareView):
            raise SettingsError(
                f"data.resize: {view.kind} gives no crops, which classification is tested by; choices are"
                " stretch, centre-crop"
            )

    def require(
        self, augment: ImageAugment, loss: Mapping[str, Scalar], reader: Reader[int], *, side_px: int | None
    ) -> None:
        """Raise SettingsError for shifts that move images out of sight."""
        sides = augment.sides_px or (() if side_px is None else (side_px,))
        if sides and augment.shift_px >= min(sides):
            raise SettingsError(f"augment.shift_px: {augment.shift_px} moves images of {min(sides)} px out of sight")

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

    def training_exhibits(self, batch: Batch, classes: Sequence[str]) -> list[Exhibit]:
        """The images with their classes, or with the shares of two classes."""
        targets = batch.targets
        if isinstance(targets, MixedTargets):
            rows = zip(targets.first.tolist(), targets.second.tolist(), targets.share.tolist(), strict=True)
            titles = [
                f"{share:.0%} {classes[first]}, {1 - share:.0%} {classes[second]}" for first, second, share in rows
            ]
        else:
            titles = [classes[target] for target in targets.tolist()]
        return [
            Exhibit(title, title, "", (Panel("", picture),))
            for picture, title in zip(pictures_of(batch.inputs.images), titles, strict=True)
        ]

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
        tally = Tally(len(reader), len(reader.classes))
        for batch in predicted_batches(system, batches, machine=machine, stop=stop):
            tally.add(*batch)
        return merged(tally).scores(reader.classes, named(reader))

    def evaluate(self, model: Model, reader: Reader[int], how: How) -> ClassificationScores:
        """Score by a protocol; classes are matched by name, and `reader` may lack some of them."""
        protocol = apply(how.protocol or CENTER_CROP, model, scales=how.scales)
        index = np.array(model.indices_of(reader.classes, data=reader.name))
        tally = Tally(len(reader), len(model.classes))
        with closing(probabilities(model, reader, protocol, how)) as predictions:
            for ids, outputs, targets in predictions:
                tally.add(ids, outputs, index[targets])
                how.watch(len(ids), len(reader))
        return tally.scores(model.classes, named(reader))

    def evaluate_together(
        self, models: Sequence[Model], reader: Reader[int], how: How
    ) -> tuple[list[ClassificationScores], ClassificationScores]:
        """Score each model, and the mean of their probabilities (Krizhevsky et al. 2012, section 6)."""
        classes = models[0].classes
        index = np.array(models[0].indices_of(reader.classes, data=reader.name))
        order = [[model.classes.index(name) for name in classes] for model in models]
        alone, together = [Tally(len(reader), len(classes)) for _ in models], Tally(len(reader), len(classes))
        for ids, outputs, targets in predicted_together(models, reader, how):
            members = [member[:, columns] for member, columns in zip(outputs, order, strict=True)]
            for tally, member in zip([*alone, together], [*members, averaged(members)], strict=True):
                tally.add(ids, member, index[targets])
            how.watch(len(ids), len(reader))
        return [tally.scores(classes, named(reader)) for tally in alone], together.scores(classes, named(reader))

    @torch.no_grad()
    def explained_score(self, model: Model, seen: Seen, question: Question) -> ExplainedScore:
        """The logit of a class, of the most probable one unless another is asked about."""
        if question.points is not None:
            raise SettingsError("--point: a class is one of the whole image; leave it out, or name --class")
        classifier = model.system
        assert isinstance(classifier, Classifier), "rows of this task name it, or a class made of it"
        images = images_of(model, seen.pixels)

        def logits(images: Tensor) -> Tensor:
            return classifier.logits(Images(images))

        probabilities = logits(images).softmax(dim=1)[0]
        label = int(probabilities.argmax()) if question.label is None else question.label
        name = model.classes[label]
        return ExplainedScore(
            images=images,
            border_px=0,
            net=logits,
            score=lambda output: output[:, label],
            label=name,
            words=f"logit of {name}",
            share=float(probabilities[label]),
        )

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


def predicted_together(
    models: Sequence[Model], reader: Reader[int], how: How
) -> Iterator[tuple[NDArray[np.int64], list[NDArray[np.float32]], NDArray[np.int64]]]:
    """Yield indices (N,), each model's class probabilities (N, K), and class indices (N,), some images at a time.

    The models go through the images side by side, so that no more than a few batches are held.
    """
    with ExitStack() as stack:
        streams = []
        for model in models:
            protocol = apply(how.protocol or CENTER_CROP, model, scales=how.scales)
            streams.append(stack.enter_context(closing(probabilities(model, reader, protocol, how))))
        for rows in _in_batches(zip(*map(_images_of, streams), strict=True), how.batch_size or BATCH_SIZE):
            ids, targets = (np.array([row[0][part] for row in rows]) for part in (0, 2))
            assert all(image[0] == row[0][0] for row in rows for image in row), "all go in the order of the set"
            yield ids, [np.stack([row[number][1] for row in rows]) for number in range(len(models))], targets


def _in_batches(rows: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(rows, size)):
        yield batch


def _images_of(batches: Iterable[PredictedBatch]) -> Iterator[tuple[int, NDArray[np.float32], int]]:
    """Yield index, probabilities (K,) and class index of every image."""
    for ids, outputs, targets in batches:
        yield from zip(ids.tolist(), outputs, targets.tolist(), strict=True)


def probabilities(
    model: Model, reader: Reader[int], protocol: Protocol, how: How
) -> Generator[PredictedBatch, None, None]:
    """Yield class probabilities of every image by a protocol, batch by batch, in the order of the reader.

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
    workers = decoding_workers() if isinstance(reader, FolderReader | Selection) else 0
    with closing(batches(share, 0, len(share), workers=workers)) as running:
        yield from predicted_batches(system, running, machine=machine, compiled_for=batch_size if compiled else None)


def averaged(members: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Average the class probabilities (N, K) of several nets, to the bit the same in any order of them."""
    stacked = np.stack(members)
    stacked.sort(axis=0)  # a sum of floats depends on its order
    mean: NDArray[np.float32] = stacked.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def named(reader: Reader[int]) -> Callable[[int], str]:
    """A function that names the image of an index."""
    return lambda index: printable(reader.source(index))


TASK = ClassificationTask()
