"""The history of a run, written line by line: `history.jsonl` for programs, `events/` for TensorBoard.

`resvision.core.history` defines the fields of a line, and reads it.
"""

import json
import os
import platform
import time
from io import BytesIO
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from resvision.core import rundir
from resvision.core.drafts import real_folder
from resvision.core.history import read
from resvision.training.growing_files import GrowingFile, written_anew


class History:
    """The history of one run, opened for writing after the first `step` steps.

    Lines of later steps are cut away, and the TensorBoard events are written anew from what is left, so a run
    that was stopped and resumed shows neither a gap nor a step twice. Everything here raises RunError where it
    cannot be written.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        path, events = folder / rundir.HISTORY, _events_path(folder)
        with written_anew(path) as lines_file, written_anew(events) as events_file:
            events_file.write(_record(file_version="brain.Event:2"))
            for line in read(path) if path.exists() else ():  # one at a time: there may be millions
                if line["step"] <= step:
                    lines_file.write(_json(line).encode())
                    events_file.write(_event(line))
        _remove_others(events)
        self._lines, self._events = GrowingFile(path), GrowingFile(events)

    def add(self, line: dict[str, Any]) -> None:
        """Append one line; it is on its way to disk when this returns."""
        self._lines.write(_json(line).encode())
        self._events.write(_event(line))

    def sync(self) -> None:
        """Force the added lines to disk, before a checkpoint says that their steps happened."""
        self._lines.sync()

    def close(self) -> None:
        """Close both forms."""
        self._lines.close()
        self._events.close()


def _events_path(folder: Path) -> Path:
    """The path of a new TensorBoard file of the run in `folder`; RunError where it cannot have one."""
    events = folder / rundir.EVENTS
    try:
        real_folder(events)
    except OSError as error:
        raise rundir.unwritable(events, error) from None
    return events / f"events.out.tfevents.{time.time():010.0f}.{platform.node()}.{os.getpid()}"


def _remove_others(newest: Path) -> None:
    """Remove what else lies in the folder of a TensorBoard file, which would draw its curves twice."""
    try:
        for path in newest.parent.iterdir():
            if path != newest and (path.is_symlink() or not path.is_dir()):
                path.unlink()
    except OSError as error:
        raise rundir.unwritable(newest.parent, error) from None


def _event(line: dict[str, Any]) -> bytes:
    """The figures of a line as one TensorBoard event."""
    group, figures = (line["split"], line["evaluation"]) if "evaluation" in line else ("train", line)
    values = [
        Summary.Value(tag=f"{group}/{name}", simple_value=value)
        for name, value in figures.items()
        if isinstance(value, float)
    ]
    return _record(step=line["step"], summary=Summary(value=values))


def _record(**fields: Any) -> bytes:
    file = BytesIO()
    RecordWriter(file).write(Event(wall_time=time.time(), **fields).SerializeToString())
    return file.getvalue()


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, allow_nan=False) + "\n"
