"""The studies as a list: question, paper, members, and the expected time on this machine. Reaches no torch.

A design holds the minutes that it took on the reference machine. The time on this machine follows from the rates of
both in matrix products, which are most of the work of a convolution. It is a hint and no more: other work slows a
machine down, and nets as small as those of studies gain little from a third core.
"""

import os
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from resvision.studies.design import Design
from resvision.studies.table import STUDIES, design_of

REFERENCE_RATE = 1.48e11
"""The `rate` of the machine of `Design.minutes`: two cores of a Xeon with AVX-512 and AMX."""

CORES = 2
"""The cores that count, as far as a machine has them: those of the reference machine."""

SIDE = 96
"""The side of the matrices: a product that one thread makes in the cache, so that other work hardly disturbs it."""

MEASURED_S = 0.1


class Listed(NamedTuple):
    """A study in the list.

    conditions  that are compared, by name
    minutes     those of `Design`
    """

    name: str
    question: str
    paper: str
    data: str
    conditions: Sequence[str]
    seeds: int
    minutes: tuple[float, float | None] | None

    @property
    def members(self) -> int:
        """The number of trainings."""
        return len(self.conditions) * self.seeds

    def expected_minutes(self, rate_here: float, *, quick: bool) -> float | None:
        """The minutes on a machine of this rate, None where none were measured."""
        minutes = None if self.minutes is None else self.minutes[0 if quick else 1]
        return None if minutes is None else minutes * REFERENCE_RATE / rate_here

    def to_json(self, rate_here: float) -> dict[str, Any]:
        """Plain data."""
        minutes = {
            "quick": self.expected_minutes(rate_here, quick=True),
            "usual": self.expected_minutes(rate_here, quick=False),
        }
        return {**self._asdict(), "members": self.members, "minutes": minutes}


DETECTION_LINE = Listed(
    name="detection-line",
    question="Where do detectors, from R-CNN to RefineDet, spend their time?",
    paper="From Girshick et al. 2013, https://arxiv.org/abs/1311.2524, to Zhang et al. 2017,"
    " https://arxiv.org/abs/1711.06897",
    data="digit-boxes-composed",
    conditions=("rcnn", "sppnet", "fast_rcnn", "faster_rcnn", "ssd", "retinanet", "yolov3", "refinedet"),
    seeds=1,
    minutes=None,
)
"""The study that has a page of its own, and so no Design."""


def listed() -> list[Listed]:
    """All studies: those of the table, in its order, and that of the line of detectors."""
    return [*(of_design(design_of(reference)) for reference in STUDIES.values()), DETECTION_LINE]


def of_design(design: Design) -> Listed:
    """A design in the list."""
    return Listed(
        name=design.name,
        question=design.question,
        paper=design.paper,
        data=", ".join(dict.fromkeys(condition.data or design.data for condition in design.conditions)),
        conditions=[condition.name for condition in design.conditions],
        seeds=design.seeds,
        minutes=design.minutes,
    )


@cache
def rate() -> float:
    """Multiply-adds a second of this machine in float32 matrix products: the best of a tenth of a second, by cores."""
    factor = np.full((SIDE, SIDE), 0.5, np.float32)
    best, until = float("inf"), time.perf_counter() + MEASURED_S
    while (begun := time.perf_counter()) < until:
        factor @ factor
        best = min(best, time.perf_counter() - begun)
    return SIDE**3 / best * min(CORES, os.cpu_count() or 1)
