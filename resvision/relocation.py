"""The data of a run at another place, known by names, classes and contents, whatever folder or archive holds them.

Nothing of a run changes with them but `data.name` and `data.root`, so that it goes on as if they had never moved.
"""

from dataclasses import replace
from pathlib import Path

from resvision.assembly import Prepared
from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError, printable
from resvision.core.settings import to_json
from resvision.data import identities
from resvision.data.sets import full_name, require_place
from resvision.preparation import open_data, reopen
from resvision.run import DataSettings, Run, read_run


def data_at(settings: DataSettings, data: str | Path | None, root: str | Path | None) -> DataSettings:
    """The settings of data that now lie at `data`, or in `root`; None leaves either."""
    name = settings.name if data is None else full_name(data)
    home = settings.root if root is None else str(Path(root).resolve())
    return replace(settings, name=name, root=home)


def run_at(run: Run, data: str | Path | None, root: str | Path | None = None) -> Run:
    """The run with its data at another place."""
    return replace(run, data=data_at(run.data, data, root))


def reopen_at(folder: Path, run: Run, data: str | Path | None, root: str | Path | None = None) -> Prepared:
    """Prepare the run of a folder with its data at the place that is named, or at its own where none is.

    Raises RunError for data of other names or classes than the run began with, and for other contents.
    """
    moved = run_at(run, data, root)
    require_place(moved.data.name, str(folder))
    if (moved.data.name, moved.data.root) == (run.data.name, run.data.root):
        return reopen(run)
    known = identities.read(folder)
    try:
        prepared = reopen(moved)
    except RunError:
        raise RunError(_other_set(folder, moved, known)) from None
    if known is not None and (altered := known.altered_in(prepared.splits)):
        raise RunError(
            f"{printable(moved.data.name)}: holds the images of {printable(folder)} by name, but {altered:,} of"
            f" {len(known.train.names) + len(known.validation.names):,} have other contents; name the place of the"
            " images that it was trained on, or start a new run"
        )
    return prepared


def relocate(
    folder: Path, data: str | Path | None, root: str | Path | None = None, *, allow_code: bool = False
) -> None:
    """Note in a run directory where the run's data lie now; raises as `reopen_at`."""
    note(folder, reopen_at(folder, read_run(folder, allow_code=allow_code), data, root).run)


def note(folder: Path, run: Run) -> None:
    """Write a run whose data have moved into its directory; other settings are those that stand there."""
    rundir.write_json(folder / rundir.RUN, to_json(run))


def has_names_of(run: Run, data: str, root: str | Path | None) -> bool:
    """Whether data have the names, classes and split of the run's, which is all that an older run knows of them."""
    try:
        splits = open_data(run_at(run, data, root), channels=None)
    except SettingsError:  # such as a share to hold out of a set that brings validation images of its own
        return False
    return splits.fingerprint() == run.data.fingerprint


def _other_set(folder: Path, moved: Run, known: identities.RunImages | None) -> str:
    """The difference of a set from that of a run, in a line."""
    splits = open_data(moved, channels=moved.data.channels)
    counts = f"{moved.data.train_images:,} training and {moved.data.test_images:,} test images"
    here = f"{len(splits.train):,} and {len(splits.test):,}"
    missing = 0 if known is None else known.missing_from(splits)
    lacks = f"{missing:,} of the run's images are missing here; " if missing else ""
    return (
        f"{printable(moved.data.name)}: is not the set of {printable(folder)}: {lacks}the run began with {counts} in"
        f" {len(moved.data.classes or ())} classes, here are {here} in {len(splits.train.classes)}, or other names or"
        " sizes; name the whole of the run's own data, or start a new run"
    )
