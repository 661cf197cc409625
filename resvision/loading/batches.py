"""Batches of images of one size as pure functions of the step number, so that a run goes on anywhere.

Training visits the samples of epoch e in `order(seed, e)` and draws for sample i from (seed, e, i);
evaluation visits all in their own order. A process of several takes its slice of every global batch. A
small split lives in memory as the net sees it; a large one is read from its files, in workers.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from resvision.contracts import Batch, Images
from resvision.core.draws import order, uniform
from resvision.core.errors import SettingsError
from resvision.core.images import Pixels
from resvision.core.resampling import as_channels, crop_resize, resample
from resvision.core.samples import Reader
from resvision.core.views import View
from resvision.loading.augment import CROP_SLOTS, ELASTIC_SLOTS, ERASE_SLOTS, ImageAugment, brighten, erase, flip, shift
from resvision.loading.exam_batches import ExamBatches
from resvision.loading.mixing import mix
from resvision.loading.policies import apply_policy

MEMORY_BYTES = 256 * 2**20
"""The largest split, in bytes as the net sees it, that is kept in memory."""

SHIFT, FLIP, POLICY = slice(CROP_SLOTS, CROP_SLOTS + 2), CROP_SLOTS + 2, CROP_SLOTS + 3
ERASE = slice(CROP_SLOTS + 4, CROP_SLOTS + 4 + ERASE_SLOTS)
BRIGHTNESS = ERASE.stop
ELASTIC = slice(BRIGHTNESS + 1, BRIGHTNESS + 1 + ELASTIC_SLOTS)
ROTATION = ELASTIC.stop
SLOTS = ROTATION + 1
"""The slots of a sample's draws by change; a new change goes to the end, so that the other draws stay the same."""


Encode = Callable[[Sequence[Any]], Any]
"""A function that turns the targets of a batch into tensors with N first."""


def class_indices(targets: Sequence[Any]) -> torch.Tensor:
    """Encode class indices as a tensor, (N,) int64."""
    return torch.tensor(targets, dtype=torch.int64)


