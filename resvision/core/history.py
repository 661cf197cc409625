"""The reader of `history.jsonl`, the history of a run line by line.

A line is a JSON object. Lines of steps have `step` (optimizer steps done, from 1), `epoch` (from 0), `lr`, `loss`,
the loss terms, the system's metrics (`error`, as a share), `images` in the batch over all processes and `seconds`
with loading, without evaluation or checkpoints. Lines of evaluations have `step`, `epoch`, `split` and
`evaluation`, a flat object of figures; the split is TEST where a line does not say.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resvision.core.errors import RunError

TEST = "test"
VALIDATION = "validation"
"""Splits that are evaluated. Where images are held out for validation, the test images have no lines."""


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every whole line of a history; a last line cut short by a crash is left out.

    Raises RunError where the file cannot be read, or a line before the last is not one that training writes.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
    for number, line in enumerate(text.split("\n")[:-1], start=1):  # text after the last newline was cut off
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RunError(f"{path}:{number}: not a line of history: {error}") from None
        if (
            not isinstance(record, dict)
            or type(record.get("step")) is not int
            or not isinstance(record.get("evaluation", {}), dict)
        ):
            raise RunError(f"{path}:{number}: not a line of history: expected a JSON object with a step")
        figures = [*record.values(), *record.get("evaluation", {}).values()]
        if any(isinstance(figure, float) and not math.isfinite(figure) for figure in figures):
            raise RunError(f"{path}:{number}: not a line of history: a figure is not finite")
        if "evaluation" in record:
            record.setdefault("split", TEST)
        yield record
