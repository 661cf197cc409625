"""Images held out of training, so that a run can be judged on its way without a look at the test images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import shuffled
from resvision.core.errors import SettingsError
from resvision.data.selection import subset
from resvision.data.splits import Splits

SEED = 0
"""The seed of the shuffle. Not the seed of the run: runs that differ in theirs are judged by the same images."""


def hold_out(splits: Splits, share: float) -> Splits:
    """Take `share` of each stratum, 0 < share < 0.5, out of training for validation, and return the new splits.

    Each stratum, such as a class, with two images or more gives at least one. Samples without strata, such as masks,
    which hold many classes, are all taken as one. Raises SettingsError where the set brings validation images of its
    own, or where no stratum has two images.
    """
    train = splits.train
    if splits.validation is not None:
        raise SettingsError(
            f"data.validation: {train.name} brings validation images of its own; leave --validation out"
        )
    strata = [train.stratum(index) for index in range(len(train))]
    parted = any(stratum is not None for stratum in strata)
    held_out = held_out_indices([-1 if stratum is None else stratum for stratum in strata], share)
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
