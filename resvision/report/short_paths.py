"""Folders of this machine, taken out of what a page says: whoever gets the page needs their names alone."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from resvision.core.data_names import short_name
from resvision.core.settings import leaves
from resvision.report.record import RunRecord

_ABSOLUTE = re.compile(r"(?<![\w./~:])/(?:[^\s/\"'<>,;()]+/)+(?=[^\s/\"'<>,;()])")
"""Folders from the root on, before the name of a file."""

_OF_WINDOWS = re.compile(r"(?<![\w.])(?:[A-Za-z]:|\\\\[^\s\\\"<>,;()]+)\\+(?:[^\s\\\"<>,;()]+\\+)*(?=[^\s\\\"<>,;()])")
"""The same on Windows, from a drive or a share on; in JSON each backslash stands there twice."""


def without_places(records: Sequence[RunRecord]) -> Callable[[str], str]:
    """A function that names a folder of the runs by its last part, and other files by theirs.

    `/home/you/photos/val/cat/1.jpg` is `photos/val/cat/1.jpg` where /home/you/photos is the data of a run.
    """
    return without_folders([record.run for record in records], [record.folder for record in records])


def without_folders(runs: Iterable[Mapping[str, Any]], folders: Iterable[Path]) -> Callable[[str], str]:
    """The same for folders, and for the places that runs, as run.json has them, name."""
    settings = [value for run in runs for _, value in leaves(run) if isinstance(value, str)]
    own = [str(place) for folder in folders for place in (folder.absolute(), folder.resolve())]
    places = sorted({text for text in (*settings, *own) if Path(text).is_absolute()}, key=len, reverse=True)
    known = re.compile("|".join(f"{re.escape(place.rstrip('/'))}(?![\\w.-])" for place in places))
    names = {place.rstrip("/"): short_name(place.rstrip("/")) for place in places}

    def without(text: str) -> str:
        if not {"/", "\\"} & {*text} or text.startswith("data:"):  # a picture's letters are no paths
            return text
        named = known.sub(lambda place: names[place[0]], text) if places else text
        return _OF_WINDOWS.sub("", _ABSOLUTE.sub("", named))

    return without
