"""Files and folders written beside their place, and renamed once they are whole.

A draft has a name that did not exist, so it writes over nothing and follows no link; and a rename over a link replaces
the link. While its writer lives, the kernel holds a lock on the draft. One that has no lock was left by a kill, and
`sweep` removes it.
"""

import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from resvision.core.files import RefusedFileError

if sys.platform != "win32":
    import fcntl

_DRAFT = re.compile(r"\..+\.[0-9a-f]{16}\.new", re.DOTALL)


@contextmanager
def draft_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file to fill. It is flushed and renamed over `path` at the end, or removed where that is not reached.

    Raises OSError.
    """
    draft, descriptor = _new(path, _make_file)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, to fill and to rename; what is left of it in the end is removed. Raises OSError."""
    draft, descriptor = _new(path, _make_folder)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # the disk may be full because of it
        os.close(descriptor)


def real_folder(path: Path) -> Path:
    """Make a folder unless it is there; RefusedFileError where a link or a file has its name."""
    with suppress(FileExistsError):
        path.mkdir()
    mode = path.lstat().st_mode
    if not stat.S_ISDIR(mode):
        what = "a link, which is not followed" if stat.S_ISLNK(mode) else "not a folder"
        raise RefusedFileError(path, f"{what}; put a folder in its place")
    return path


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all it holds; what a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def is_draft(name: str) -> bool:
    """Whether a file in a folder of ours is a draft, by its name; older versions wrote no digits into it."""
    return name.startswith(".") and name.endswith(".new")


def sweep(folder: Path, *, ours: bool) -> None:
    """Remove the drafts in a folder whose writers were killed, as far as that is possible.

    In a folder that is not ours alone, only names with the digits of a draft count.
    """
    if sys.platform == "win32":  # it has no such locks
        return
    with suppress(OSError):
        for path in folder.iterdir():
            if _DRAFT.fullmatch(path.name) or (ours and is_draft(path.name)):
                with suppress(OSError):  # of a writer that lives, of another user, or a link
                    _remove_dead(path)


def sync_folder(folder: Path) -> None:
    """Flush a directory's entries to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _new(path: Path, make: Callable[[Path], int]) -> tuple[Path, int]:
    """Make a locked draft of `path`: its path and its descriptor."""
    while True:
        draft = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.new")  # a name may be as long as can be
        descriptor = make(draft)
        # between making and locking, a sweep may have taken it for one of a dead writer
        if _lock(descriptor) and draft.exists():
            return draft, descriptor
        os.close(descriptor)


def _make_file(draft: Path) -> int:
    return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)


def _make_folder(draft: Path) -> int:
    draft.mkdir()
    return os.open(draft, os.O_RDONLY)


def _lock(descriptor: int) -> bool:
    """Lock a draft until it is closed; False where another process has the lock. Not all file systems know locks."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True


def _remove_dead(path: Path) -> None:
    """Remove a draft that nobody has locked; OSError where somebody has, or where that cannot be known."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    finally:
        os.close(descriptor)
