"""Folders of this machine, taken out of what a page says: whoever gets the page needs their names alone."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

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
    settings = [value for record in records for _, value in leaves(record.run) if isinstance(value, str)]
    own = [str(place) for record in records for place in (record.folder.absolute(), record.folder.resolve())]
    places = sorted({text for text in (*settings, *own) if Path(text).is_absolute()}, key=len, reverse=True)
    known = re.compile("|".join(f"{re.escape(place.rstrip('/'))}(?![\\w.-])" for place in places))
    names = {place.rstrip("/"): short_name(place.rstrip("/")) for place in places}

    def without(text: str) -> str:
        if not {"/", "\\"} & {*text} or text.startswith("data:"):  # a picture's letters are no paths
            return text
        named = known.sub(lambda place: names[place[0]], text) if places else text
        return _OF_WINDOWS.sub("", _ABSOLUTE.sub("", named))

    return without
