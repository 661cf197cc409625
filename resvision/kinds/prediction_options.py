"""The options by which a person chooses among what a net finds, whatever the task."""

from typing import NamedTuple


class PredictionOptions(NamedTuple):
    """Options of predictions that a person may set; None leaves one to the system.

    score     the score, 0..1, above which something counts as found
    iou       the overlap, 0..1, above which of two finds the one of lower score is left out
    suppress  the classes among which that is so: `per-class`, `all`, or groups of names as "cat,dog;car,bus", where a
              class that is not named is a group of its own
    most      the most finds of an image, at least 1
    proposals file of the regions to look at, for a net that finds none itself; None searches for them
    """

    score: float | None = None
    iou: float | None = None
    suppress: str | None = None
    most: int | None = None
    proposals: str | None = None

    def given(self) -> dict[str, bool]:
        """Whether each of the options is given, for `Kind.require_options`."""
        return {name: value is not None for name, value in self._asdict().items()}
