"""Batches of images with their boxes, as pure functions of the step number; see `resvision.loading.batches`.

Training shows squares: those of the view, or of `crop_px` where a view gives images of different sizes, or of the sides
that are drawn from `sides_px`, one for all images of some steps.
Evaluation shows whole images as the view gives them, so a batch holds images of one size only.

A reader with regions gives ProposedImages, any other Images. Regions go through augmentation as boxes do: behind the
boxes of their image, with the label REGION.

Glossary
    pixels  (h, w, C) uint8, an image as the view shows it
    boxes   (M, 4) x1 y1 x2 y2 in continuous pixels
    truth   the BoxTargets of an image, in pixels of its view in training, of the upright image in evaluation
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from resvision.contracts import Batch, Images
from resvision.core.draws import uniform
from resvision.core.errors import SettingsError, printable
from resvision.core.images import Pixels
from resvision.core.resampling import as_channels
from resvision.core.samples import Reader, Sample
from resvision.core.view_geometry import Geometry
from resvision.core.views import View
from resvision.data.image_sides import image_sides
from resvision.detection.augment import BoxAugment, Square, augmented
from resvision.detection.detector import PADDING, Detector, ProposedImages, RegionDetector, TrueBoxes
from resvision.detection.proposing import ProposedReader
from resvision.kinds.detection.boxes import BoxTargets, Floats
from resvision.loading.batches import Visits, as_batch, sizes_fit_memory
from resvision.loading.exam_batches import ExamBatches
from resvision.loading.kept_samples import KeptSamples
from resvision.tasks import Seen

REGION = -2
"""The label of a region among the boxes of an image."""

NO_REGIONS: Floats = np.empty((0, 4))

FEWEST_PLACES = 8
"""The least number of places for boxes in a batch of training, so that shapes repeat."""


class Target(NamedTuple):
    """The truth by which an image of an evaluation is scored, and the place of its view in it."""

    truth: BoxTargets
    geometry: Geometry


class BoxTrainBatches(Dataset[Batch]):
    """The training batches of one process; `[step]` is a pure function of the step.

    Inputs are Images or ProposedImages (N, C, side, side) uint8, targets TrueBoxes with as many places as the fullest
    image of the batch has boxes, at least FEWEST_PLACES and a power of two.

    batch_size  over all processes, a multiple of `world`
    view        in place of the reader's own
    grey        convert colour for a net that takes grey

    Raises SettingsError for a batch that the set or the processes cannot fill, and where nothing says the squares'
    side.
    """

    def __init__(
        self,
        reader: Reader[BoxTargets],
        *,
        batch_size: int,
        seed: int,
        augment: BoxAugment,
        rank: int = 0,
        world: int = 1,
        view: View | None = None,
        grey: bool = False,
    ) -> None:
        self._visits = Visits(reader, batch_size=batch_size, seed=seed, rank=rank, world=world)
        self.batch_size, self.seed, self.augment = batch_size, seed, augment
        self.steps_per_epoch = self._visits.steps_per_epoch
        view = view or reader.view
        side_px = augment.crop_px or view.side_px or reader.crop_px
        if side_px is None:
            raise SettingsError(f"data.image_size: {printable(reader.name)} does not say how large squares are to be")
        sides_px = {side_px, *augment.sides_px}
        self._side_px, self._squares = side_px, {side: Square.of(view, side, augment.fill) for side in sides_px}
        self._images = StoredImages(reader, view.channels, grey=grey)

    def __getitem__(self, step: int) -> Batch:
        epoch, indices = self._visits.at(step)
        draws = uniform(self.seed, epoch, indices, self.augment.slots)
        square = self._squares[self.augment.side_at(step, seed=self.seed) or self._side_px]
        samples = [self._sample(index, row, square) for index, row in zip(indices.tolist(), draws, strict=True)]
        pixels, truths = zip(*samples, strict=True)
        batch = as_batch(np.stack(pixels), padded([truth.at(truth.labels != REGION) for truth in truths]), indices)
        regions = [truth.boxes[truth.labels == REGION] for truth in truths]
        return proposed(batch, regions, self._images.most_regions)

    def _sample(self, index: int, draws: NDArray[np.float64], square: Square) -> Sample[BoxTargets]:
        joined = [index, *self.augment.partners(draws, len(self._images))]
        return augmented([self._images[one] for one in joined], draws, self.augment, square)


class BoxEvalBatches(ExamBatches):
    """The evaluation batches of one process: every image as the view shows it, beside neighbours of equal size.

    Targets are a list with a Target for each image.

    view       in place of the reader's own
    grey       convert colour for a net that takes grey
    in_memory  keep a small set for the next time; False where each image is asked for once
    """

    def __init__(
        self,
        reader: Reader[BoxTargets],
        *,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        view: View | None = None,
        grey: bool = False,
        in_memory: bool = True,
    ) -> None:
        view = view or reader.view
        super().__init__(len(reader), batch_size=batch_size, rank=rank, world=world, sizes=_sizes(reader, view))
        self._views = Views(reader, view, grey=grey, in_memory=in_memory)

    def batch_of(self, ids: NDArray[np.int64]) -> Batch:
        """The images, their targets, and their regions where the reader has them."""
        pixels, targets, regions = zip(*(self._views[index] for index in ids.tolist()), strict=True)
        batch = as_batch(np.stack(pixels), [*targets], ids)
        return proposed(batch, regions, self._views.most_regions)


class StoredImages(KeptSamples[Sample[BoxTargets]]):
    """The samples of a reader at their stored size, (H, W, channels).

    Of a reader with regions these stand behind the boxes, with the label REGION.
    """

    def __init__(self, reader: Reader[BoxTargets], channels: int, *, grey: bool) -> None:
        self._reader, self._channels, self._grey = reader, channels, grey
        self.most_regions = most_regions(reader)
        fits = sizes_fit_memory((image_sides(reader, index) for index in range(len(reader))), channels)
        super().__init__(len(reader), fits=fits)

    def __len__(self) -> int:
        return len(self._reader)

    def read(self, index: int) -> Sample[BoxTargets]:
        """The image and its boxes, with its regions behind."""
        image, truth = self._reader[index]
        name = self._reader.source(index)
        if isinstance(self._reader, ProposedReader):
            truth = with_regions_behind(truth, self._reader.in_image(image, name))
        return Sample(as_channels(image, self._channels, name=name, grey=self._grey), truth)


class Views(KeptSamples[tuple[Pixels, Target, Floats]]):
    """The images of a reader as the view shows them, with their Target and regions.

    Regions are (P, 4) in pixels of the view, none of a reader without.
    """

    def __init__(self, reader: Reader[BoxTargets], view: View, *, grey: bool, in_memory: bool = True) -> None:
        self._reader, self._view, self._grey = reader, view, grey
        self.most_regions = most_regions(reader)
        super().__init__(len(reader), fits=in_memory and sizes_fit_memory(_sizes(reader, view), view.channels))

    def read(self, index: int) -> tuple[Pixels, Target, Floats]:
        """The view of an image, its truth and its regions."""
        image, truth = self._reader[index]
        name = self._reader.source(index)
        shown = self._view.show(image, name=name, grey=self._grey)
        regions = NO_REGIONS
        if isinstance(self._reader, ProposedReader):
            regions = self._reader.in_view(Seen(*shown, name, image))
        return shown.pixels, Target(truth, shown.geometry), regions


def most_regions(reader: Reader[BoxTargets]) -> int:
    """The number of places for the regions of an image; 0 for a reader without."""
    return reader.most if isinstance(reader, ProposedReader) else 0


def with_regions_behind(truth: BoxTargets, regions: Floats) -> BoxTargets:
    """The boxes of an image, and behind them its regions, (P, 4), with the label REGION."""
    behind = BoxTargets.of(regions, np.full(len(regions), REGION))
    return BoxTargets(*(np.concatenate(members) for members in zip(truth, behind, strict=True)))


def proposed(batch: Batch, regions: Sequence[Floats], most: int) -> Batch:
    """The batch of images with their regions, (P, 4) each, in `most` places; the batch itself for no places."""
    return batch._replace(inputs=ProposedImages(batch.inputs.images, places(regions, most))) if most else batch


def places(regions: Sequence[Floats], most: int) -> Tensor:
    """The regions of several images, (P, 4) each, in `most` places, (N, most, 4); zeros where there is none."""
    boxes = np.zeros((len(regions), most, 4), dtype=np.float32)
    for row, some in zip(boxes, regions, strict=True):
        row[: len(some)] = some[:most]
    return torch.from_numpy(boxes)


def inputs_for(system: Detector, images: Tensor, seen: Sequence[Seen]) -> Images | ProposedImages:
    """The inputs of a system for images (N, C, H, W) of any type that are seen, with regions where it takes these."""
    if not isinstance(system, RegionDetector):
        return Images(images)
    regions = [system.regions.of(one) if one.beside is None else one.beside for one in seen]
    return ProposedImages(images, places(regions, system.net.most_proposals).to(images.device))


def padded(truths: Sequence[BoxTargets]) -> TrueBoxes:
    """The boxes of several images as tensors, padded to one number of places."""
    most = max(len(truth.labels) for truth in truths)
    places = max(FEWEST_PLACES, 1 << max(0, most - 1).bit_length())
    boxes = np.zeros((len(truths), places, 4), dtype=np.float32)
    labels = np.full((len(truths), places), PADDING, dtype=np.int64)
    crowd = np.zeros((len(truths), places), dtype=np.bool_)
    for row, truth in enumerate(truths):
        count = len(truth.labels)
        boxes[row, :count], labels[row, :count], crowd[row, :count] = truth.boxes, truth.labels, truth.crowd
    return TrueBoxes(torch.from_numpy(boxes), torch.from_numpy(labels), torch.from_numpy(crowd))


def _sizes(reader: Reader[BoxTargets], view: View) -> list[tuple[int, int]]:
    """The height and width at which the view shows each image."""
    if view.side_px is not None:
        return [(view.side_px, view.side_px)] * len(reader)
    return [view.resized_sides(*image_sides(reader, index)) for index in range(len(reader))]
