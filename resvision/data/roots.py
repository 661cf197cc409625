"""Where data sets and caches lie on this machine."""

import os
from pathlib import Path


def default_root() -> Path:
    """Where data sets are kept: $RESVISION_DATA, or resvision/data in the user's cache folder."""
    given = os.environ.get("RESVISION_DATA")
    return Path(given) if given else cache_root() / "data"


def cache_root() -> Path:
    """What may be deleted at any time: $XDG_CACHE_HOME/resvision or ~/.cache/resvision."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "resvision"
