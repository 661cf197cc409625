"""The reader of `gradients.jsonl`: norms of the loss's gradient in every layer, at the steps that a run sampled.

A line is a JSON object of `step`, the optimizer step from 1 on whose gradient it is, and `norms`: by the name of each
convolution and linear layer, in the order of the forward pass, the norm of the gradient of its weight; null where it is
no number. The gradient is that of the whole batch, over all its parts and all processes, before `training.clip_norm`.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from resvision.core.json_lines import JSONLine, read_json_lines


class GradientNorms(NamedTuple):
    """The norms of one step.

    step   from 1
    norms  by layer, at least 0; NaN where the gradient was no number
    """

    step: int
    norms: dict[str, float]


def read(path: Path) -> Iterator[GradientNorms]:
    """Yield the norms of every whole line; a last line cut short by a crash is left out.

    Raises RunError where the file cannot be read, or a line is not one that training writes.
    """
    return map(_norms, read_json_lines(path, noun="gradient norms"))


def to_json(sample: GradientNorms) -> dict[str, Any]:
    """The content of a line."""
    norms = {name: norm if math.isfinite(norm) else None for name, norm in sample.norms.items()}
    return {"step": sample.step, "norms": norms}


def _norms(line: JSONLine) -> GradientNorms:
    record = line.content
    norms = record.get("norms") if isinstance(record, dict) else None
    if not isinstance(norms, dict) or type(record.get("step")) is not int:
        raise line.refused("expected a JSON object with a step and norms")
    if not all(norm is None or type(norm) in {int, float} for norm in norms.values()):
        raise line.refused("a norm is not a number")
    return GradientNorms(record["step"], {name: math.nan if n is None else float(n) for name, n in norms.items()})
