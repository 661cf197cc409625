"""What happened, a line at a time: `history.jsonl` for programs, `events/` for TensorBoard.

`resvision.core.history` says what a line holds, and reads it.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from resvision.core import rundir
from resvision.core.history import read


class History:
    """The history of one run, opened for writing after the first `step` steps.

    Lines of later steps are cut away, and the TensorBoard events are written anew from what is left, so a run
    that was stopped and resumed shows neither a gap nor a step twice.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        path = folder / rundir.HISTORY
        kept = [line for line in read(path) if line["step"] <= step] if path.exists() else []
        rundir.write_text(path, "".join(_json(line) for line in kept))
        events = folder / rundir.EVENTS
        if events.exists():
            shutil.rmtree(events)
        self._events = SummaryWriter(str(events))
        self._file = path.open("a", encoding="utf-8")
        for line in kept:
            self._draw(line)

    def add(self, line: dict[str, Any]) -> None:
        """Append one line; it is on its way to disk when this returns."""
        self._file.write(_json(line))
        self._file.flush()
        self._draw(line)

    def sync(self) -> None:
        """Force what was added to disk, before a checkpoint says that it happened."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close both forms."""
        self._file.close()
        self._events.close()

    def _draw(self, line: dict[str, Any]) -> None:
        group, values = ("test", line["evaluation"]) if "evaluation" in line else ("train", line)
        for name, value in values.items():
            if isinstance(value, float):
                self._events.add_scalar(f"{group}/{name}", value, line["step"])


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, allow_nan=False) + "\n"
