"""The best validation of a run, and early stopping (Prechelt 1998) where no better one comes."""

from collections.abc import Iterable, Sequence
from typing import Any

from resvision.core.history import VALIDATION


class BestSoFar:
    """The best validation of a run so far, judged from the lines of its history alone.

    A resumed run is given the lines up to its checkpoint, and judges as if it had never stopped.

    step   optimizer steps done at the best validation, 0 before the first
    seen   optimizer steps done at the latest validation
    since  validations after the best
    """

    def __init__(self, figures: Sequence[str], *, patience: int | None, lines: Iterable[dict[str, Any]] = ()) -> None:
        """Judge by `figures`, the lower the better, the first before the others; `patience` in validations or None.

        A figure with a minus before its name, such as `-mean_iou`, is the better the higher.
        """
        self._figures, self._patience = figures, patience
        self._lowest: list[float] = []
        self.step = self.seen = self.since = 0
        for line in lines:
            self.see(line)

    def see(self, line: dict[str, Any]) -> None:
        """Take in one line of the history; lines of steps and of other splits change nothing."""
        if line.get("split") != VALIDATION:
            return
        figures = line["evaluation"]
        score = [-figures[name[1:]] if name.startswith("-") else figures[name] for name in self._figures]
        self.seen, self.since = line["step"], self.since + 1
        if not self._lowest or score < self._lowest:
            self._lowest, self.step, self.since = score, self.seen, 0

    @property
    def waited_enough(self) -> bool:
        """Whether `patience` validations have passed without a better one."""
        return self._patience is not None and self.since >= self._patience
