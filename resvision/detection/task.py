"""The torch half of detection: boxes and the names of what is in them, judged by average precision."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from resvision.contracts import Batch, Images, System, arrays, tensors_of
from resvision.core.errors import DataError, NonFiniteLossError, SettingsError, printable
from resvision.core.samples import Reader
from resvision.core.settings import Scalar
from resvision.core.views import Letterbox, ShorterSide, View
from resvision.detection import explaining
from resvision.detection.anchor_advice import anchor_advice
from resvision.detection.anchor_showing import anchors_shown, unmatched_shown
from resvision.detection.augment import BoxAugment
from resvision.detection.batches import BoxEvalBatches, BoxTrainBatches, inputs_for
from resvision.detection.detector import Candidates, Detector, ProposedImages, ProposingNet, RegionDetector, RegionNet
from resvision.detection.exhibits import training_exhibits
from resvision.detection.place_advice import place_advice
from resvision.detection.proposal_checks import require_regions
from resvision.detection.proposal_files import ProposalFile
from resvision.detection.proposing import regions_from, with_regions
from resvision.detection.region_search import search_ahead
from resvision.detection.region_showing import recall_shown, regions_shown
from resvision.kinds.detection.asked_suppression import suppression_of
from resvision.kinds.detection.boxes import BoxTargets, Floats, RawDetections
from resvision.kinds.detection.kind import KIND
from resvision.kinds.detection.presets import COCO, find
from resvision.kinds.detection.scores import DetectionScores
from resvision.kinds.detection.tally import Tally
from resvision.kinds.forms import Showing
from resvision.kinds.kind import Exhibit
from resvision.kinds.prediction_options import PredictionOptions
from resvision.loading.workers import batches as read_batches
from resvision.tasks import Described, ExplainedScore, How, Model, Question, Seen, Task, Trained
from resvision.tasks.exported_nets import ExportedNet, of_pixels
from resvision.training.evaluation import evaluating, merged, until_stopped
from resvision.training.machine import Machine, autocast, decoding_workers, rank_and_world
from resvision.training.stopping import StopSignals

EXPORTED_PX = 800
"""The side of the squares of an exported net, where neither a person nor the run says one."""

BATCHED_UP_TO_PX = 320
"""The side of squares from which on an exported net takes one at a time: more only cost memory."""

MOST_IMAGES = 16
"""The most images that a net is shown at a time without training."""


class DetectionTask(Task[BoxTargets]):
    """The task whose systems predict boxes with a score and a class."""

    kind = KIND
    augment = BoxAugment
    system = ""

    def require_view(self, view: View) -> None:
        """Allow every view, since squares are made of what it shows."""

    def usual_view(
        self, sides: tuple[int, ...], *, mean: tuple[float, ...], std: tuple[float, ...], input_px: int
    ) -> View:
        """A letterbox, of the paper's side or of the one that is named; of two sides, the shorter and the longer."""
        if len(sides) < 2:
            return Letterbox(channels=len(mean), mean=mean, std=std, size_px=sides[0] if sides else input_px)
        return ShorterSide(channels=len(mean), mean=mean, std=std, shorter_px=sides[0], longest_px=sides[1])

    def decodes(self, reader: Reader[BoxTargets], augment: BoxAugment) -> bool:
        """Whether images are read again, which they are where they do not fit into memory."""
        return True

    def asked_side(self, augment: BoxAugment) -> int | None:
        """The side of the squares, where it is set."""
        return augment.crop_px

    def settled_augment(self, augment: BoxAugment, *, side_px: int | None) -> BoxAugment:
        """Write the side of the squares into the settings."""
        return replace(augment, crop_px=side_px)

    def require_judging(self, reader: Reader[BoxTargets]) -> None:
        """Ask for a box to find, without which there is no average precision."""
        if all(reader.target(index).crowd.all() for index in range(len(reader))):  # up to the first box
            name = printable(reader.name)
            raise DataError(f"{name}: no box to find in the images of {reader.split}, so they can judge no training")

    def advice(self, system: System, reader: Reader[BoxTargets], side_px: int | None) -> dict[str, str]:
        """Name the boxes that would not be learned, for want of an anchor or of a place of their own.

        Raises SettingsError where no anchor would be trained to find any.
        """
        detector = _detector(system)
        if isinstance(detector, RegionDetector):
            most = detector.net.most_proposals
            return {"regions": f"at most {most:,} of an image, from outside the net; its MACs are those with one"}
        if not side_px:
            return {}
        return {**anchor_advice(detector, reader, side_px), **place_advice(detector, reader, side_px)}

    def require_source(self, reader: Reader[BoxTargets], net: nn.Module, source: str) -> None:
        """Ask for a net that looks at given regions, and for a file that has sound ones for each image."""
        if not isinstance(net, RegionNet | ProposingNet):
            raise SettingsError(f"data.proposals: {type(net).__name__} finds its regions itself; leave it out")
        require_regions(ProposalFile(Path(source)), reader)

    def looks_at_source(self, net: nn.Module) -> bool:
        """Whether a net finds no regions itself."""
        return isinstance(net, RegionNet)

    def supplied(self, reader: Reader[BoxTargets], net: nn.Module, source: str | None) -> Reader[BoxTargets]:
        """The reader with regions for its images, for a net that looks at given ones; they are searched now."""
        if source is not None and isinstance(net, RegionNet | ProposingNet):
            return with_regions(reader, regions_from(source), net.most_proposals)
        if not isinstance(net, RegionNet):
            return super().supplied(reader, net, source)
        rank, world = rank_and_world()
        search_ahead(reader, regions := regions_from(None), rank=rank, world=world)
        return with_regions(reader, regions, net.most_proposals)

    def measure(self, system: System, reader: Reader[BoxTargets]) -> None:
        """Let a system measure what it needs of its training data."""
        _detector(system).measure(reader)

    def train_batches(
        self,
        reader: Reader[BoxTargets],
        *,
        batch_size: int,
        seed: int,
        augment: BoxAugment,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> BoxTrainBatches:
        """Make batches of squares with their boxes."""
        return BoxTrainBatches(
            reader, batch_size=batch_size, seed=seed, augment=augment, rank=rank, world=world, grey=True
        )

    def training_exhibits(self, batch: Batch, classes: Sequence[str]) -> list[Exhibit]:
        """The squares with their boxes."""
        return training_exhibits(batch.inputs.images, batch.targets, classes)

    def anchors_shown(self, system: System, seen: Seen) -> Showing:
        """Show the anchors or priors of each map over an image, or the regions that the net is given."""
        detector = _detector(system)
        if isinstance(detector, RegionDetector):
            return regions_shown(detector, seen)
        return anchors_shown(detector, seen.pixels)

    def unmatched_shown(self, system: System, reader: Reader[BoxTargets]) -> Showing:
        """Show which boxes of a set no anchor would be trained to find, or how many of them regions cover."""
        detector = _detector(system)
        if isinstance(detector, RegionDetector):
            return recall_shown(detector, reader)
        return unmatched_shown(detector, reader)

    def exam_batches(self, reader: Reader[BoxTargets], *, batch_size: int, rank: int, world: int) -> BoxEvalBatches:
        """Make batches of whole views, those of one size together."""
        return BoxEvalBatches(reader, batch_size=min(batch_size, MOST_IMAGES), rank=rank, world=world, grey=True)

    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: Reader[BoxTargets],
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> DetectionScores:
        """Score the boxes that the system finds in whole images."""
        labels = np.arange(len(reader.classes))
        return _score(_detector(system), until_stopped(batches, stop), reader, reader.classes, labels, machine, COCO)

    def evaluate(self, model: Model, reader: Reader[BoxTargets], how: How) -> DetectionScores:
        """Score by a protocol; labels are matched by the names of their classes."""
        protocol = find(how.protocol or COCO).name
        labels = np.array(model.indices_of(reader.classes, data=reader.name), dtype=np.int64)
        system = _detector(model.system)
        if isinstance(system, RegionDetector):
            reader = with_regions(reader, system.regions, system.net.most_proposals)
        share = BoxEvalBatches(
            reader, batch_size=how.batch_size or MOST_IMAGES, view=model.view, grey=how.grey, in_memory=False
        )
        with closing(read_batches(share, 0, len(share), workers=decoding_workers())) as running:
            watched = how.watched(running, len(reader))
            return _score(_detector(model.system), watched, reader, model.classes, labels, model.machine, protocol)

    def describe(self, model: Model, how: How) -> Described:
        """Describe the protocol, also the usual one."""
        preset = find(how.protocol or COCO)
        applied = suppression_of(_detector(model.system).suppression, how.prediction, model.classes)
        among = {None: "of their class", (0,) * len(model.classes): "of any class"}.get(
            applied.groups, "of their group"
        )
        line = (
            f"boxes with a score above {applied.score:g}, but for those that overlap a better one {among} by more than"
            f" {applied.iou:g}; at most {applied.most} in an image"
        )
        return Described(f"{preset.name}: {preset.summary}", (line,), preset.name)

    def published_as(self, model: Model, how: How, *, input_px: int) -> tuple[str, tuple[int, ...]] | None:
        """The protocol, where images have the paper's side, or shorter one, and boxes are chosen as the net does."""
        side = model.view.shorter_px if isinstance(model.view, ShorterSide) else model.view.side_px
        if side != input_px or how.prediction != PredictionOptions():
            return None
        return find(how.protocol or COCO).name, ()

    def configured(self, model: Trained, options: PredictionOptions) -> Trained:
        """The model with another suppression of boxes."""
        system = copy(_detector(model.system))  # which shares the net
        system.suppression = suppression_of(system.suppression, options, model.classes)
        if isinstance(system, RegionDetector):
            system.regions = regions_from(options.proposals)
        elif options.proposals is not None:
            raise SettingsError(f"proposals: {model.name} finds its regions itself; leave it out")
        return replace(model, system=system)

    def beside(self, model: Model, seen: Seen) -> Floats | None:
        """The regions of a view that its net looks at, (P, 4); None for a net that finds them itself."""
        system = _detector(model.system)
        return system.regions.of(seen) if isinstance(system, RegionDetector) else None

    def raw(self, model: Model, seen: Sequence[Seen]) -> list[RawDetections]:
        """Predict the boxes in each view."""
        system = _detector(model.system)
        results: list[RawDetections] = []
        with evaluating(system):
            for first in range(0, len(seen), MOST_IMAGES):
                some = seen[first : first + MOST_IMAGES]
                images = torch.from_numpy(np.stack([one.pixels for one in some])).permute(0, 3, 1, 2)
                results += detections(system, inputs_for(system, images, some), model.machine)
        return results

    def exported(self, model: Model, size_px: int | None = None) -> ExportedNet:
        """The net to candidates, in squares; the kind suppresses those that overlap a better one."""
        system = _detector(model.system)
        if isinstance(system, RegionDetector):
            raise SettingsError(f"export: {model.name} looks at regions that are searched for; export another detector")
        view = model.view if size_px is None else model.view.sized(size_px)
        if view.side_px is None:
            view = letterboxed(view, size_px or model.side_px or EXPORTED_PX)
        rules, sides = system.suppression, (view.side_px or 0,) * 2

        def candidates(images: Tensor) -> tuple[Tensor, ...]:
            return tuple(system.candidates(system.maps(Images(images)), sides))

        net = of_pixels(replace(model, view=view), candidates, Candidates._fields, *sides)
        net = net._replace(options={"score": rules.score, "iou": rules.iou, "most": rules.most})
        if sides[0] <= BATCHED_UP_TO_PX and not isinstance(system.net, ProposingNet):
            return net
        return net._replace(inputs={name: example[:1] for name, example in net.inputs.items()}, batch=1)

    def explained_score(self, model: Model, seen: Seen, question: Question) -> ExplainedScore:
        """The score of the surest box, of the class and about the points of the question."""
        return explaining.best_score(model, _detector(model.system), seen, question)


@torch.no_grad()
def detections(system: Detector, inputs: Images | ProposedImages, machine: Machine) -> list[RawDetections]:
    """The boxes that a system in evaluation mode finds in each of the images.

    Raises NonFiniteLossError where the net's maps are no numbers, in which no score is above any other.
    """
    device = next(system.net.parameters()).device
    with autocast(machine):
        maps = system.maps(type(inputs)(*(member.to(device) for member in inputs)))
        if not all(torch.isfinite(one).all() for one in tensors_of(maps)):
            raise NonFiniteLossError("the net's maps are not finite: its weights are damaged or its training diverged")
        height, width = inputs.images.shape[2:]
        predictions = arrays(system.decoded(maps, (height, width)))
    return [
        RawDetections(boxes[:count], scores[:count], labels[:count])
        for boxes, scores, labels, count in zip(*predictions, strict=True)
    ]


def _score(
    system: Detector,
    batches: Iterable[Batch],
    reader: Reader[BoxTargets],
    classes: tuple[str, ...],
    system_labels: NDArray[np.int64],
    machine: Machine,
    protocol: str,
) -> DetectionScores:
    """Score the batches; `system_labels`, (K,), are the system's for the reader's labels."""
    tally = Tally(len(reader), len(classes))
    with evaluating(system):
        for batch in batches:
            results = detections(system, batch.inputs, machine)
            for index, result, (truth, geometry) in zip(batch.ids.tolist(), results, batch.targets, strict=True):
                boxes = geometry.boxes_to_image(result.boxes)
                tally.add(index, result._replace(boxes=boxes), truth._replace(labels=system_labels[truth.labels]))
    return merged(tally).scores(classes, lambda index: printable(reader.source(index)), protocol=protocol)


def letterboxed(view: View, size_px: int) -> Letterbox:
    """The view with every image in a square of `size_px`, for a graph that has one size."""
    return Letterbox(
        size_px=size_px, channels=view.channels, interpolation=view.interpolation, mean=view.mean, std=view.std
    )


def _detector(system: System) -> Detector:
    assert isinstance(system, Detector), "rows of this task name it, or a class made of it"
    return system


TASK = DetectionTask()
