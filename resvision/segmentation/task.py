"""Segmentation as a run asks for it: a class for every pixel, judged by mean IoU."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor, nn

from resvision.classification.classifier import balanced_weights
from resvision.contracts import Batch, MaskReader, System, TaskName
from resvision.core.errors import SettingsError, printable
from resvision.core.images import Preprocess
from resvision.core.label_maps import JUDGED_BY, SegmentationScores
from resvision.core.settings import Scalar
from resvision.data.pixel_counts import pixel_counts
from resvision.data.sets import Splits, open_splits
from resvision.loading.augment import Augment, require_for_masks
from resvision.loading.mask_loader import MaskEvalBatches, MaskTrainBatches, require_objects
from resvision.segmentation import scoring
from resvision.segmentation.parts.tiles import input_rule
from resvision.segmentation.segmenter import Segmenter
from resvision.segmentation.whole import probabilities_of
from resvision.training.evaluation import evaluating, until_stopped
from resvision.training.machine import Machine, autocast
from resvision.training.stopping import StopSignals

BORDER_SIGMA_PX = 5.0
"""Where the loss does not say, as in the Segmenter."""

MOST_IMAGES = 4
"""Of a batch that is evaluated: K probabilities for each pixel are held at a time."""


class Segmentation:
    """The task whose systems give label maps. See `tasks.Task` for what its parts are asked."""

    name: TaskName = "segmentation"
    judged_by = JUDGED_BY

    def open_splits(self, name_or_folder: str, *, root: Path | None) -> Splits:
        """A named set, or a folder with `images` and `masks`."""
        return open_splits(name_or_folder, root=root, task=self.name)

    def require(self, augment: Augment, loss: Mapping[str, Scalar], reader: MaskReader) -> None:
        """Scale, crop, flip, elastic deformation and brightness are known; border weights are for two classes."""
        require_for_masks(augment)
        if _border(loss):
            require_objects(reader)

    def crop_px(self, net: nn.Module, side_px: int) -> int:
        """As the net's `input_rule` says."""
        return input_rule(net).nearest(side_px)

    def result_shape(self, side_px: int, num_classes: int) -> tuple[int, ...]:
        """A logit for each class and pixel, (K, H, W)."""
        return (num_classes, side_px, side_px)

    def decodes(self, reader: MaskReader, rule: Preprocess, augment: Augment) -> bool:
        """Always: crops are drawn anew from whole images."""
        return True

    def balanced_weights(self, reader: MaskReader, *, power: float = 1.0) -> str:
        """From the pixels of all masks."""
        counts = pixel_counts(reader).tolist()
        if 0 in counts:
            name = printable(reader.classes[counts.index(0)])
            raise SettingsError(f"loss.class_weights: balanced, but {reader.name} has no training pixel of {name}")
        return balanced_weights(counts, power=power)

    def train_batches(
        self,
        reader: MaskReader,
        *,
        batch_size: int,
        seed: int,
        augment: Augment,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> MaskTrainBatches:
        """Crops and their labels, with border weights where the loss has them."""
        return MaskTrainBatches(
            reader,
            batch_size=batch_size,
            seed=seed,
            augment=augment,
            rank=rank,
            world=world,
            grey=True,
            border=_border(loss),
        )

    def exam_batches(self, reader: MaskReader, *, batch_size: int, rank: int, world: int) -> MaskEvalBatches:
        """Whole images, those of one size together."""
        return MaskEvalBatches(reader, batch_size=min(batch_size, MOST_IMAGES), rank=rank, world=world, grey=True)

    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: MaskReader,
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> SegmentationScores:
        """Scores of the system's label maps of whole images."""
        assert isinstance(system, Segmenter), "rows of this task name it, or one made of it"
        device = next(system.net.parameters()).device

        def probabilities(pixels: Tensor) -> Tensor:
            with autocast(machine):
                return probabilities_of(system, pixels, num_classes=len(reader.classes))

        with evaluating(system):
            counts = scoring.count_all(probabilities, until_stopped(batches, stop), device=device)
        return scoring.scores(counts, classes=reader.classes, source=lambda index: printable(reader.source(index)))


def _border(loss: Mapping[str, Scalar]) -> tuple[float, float] | None:
    """Weight and width in pixels of the borders between objects; None where they do not count more."""
    w0, sigma_px = loss.get("border_weight"), loss.get("border_sigma_px", BORDER_SIGMA_PX)
    if isinstance(w0, float | int) and isinstance(sigma_px, float | int) and w0 > 0:
        return float(w0), float(sigma_px)
    return None
