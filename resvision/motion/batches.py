"""Batches of windows as pure functions of the step number; see `resvision.loading.batches`.

A batch draws its rasters from the windows, as `reader.view` says, and reads no picture. A net that looks at none has
its reader in `Undrawn`, and is given one pixel.

Glossary
    N windows, C channels, S side in pixels, H frames of history, T steps
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from resvision.contracts import Batch
from resvision.core.draws import uniform
from resvision.core.errors import SettingsError
from resvision.core.images import Pixels
from resvision.core.samples import Reader, Sample
from resvision.core.views import Raster, View
from resvision.kinds.motion.rasters import drawn
from resvision.kinds.motion.window_arrays import beside_rasters, futures_of, swapped
from resvision.kinds.motion.windows import Window
from resvision.loading.batches import Visits
from resvision.motion.augment import CHOICE, SLOTS, MotionAugment
from resvision.motion.forecaster import MotionInputs, MotionTargets


class Undrawn(Reader[Window]):
    """A reader whose rasters are not drawn, for a net that looks at none."""

    def __init__(self, reader: Reader[Window]) -> None:
        self.name, self.split, self.classes = reader.name, reader.split, reader.classes
        self.view, self.crop_px = reader.view, reader.crop_px
        self._reader = reader

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> Sample[Window]:
        return self._reader[index]

    def target(self, index: int) -> Window:
        """The window."""
        return self._reader.target(index)

    def source(self, index: int) -> str:
        """The source of the window."""
        return self._reader.source(index)

    def target_source(self, index: int) -> str:
        """The source of the target."""
        return self._reader.target_source(index)

    def group(self, index: int) -> str | None:
        """The name of the windows that folds keep together."""
        return self._reader.group(index)


class MotionTrainBatches(Dataset[Batch]):
    """The training batches of one process; `[step]` is a pure function of the step.

    Inputs are MotionInputs, targets MotionTargets.

    batch_size  over all processes, a multiple of `world`

    Raises SettingsError for a batch that the set or the processes cannot fill.
    """

    def __init__(
        self,
        reader: Reader[Window],
        *,
        batch_size: int,
        seed: int,
        augment: MotionAugment,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._visits = Visits(reader, batch_size=batch_size, seed=seed, rank=rank, world=world)
        self.batch_size, self.seed, self.augment = batch_size, seed, augment
        self.steps_per_epoch = self._visits.steps_per_epoch
        self._reader = reader

    def __getitem__(self, step: int) -> Batch:
        epoch, indices = self._visits.at(step)
        draws = uniform(self.seed, epoch, indices, SLOTS)
        windows = self.augment.moved([self._reader.target(index) for index in indices.tolist()], draws)
        mirrors = self.augment.mirrors(draws)
        images = mirrored_images(images_for(self._reader, windows), mirrors)
        inputs = inputs_of(windows, images, mirrors)
        return Batch(inputs, targets_of(windows, draws[:, CHOICE], mirrors), torch.from_numpy(indices.copy()))


class MotionEvalBatches(Dataset[Batch]):
    """The evaluation batches of one process: every window exactly once over all, the last batch short.

    Processes take whole batches in turn, as in `resvision.loading.batches`. Targets are MotionTargets.

    batch_size  of this process
    view        in place of the reader's own
    """

    def __init__(
        self, reader: Reader[Window], *, batch_size: int, rank: int = 0, world: int = 1, view: View | None = None
    ) -> None:
        if batch_size < 1:
            raise SettingsError(f"batch_size: {batch_size}; it must be at least 1")
        self.batch_size = batch_size
        self._reader, self._view = reader, view
        self._starts = range(rank * batch_size, len(reader), world * batch_size)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, position: int) -> Batch:
        start = self._starts[position]
        ids = np.arange(start, min(start + self.batch_size, len(self._reader)), dtype=np.int64)
        windows = [self._reader.target(index) for index in ids.tolist()]
        inputs = inputs_of(windows, images_for(self._reader, windows, self._view))
        return Batch(inputs, targets_of(windows, np.zeros(len(ids))), torch.from_numpy(ids))


def images_for(reader: Reader[Window], windows: Sequence[Window], view: View | None = None) -> Pixels:
    """The rasters of windows (N, C, S, S), or a pixel of each where the reader is not drawn."""
    view = view or reader.view
    if isinstance(reader, Undrawn):
        return undrawn(len(windows), view)
    return rasters(windows, view)


def rasters(windows: Sequence[Window], view: View) -> Pixels:
    """The rasters of windows, (N, C, S, S) uint8."""
    assert isinstance(view, Raster), "`require_view` comes first"
    return drawn(windows, view)


def undrawn(count: int, view: View) -> Pixels:
    """A black pixel in place of each raster, (N, C, 1, 1) uint8."""
    return np.zeros((count, view.channels, 1, 1), dtype=np.uint8)


def inputs_of(windows: Sequence[Window], images: Pixels, mirrors: NDArray[np.bool_] | None = None) -> MotionInputs:
    """The inputs of a net for windows and their rasters (N, C, S, S).

    mirrors  (N,) whether left and right are swapped in what is said in metres; the rasters are taken as they are
    """
    beside = {name: torch.from_numpy(values) for name, values in beside_rasters(windows, mirrors).items()}
    return MotionInputs(images=torch.from_numpy(images).contiguous(memory_format=torch.channels_last), **beside)


def targets_of(
    windows: Sequence[Window], draws: NDArray[np.float64], mirrors: NDArray[np.bool_] | None = None
) -> MotionTargets:
    """The futures of windows; `draws` (N,) go with them, `mirrors` as for `inputs_of`."""
    positions, present = futures_of(windows)
    return MotionTargets(_floats(swapped(positions, mirrors)), _floats(present), _floats(draws))


def mirrored_images(images: Pixels, mirrors: NDArray[np.bool_]) -> Pixels:
    """The rasters (N, C, S, S) with left and right swapped where (N,) `mirrors` says so, in place.

    The agent stands in the middle between left and right, so that a swap of columns is one of the world's sides.
    """
    images[mirrors] = images[mirrors, :, :, ::-1]
    return images


def _floats(values: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
