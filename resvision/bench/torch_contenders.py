"""Our nets by torch: eager as `predict RUN` computes them, and compiled as an evaluation may."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from resvision.bench.contenders import Subject
from resvision.bench.engine_contenders import labelling
from resvision.contracts import Images
from resvision.core.errors import SettingsError
from resvision.inference.load import Trained
from resvision.kinds.seen_samples import Seen
from resvision.training import machine as machines
from resvision.training.evaluation import compiled as compiled_system
from resvision.training.evaluation import evaluating


class Eager:
    """A run as `predict` has it, a `Contender`."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained
        self.precision = trained.machine.precision
        self.described = f"torch {torch.__version__.partition('+')[0]}, eager, {self.precision}"

    def on_views(self, views: Sequence[Seen]) -> Callable[[], object]:
        """The raw results for views."""
        return lambda: self._trained.raw(views)

    def on_files(self, files: Sequence[Path]) -> Callable[[], int] | None:
        """Files to results."""
        return labelling(self._trained, files)


class Compiled(Eager):
    """The run's `predict` as one graph with its weights folded in; files are left to the eager one."""

    def __init__(self, trained: Trained) -> None:
        super().__init__(trained)
        self.described = self.described.replace("eager", "compiled")
        self._graph = compiled_system(trained.system)

    def on_views(self, views: Sequence[Seen]) -> Callable[[], object]:
        """The predictions for views, whose pixels are stacked beforehand."""
        images = Images(torch.from_numpy(np.stack([one.pixels for one in views])).permute(0, 3, 1, 2))

        def predictions() -> object:
            with evaluating(self._trained.system), machines.autocast(self._trained.machine), torch.no_grad():
                return self._graph(images)

        return predictions

    def on_files(self, files: Sequence[Path]) -> None:
        """Nothing."""


def eager(subject: Subject) -> Eager:
    """The run by torch."""
    return Eager(subject.trained)


def compiled(subject: Subject) -> Compiled:
    """The compiled run; SettingsError where there is nothing to compile with."""
    if hindrance := machines.compile_hindrance(subject.trained.machine.device):
        raise SettingsError(hindrance)
    return Compiled(subject.trained)
