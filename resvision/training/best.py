"""The best moment of a run, and when waiting for a better one ends: early stopping (Prechelt 1998)."""

from collections.abc import Iterable, Sequence
from typing import Any

from resvision.core.history import VALIDATION


class BestSoFar:
    """Which validation of a run was the best, from the lines of its history, and from nothing else.

    A resumed run is given the lines up to its checkpoint, and judges as if it had never stopped.

    step   optimizer steps done at the best validation, 0 before the first
    seen   those at the latest
    since  validations after the best
    """

    def __init__(self, figures: Sequence[str], *, patience: int | None, lines: Iterable[dict[str, Any]] = ()) -> None:
        """The lower `figures`, the better, the first before the others; `patience` in validations, None without end.

        Of a figure with a minus before its name, such as `-mean_iou`, more is better.
        """
        self._figures, self._patience = figures, patience
        self._lowest: list[float] = []
        self.step = self.seen = self.since = 0
        for line in lines:
            self.see(line)

    def see(self, line: dict[str, Any]) -> None:
        """Take in one line of the history; those of steps and of other splits say nothing."""
        if line.get("split") != VALIDATION:
            return
        figures = line["evaluation"]
        found = [-figures[name[1:]] if name.startswith("-") else figures[name] for name in self._figures]
        self.seen, self.since = line["step"], self.since + 1
        if not self._lowest or found < self._lowest:
            self._lowest, self.step, self.since = found, self.seen, 0

    @property
    def waited_enough(self) -> bool:
        """Whether `patience` validations have passed without a better one."""
        return self._patience is not None and self.since >= self._patience
