"""Folders of a data set that are its splits: `train` beside `val` or `test`, or beside both."""

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import NamedTuple

from resvision.data.faults import Fault, fault, listing
from resvision.data.litter import note_of
from resvision.data.places import Place

TRAIN, TEST = "train", "test"
VALIDATION = ("val", "valid", "validation")
"""The names that folders of validation images have."""


SPLIT_WORDS = {TRAIN: TRAIN, TEST: TEST, **dict.fromkeys(VALIDATION, "val")}
"""The split that each word means."""


def split_named(name: str) -> str | None:
    """The split that a name has a word of, such as `instances_val2017.json` or `train2017`; None where it has none."""
    words = "".join(letter if letter.isalpha() else " " for letter in PurePath(name).stem.casefold()).split()
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)


class SplitFolders(NamedTuple):
    """The names of a set's folders.

    test        holds the images that judge the result
    validation  holds those that judge it on the way, where the set has both
    untouched   has no part in the run
    """

    test: str
    validation: str | None = None
    untouched: str | None = None

    @property
    def names(self) -> list[str]:
        """The folders in the order of the splits: training, test, validation."""
        return [TRAIN, self.test, *([self.validation] if self.validation else [])]

    @property
    def rule(self) -> str:
        """The sentence on how images were parted."""
        if self.validation:
            names = f"{TRAIN}, {self.validation} and {self.test}"
            return f"from the folders {names}; {self.validation} judges on the way, {self.test} the result"
        ending = f"; the folder {self.untouched} is left untouched" if self.untouched else ""
        return f"from the folders {TRAIN} and {self.test}{ending}"


def split_folders(
    folder: Place, faults: list[Fault], *, is_labelled: Callable[[Place], bool] | None
) -> SplitFolders | None:
    """The split folders beside `train`; None where there are none.

    Where a folder of validation images and `test` are both there, both are used; but `test` is left untouched where
    `is_labelled` says that its images have no labels, and in a set whose published split has no `test`, for which it is
    None. A second folder of validation images adds to `faults`.
    """
    found = [name for name in VALIDATION if (folder / name).is_dir()]
    has_test = (folder / TEST).is_dir()
    if not (folder / TRAIN).is_dir() or not (found or has_test):
        return None
    if len(found) > 1:
        faults.append(fault(folder, f"both {found[0]} and {found[1]}, which mean the same; keep one of them"))
    if not found:
        return SplitFolders(TEST)
    if has_test and is_labelled is not None and is_labelled(folder / TEST):
        return SplitFolders(TEST, validation=found[0])
    return SplitFolders(found[0], untouched=TEST if has_test else None)


def beside(folder: Place, parts: SplitFolders, litter: list[str], *, known: Sequence[str] = ()) -> list[str]:
    """The line that counts what lies beside the split folders of a set and has no part; litter is added to `litter`."""
    taken = {*parts.names, parts.untouched, *known}
    others = [str(folder / name) for name, _ in listing(folder, [], litter) if name not in taken]
    return note_of(others, why="beside the splits")


def has_split_folders(folder: Place) -> bool:
    """Whether a folder holds a folder named as a split; `valid` alone may be a class, beside `invalid`."""
    return any((folder / name).is_dir() for name in (TRAIN, "val", TEST))


def without_partner(train: Place) -> str:
    """The fault of a folder `train` that stands alone, in words."""
    return f"no folder val or test beside train; add one, or name {train} to have it split"
