"""Batches of images with their label maps, as pure functions of the step number; see `resvision.loading.batches`.

Training takes a square crop of every image, at random scale if asked; evaluation shows whole images at their own
size, so a batch holds images of one size only.

Glossary
    image, pixels  (H, W, C) uint8
    mask           (H, W) uint8: 0..K-1, and VOID
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from resvision.contracts import Batch, WeightedMasks
from resvision.core.draws import uniform
from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.images import Pixels, header
from resvision.core.samples import Mask, Reader
from resvision.core.views import View
from resvision.geometry.crops import Window, centre_window, image_in, mask_in, random_scale_window
from resvision.loading.augment import MaskAugment, brighten, flip
from resvision.loading.batches import (
    BRIGHTNESS,
    ELASTIC,
    FLIP,
    ROTATION,
    SLOTS,
    Visits,
    as_batch,
    mean_colour,
    sizes_fit_memory,
)
from resvision.loading.borders import border_weights
from resvision.loading.elastic import Field, displacements, rotation, warped
from resvision.loading.exam_batches import ExamBatches
from resvision.loading.kept_samples import KeptSamples


def require_objects(reader: Reader[Mask]) -> None:
    """Raise SettingsError where a set has other than two classes, which border weights need: ground and objects."""
    if len(reader.classes) != 2:
        raise SettingsError(
            f"border weights are for two classes, the second being the objects; {printable(reader.name)} has "
            f"{len(reader.classes)}; leave them out by --set loss.border_weight=0"
        )


class MaskTrainBatches(Dataset[Batch]):
    """The training batches of one process; `[step]` is a pure function of the step.

    Inputs are Images (N, C, crop_px, crop_px) uint8, targets (N, crop_px, crop_px) int64 with VOID where nothing is
    learned: crops at a random scale, or the centre, padded where the image is smaller.

    batch_size  over all processes, a multiple of `world`
    view        in place of the reader's own
    grey        convert colour for a net that takes grey
    border      w0 and sigma in pixels of the weights that keep objects of class 1 apart; targets are WeightedMasks then

    Raises SettingsError for a batch that the set or the processes cannot fill, where nothing says the crops' side, and
    for `border` with other than two classes.
    """

    def __init__(
        self,
        reader: Reader[Mask],
        *,
        batch_size: int,
        seed: int,
        augment: MaskAugment,
        rank: int = 0,
        world: int = 1,
        view: View | None = None,
        grey: bool = False,
        border: tuple[float, float] | None = None,
    ) -> None:
        if border is not None:
            require_objects(reader)
        self._visits = Visits(reader, batch_size=batch_size, seed=seed, rank=rank, world=world)
        self.batch_size, self.seed, self.augment, self.border = batch_size, seed, augment, border
        self.steps_per_epoch = self._visits.steps_per_epoch
        self._view = view or reader.view
        crop_px = augment.crop_px or reader.crop_px
        if crop_px is None:
            raise SettingsError(f"augment.crop_px: {printable(reader.name)} does not say how large crops are to be")
        self._crop_px = crop_px
        self._pairs = Pairs(reader, self._view, grey=grey)
        colour = mean_colour(self._view)
        self._fill = colour if augment.fill == "mean" else [0] * len(colour)

    def __getitem__(self, step: int) -> Batch:
        epoch, indices = self._visits.at(step)
        draws = uniform(self.seed, epoch, indices, SLOTS)
        crops = [self._crop(int(index), row) for index, row in zip(indices, draws, strict=True)]
        images, masks = np.stack([image for image, _ in crops]), np.stack([mask for _, mask in crops])
        if self.augment.flip:
            images = flip(images, draws[:, FLIP])
            masks = flip(masks[..., None], draws[:, FLIP])[..., 0]
        if self.augment.brightness:
            images = brighten(images, self.augment.brightness, draws[:, BRIGHTNESS])
        return as_batch(images, self._targets(masks), indices)

    def _crop(self, index: int, draws: NDArray[np.float64]) -> tuple[Pixels, Pixels]:
        image, mask = self._pairs[index]
        height, width = mask.shape
        window = self._window(height, width, draws)
        image, mask = image_in(window, image, self._fill, self._view.interpolation), mask_in(window, mask)
        if (field := self._field(draws)) is not None:
            return warped(image, field, order=1), warped(mask, field, order=0)
        return image, mask

    def _field(self, draws: NDArray[np.float64]) -> Field | None:
        """The displacements of elastic deformation and of rotation, which are one warp; None without either."""
        side, fields = self._crop_px, list[Field]()
        if self.augment.elastic_px:
            fields.append(displacements(side, side, draws[ELASTIC], sigma_px=self.augment.elastic_px))
        if self.augment.rotation_degrees:
            fields.append(rotation(side, side, self.augment.rotation_degrees * (2 * draws[ROTATION] - 1)))
        return sum(fields[1:], fields[0]) if fields else None

    def _window(self, height: int, width: int, draws: NDArray[np.float64]) -> Window:
        if self.augment.crop == "none":
            return centre_window(height, width, self._crop_px)
        return random_scale_window(height, width, self._crop_px, self.augment.scale_range, draws)

    def _targets(self, masks: Pixels) -> Tensor | WeightedMasks:
        labels = torch.from_numpy(masks).long()
        if self.border is None:
            return labels
        w0, sigma_px = self.border
        weights = np.stack([border_weights(mask, w0=w0, sigma_px=sigma_px) for mask in masks])
        return WeightedMasks(labels, torch.from_numpy(weights))


class MaskEvalBatches(ExamBatches):
    """The evaluation batches of one process: every image whole, at its own size, beside neighbours of that size.

    view        in place of the reader's own
    grey        convert colour for a net that takes grey
    in_memory   keep a small set for the next time; False where each image is asked for once
    """

    def __init__(
        self,
        reader: Reader[Mask],
        *,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        view: View | None = None,
        grey: bool = False,
        in_memory: bool = True,
    ) -> None:
        sizes = [sides(reader, index) for index in range(len(reader))]
        super().__init__(len(reader), batch_size=batch_size, rank=rank, world=world, sizes=sizes)
        self._pairs = Pairs(reader, view or reader.view, grey=grey, in_memory=in_memory)

    def batch_of(self, ids: NDArray[np.int64]) -> Batch:
        """The whole images, and their masks (N, H, W) int64."""
        images, masks = zip(*(self._pairs[index] for index in ids.tolist()), strict=True)
        return as_batch(np.stack(images), torch.from_numpy(np.stack(masks)).long(), ids)


class Pairs(KeptSamples[tuple[Pixels, Pixels]]):
    """The images of a reader as the view shows them, (h, w, channels), and their masks, (h, w), resized with them.

    Raises DataError where a mask is of another size than its image.
    """

    def __init__(self, reader: Reader[Mask], view: View, *, grey: bool, in_memory: bool = True) -> None:
        self._reader, self._view, self._grey = reader, view, grey
        super().__init__(len(reader), fits=in_memory and fits_memory(reader, view))

    def read(self, index: int) -> tuple[Pixels, Pixels]:
        """The view of an image, and its mask."""
        name = self._reader.source(index)
        image, mask = self._reader[index]
        if mask.shape != image.shape[:2]:
            raise DataError(
                f"{printable(self._reader.target_source(index))}: {_size(mask)} pixels, but its image "
                f"{printable(name)} has {_size(image)}"
            )
        shown = self._view.show(image, name=name, grey=self._grey)
        return shown.pixels, shown.geometry.map_to_view(mask)


def fits_memory(reader: Reader[Mask], view: View) -> bool:
    """Whether all images and masks take at most MEMORY_BYTES."""
    return sizes_fit_memory((sides(reader, index) for index in range(len(reader))), view.channels + 1)


def sides(reader: Reader[Mask], index: int) -> tuple[int, int]:
    """The height and width of an upright mask, from the header of its file where it is a PNG, so without decoding."""
    path = Path(reader.target_source(index))
    if path.suffix.lower() == ".png" and path.is_file():
        return header(path).upright
    height, width = reader.target(index).shape
    return height, width


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
