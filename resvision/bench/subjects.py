"""Nets that are measured: a bundle, or what torch has, exported for it."""

from pathlib import Path
from typing import Any

from resvision.bench.contenders import Subject
from resvision.catalog.table import find
from resvision.core import references, rundir
from resvision.core.errors import SettingsError
from resvision.kinds.table import kind_of
from resvision.runtime.bundle_format import read_manifest
from resvision.runtime.shipped import is_place, place_of


def subject_of(name: str, *, size_px: int | None, scratch: Path, allow_code: bool = False) -> Subject:
    """A bundle or a run by its folder, or a net of the catalog with drawn weights, by its name.

    size_px  side of the squares that the net sees; that of the run, or of its paper, where None
    scratch  an empty folder for the bundle of what is no bundle yet

    Raises SettingsError for a net that is not exported or does not see images, and for another size of a bundle.
    """
    if is_place(name):
        if size_px is not None:
            raise SettingsError(f"--size: the graph of {name} has its size; name its run")
        return bundle_subject(name, place_of(name), trained=None, drawn=False, scratch=scratch)
    made = references.load("resvision.bench.torch_subjects:run_or_drawn", noun="subject")
    subject: Subject = made(name, size_px=size_px, scratch=scratch, allow_code=allow_code)
    return subject


def require_subject(name: str) -> None:
    """Raise UnknownNameError for what is neither a bundle nor a run nor a net of the catalog."""
    if not (is_place(name) or is_run(name)):
        find(name)


def is_run(name: str) -> bool:
    """Whether a folder holds a run."""
    return (Path(name) / rundir.RUN).is_file()


def bundle_subject(title: str, folder: Path, *, trained: Any, drawn: bool, scratch: Path) -> Subject:
    """The subject of a bundle; SettingsError for a net that does not see images as they are."""
    manifest = read_manifest(folder)
    if kind_of(manifest.task).samples() is not None:
        raise SettingsError(f"{title}: bench measures nets that see images, and this one sees {manifest.task} samples")
    return Subject(title, manifest.net, folder, manifest.view, trained, drawn, scratch)
