"""Images held out of training, so that a run can be judged on its way without a look at the test images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import shuffled
from resvision.core.errors import SettingsError
from resvision.data.selection import subset
from resvision.data.splits import Splits
from resvision.data.strata import WITHOUT_STRATUM, strata_of

SEED = 0
"""The seed of the shuffle. Not the seed of the run: runs that differ in theirs are judged by the same images."""


def hold_out(splits: Splits, share: float) -> Splits:
    """Take `share` of each stratum, 0 < share < 0.5, out of training for validation, and return the new splits.

    Each stratum, such as a class, with two images or more gives at least one. Samples without strata, such as masks,
    which hold many classes, are all taken as one. Where samples have groups, such as recordings, whole groups are held
    out, whatever the strata. Raises SettingsError where the set brings validation images of its own, or where no
    stratum has two images, or there are no two groups.
    """
    train = splits.train
    if splits.validation is not None:
        raise SettingsError(
            f"data.validation: {train.name} brings validation images of its own; leave --validation out"
        )
    if any(train.group(index) is not None for index in range(len(train))):
        return _hold_out_groups(splits, share)
    strata = strata_of(train)
    parted = any(stratum != WITHOUT_STRATUM for stratum in strata)
    held_out = held_out_indices(strata, share)
    if not len(held_out):
        shortage = "no class with two training images" if parted else "less than two training images"
        raise SettingsError(f"data.validation: {train.name} has {shortage}")
    kept = np.setdiff1d(np.arange(len(train)), held_out)
    source = "each training class" if parted else "the training images"
    rule = (
        f"{splits.split_rule}; of {source} {100 * share:.3g} % are held out for validation, after a shuffle"
        f" with seed {SEED}: {len(kept):,} train / {len(held_out):,} validation"
    )
    return splits._replace(
        train=subset(train, train.split, kept), validation=subset(train, "val", held_out), split_rule=rule
    )


def _hold_out_groups(splits: Splits, share: float) -> Splits:
    """The splits with whole groups of training held out: so many that `share` of its samples is nearly reached."""
    train = splits.train
    held_out = held_out_groups([train.group(index) for index in range(len(train))], share)
    if not len(held_out):
        raise SettingsError(f"data.validation: {train.name} has one group of training images, such as one recording")
    kept = np.setdiff1d(np.arange(len(train)), held_out)
    rule = (
        f"{splits.split_rule}; of the training images {100 * share:.3g} % are held out for validation, whole groups of"
        f" them after a shuffle with seed {SEED}: {len(kept):,} train / {len(held_out):,} validation"
    )
    return splits._replace(
        train=subset(train, train.split, kept), validation=subset(train, "val", held_out), split_rule=rule
    )


def held_out_groups(groups: Sequence[str | None], share: float) -> NDArray[np.int64]:
    """Rising indices of about `share` of all samples, of whole groups: one at least, and not all; None is on its own.

    In the order of a shuffle, each group is taken that brings the number nearer to the share. None where there is one
    group alone.
    """
    members: dict[str | int, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(index if group is None else group, []).append(index)
    units = [members[group] for group in sorted(members, key=str)]
    wanted, chosen = share * len(groups), list[int]()
    for number in shuffled(len(units), seed=SEED).tolist() if len(units) > 1 else []:
        unit = units[number]
        if not chosen or abs(len(chosen) + len(unit) - wanted) < abs(len(chosen) - wanted):
            chosen += unit
    return np.sort(np.array(chosen, dtype=np.int64))


def held_out_indices(strata: Sequence[int], share: float) -> NDArray[np.int64]:
    """Rising indices of `share` of each stratum, at least one of each that has two: a function of `strata` alone.

    The shuffle of a stratum depends on its number of images only, so other ones may come and go.
    """
    stratum_of = np.asarray(strata, dtype=np.int64)
    chosen = [np.empty(0, dtype=np.int64)]
    for stratum in np.unique(stratum_of):
        members = np.flatnonzero(stratum_of == stratum)
        count = max(1, round(share * len(members))) if len(members) > 1 else 0
        chosen.append(members[shuffled(len(members), seed=SEED)[:count]])
    return np.sort(np.concatenate(chosen))
