"""A trained run that probes look at, with batches of its own images, as they were split for it."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from resvision.contracts import Batch, PixelSystem, System, to_device
from resvision.core.draws import shuffled
from resvision.core.errors import SettingsError
from resvision.core.samples import Reader
from resvision.data.selection import subset
from resvision.inference.load import Trained
from resvision.preparation import open_data

Split = Literal["train", "test"]


class Specimen(ABC):
    """A trained run, its net and its images, whose batches are read once. Abstract."""

    @property
    @abstractmethod
    def trained(self) -> Trained:
        """The run with the weights of its result, in evaluation mode."""

    @property
    def system(self) -> System:
        """The net with its losses."""
        return self.trained.system

    @property
    def net(self) -> nn.Module:
        """The net, which takes normalized images."""
        return self.system.net

    def reader(self, split: Split, images: int) -> Reader[Any]:
        """So many samples of a split, of all where there are fewer.

        Those of training are drawn by the seed 0, the same for all runs on one set; those of the test are the first.
        """
        run = self.trained.run
        splits = open_data(run, channels=run.data.channels, view=run.data.view)
        reader = splits.train if split == "train" else splits.test
        if images >= len(reader):
            return reader
        order = shuffled(len(reader), seed=0) if split == "train" else np.arange(len(reader))
        return subset(reader, split, np.sort(order[:images]))

    def batches(self, split: Split, images: int, *, size: int = 64) -> list[Batch]:
        """Batches of the samples of `reader`, without augmentation; kept in memory."""
        key = split, images, size
        if key not in self._batches:
            reader = self.reader(split, images)
            task, device = self.trained.task, next(self.net.parameters()).device
            exam = task.exam_batches(reader, batch_size=min(size, len(reader)), rank=0, world=1)
            self._batches[key] = [to_device(exam[number], device) for number in range(len(exam))]
        return self._batches[key]

    def images(self, split: Split, images: int) -> Tensor:
        """Normalized images of a split, (N, C, H, W) float32, the input of `net`.

        Raises SettingsError for a system whose inputs are no images of one size.
        """
        system = self.system
        if not isinstance(system, PixelSystem):
            raise SettingsError(f"{type(system).__name__}: takes no plain images, which this probe shows to a net")
        inputs = [batch.inputs.images for batch in self.batches(split, images)]
        if len({tuple(pixels.shape[1:]) for pixels in inputs}) != 1:
            raise SettingsError(f"{self.trained.title}: its images are of several sizes, which this probe cannot join")
        return system.normalized(torch.cat(inputs))

    @cached_property
    def _batches(self) -> dict[tuple[str, int, int], list[Batch]]:
        return {}
