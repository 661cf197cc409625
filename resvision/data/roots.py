"""The folders of data sets and caches on this machine."""

import os
from pathlib import Path


def default_root() -> Path:
    """The folder of data sets: $RESVISION_DATA, or resvision/data in the user's cache folder."""
    named = os.environ.get("RESVISION_DATA")
    return Path(named) if named else cache_root() / "data"


def cache_root() -> Path:
    """The cache folder, which may be deleted at any time: $XDG_CACHE_HOME/resvision or ~/.cache/resvision."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "resvision"
