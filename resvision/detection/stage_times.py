"""The time that a detector takes for an image, stage by stage: where R-CNN spends it, and what SPP-net saves.

    search       selective search or whatever else finds regions before the net, of a detector that is given regions
    maps         what is computed of the whole image, once
    proposals    regions made of the maps
    regions      what is computed of each region, pooling or warping included
    heads        logits and offsets at every position of the maps
    suppression  candidates from the raw maps, and which of them remain

A system says which modules of its net begin a stage; a hook before each of them stops the watch. Nothing is compiled or
changed, so that the net computes what it does in `predict`.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from resvision.contracts import Images
from resvision.detection.batches import places
from resvision.detection.detector import Detector, ProposedImages, RegionDetector
from resvision.detection.parts.selective_search import selective_search
from resvision.detection.proposing import SearchedRegions
from resvision.tasks import Seen
from resvision.training.evaluation import evaluating
from resvision.training.machine import Machine, at_work, autocast

STAGES = ("search", "maps", "proposals", "regions", "heads", "suppression")
"""The stages in the order in which an image goes through them; a system has some of them."""


class ImageTimes(NamedTuple):
    """The times of one image.

    seconds    by stage, in the order of STAGES
    proposals  the number of regions that the net looked at; None of a net that looks at none
    """

    seconds: dict[str, float]
    proposals: int | None


class _Watch:
    """Seconds by stage; on a GPU, which works behind the program, it waits for the end of a stage."""

    def __init__(self, first: str, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device = device
        self._stage, self._since = first, self._now()

    def begin(self, stage: str) -> None:
        now = self._now()
        self.seconds[self._stage] += now - self._since
        self._stage, self._since = stage, now

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def looks_at_regions(system: Detector) -> bool:
    """Whether a detector has two stages: regions first, from wherever, and then what is in each."""
    return "regions" in system.stages.values()


def search_seconds(seen: Seen) -> float:
    """The seconds of selective search in one image, whatever regions of it are kept."""
    since = time.perf_counter()
    selective_search(seen.image)
    return time.perf_counter() - since


def searches(system: Detector) -> bool:
    """Whether a detector looks at regions that are searched for, and not at those of a file or of its own."""
    return isinstance(system, RegionDetector) and isinstance(system.regions, SearchedRegions)


def image_times(system: Detector, seen: Seen, machine: Machine, *, rounds: int = 1) -> ImageTimes:
    """The times of one image without a search, of the fastest of several rounds.

    Raises DataError where the file of regions that a detector is given has none for the image.
    """
    inputs: Images | ProposedImages = Images(torch.from_numpy(seen.pixels.copy()).permute(2, 0, 1)[None])
    if isinstance(system, RegionDetector):
        inputs = ProposedImages(inputs.images, places([system.regions.of(seen)], system.net.most_proposals))
    measured = [stage_times(system, inputs, machine) for _ in range(rounds)]
    return min(measured, key=lambda times: sum(times.seconds.values()))


@torch.no_grad()
def stage_times(system: Detector, inputs: Images | ProposedImages, machine: Machine) -> ImageTimes:
    """The times of the stages of `predict` for one image, without a search."""
    device = next(system.net.parameters()).device
    height, width = inputs.images.shape[2:]
    with evaluating(system), at_work(system, machine), autocast(machine), _watched(system, device) as watch:
        maps = system.maps(type(inputs)(*(member.to(device) for member in inputs)))
        watch.begin("suppression")
        system.decoded(maps, (height, width))
        watch.begin("")
    seconds = {stage: watch.seconds[stage] for stage in STAGES if stage in watch.seconds}
    return ImageTimes(seconds, _proposals_in(maps) if looks_at_regions(system) else None)


@contextmanager
def _watched(system: Detector, device: torch.device) -> Iterator[_Watch]:
    """A watch that is stopped where a module of the net begins a stage."""
    with ExitStack() as hooks:
        watch = _Watch(next(iter(system.stages.values())), device)
        for name, stage in system.stages.items():
            handle = system.net.get_submodule(name).register_forward_pre_hook(partial(_begin, watch, stage))
            hooks.callback(handle.remove)
        yield watch


def _begin(watch: _Watch, stage: str, _module: object, _inputs: object) -> None:
    watch.begin(stage)


def _proposals_in(maps: Any) -> int:
    """The regions in the raw maps of one image; a row of zeros is none."""
    proposals: Tensor = maps.proposals
    return int((proposals != 0).any(dim=2).sum())
