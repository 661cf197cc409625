"""Cross-validation (Stone 1974): the images of a set in K folds, each of which is the test of one run.

Strata, such as classes, are divided evenly among the folds, and samples of one group, such as the frames of a video,
stay together where the reader tells groups. Every image is tested exactly once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import key, shuffled
from resvision.core.errors import SettingsError
from resvision.core.plurals import counted
from resvision.core.samples import AS_RECORDED, AS_USUAL, Drawing, Reader, Timing
from resvision.data.layouts import Whole, layout_for, require_task
from resvision.data.places import at
from resvision.data.selection import subset
from resvision.data.splits import Splits
from resvision.data.strata import strata_of


def open_whole(
    name: str,
    task: str | None,
    columns: Sequence[str] = (),
    allow: Sequence[str] = (),
    timing: Timing = AS_RECORDED,
    drawing: Drawing = AS_USUAL,
) -> Whole | None:
    """Open all images of a folder that has no splits of its own; None for others, and for names.

    Raises SettingsError for a folder of another task, and for cuts and drawings that it does not allow.
    """
    if not Path(name).exists():
        return None
    folder = at(Path(name))
    made_for, layout = layout_for(folder, task, columns, allow, timing.frame_seconds)
    require_task(name, made_for, task)
    whole = layout.open_whole(folder, columns)
    return None if whole is None else whole._replace(reader=whole.reader.recut(timing, drawing))


def fold_out(
    splits: Splits, *, folds: int | None, fold: int | None, seed: int, whole: Reader[Any] | None = None
) -> Splits:
    """Hold fold number `fold` of `folds`, from 1, out as the test, and return the new splits; None leaves them.

    whole  all images of a set that has no splits of its own, which are then divided; otherwise the training images are,
           and the set's own test images take no part

    Raises SettingsError where there are fewer images, or groups, than folds.
    """
    if folds is None and fold is None:
        return splits
    if folds is None or fold is None or fold > folds:
        raise SettingsError(
            f"data.fold: {fold} of data.folds={folds}; they go together: folds 5 and fold 2 test on the second of five"
        )
    reader = splits.train if whole is None else whole
    number_of = fold_numbers(
        strata_of(reader),
        [reader.group(index) for index in range(len(reader))],
        folds,
        seed=seed,
    )
    if len(np.unique(number_of)) < folds:
        raise SettingsError(f"data.folds: {folds}, but {reader.name} has fewer training images, or groups of them")
    test, train = np.flatnonzero(number_of == fold - 1), np.flatnonzero(number_of != fold - 1)
    rest = "" if whole is not None else f"; the set's own {counted(len(splits.test), 'test image')} take no part"
    rule = (
        f"fold {fold} of {folds} is the test: {len(train):,} train / {len(test):,} test of {len(reader):,} images,"
        f" after a shuffle with seed {seed}{rest}"
    )
    validation = None if whole is not None else splits.validation
    return splits._replace(
        train=subset(reader, "train", train, like=splits.train),
        test=subset(reader, "test", test, like=splits.train),
        validation=validation,
        split_rule=rule,
    )


def fold_numbers(strata: Sequence[int], groups: Sequence[str | None], folds: int, *, seed: int) -> NDArray[np.int64]:
    """The fold of each sample from 0, (N,): of every stratum, each has as many as it can, whole groups at a time.

    The largest groups are placed first, each into the fold that has the least of its strata, and then the least of all.
    """
    members: dict[str | int, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(index if group is None else group, []).append(index)
    stratum_of = np.unique(np.asarray(strata, dtype=np.int64), return_inverse=True)[1].reshape(-1)
    held = np.zeros((folds, int(stratum_of.max(initial=0)) + 1), dtype=np.int64)
    ties = shuffled(folds, seed=key(seed, folds) >> 1)  # else the first folds would be the largest in every stratum
    units = [np.array(unit) for unit in members.values()]
    order = shuffled(len(units), seed=seed)
    number_of = np.empty(len(groups), dtype=np.int64)
    for unit in sorted((units[position] for position in order), key=lambda unit: (-len(unit), stratum_of[unit[0]])):
        own = np.bincount(stratum_of[unit], minlength=held.shape[1])
        load = held @ own
        fold = int(np.lexsort((ties, held.sum(axis=1), load))[0])
        held[fold] += own
        number_of[unit] = fold
    return number_of
