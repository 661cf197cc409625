"""The reader of `gradients.jsonl`: norms of the loss's gradient in every layer, at the steps that a run sampled.

A line is a JSON object of `step`, the optimizer step from 1 on whose gradient it is, and `norms`: by the name of each
convolution and linear layer, in the order of the forward pass, the norm of the gradient of its weight; null where it is
no number. The gradient is that of the whole batch, over all its parts and all processes, before `training.clip_norm`.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from resvision.core.errors import RunError
from resvision.core.files import parse_json, read_lines


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
    try:
        for number, line in enumerate(read_lines(path), start=1):
            if line.endswith(b"\n"):  # else it was cut off
                yield _norms(line.decode(errors="replace"), where=f"{path}:{number}")
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None


def to_json(sample: GradientNorms) -> dict[str, Any]:
    """The content of a line."""
    norms = {name: norm if math.isfinite(norm) else None for name, norm in sample.norms.items()}
    return {"step": sample.step, "norms": norms}


def _norms(line: str, *, where: str) -> GradientNorms:
    try:
        record = parse_json(line)
    except ValueError as error:
        raise RunError(f"{where}: not a line of gradient norms: {error}") from None
    norms = record.get("norms") if isinstance(record, dict) else None
    if not isinstance(norms, dict) or type(record.get("step")) is not int:
        raise RunError(f"{where}: not a line of gradient norms: expected a JSON object with a step and norms")
    if not all(norm is None or type(norm) in {int, float} for norm in norms.values()):
        raise RunError(f"{where}: not a line of gradient norms: a norm is not a number")
    return GradientNorms(record["step"], {name: math.nan if n is None else float(n) for name, n in norms.items()})
