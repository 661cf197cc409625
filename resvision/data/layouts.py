"""Layouts, the ways to read a folder of images as a data set.

A kind of task names its layouts (`kinds.kind.Kind.layouts`). The first layout of the first row of the table of tasks
reads every folder that no other layout recognises.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from resvision.core import references
from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.images import Pixels
from resvision.core.samples import Reader
from resvision.data.faults import Fault, attempt
from resvision.data.places import DESCRIPTIONS, RECORDINGS, Place
from resvision.data.splits import Splits
from resvision.kinds.table import TASKS, USUAL, kind_of


class Scan(ABC):
    """A data set by its structure and names, before its images are decoded. Abstract.

    folder      its location
    validation  images that judge on the way, where the set has them beside those for testing
    split_rule  a sentence on how training and test images were parted
    faults      those of structure and names
    notes       what a person should know of the files and need not change
    sample_noun the noun of a sample
    """

    sample_noun: str = "image"
    folder: Place
    train: Reader[Any]
    test: Reader[Any]
    validation: Reader[Any] | None
    split_rule: str
    faults: list[Fault]
    notes: list[str]

    @property
    def splits(self) -> Splits:
        """The splits, whose files were not checked."""
        return Splits(self.train, self.test, self.split_rule, self.validation, tuple(self.notes))

    def strays(self) -> list[Reader[Any]]:
        """Readers of the set's images that are in neither split."""
        return []

    @abstractmethod
    def fingerprint(self, *strays: Reader[Any]) -> str:
        """The fingerprint of the files of all splits and of `strays`."""

    def look(self, reader: Reader[Any], index: int, faults: list[Fault]) -> Pixels | None:
        """Decode image and target of a sample; the image, or None where it cannot be read, which adds to `faults`."""
        sample = attempt(reader.__getitem__, index, reader.source(index), faults)
        return None if sample is None else sample.image

    def is_deep(self, reader: Reader[Any], index: int) -> bool:
        """Whether an image has 16 bits a channel, where its file can say so."""
        return False

    def faults_of_targets(self) -> list[Fault]:
        """The faults of the targets taken together, once `look` has decoded each."""
        return []


class Whole(NamedTuple):
    """All images of a folder as one split, and what a person should know of its files."""

    reader: Reader[Any]
    notes: tuple[str, ...] = ()


class Layout(NamedTuple):
    """One way to read a folder, or the images that a table lists.

    recognises  whether a folder or a table can have no other layout
    scan        its splits and the faults of its structure
    open        its splits; raises one DataError for all faults of structure, names and headers
    open_whole  all its images as one split, where it has no splits of its own; None where it has
    hint        the content of such a folder, in words
    allowing    the same layout, where faults of the kinds that a person allows are left out (`data.fault_kinds`); None
                where no fault can be
    paced       the same layout for recordings that do not say the seconds between two frames; None where none is read
    rank        layouts of a lower rank are asked first: below 0 for those that know a file by its content, above for
                those that take what no other recognises

    Each takes the columns that a person has named for a table, `role=column` (`data.table_columns`), as well.
    """

    recognises: Callable[[Place, Sequence[str]], bool]
    scan: Callable[[Place, Sequence[str]], Scan]
    open: Callable[[Place, Sequence[str]], Splits]
    open_whole: Callable[[Place, Sequence[str]], Whole | None]
    hint: str
    allowing: Callable[[Sequence[str]], "Layout"] | None = None
    paced: Callable[[float], "Layout"] | None = None
    rank: int = 0


def layouts() -> Iterator[tuple[str, Layout]]:
    """Yield the task and each layout of every row of the table of tasks."""
    for name in TASKS:
        for reference in kind_of(name).layouts:
            yield name, _load(reference)


def layout_for(
    folder: Place,
    task: str | None,
    columns: Sequence[str] = (),
    allow: Sequence[str] = (),
    frame_seconds: float | None = None,
) -> tuple[str, Layout]:
    """The task and the layout that a folder is read by: its structure decides, or else `task`.

    allow          kinds of faults that are left out. Raises SettingsError where the layout can leave none out.
    frame_seconds  between two frames of recordings that do not say it
    """
    name, layout = _layout_for(folder, task, columns)
    if frame_seconds is not None and layout.paced is not None:
        layout = layout.paced(frame_seconds)
    if not allow:
        return name, layout
    if layout.allowing is None:
        raise SettingsError(
            f"data.allow: {printable(str(folder))} is read as a set for {name}, which has no such kinds"
        )
    return name, layout.allowing(allow)


def require_task(name: str, made_for: str, task: str | None) -> None:
    """Raise SettingsError for a set of another task than is asked for, if one is."""
    if task not in (None, made_for):
        raise SettingsError(
            f"{printable(name)}: a data set for {made_for}, not for {task}; choose another set or model"
        )


def _layout_for(folder: Place, task: str | None, columns: Sequence[str]) -> tuple[str, Layout]:
    in_order = sorted(layouts(), key=lambda row: row[1].rank)
    recognised = next(((name, layout) for name, layout in in_order if layout.recognises(folder, columns)), None)
    if recognised is not None:
        return recognised
    if folder.is_file() and (suffix := PurePath(folder.name).suffix.casefold()) in NOT_DATA:
        raise DataError(f"{printable(str(folder))}: {NOT_DATA[suffix]}")
    name = task if task is not None and kind_of(task).layouts else USUAL
    return name, _load(kind_of(name).layouts[0])


NOT_DATA = {
    **dict.fromkeys(
        DESCRIPTIONS, "describes no images; COCO's JSON has `images` and `annotations`, a data.yaml `names` and folders"
    ),
    **dict.fromkeys(RECORDINGS, "holds nothing that is read here; CommonRoad's XML begins with <commonRoad>"),
}
"""The fault of a file that no layout recognises, by the ending of its name."""


def _load(reference: str) -> Layout:
    layout: Layout = references.find(reference, noun="layout of folders")
    return layout
