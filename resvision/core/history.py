"""The reader of `history.jsonl`, the history of a run line by line.

A line is a JSON object. Lines of steps have `step` (optimizer steps done, from 1), `epoch` (from 0), `lr`, `loss`,
the loss terms, the system's metrics (`error`, as a share), `images` in the batch over all processes and `seconds`
with loading, without evaluation or checkpoints. Lines of evaluations have `step`, `epoch`, `split` and
`evaluation`, a flat object of figures; the split is TEST where a line does not say.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resvision.core.json_lines import JSONLine, read_json_lines

TEST = "test"
VALIDATION = "validation"
"""Splits that are evaluated. Where images are held out for validation, the test images have no lines."""


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every whole line of a history; a last line cut short by a crash is left out.

    The file may be of any length, since it is never held whole. Raises RunError where it cannot be read, or a line
    before the last is not one that training writes.
    """
    return map(_record, read_json_lines(path, noun="history"))


def _record(line: JSONLine) -> dict[str, Any]:
    """The data in a line, with the split that it is about; RunError where training writes no such line."""
    record = line.content
    if (
        not isinstance(record, dict)
        or type(record.get("step")) is not int
        or not isinstance(record.get("evaluation", {}), dict)
    ):
        raise line.refused("expected a JSON object with a step")
    figures = [value for key, value in record.items() if key != "evaluation"]
    for figure in (*figures, *record.get("evaluation", {}).values()):
        if isinstance(figure, list | dict):
            raise line.refused("a list or an object in the place of a figure")
        if isinstance(figure, float) and not math.isfinite(figure):
            raise line.refused("a figure is not finite")
    if "evaluation" in record:
        record.setdefault("split", TEST)
    return record
