"""The torch half of segmentation: a class for every pixel, judged by mean IoU."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from resvision.classification.classifier import write_out_balanced
from resvision.contracts import Batch, Images, System, WeightedMasks
from resvision.core.errors import printable
from resvision.core.images import VOID
from resvision.core.masks import label_colours
from resvision.core.samples import Mask, Reader
from resvision.core.settings import Scalar, from_options
from resvision.core.views import ShorterSide, View, Whole
from resvision.data.pixel_counts import pixel_counts
from resvision.geometry.tiles import TILE_PX
from resvision.kinds.kind import Exhibit, Panel
from resvision.kinds.segmentation.kind import KIND
from resvision.kinds.segmentation.presets import WHOLE, Preset, find
from resvision.kinds.segmentation.scores import SegmentationScores
from resvision.loading.augment import MaskAugment
from resvision.loading.workers import batches as read_batches
from resvision.probes.padding import centre_alone
from resvision.segmentation import explaining, scoring
from resvision.segmentation.batches import MaskEvalBatches, MaskTrainBatches, require_objects
from resvision.segmentation.full_images import labels_of, probabilities_of
from resvision.segmentation.parts.tiles import input_rule
from resvision.segmentation.segmenter import Segmenter, SegmenterLoss
from resvision.tasks import Described, ExplainedScore, How, Model, Question, Seen, Task, pictures_of
from resvision.tasks.exported_nets import ExportedNet, of_pixels
from resvision.training.evaluation import evaluating, until_stopped
from resvision.training.machine import Machine, autocast, decoding_workers, keep_freed_memory
from resvision.training.stopping import StopSignals

MOST_IMAGES = 4
"""The most images of an evaluation batch, since K probabilities are held for each pixel."""


class SegmentationTask(Task[Mask]):
    """The task whose systems predict class probabilities of every pixel, (N, K, H, W)."""

    kind = KIND
    augment = MaskAugment
    system = "resvision.segmentation.segmenter:Segmenter"

    def require(
        self, augment: MaskAugment, loss: Mapping[str, Scalar], reader: Reader[Mask], *, side_px: int | None
    ) -> None:
        """Raise SettingsError for border weights with other than two classes."""
        if _border(loss):
            require_objects(reader)

    def fitting_side(self, net: nn.Module, side_px: int) -> int:
        """The side nearest to `side_px` that the net's `input_rule` allows."""
        return input_rule(net).nearest(side_px)

    def result_shape(self, side_px: int, num_classes: int | None) -> tuple[int, ...]:
        """The shape of a logit for each class and pixel, (K, H, W)."""
        return (num_classes or 0, side_px, side_px)

    def require_view(self, view: View) -> None:
        """Allow every view, since crops are drawn out of what it shows."""

    def usual_view(
        self, sides: tuple[int, ...], *, mean: tuple[float, ...], std: tuple[float, ...], input_px: int
    ) -> View:
        """Whole images, at their own size, or with the shorter side, and the longer at most, as `sides` name them."""
        if not sides:
            return Whole(channels=len(mean), mean=mean, std=std)
        longest_px = sides[1] if len(sides) > 1 else None
        return ShorterSide(channels=len(mean), mean=mean, std=std, shorter_px=sides[0], longest_px=longest_px)

    def result_words(self, num_classes: int | None) -> str:
        """The result of a segmentation net in words."""
        return f"a logit for each of {num_classes} classes and each pixel"

    def decodes(self, reader: Reader[Mask], augment: MaskAugment) -> bool:
        """Whether images are read again, which they always are: crops are drawn anew from whole images."""
        return True

    def asked_side(self, augment: MaskAugment) -> int | None:
        """The side of the crops, where it is set."""
        return augment.crop_px

    def settled_augment(self, augment: MaskAugment, *, side_px: int | None) -> MaskAugment:
        """Write the side of the crops into the settings."""
        return replace(augment, crop_px=side_px)

    def settled_loss(self, loss: Mapping[str, Scalar], reader: Reader[Mask]) -> dict[str, Scalar]:
        """Write balanced `class_weights` out as numbers, from the pixels of all masks."""
        return write_out_balanced(loss, lambda: pixel_counts(reader).tolist(), reader=reader, unit="pixel")

    def advice(self, system: System, reader: Reader[Mask], side_px: int | None) -> dict[str, str]:
        """Name the atrous kernels that reach beyond crops, while evaluation shows whole images, which may be larger."""
        sides_needed = centre_alone(system.net, (reader.view.channels, side_px, side_px)) if side_px else {}
        if not sides_needed:
            return {}
        widest = sorted(sides_needed, key=sides_needed.__getitem__, reverse=True)
        named = ", ".join(map(printable, widest[:3])) + (", ..." if len(widest) > 3 else "")
        return {
            "atrous": f"in crops of {side_px} px only the centre taps of {named} meet the map; larger images meet the"
            f" others, which stay untrained. data.image_size={max(sides_needed.values())} or more trains them;"
            " `evaluate --protocol sliding-window` shows windows of the crops' size"
        }

    def train_batches(
        self,
        reader: Reader[Mask],
        *,
        batch_size: int,
        seed: int,
        augment: MaskAugment,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> MaskTrainBatches:
        """Make batches of crops and their labels, with border weights where the loss has them."""
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

    def training_exhibits(self, batch: Batch, classes: Sequence[str]) -> list[Exhibit]:
        """The crops, and beside each its labels in the colours of the classes."""
        labels = batch.targets.labels if isinstance(batch.targets, WeightedMasks) else batch.targets
        colours = label_colours(classes)
        return [
            Exhibit("crop", "", "", (Panel("crop", crop), Panel("labels", Image.fromarray(colours[mask]))))
            for crop, mask in zip(pictures_of(batch.inputs.images), labels.numpy().astype(np.uint8), strict=True)
        ]

    def exam_batches(self, reader: Reader[Mask], *, batch_size: int, rank: int, world: int) -> MaskEvalBatches:
        """Make batches of whole images, those of one size together."""
        return MaskEvalBatches(reader, batch_size=min(batch_size, MOST_IMAGES), rank=rank, world=world, grey=True)

    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: Reader[Mask],
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> SegmentationScores:
        """Score the system's label maps of whole images."""
        system_labels = torch.arange(VOID + 1)
        return _score_batches(
            system, until_stopped(batches, stop), reader, reader.classes, system_labels, machine, find(WHOLE), None
        )

    def evaluate(self, model: Model, reader: Reader[Mask], how: How) -> SegmentationScores:
        """Score by a protocol; labels are matched by the names of their classes."""
        preset = find(how.protocol or WHOLE)
        system_labels = torch.full((VOID + 1,), VOID)
        system_labels[: len(reader.classes)] = torch.tensor(model.indices_of(reader.classes, data=reader.name))
        share = MaskEvalBatches(
            reader, batch_size=how.batch_size or MOST_IMAGES, view=model.view, grey=how.grey, in_memory=False
        )
        keep_freed_memory()
        with closing(read_batches(share, 0, len(share), workers=decoding_workers())) as running:
            return _score_batches(
                model.system,
                how.watched(running, len(reader)),
                reader,
                model.classes,
                system_labels,
                model.machine,
                preset,
                model.side_px,
            )

    def describe(self, model: Model, how: How) -> Described:
        """Describe the protocol, also the usual one."""
        preset = find(how.protocol or WHOLE)
        return Described(f"{preset.name}: {preset.summary}", (), preset.name)

    @torch.no_grad()
    def raw(self, model: Model, seen: Sequence[Seen]) -> list[NDArray[Any]]:
        """Predict the label map of each view, (h, w) uint8, in tiles where it is large."""
        keep_freed_memory()
        with evaluating(model.system), autocast(model.machine):
            writable = (np.require(one.pixels, requirements="W") for one in seen)  # torch warns of others
            images = (torch.from_numpy(image).permute(2, 0, 1) for image in writable)
            return [labels_of(_segmenter(model.system), image).numpy() for image in images]

    def exported(self, model: Model, size_px: int | None = None) -> ExportedNet:
        """The net to label maps, (N, h, w) uint8: of squares, of images of any size, or of windows of them."""
        system, rule = _segmenter(model.system), input_rule(model.system.net)
        view = model.view if size_px is None else model.view.sized(size_px)
        side = rule.fixed_px or rule.nearest(view.side_px or size_px or model.side_px or TILE_PX)

        def labels(images: Tensor) -> Tensor:
            return system.logits(Images(images)).argmax(dim=1).to(torch.uint8)

        # an exporter takes sides that are equal in its example for the same number
        free = size_px is None and view.side_px is None and _takes_any_size(system.net)
        net = of_pixels(replace(model, view=view), labels, ("labels",), side, rule.at_least(side + 1) if free else side)
        options = {"multiple": rule.multiple, "offset": rule.offset, "border_px": rule.border_px, "usual_px": side}
        return net._replace(options=options, sides=rule if free else None)

    def explained_score(self, model: Model, seen: Seen, question: Question) -> ExplainedScore:
        """The sum of a class's logits over its pixels, or over the points of the question."""
        return explaining.summed_logits(model, _segmenter(model.system), seen.pixels, question)


def _score_batches(
    system: System,
    batches: Iterable[Batch],
    reader: Reader[Mask],
    classes: tuple[str, ...],
    system_labels: Tensor,
    machine: Machine,
    preset: Preset,
    side_px: int | None,
) -> SegmentationScores:
    """Score the batches by a preset; `system_labels`, (256,) int64, maps the reader's labels to the system's."""
    segmenter = _segmenter(system)
    device = next(system.net.parameters()).device

    def probabilities(pixels: Tensor) -> Tensor:
        with autocast(machine):
            return probabilities_of(
                segmenter,
                pixels,
                num_classes=len(classes),
                scales=preset.scales,
                mirror=preset.mirror,
                window_px=side_px if preset.windows else None,
            )

    with evaluating(system):
        relabelled = (batch._replace(targets=system_labels[batch.targets]) for batch in batches)
        tally = scoring.count_all(probabilities, relabelled, images=len(reader), classes=len(classes), device=device)
    return tally.scores(classes, lambda index: printable(reader.source(index)))


def _takes_any_size(net: nn.Module) -> bool:
    """Whether a graph of the net can take any size: ONNX pools into several cells where it knows the sides alone."""
    pools = (module.output_size for module in net.modules() if isinstance(module, nn.AdaptiveAvgPool2d))
    return input_rule(net).fixed_px is None and all(cells in (1, (1, 1)) for cells in pools)


def _segmenter(system: System) -> Segmenter:
    assert isinstance(system, Segmenter), "rows of this task name it, or a class made of it"
    return system


def _border(loss: Mapping[str, Scalar]) -> tuple[float, float] | None:
    """The weight and the width in pixels of borders between objects; None where they do not count more."""
    options = from_options(SegmenterLoss, loss, at="loss")
    return (options.border_weight, options.border_sigma_px) if options.border_weight > 0 else None


TASK = SegmentationTask()
