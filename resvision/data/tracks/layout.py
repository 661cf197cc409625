"""Recorded traffic as data sets: a file of tracks, a folder or an archive of such files, or folders of splits."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from resvision.core.errors import DataError, printable
from resvision.core.plurals import counted
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import summary
from resvision.data.layouts import Layout, Whole
from resvision.data.litter import note_of
from resvision.data.places import Place
from resvision.data.split_folders import split_folders
from resvision.data.splits import Splits
from resvision.data.tracks import files
from resvision.data.tracks.scan import HARMLESS, Gathered, TrackScan, opened


class ReadingRules(NamedTuple):
    """Rules of reading: the kinds of faults that are left out, and the seconds between two frames that say none."""

    allow: Sequence[str] = ()
    frame_seconds: float | None = None


AS_IT_IS = ReadingRules()


def gathered(place: Place, columns: Sequence[str], ledger: Ledger, frame_seconds: float | None = None) -> Gathered:
    """The scenes of a file or folder by split. Raises DataError where it holds no tracks.

    frame_seconds  between two frames, where the files do not say it
    """
    form = files.form_of(place, columns)
    if form is None:
        raise DataError(f"{printable(str(place))}: holds no tracks; {HINT} are read")
    set_of = Gathered(folder=place, shown=str(place), ledger=ledger, usual=form.usual, frame_seconds=frame_seconds)
    parts = None
    if place.is_dir():
        parts = split_folders(place, ledger.faults, is_labelled=lambda folder: files.has_future(form, folder, columns))
    if parts is not None:
        for split in parts.names:
            places = files.files_of(form, place / split, set_of.litter)
            set_of.splits[split] = files.read(form, places, columns, ledger).scenes
        set_of.rule = parts.rule
        return set_of
    reading = files.read(form, files.files_of(form, place, set_of.litter), columns, ledger)
    if not any(reading.splits):
        set_of.splits = {"train": reading.scenes}
        return set_of
    named = [split for split in ("train", "test", "val") if split in reading.splits]
    set_of.splits = {
        split: [scene for scene, own in zip(*reading, strict=True) if own == split] for split in _judged(named)
    }
    set_of.rule = "by the column of splits"
    if left_out := sum(split not in set_of.splits for split in reading.splits):
        set_of.rule += f"; {counted(left_out, 'scene')} of no split {'is' if left_out == 1 else 'are'} left out"
    return set_of


def scan(place: Place, columns: Sequence[str] = (), *, rules: ReadingRules = AS_IT_IS) -> TrackScan:
    """The splits of a file or folder, and all faults of its tracks."""
    return gathered(place, columns, Ledger(rules.allow), rules.frame_seconds).scan()


def open_splits(place: Place, columns: Sequence[str] = (), *, rules: ReadingRules = AS_IT_IS) -> Splits:
    """The splits of a file or folder. Raises one DataError for all faults."""
    return opened(scan(place, columns, rules=rules._replace(allow=(*HARMLESS, *rules.allow))))


def open_whole(place: Place, columns: Sequence[str] = (), *, rules: ReadingRules = AS_IT_IS) -> Whole | None:
    """All windows of a file or folder as one split; None where it has splits. Raises as `open_splits` does."""
    ledger = Ledger((*HARMLESS, *rules.allow))
    set_of = gathered(place, columns, ledger, rules.frame_seconds)
    if len(set_of.splits) > 1:
        return None
    set_of.settle()
    if ledger.faults:
        raise DataError(summary(place, ledger.faults))
    (scenes,) = set_of.splits.values()
    notes = (*note_of(set_of.litter), *set_of.notes, *ledger.notes())
    return Whole(set_of.reader("all", scenes), notes)


def recognises(place: Place, columns: Sequence[str] = ()) -> bool:
    """Whether a file or a folder holds tracks."""
    return files.form_of(place, columns) is not None


def _judged(named: Sequence[str]) -> list[str]:
    """Training, then what judges the result, then what judges on the way; also where one of them is not there."""
    judging = [split for split in ("test", "val") if split in named]
    return ["train", *(judging or ["val"])]


def _layout(rules: ReadingRules) -> Layout:
    return Layout(
        recognises=recognises,
        scan=partial(scan, rules=rules),
        open=partial(open_splits, rules=rules),
        open_whole=partial(open_whole, rules=rules),
        hint=HINT,
        allowing=lambda allow: _layout(rules._replace(allow=allow)),
        rank=-1,
        paced=lambda seconds: _layout(rules._replace(frame_seconds=seconds)),
    )


HINT = "CommonRoad's XML, scenarios of Argoverse 2, or a CSV of tracks with track, frame, x, y, heading, length, width"
LAYOUT = _layout(AS_IT_IS)
