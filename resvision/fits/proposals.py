"""The regions that a trained net proposes in its images, as the fit of a phase: Faster R-CNN, trained in four steps.

Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3.2: the proposals of a first region proposal network are
kept, and the head that looks at regions is trained on them. The tensors are a file as `data.proposals` reads it.

Glossary
    N, P   images, regions of an image
    boxes  (P, 4) float32, x1 y1 x2 y2 in continuous pixels of the upright image, the surest first
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray

from resvision.assembly import assemble, task_name
from resvision.contracts import CountedBatches
from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.core.progress import Bar
from resvision.core.samples import Reader
from resvision.core.tensor_files import tensor_bytes
from resvision.data.identities import name_in_set
from resvision.detection.detector import Detector, ProposingNet
from resvision.geometry.boxes import iou, sides
from resvision.kinds.detection.boxes import BoxTargets
from resvision.loading.workers import batches
from resvision.preparation import reopen
from resvision.run import read_run
from resvision.tasks import task_of
from resvision.training import machine as machines
from resvision.training.checkpoints import load_weights, read_weights
from resvision.training.evaluation import evaluating
from resvision.training.machine import Machine, autocast
from resvision.training_graph import FitInputs, Fitted

NET = "net"
"""The role of the run whose net proposes."""

BATCHES_A_FILE = 16
"""Batches after which their proposals are written, so that a stop loses no more."""

OVERLAPS = (0.5, 0.7)
"""The overlaps from which a true box counts as found by a region."""

Regions = dict[str, NDArray[np.float32]]
"""The regions (P, 4) of images, by their names."""


@dataclass(frozen=True, kw_only=True)
class ProposalOptions:
    """The number of boxes of a map that are looked at, before those that overlap a better one are left out.

    None leaves it to the net. In four steps the paper looks at all.
    """

    before: Annotated[int, Meta(ge=1)] | None = None


def region_proposals(inputs: FitInputs) -> Fitted:
    """Let the net of the parent `net` propose regions in all images of its data; a tensor (P, 4) by each one's name.

    A training image has as many as the net learns from, any other as many as it looks at in prediction. The figures:
    the mean number of both, and the share of true boxes in the test images that a region finds, by overlap.

    Raises SettingsError where the net proposes none, and what loading a run raises.
    """
    options = inputs.read_options(ProposalOptions)
    run = read_run(inputs.parent(NET), allow_code=inputs.allow_code)
    built = assemble(reopen(run), device=machines.prepare(run.machine), begun=True)
    if not isinstance(built.system, Detector) or not isinstance(built.system.net, ProposingNet):
        raise SettingsError(f"parents: {NET}: {run.model.name} proposes no regions; name a run of Faster R-CNN")
    load_weights(built.system.net, inputs.weights(NET))
    splits, task = built.splits, task_of(task_name(run))
    proposer = Proposer(built.system, run.machine, options.before)
    regions: dict[str, Regions] = {}
    for part, reader in (("train", splits.train), ("validation", splits.validation), ("test", splits.test)):
        if reader is not None:
            share = task.exam_batches(reader, batch_size=2 * run.training.batch_size, rank=0, world=1)
            regions[part] = _kept(inputs, proposer, share, reader, part=part)
    counts = {f"regions_to_{part}_on": mean_count(regions[part]) for part in ("train", "test")}
    return Fitted(
        tensors={name: boxes for some in regions.values() for name, boxes in some.items()},
        evaluation={**recalls(regions["test"], splits.test), **counts},
    )


class Proposer:
    """A detector whose net proposes regions, and how many boxes of a map it looks at."""

    def __init__(self, system: Detector, machine: Machine, before: int | None) -> None:
        assert isinstance(system.net, ProposingNet)
        self.system, self.net, self.machine, self.before = system, system.net, machine, before

    @torch.no_grad()
    def regions(
        self, share: CountedBatches, numbers: range, reader: Reader[BoxTargets], *, to_train: bool
    ) -> Iterator[Regions]:
        """The regions of the images of each batch, cut off at the edges of the image."""
        device = next(self.net.parameters()).device
        with evaluating(self.system):
            for batch in batches(share, numbers.start, numbers.stop, workers=self.machine.workers or 0):
                with autocast(self.machine):
                    images = self.system.normalized(batch.inputs.images.to(device))
                    proposals = self.net.proposed(images, to_train=to_train, before=self.before).cpu().numpy()
                regions: Regions = {}
                for index, boxes, target in zip(batch.ids.tolist(), proposals, batch.targets, strict=True):
                    in_image = target.geometry.boxes_to_image(boxes).astype(np.float32)
                    regions[name_in_set(reader, index)] = in_image[(sides(in_image) > 0).all(axis=1)]
                yield regions


def recalls(regions: Mapping[str, NDArray[np.float32]], reader: Reader[BoxTargets]) -> dict[str, float]:
    """The share of all true boxes of a set that some region overlaps by 0.5 and by 0.7; 0 where there is no box."""
    best = [np.zeros(0)]
    for index in range(len(reader)):
        truth, boxes = reader.target(index), regions[name_in_set(reader, index)]
        overlaps = iou(truth.boxes[~truth.crowd], boxes.astype(np.float64))
        best.append(overlaps.max(axis=1, initial=0.0))
    found = np.concatenate(best)
    return {
        f"recall_at_{round(100 * overlap)}": float((found >= overlap).mean()) if len(found) else 0.0
        for overlap in OVERLAPS
    }


def mean_count(regions: Mapping[str, NDArray[np.float32]]) -> float:
    """The mean number of regions of an image."""
    return float(np.mean([len(boxes) for boxes in regions.values()]))


def _kept(
    inputs: FitInputs, proposer: Proposer, share: CountedBatches, reader: Reader[BoxTargets], *, part: str
) -> Regions:
    """The regions of the images of a part of the data; those that an earlier start left in `scratch` are used."""
    regions: Regions = {}
    with Bar(inputs.console, f"proposing in {part}", total=len(share), noun="batch") as bar:
        for first in range(0, len(share), BATCHES_A_FILE):
            numbers = range(first, min(first + BATCHES_A_FILE, len(share)))
            path = inputs.scratch / f"{part}-{first}.safetensors"
            if not path.is_file():
                some: Regions = {}
                of_batches = proposer.regions(share, numbers, reader, to_train=part == "train")
                for number, of_batch in zip(numbers, of_batches, strict=True):
                    inputs.leave_if_stopped()
                    some |= of_batch
                    bar.reach(number + 1)
                rundir.write_bytes(path, tensor_bytes(some))
            regions |= {name: tensor.numpy() for name, tensor in read_weights(path).items()}
            bar.reach(numbers.stop)
    return regions
