"""The files of a finished run that nothing needs any more, and their removal.

A run's result is the weights that `best` names, or `last` where validation chose none. `last` and its optimizer's state
stay, so that the run can be extended, unless that state is to go too.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from resvision.core import rundir
from resvision.core.drafts import is_draft, remove
from resvision.core.errors import RunError
from resvision.core.files import SMALL, read_text

_CHECKPOINT = re.compile("step-[0-9]+")


class Leftover(NamedTuple):
    """A file or folder that may go, its size in bytes, and what it is, in words."""

    path: Path
    size: int
    what: str


def leftovers(folder: Path, *, state: bool = False) -> list[Leftover]:
    """The files of a finished run that may go; with `state` also the optimizer's state that could extend it.

    No link is followed. Raises RunError where the folder cannot be read, or names no checkpoint as its last.
    """
    try:
        return [Leftover(path, size_of(path), what) for path, what in _removable(folder, state=state)]
    except (OSError, ValueError) as error:
        raise RunError(f"{folder}: cannot be looked through: {error}") from None


def clean(folder: Path, *, state: bool = False, finished: Callable[[], bool] = lambda: True) -> list[Leftover]:
    """Remove the leftovers of a finished run, and return them.

    finished  asked once no other process can train there: the run may have been extended while a person thought

    Raises RunError where a process trains in the folder, or has since, and for a file that cannot be removed.
    """
    with rundir.locked(folder, use="trained or cleaned"):
        if not finished():
            raise RunError(f"{folder}: is no longer finished, left alone")
        removed = leftovers(folder, state=state)
        for leftover in removed:
            try:
                remove(leftover.path)
            except OSError as error:
                raise RunError(f"{leftover.path}: cannot be removed: {error.strerror}") from None
    return removed


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; those behind links do not count."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size
    total = 0
    for parent, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):  # it may be removed meanwhile
                total += (Path(parent) / name).lstat().st_size
    return total


def _removable(folder: Path, *, state: bool) -> Iterator[tuple[Path, str]]:
    """Yield each path that may go, with what it is."""
    root = folder / rundir.CHECKPOINTS
    if root.is_symlink() or not root.is_dir():
        raise RunError(f"{root}: not a folder of checkpoints; is this a finished run?")
    last = _named_in(root / rundir.LAST)
    best = _named_in(root / rundir.BEST) if (root / rundir.BEST).exists() else last
    for path in sorted(root.iterdir()):
        if _CHECKPOINT.fullmatch(path.name) and path not in (last, best) and (path.is_symlink() or path.is_dir()):
            yield path, "an earlier checkpoint"
        elif is_draft(path.name):
            yield path, "a draft of a process that was killed"
    # To go on is to go on from `last`: the state beside other weights, the best ones, serves nobody.
    spare = {best} - {last} | ({last} if state else set())
    for checkpoint in sorted(spare):
        optimizer = checkpoint / rundir.OPTIMIZER
        if not checkpoint.is_symlink() and optimizer.exists():
            yield optimizer, "the optimizer's state"


def _named_in(pointer: Path) -> Path:
    """The checkpoint that `last` or `best` names; RunError where there is none."""
    folder = pointer.parent / read_text(pointer, SMALL).strip()
    if folder.parent != pointer.parent or not (folder / rundir.STATE).is_file():
        raise RunError(f"{pointer}: names no checkpoint of this run")
    return folder
