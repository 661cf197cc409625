"""The run directory: names of its files, and writes that a crash leaves old or new, never half.

run.json             the Run, every value written
phases.json          in a folder of several phases: runs and fits as they were asked for, each in a folder of its own
folds.json           in a folder of a cross-validation: the run and the number of folds, each in a run directory
fit.json             in the folder of a fit, in place of run.json: its function, its options, its parents' folders
weights.safetensors  there: the tensors of the fit
scratch/             there: files that the fit needs to go on; gone when it is done
images.safetensors   hashes of the images that it is trained, validated and tested on, by `data.identities`
environment.json     versions, hardware, threads
history.jsonl        one JSON line a step, and one an evaluation
events/              the same for TensorBoard
gradients.jsonl      one JSON line for each step whose gradient was sampled, by `core.gradient_norms`
checkpoints/step-N/  weights and state; `checkpoints/last` names the newest, `checkpoints/best` that of validation
evaluation.json      the scores of the best weights, otherwise the last, with confusion and worst mistakes
report.html          the page
diverged.json        in the folder of a member of a study whose loss became no number: the error that said so
.lock                while a process trains here
"""

import errno
import json
import os
import platform
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from resvision.core import files
from resvision.core.drafts import draft_file, is_draft, sweep
from resvision.core.errors import RunError, printable

if sys.platform != "win32":
    import fcntl

RUN = "run.json"
PHASES = "phases.json"
FOLDS = "folds.json"
FIT = "fit.json"
SCRATCH = "scratch"
IMAGES = "images.safetensors"
ENVIRONMENT = "environment.json"
HISTORY = "history.jsonl"
EVENTS = "events"
GRADIENTS = "gradients.jsonl"
CHECKPOINTS = "checkpoints"
LAST = "last"
BEST = "best"
EVALUATION = "evaluation.json"
REPORT = "report.html"
DIVERGED = "diverged.json"
LOCK = ".lock"

RUN_FORMAT = 1
LENGTH = r"[1-9][0-9]{0,8} (epochs|steps)"
"""The form of a length of training; nine digits keep its count of steps within 64 bits."""

NO_STEPS = "0 steps"
"""The length of a run whose weights are those that it starts with."""

DURATION = rf"({NO_STEPS}|{LENGTH})"
"""The form of a run's length."""

WEIGHTS = "weights.safetensors"
AVERAGED_WEIGHTS = "ema.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"


def create(name: str, *, root: Path = Path("runs")) -> Path:
    """Make a new directory `root/<name>-<date>-<n>`, n counting from 1; RunError where it cannot be made."""
    for number in count(1):
        folder = root / f"{name}-{date.today():%Y%m%d}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not root.is_dir():
                raise RunError(f"{root}: not a folder; name another place with --out") from None
            continue
        except OSError as error:
            raise unwritable(folder, error) from None
        return folder
    raise AssertionError("counting does not end")


def claim(folder: Path) -> Path:
    """Make the named directory if it is missing; RunError where it already holds something."""
    require_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    return folder


def require_free(folder: Path) -> None:
    """Raise RunError where `folder` holds something already, or is no folder; remains of a killed start are none."""
    try:
        entries = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise unwritable(folder, error) from None
    if {RUN, LOCK} <= entries:
        with locked(folder):  # raises where a process trains in it, which is the better message
            pass
    if entries & {RUN, PHASES, FOLDS}:
        raise RunError(f"{folder}: holds a run already; go on with --resume {folder}, or name another --out")
    if any(name != LOCK and not is_draft(name) for name in entries):
        raise RunError(f"{folder}: not empty; name another --out")


def require(folder: Path) -> Path:
    """The folder itself if it holds a run; RunError where it does not."""
    try:
        is_folder, is_run = folder.is_dir(), (folder / RUN).is_file()
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror}") from None
    if not is_folder:
        raise RunError(f"{folder}: no such run directory")
    if not is_run:
        raise RunError(f"{folder}: not a run directory, it has no {RUN}{_phases_in(folder)}")
    return folder


def _phases_in(folder: Path) -> str:
    """The hint that names the runs inside a folder of several phases; empty for other folders."""
    part = "phases" if (folder / PHASES).is_file() else "folds" if (folder / FOLDS).is_file() else ""
    runs = sorted(str(path.parent) for path in folder.glob(f"*/{RUN}")) if part else []
    return f"; it holds a run for each of several {part}: {', '.join(runs)}" if runs else ""


