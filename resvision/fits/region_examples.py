"""Features of the regions of training images, kept on disk under a bound: what SVMs and box regression learn from.

An image gives examples once, which are written to a file of their own until the bound is reached; those of the images
beyond it are computed anew whenever they are asked for. Both come in the type of the files, so that a fit does not
depend on which images were kept.

Glossary
    R, P   regions of an image, its true boxes first; the pairs among them
    K      classes
    D, F   features by which classes are told, and by which boxes are moved
    boxes  x1 y1 x2 y2, in continuous pixels of the view
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from resvision import catalog
from resvision.assembly import build_system, task_name
from resvision.contracts import fp32_or_more
from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.files import require_tensors
from resvision.core.progress import Bar
from resvision.core.samples import Reader
from resvision.core.tensor_files import tensor_bytes
from resvision.detection.batches import BoxEvalBatches
from resvision.detection.detector import is_region
from resvision.detection.parts.box_coding import BoxCoding
from resvision.detection.parts.classified_regions import REGIONS_AT_A_TIME, ClassifiedRegionNet, RegionFeatures
from resvision.detection.parts.region_classifier import RegionClassifier
from resvision.geometry.boxes import iou, share_inside
from resvision.kinds.detection.boxes import BoxTargets, Flags, Floats
from resvision.preparation import reopen
from resvision.run import Run, read_run
from resvision.tasks import task_of
from resvision.training import machine as machines
from resvision.training.evaluation import evaluating
from resvision.training.initial import initial_state
from resvision.training_graph import FitInputs

FITTED = ("svms", "box_layer")
"""The layers of a net that are fitted here."""

Single = NDArray[np.float32]
FileType = Literal["float16", "float32"]
GIB = 2**30
MOSTLY = 0.5
"""The share of a region inside a crowd from which it is no background."""


class RegionExamples(NamedTuple):
    """The regions of one image as examples for SVMs.

    features  (R, D) float16 or float32
    overlaps  (R, K) float32, the largest intersection over union with a true box of each class; 1 in a crowd
    labels    (R,) int64, the class of a true box, -1 of any other region
    norms     (R,) float32, of the features by which boxes are moved
    """

    features: NDArray[Any]
    overlaps: NDArray[np.float32]
    labels: NDArray[np.int64]
    norms: NDArray[np.float32]


class BoxPairs(NamedTuple):
    """The regions of one image that overlap a true box, as examples for regression.

    features  (P, F) float16 or float32
    offsets   (P, 4) float32, from the region to the true box that it overlaps most, as `BoxCoding` has them
    labels    (P,) int64, the class of that box
    """

    features: NDArray[Any]
    offsets: NDArray[np.float32]
    labels: NDArray[np.int64]


Examples = TypeVar("Examples", RegionExamples, BoxPairs)


class RegionsOfRun:
    """The training images of a run with their regions, and its net with the layers that are to be fitted.

    run, reader, system  of the run; the net is built with scores "svm", and has the weights of the run's result

    Raises SettingsError where the parent `net` is no run of such a net, and what loading a run raises.
    """

    def __init__(self, inputs: FitInputs, role: str) -> None:
        run = read_run(inputs.parent(role), allow_code=inputs.allow_code)
        self.run = run
        prepared = reopen(run)
        device = machines.prepare(run.machine)
        self.system = _with_fitted_layers(run)
        net = self.system.net
        machines.place(net, run.machine, device)
        fresh = [name for name in FITTED if hasattr(net, name)]
        net.load_state_dict(initial_state(net, inputs.weights(role), fresh=fresh))
        reader: Reader[BoxTargets] = task_of(task_name(run)).supplied(prepared.splits.train, net, run.data.proposals)
        self._batches = BoxEvalBatches(reader, batch_size=1, grey=True, in_memory=False)

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.run.data.classes or ()

    def examples(self, index: int) -> RegionExamples:
        """All regions of an image, its true boxes first."""
        images, regions, truth = self._image(index)
        objects = truth.at(~truth.crowd)
        boxes = np.concatenate([objects.boxes, regions])
        overlaps = np.zeros((len(boxes), len(self.classes)), dtype=np.float32)
        for label in set(objects.labels.tolist()):
            overlaps[:, label] = iou(boxes, objects.boxes[objects.labels == label]).max(axis=1)
        overlaps[_in_crowd(boxes, truth)] = 1.0
        labels = np.concatenate([objects.labels, np.full(len(regions), -1)])
        last, pooled = self._features(images, boxes)
        return RegionExamples(last, overlaps, labels, np.linalg.norm(pooled, axis=1))

    def pairs(self, index: int, least: float) -> BoxPairs:
        """The regions of an image that overlap a true box by more than `least`, the true boxes among them."""
        images, regions, truth = self._image(index)
        objects = truth.at(~truth.crowd)
        boxes = np.concatenate([objects.boxes, regions])
        overlaps = iou(boxes, objects.boxes) if len(objects.labels) else np.zeros((len(boxes), 1))
        close = overlaps.max(axis=1) > least
        partner = overlaps.argmax(axis=1)[close]
        offsets = BoxCoding().encode(torch.from_numpy(objects.boxes[partner]), torch.from_numpy(boxes[close]))
        return BoxPairs(
            self._features(images, boxes[close])[1],
            offsets.numpy().astype(np.float32),
            objects.labels[partner],
        )

    def _image(self, index: int) -> tuple[Tensor, Floats, BoxTargets]:
        """The view of an image (1, C, H, W), its regions (R, 4), and its true boxes in pixels of the view."""
        inputs, [(truth, geometry)], _ = self._batches[index]
        regions = inputs.proposals[0][is_region(inputs.proposals[0])]
        boxes = geometry.boxes_to_view(truth.boxes)
        return inputs.images, regions.numpy().astype(np.float64), truth._replace(boxes=boxes)

    @torch.no_grad()
    def _features(self, images: Tensor, boxes: Floats) -> tuple[Single, Single]:
        """The features (R, D) and (R, F) of regions (R, 4) of an image (1, C, H, W)."""
        net, machine = self.system.net, self.run.machine
        device = self.system.mean.device
        regions = torch.from_numpy(boxes).to(device, torch.float32)
        parts: list[RegionFeatures] = []
        with evaluating(self.system), machines.autocast(machine):
            shared = net.shared(self.system.normalized(images.to(device)))
            for some in torch.split(regions, REGIONS_AT_A_TIME):  # one part without regions where there are none
                features = net.features(shared, torch.zeros(len(some), dtype=torch.int64, device=device), some)
                parts.append(RegionFeatures(*(fp32_or_more(member).cpu() for member in features)))
        last, pooled = (torch.cat(members).numpy() for members in zip(*parts, strict=True))
        return last, pooled


def _with_fitted_layers(run: Run) -> RegionClassifier:
    """The system of a run whose net has the layers that are fitted."""
    if "scores" not in catalog.options(run.model.name, run.model.options):
        raise SettingsError(f"parents: net: {run.model.name} does not classify regions; name a run of rcnn or sppnet")
    model = replace(run.model, options={**run.model.options, "scores": "svm"})
    system = build_system(replace(run, model=model))
    assert isinstance(system, RegionClassifier), "nets with such an option have such a system"
    assert isinstance(system.net, ClassifiedRegionNet), "and are such nets"
    return system


def _in_crowd(boxes: Floats, truth: BoxTargets) -> Flags:
    """Whether each of (R, 4) regions lies mostly in a crowd, (R,)."""
    crowds = truth.boxes[truth.crowd]
    if not len(crowds):
        return np.zeros(len(boxes), dtype=np.bool_)
    return np.asarray(share_inside(boxes, crowds).max(axis=1) > MOSTLY)


@dataclass(kw_only=True)
class ExampleFiles(Generic[Examples]):
    """The examples of a set of images, one file each, until the bound is reached.

    folder       of the files, which may have some from an earlier start
    count        images
    compute      gives the examples of an image
    examples     their type
    feature_type of the features, in files and as they are given
    limit_bytes  of all files together; a file is kept where it fits
    """

    folder: Path
    count: int
    compute: Callable[[int], Examples]
    examples: type[Examples]
    feature_type: FileType
    limit_bytes: int

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        paths = {index: self._path(index) for index in range(self.count)}
        self._bytes = {index: path.stat().st_size for index, path in paths.items() if path.is_file()}

    @property
    def kept_images(self) -> int:
        """The number of images whose examples are kept."""
        return len(self._bytes)

    @property
    def kept_bytes(self) -> int:
        """The bytes of their files."""
        return sum(self._bytes.values())

    def fill(self, inputs: FitInputs) -> None:
        """Compute the examples of all images that are not kept, up to the first that does not fit."""
        with Bar(inputs.console, "features of regions", total=self.count) as bar:
            for index in range(self.count):
                inputs.leave_if_stopped()
                if index not in self._bytes and not self._keep(index, self._computed(index)):
                    return
                bar.advance(1)

    def __iter__(self) -> Iterator[Examples]:
        return (self[index] for index in range(self.count))

    def __getitem__(self, index: int) -> Examples:
        return self._read(index) if index in self._bytes else self._computed(index)

    def _computed(self, index: int) -> Examples:
        computed = self.compute(index)
        return computed._replace(features=computed.features.astype(self.feature_type))

    def _keep(self, index: int, examples: Examples) -> bool:
        """Write a file, unless that goes beyond the bound; whether it was written."""
        data = tensor_bytes(examples._asdict())
        if self.kept_bytes + len(data) > self.limit_bytes:
            return False
        rundir.write_bytes(self._path(index), data)
        self._bytes[index] = len(data)
        return True

    def _read(self, index: int) -> Examples:
        path = self._path(index)
        try:
            require_tensors(path)
            return self.examples(**safetensors.numpy.load_file(path))
        except (OSError, SafetensorError, TypeError) as error:
            raise RunError(f"{path}: cannot be read: {error}; delete it and go on") from None

    def _path(self, index: int) -> Path:
        return self.folder / f"{index}.safetensors"