class Visits:
    """The samples that one process sees at each step: its share of a global batch of the epoch's order.

    Raises SettingsError for a batch that the set or the processes cannot fill.
    """

    def __init__(self, reader: Reader[Any], *, batch_size: int, seed: int, rank: int, world: int) -> None:
        if not 1 <= batch_size <= len(reader):
            raise SettingsError(
                f"batch_size: {batch_size}, but {reader.name} has {len(reader):,} training images; "
                f"choose 1..{len(reader)}"
            )
        if batch_size % world:
            raise SettingsError(f"batch_size: {batch_size} cannot be shared by {world} processes; choose a multiple")
        self.steps_per_epoch = len(reader) // batch_size
        self._batch_size, self._seed, self._length = batch_size, seed, len(reader)
        # Neighbouring samples of the global batch go to one process, so that all shares in order are the batch.
        self._share = slice(rank * batch_size // world, (rank + 1) * batch_size // world)
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def at(self, step: int) -> tuple[int, NDArray[np.int64]]:
        """The epoch of a step, and the indices of its samples."""
        epoch, position = divmod(step, self.steps_per_epoch)
        batch = self._epoch_order(epoch)[position * self._batch_size : (position + 1) * self._batch_size]
        return epoch, batch[self._share]

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        # Sorting the order of a large set at every step would take too long.
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, order(self._seed, epoch, self._length)
        return self._order[1]


class TrainBatches(Dataset[Batch]):
    """The training batches of one process; `[step]` is a pure function of the step.

    batch_size  over all processes, a multiple of `world`
    view        in place of the reader's own; it gives all images one size
    grey        convert colour for a net that takes grey
    encode      tensors of the targets of a batch

    An epoch has as many full batches as the set gives; what is left over differs from epoch to epoch. Images of a batch
    have one side: that of the view, or the one whose turn it is in the epoch.
    Raises SettingsError for a batch that the set or the processes cannot fill.
    """

    def __init__(
        self,
        reader: Reader[Any],
        *,
        batch_size: int,
        seed: int,
        augment: ImageAugment,
        rank: int = 0,
        world: int = 1,
        view: View | None = None,
        grey: bool = False,
        encode: Encode = class_indices,
    ) -> None:
        self._visits = Visits(reader, batch_size=batch_size, seed=seed, rank=rank, world=world)
        if augment.mixes and batch_size // world < 2:
            raise SettingsError(
                f"batch_size: {batch_size} over {world} processes leaves mixup and cutmix no second image;"
                f" choose {2 * world} or more"
            )
        self.batch_size, self.seed, self.augment = batch_size, seed, augment
        self.steps_per_epoch = self._visits.steps_per_epoch
        self._reader, self._grey = reader, grey
        self._view = view or reader.view
        self._encode = encode
        # A random crop needs the image at its stored size, which memory does not hold.
        self._memory = kept_in_memory(reader, self._view, grey=grey) if augment.crop == "none" else None
        self._mean = mean_colour(self._view)
        self._fill = [0] * len(self._mean) if augment.fill == "black" else self._mean

    def __getitem__(self, step: int) -> Batch:
        epoch, indices = self._visits.at(step)
        draws = uniform(self.seed, epoch, indices, SLOTS)
        images = self._images(indices, draws, self.augment.side_at(epoch) or _side(self._view))
        if self.augment.shift_px:
            images = shift(images, self.augment.shift_px, draws[:, SHIFT], self._fill)
        if self.augment.flip:
            images = flip(images, draws[:, FLIP])
        if self.augment.brightness:
            images = brighten(images, self.augment.brightness, draws[:, BRIGHTNESS])
        if self.augment.policy != "none":
            images = apply_policy(images, self.augment, draws[:, POLICY], self._fill)
        if self.augment.erase:
            images = erase(images, self.augment.erase, draws[:, ERASE], self._mean)
        targets = self._encode(_targets(self._reader, indices))
        # Mixing comes last: it joins images that are otherwise ready, as the papers do.
        if self.augment.mixes:
            images, mixed = mix(images, targets, self.augment, seed=self.seed, step=step)
            return as_batch(images, mixed, indices)
        return as_batch(images, targets, indices)

    def _images(self, indices: NDArray[np.int64], draws: NDArray[np.float64], side: int) -> Pixels:
        """The images after the crop, which comes before all other changes, (N, side, side, C)."""
        if self.augment.crop == "none":
            shown = _shown(self._reader, indices, self._view, self._memory, grey=self._grey)
            if side == shown.shape[1]:
                return shown
            return np.stack([resample(image, side, side, self._view.interpolation) for image in shown])
        return np.stack([self._crop(int(i), row, side) for i, row in zip(indices, draws, strict=True)])

    def _crop(self, index: int, draws: NDArray[np.float64], side: int) -> Pixels:
        view = self._view
        name = self._reader.source(index)
        image = as_channels(self._reader[index].image, view.channels, name=name, grey=self._grey)
        height, width = image.shape[:2]
        box = self.augment.crop_box(height, width, _side(view), draws)  # whatever the side it is shown at
        return crop_resize(image, box, side, view.interpolation)


class EvalBatches(ExamBatches):
    """The evaluation batches of one process, of images of one size.

    batch_size  of this process
    view        in place of the reader's own; it gives all images one size
    grey        convert colour for a net that takes grey
    encode      tensors of the targets of a batch
    in_memory   keep a small set for the next time; False where each image is asked for once
    """

    def __init__(
        self,
        reader: Reader[Any],
        *,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        view: View | None = None,
        grey: bool = False,
        encode: Encode = class_indices,
        in_memory: bool = True,
    ) -> None:
        super().__init__(len(reader), batch_size=batch_size, rank=rank, world=world)
        self._reader, self._grey = reader, grey
        self._view = view or reader.view
        self._encode = encode
        self._memory = kept_in_memory(reader, self._view, grey=grey) if in_memory else None

    def batch_of(self, ids: NDArray[np.int64]) -> Batch:
        """The images as the view shows them, and their targets."""
        images = _shown(self._reader, ids, self._view, self._memory, grey=self._grey)
        return as_batch(images, self._encode(_targets(self._reader, ids)), ids)


def mean_colour(view: View) -> list[int]:
    """The mean colour, which is zero once normalized, (C,) in 0..255."""
    colour: list[int] = np.rint(255 * np.array(view.mean)).astype(int).tolist()
    return colour


def kept_in_memory(reader: Reader[Any], view: View, *, grey: bool = False) -> Pixels | None:
    """All images as the net sees them, (M, H, W, C), or None where that takes more than MEMORY_BYTES."""
    if not fits_memory(reader, view):
        return None
    side = _side(view)
    images = np.empty((len(reader), side, side, view.channels), dtype=np.uint8)
    for index in range(len(reader)):
        images[index] = view.show(reader[index].image, name=reader.source(index), grey=grey).pixels
    return images


def fits_memory(reader: Reader[Any], view: View) -> bool:
    """Whether all images, as the net sees them, take at most MEMORY_BYTES."""
    return len(reader) * _side(view) ** 2 * view.channels <= MEMORY_BYTES


def sizes_fit_memory(sizes: Iterable[tuple[int, int]], channels: int) -> bool:
    """Whether images of these heights and widths, with a byte for each channel, take at most MEMORY_BYTES."""
    room = MEMORY_BYTES
    for height, width in sizes:
        room -= height * width * channels
        if room < 0:
            return False
    return True


def _side(view: View) -> int:
    """The side of the square that the view gives; SettingsError where it gives images of different sizes."""
    if view.side_px is None:
        raise SettingsError(f"a view of kind {view.kind} gives images of different sizes, which make no batch")
    return view.side_px


def _shown(reader: Reader[Any], indices: NDArray[np.int64], view: View, memory: Pixels | None, *, grey: bool) -> Pixels:
    """The images as evaluation shows them, (N, H, W, C), from memory or from the reader."""
    if memory is not None:
        return np.asarray(memory[indices])
    pairs = ((reader[i].image, reader.source(i)) for i in indices.tolist())
    return np.stack([view.show(image, name=name, grey=grey).pixels for image, name in pairs])


def _targets(reader: Reader[Any], indices: NDArray[np.int64]) -> list[Any]:
    return [reader.target(int(index)) for index in indices]


def as_batch(images: Pixels, targets: Any, indices: NDArray[np.int64]) -> Batch:
    """A batch of images (N, H, W, C): (N, C, H, W) is a view of them, which is what torch calls channels_last."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    return Batch(inputs=Images(pixels), targets=targets, ids=torch.from_numpy(indices.copy()))
