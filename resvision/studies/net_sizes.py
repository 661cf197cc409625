"""Sizes of the nets that studies compare, and how a study counts and times them. Reaches no torch.

The nets are those for small images, 16 channels wide as in He et al. 2015, arXiv:1512.03385, section 4.2; those of a
quick study have 8 channels, and images of 16 px.
"""

from collections.abc import Mapping
from typing import Any

from resvision.studies.design import Claim, Column, Measure, Value

USUAL: Mapping[str, Any] = {"model.options.width": 16}
QUICK: Mapping[str, Any] = {"model.options.width": 8, "data.image_size": 16}
"""Settings of the usual nets, and of those that `--quick` takes instead."""

IMAGES = 64
"""The images of a batch that is timed."""

COUNTS = Measure(name="counts", function="resvision.studies.measures_counts:counts")

COUNT_COLUMNS = (
    Column("counts.params", "parameters", "count"),
    Column("counts.macs", "multiply-adds", "count"),
)
FORWARD_COLUMN = Column("times.forward_ms", f"a forward pass of {IMAGES} images", "ms")
STEP_COLUMN = Column("times.step_ms", f"a step of {IMAGES} images", "ms")


def times(rounds: int, *, quick_rounds: int) -> Measure:
    """The measure `times`, for which all nets take turns, in so many rounds."""
    return Measure(
        name="times",
        function="resvision.studies.measures_times:times",
        options={"rounds": rounds, "images": IMAGES},
        quick={"rounds": quick_rounds},
        joint=True,
    )


def faster_step(one: str, other: str) -> Claim:
    """The claim that a step of the net under one condition takes less time than under another."""
    return Claim(
        f"{one} takes less time for a step than {other}", Value(one, "times.step_ms"), Value(other, "times.step_ms")
    )