@contextmanager
def locked(folder: Path, *, use: str = "trained") -> Iterator[bool]:
    """Keep other processes from training in `folder`, or from another `use` of it; RunError where one does.

    The lock is the kernel's: it ends with this process, however that dies, and processes forked on the way do not
    share it. Verbs that only read do not ask for it. The context gives whether there is a lock: Windows, and file
    systems that know none, leave it to the user not to train one run twice at a time.
    """
    path = folder / LOCK
    _require_own_folders(folder)
    try:
        descriptor = _lock(path)
    except BlockingIOError:
        raise RunError(f"{folder}: is being {use} by {_holder(path)}; wait for its end, or stop it first") from None
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        sweep(folder, ours=True)
        yield descriptor is not None
    finally:
        if descriptor is not None:
            # removed before the lock is let go: afterwards it might be the lock of the next process
            with suppress(OSError):  # a file that stays does no harm
                path.unlink()
            os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether another process trains in `folder`, or cleans it; False where locks are not known.

    A process must not ask about a lock of its own, which it would lose by that.
    """
    if sys.platform == "win32":
        return False
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)  # and with it the lock that was tried
    return False


def require_state(checkpoint: Path) -> Path:
    """The optimizer's state in a run's checkpoint; RunError where it was removed, so that the run cannot go on."""
    path = checkpoint / OPTIMIZER
    if not path.is_file():
        raise RunError(
            f"{checkpoint}: its optimizer state was removed, such as by `resvision runs clean --state`: the run can be"
            f" used, but no longer be extended; begin a new one with its weights, --weights {checkpoint.parent.parent}"
        )
    return path


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that `path` holds either its old content or all of the new one."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str, *, option: str = "--out") -> None:
    """Write text as UTF-8, whole or not at all; undecodable bytes of file names become escapes, as JSON knows them."""
    write_bytes(path, text.encode(errors="backslashreplace"), option=option)


def write_bytes(path: Path, data: bytes, *, option: str = "--out") -> None:
    """Write data to a draft, flush it to disk, and rename it over `path`, which replaces a link and follows none.

    RunError where that fails; it names the `option` of the command that takes another place.
    """
    try:
        with draft_file(path) as file:
            file.write(data)
    except OSError as error:
        raise unwritable(path, error, option=option) from None


def read_json(path: Path, *, limit: int = files.DOCUMENT) -> Any:
    """The JSON in `path`; RunError where it is missing, not a regular file, larger than `limit` bytes, or not JSON."""
    try:
        return files.parse_json(files.read_text(path, limit))
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RunError(f"{path}: not valid JSON: {error}") from None


def unwritable(path: Path, error: OSError, *, option: str = "--out") -> RunError:
    """The error of a write that failed: the file, the reason, and the remedy."""
    if isinstance(error, files.RefusedFileError):
        return RunError(f"{error.filename}: {error.strerror}")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        remedy = "make room and try again, with --resume where the run had begun"
    else:
        remedy = f"get the right to write there, or name another place with {option}"
    return RunError(f"{path}: cannot be written: {error.strerror or error}; {remedy}")


def _require_own_folders(folder: Path) -> None:
    """Raise RunError where a link leads from the run directory to another place, whose files would be removed."""
    for name in (CHECKPOINTS, EVENTS, SCRATCH):
        if (folder / name).is_symlink():
            raise RunError(f"{folder / name}: a link, which is not followed; put a folder in its place")


def _lock(path: Path) -> int | None:
    """Lock `path` and return its descriptor, None where there are no locks; BlockingIOError where another has it."""
    if sys.platform == "win32":
        return None
    while True:
        descriptor = _open_lock(path)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last holder removes the file as it leaves. A lock on a removed file would keep nobody out, since the
            # next process makes a new one: open that one then, in another round.
            if _has_name(path, descriptor):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {platform.node()}\n".encode())
                return descriptor
        except OSError as error:
            os.close(descriptor)
            # some network file systems have no locks; an empty file left there would only puzzle
            if error.errno in {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}:
                path.unlink(missing_ok=True)
                return None
            raise
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    """Open the lock to write, and make it if it is missing; RefusedFileError where it is another file as well."""
    nothing_else = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | nothing_else, 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise files.RefusedFileError(path, "a link, which is not followed; remove it") from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise files.RefusedFileError(path, "not a lock but another file, or a second name of one; remove it")
    return descriptor


def _holder(path: Path) -> str:
    """The process that wrote the lock, with its machine where that is not this one."""
    text = ""
    with suppress(OSError, ValueError):  # it may be gone by now
        text = printable(files.read_text(path, 200).strip())
    return text.removesuffix(f" on {platform.node()}") or "another process"


def _has_name(path: Path, descriptor: int) -> bool:
    """Whether the open file still has that name: its last holder may have removed it in between."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
