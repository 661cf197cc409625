"""Functions of a user's own that follow a training line by line, and may end it."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Protocol

from resvision.training.evaluation import gathered
from resvision.training.machine import rank_and_world


class Callback(Protocol):
    """A function that is given each line of a run's history once it is written, and ends the training by True.

    A line is a dict of its own: `step` and `epoch`; then `lr`, `loss`, its terms, metrics, `images` and `seconds` of a
    step, or `split` and `evaluation`, the figures by name, of an evaluation.
    """

    def __call__(self, line: dict[str, Any], /) -> bool | None:
        """Take in a line; True ends the training after this step, which is evaluated and kept."""
        ...


class Callbacks:
    """The callbacks of a run, which process 0 calls in their order, and all processes heed.

    enough  whether one of them has ended the training
    """

    def __init__(self, callbacks: Sequence[Callback] = ()) -> None:
        self._callbacks = callbacks
        self.enough = False

    def hear(self, line: dict[str, Any]) -> None:
        """Give a line to each of them. What one raises ends the training; the run goes on from its last checkpoint."""
        if not self._callbacks:
            return
        if rank_and_world()[0] == 0:
            answers = [callback(deepcopy(line)) for callback in self._callbacks]
            self.enough = self.enough or any(answers)
        self.enough = any(gathered([self.enough]))
