"""The folder for the pictures or labels of a prediction: each file whole or not at all, one process at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from resvision.core import rundir
from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels
from resvision.kinds.kind import LabelForm
from resvision.prediction.image_files import ImageFiles
from resvision.prediction.predictions import Predicted
from resvision.prediction.sample_files import FileSample, Pieces

Paths = ImageFiles | Sequence[Path]


class Form(Protocol):
    """The form in which results are written, such as the kind of a run."""

    def files(self, source: Path, out: Path) -> tuple[Path, ...]:
        """The paths of the files that hold the result of an image in the folder `out`."""
        ...

    def contents(self, result: Any, image: Pixels) -> Iterator[bytes]:
        """Yield the content of each path that `files` gives."""
        ...


class OutFolder:
    """The folder for the results of some images, while this process alone writes there.

    files   the images, or the samples of files that hold several
    locked  whether other processes are kept out, which not all systems can
    """

    def __init__(self, form: Form, folder: Path, files: Pieces, *, locked: bool) -> None:
        self._form, self._folder, self.files, self.locked = form, folder, files, locked

    def remaining(self) -> Iterator[Path | FileSample]:
        """Yield the images that lack one of their files, or all of them."""
        return (file for file in self.files if not self.holds(file))

    def holds(self, file: Path | FileSample) -> bool:
        """Whether all files of an image are there.

        A picture without content, as a full disk leaves it, is not; labels without content say that nothing is found.
        """
        least = 0 if isinstance(self._form, LabelForm) else 1
        return all(_size(path) >= least for path in self._form.files(_path_of(file), self._folder))

    def save(self, prediction: Predicted) -> None:
        """Write the files of a result. RunError, which names the file, where one cannot be written."""
        if isinstance(prediction.source, Path | FileSample):
            paths = self._form.files(_path_of(prediction.source), self._folder)
            contents = self._form.contents(prediction.result, prediction.image)
            for path, content in zip(paths, contents, strict=True):
                rundir.write_bytes(path, content)


@contextmanager
def out_folder(
    form: Form | LabelForm, folder: Path, files: Pieces, *, resume: bool | None = False
) -> Iterator[OutFolder]:
    """Open a folder for the results of some images, and make it if it is missing.

    What a form of labels writes for all images together is written at the end, unless the block raises or no image has
    labels.

    Raises DataError where two images would be written under one name, and where a file of one is there already unless
    `resume` goes on with it, which None says that the verb cannot; RunError where another process writes there.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{printable(folder)}: a file; --out names a folder")
    common = form.common_files(folder) if isinstance(form, LabelForm) else ()
    paths = _paths_of(files)
    _require_distinct(form, folder, paths, common)
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise rundir.unwritable(folder, error) from None
    try:
        with rundir.locked(folder, use="written to") as locked:
            if not resume:
                remedy = "" if resume is None else ", or go on with --resume"
                _require_free(form, folder, paths, common, remedy=remedy)
            elif isinstance(form, LabelForm):
                form.require_open(folder)
            yield OutFolder(form, folder, files, locked=locked)
            if isinstance(form, LabelForm) and any(
                path.exists() for file in paths for path in form.files(file, folder)
            ):
                form.finish(paths, folder)
    finally:
        if is_new:
            with suppress(OSError):  # it stays where it holds something
                folder.rmdir()


def _require_distinct(form: Form, folder: Path, files: Paths, common: tuple[Path, ...]) -> None:
    """Raise DataError where two images would be written under one name, or one under that of a common file."""
    paths = chain((path for file in files for path in form.files(file, folder)), common)
    hashes = np.fromiter(map(hash, paths), dtype=np.int64)
    values, counts = np.unique(hashes, return_counts=True)
    repeated = {*values[counts > 1].tolist()}
    source_of: dict[Path, Path] = {}
    for file in files if repeated else ():
        for path in form.files(file, folder):
            if path in common:
                raise DataError(
                    f"{printable(file)}: {printable(path)} holds what concerns all images; rename the image"
                )
            if path in source_of:
                raise DataError(
                    f"{printable(file)} and {printable(source_of[path])} would both be written to {printable(path)};"
                    " give them two folders"
                )
            if hash(path) in repeated:
                source_of[path] = file


def _require_free(form: Form, folder: Path, files: Paths, common: tuple[Path, ...], *, remedy: str) -> None:
    """Raise DataError where a file would be written over another."""
    for path in chain((path for file in files for path in form.files(file, folder)), common):
        if path.exists() or path.is_symlink():
            raise DataError(f"{printable(path)}: there already; name a new folder by --out{remedy}")


def _path_of(file: Path | FileSample) -> Path:
    """The path by which the files of a result are named."""
    return file if isinstance(file, Path) else file.path


def _paths_of(files: Pieces) -> Paths:
    """These paths of all; images stay as packed as they are."""
    return files if isinstance(files, ImageFiles) else [_path_of(file) for file in files]


def _size(path: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
