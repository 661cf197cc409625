"""Short names of data sets, for tables and pages: whoever reads them does not need the folders of this machine."""

from pathlib import PurePath

IMAGENET = "imagenet"
"""The set that published weights were trained on; its classes have one order everywhere, and many names."""

DESCRIPTIONS = frozenset({".yaml", ".yml", ".csv", ".tsv", ".txt", ".jsonl", ".ndjson"})
"""Endings of files that describe the set beside them, and are called alike in many sets."""


def short_name(data: str) -> str:
    """The last part of a set's path: `photos`, `photos.zip`; of a file that describes it, its folder's name as well.

    So `cells/data.yaml` and `leaves/data.yaml` are two names.
    """
    path = PurePath(data)
    if path.suffix.lower() in DESCRIPTIONS and path.parent.name:
        return f"{path.parent.name}/{path.name}"
    return path.name or data
