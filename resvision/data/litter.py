"""Litter: files among images that are clearly none by their names, left behind by people, archivers and file managers.

One rule for folders and tars, of classes and of label maps alike. Litter is left out and counted. Whatever else cannot
be read as an image is a fault.
"""

from collections.abc import Sequence
from pathlib import PurePath

from resvision.core.errors import printable

_ENDINGS = {
    ".aae", ".avi", ".csv", ".db", ".doc", ".docx", ".htm", ".html", ".ini", ".ipynb", ".json", ".jsonl", ".lnk",
    ".log", ".md", ".mov", ".mp4", ".ndjson", ".pdf", ".py", ".rtf", ".sh", ".toml", ".tsv", ".txt", ".url", ".xls",
    ".xlsx", ".xml", ".xmp", ".yaml", ".yml",
}  # fmt: skip
_NAMES = {"readme", "license", "licence", "copying", "notice", "icon\r"}
_FOLDERS = {"__macosx", "@eadir"}
SHOWN = 5


def is_litter(name: str, *, is_folder: bool) -> bool:
    """Whether a file or a folder is left out: hidden ones, texts, tables, films and what file managers write."""
    folded = name.casefold()
    if is_folder:
        return name.startswith(".") or folded in _FOLDERS
    return name.startswith(".") or folded in _NAMES or PurePath(folded).suffix in _ENDINGS


def note_of(paths: Sequence[str], *, why: str = "by name", number: int | None = None) -> list[str]:
    """The line that counts what was left out and names the first of it; none where there is nothing.

    number  of all, where `paths` are the first of them only
    """
    if not paths:
        return []
    count = len(paths) if number is None else number
    noun = "file or folder is" if count == 1 else "files or folders are"
    more = f" and {count - SHOWN:,} more" if count > SHOWN else ""
    return [f"{count:,} {noun} left out {why}: {', '.join(map(printable, paths[:SHOWN]))}{more}"]
