"""Rules that members of all archives share: their limits, and the names that stay inside."""

import os
from pathlib import Path

from resvision.core.errors import DataError, printable

NOT_A_FILE = -1
"""Stands in place of the size of a member that is a link or a device."""

MOST_MEMBERS = 20_000_000
"""The limit of what is held in memory of an archive."""

GROWTH = 100
"""A compressed archive, or a member, may grow so many times.

Images are compressed already, so what grows more is none of them.
"""


def inner_name(name: str, archive: Path) -> str | None:
    """The path of a member in its archive, without needless parts; None for the root.

    Raises DataError where it leads out.
    """
    path = os.path.normpath(name)
    if path.startswith(("/", "..")):
        raise DataError(f"{printable(archive)}: holds {printable(name)}, which leads out of it")
    return None if path == "." else path
