"""The folders of data sets and caches on this machine."""

import os
import stat
import tempfile
from pathlib import Path

from resvision.core.errors import DataError


def default_root() -> Path:
    """The folder of data sets: $RESVISION_DATA, or resvision/data in the user's cache folder."""
    named = os.environ.get("RESVISION_DATA")
    return Path(named) if named else cache_root() / "data"


def cache_root() -> Path:
    """The cache folder, which may be deleted at any time: $XDG_CACHE_HOME/resvision or ~/.cache/resvision.

    A user without a home folder, as containers have them, gets a private one among the temporary files.
    """
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "resvision"
    try:
        return Path.home() / ".cache" / "resvision"
    except RuntimeError:  # neither HOME is set nor has the user an entry among those of the system
        return _private_folder()


def _private_folder() -> Path:
    """The temporary folder of this user alone; DataError where another user holds its name."""
    folder = Path(tempfile.gettempdir(), f"resvision-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()  # what is read from a cache is believed, so nobody else may write to it
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise DataError(f"{folder}: not a folder of yours alone; name another place for caches by XDG_CACHE_HOME")
    return folder
