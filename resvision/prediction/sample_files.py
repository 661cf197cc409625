"""Files that hold several samples each, such as recorded tracks: the samples that a person asks for, one by one."""

import re
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from resvision.core.errors import DataError, printable
from resvision.kinds.seen_samples import SampleFile, Seen
from resvision.prediction.image_files import ImageFiles
from resvision.prediction.predictor import Predictor

_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
"""Characters that a name of a file has not on every system."""
LISTED = 5
"""Names that an error lists at most."""


class FileSample(NamedTuple):
    """One sample of a file that holds several, by its name in it."""

    file: Path
    name: str

    @property
    def path(self) -> Path:
        """The path by which files of its result are named: beside the file, with the sample's name."""
        return self.file.parent / f"{_NOT_IN_FILE_NAMES.sub('-', self.name)}{self.file.suffix}"


Pieces = ImageFiles | Sequence[Path | FileSample]
"""The pieces that results are written for: image files, or samples of files, among which others may be."""


class SampleFiles:
    """The samples that a person asks of files; a file is opened once while its samples follow each other.

    only  names of samples, or patterns of them with `*` and `?`; the usual samples of each file where there are none

    `unmet` are those of `only` that no sample of the files so far has answered to.
    """

    def __init__(self, model: Predictor, only: Sequence[str] = ()) -> None:
        self._model, self._only = model, only
        self.unmet = list(dict.fromkeys(only))
        self._known: list[str] = []
        self._last: tuple[Path, SampleFile] | None = None

    def samples(self, file: Path) -> list[FileSample] | None:
        """The samples of a file that are asked for; None for an image. Raises DataError as `Task.opened`."""
        opened = self._open(file)
        if opened is None:
            return None
        if not self._only:
            return [FileSample(file, name) for name in opened.usual]
        self._known += opened.names[: LISTED - len(self._known)]
        self.unmet = [wanted for wanted in self.unmet if not any(_answers(name, wanted) for name in opened.names)]
        chosen = (name for name in opened.names if any(_answers(name, wanted) for wanted in self._only))
        return [FileSample(file, name) for name in chosen]

    def seen(self, sample: FileSample) -> Seen:
        """A sample as the net sees it; DataError where it cannot be shown."""
        opened = self._open(sample.file)
        if opened is None:
            raise DataError(f"{printable(sample.file)}: holds no samples")
        return opened.seen(sample.name)

    def require_met(self) -> None:
        """Raise DataError for a name that no sample has."""
        for wanted in self.unmet:
            listed = ", ".join(map(printable, self._known))
            known = f"; names are such as {listed}" if listed else ""
            raise DataError(f"--only {printable(wanted)}: no sample of these files has this name{known}")

    def _open(self, file: Path) -> SampleFile | None:
        if self._last is not None and self._last[0] == file:
            return self._last[1]
        opened = self._model.opened(file)
        if opened is not None:
            self._last = file, opened
        return opened


def asked_samples(model: Predictor, files: ImageFiles, only: Sequence[str] = ()) -> Pieces:
    """The files themselves where they are images, or the samples in those that hold several.

    A file that cannot be opened stands for itself, so that the prediction names it. Raises DataError for a name of
    `only` that no sample has.
    """
    opened = SampleFiles(model, only)
    samples_of: dict[Path, list[FileSample]] = {}
    for file in files:
        with suppress(DataError):
            if (samples := opened.samples(file)) is not None:
                samples_of[file] = samples
    opened.require_met()
    if not samples_of:  # images, of which there may be a million
        return files
    return [piece for file in files for piece in samples_of.get(file, [file])]


def _answers(name: str, wanted: str) -> bool:
    """Whether a sample's name is the one that is wanted, or of its pattern."""
    return name == wanted or fnmatchcase(name, wanted)
