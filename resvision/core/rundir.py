"""The run directory: its names, and writing into it so that a crash leaves the old or the new, never half.

run.json             the Run, every value written
environment.json     versions, hardware, threads
history.jsonl        one JSON line a step, and one an evaluation
events/              the same for TensorBoard
checkpoints/step-N/  weights and state; `checkpoints/last` names the newest
evaluation.json      the scores of the final weights, with confusion and worst mistakes
report.html          the page
"""

import json
import os
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from resvision.core.errors import RunError

RUN = "run.json"
ENVIRONMENT = "environment.json"
HISTORY = "history.jsonl"
EVENTS = "events"
CHECKPOINTS = "checkpoints"
LAST = "last"
EVALUATION = "evaluation.json"
REPORT = "report.html"

WEIGHTS = "weights.safetensors"
AVERAGED_WEIGHTS = "ema.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"


def create(name: str, *, root: Path = Path("runs")) -> Path:
    """A new directory `root/<name>-<date>-<n>`, n counting from 1; RunError where it cannot be made."""
    for n in count(1):
        folder = root / f"{name}-{date.today():%Y%m%d}-{n}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not root.is_dir():
                raise RunError(f"{root}: not a folder; name another place with --out") from None
            continue
        except OSError as error:
            raise _unwritable(folder, error) from None
        return folder
    raise AssertionError("counting does not end")


def claim(folder: Path) -> Path:
    """The named directory, made if it is missing; RunError where it already holds something."""
    require_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return folder


def require_free(folder: Path) -> None:
    """RunError where `folder` holds something already, or is no folder; what a killed write left does not count."""
    if (folder / RUN).exists():
        raise RunError(f"{folder}: holds a run already; go on with --resume {folder}, or name another --out")
    try:
        taken = folder.exists() and any(not _is_neighbour(each.name) for each in folder.iterdir())
    except OSError as error:
        raise _unwritable(folder, error) from None
    if taken:
        raise RunError(f"{folder}: not empty; name another --out")


def require(folder: Path) -> Path:
    """The directory of an existing run; RunError where there is none."""
    if not folder.is_dir():
        raise RunError(f"{folder}: no such run directory")
    if not (folder / RUN).is_file():
        raise RunError(f"{folder}: not a run directory, it has no {RUN}")
    return folder


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that `path` holds either its old content or all of the new one."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a neighbour file, flush it to disk, and rename it over `path`."""
    neighbour = path.with_name(_neighbour(path.name))
    try:
        with neighbour.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None


def read_json(path: Path) -> Any:
    """The JSON in `path`; RunError where it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RunError(f"{path}: not valid JSON: {error}") from None


def sync_folder(folder: Path) -> None:
    """Flush a directory's entries to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _neighbour(name: str) -> str:
    return f".{name}.new"


def _is_neighbour(name: str) -> bool:
    return name.startswith(".") and name.endswith(".new")


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(f"{path}: cannot be written: {error.strerror}; name another place with --out")
