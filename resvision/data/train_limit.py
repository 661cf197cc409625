"""A training split that is cut to a number of images, such as to ask how a result depends on the amount of data."""

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import key, shuffled
from resvision.core.errors import SettingsError
from resvision.core.plurals import counted
from resvision.data.selection import subset
from resvision.data.splits import Splits
from resvision.data.strata import WITHOUT_STRATUM, strata_of


def limit_training(splits: Splits, images: int, *, seed: int) -> Splits:
    """Cut training to so many images, drawn by the seed, as many of each stratum as there can be; the new splits.

    Strata are classes, where samples have them. Test and validation images stay as they are. The images of a smaller
    number are among those of a larger one. Raises SettingsError for more images than there are, and for fewer than
    strata.
    """
    train = splits.train
    strata = strata_of(train)
    classes = len({*strata} - {WITHOUT_STRATUM})
    if images > len(train):
        raise SettingsError(
            f"data.train_limit: {images:,}, but {train.name} has {counted(len(train), 'training image')}; choose so"
            " many or fewer"
        )
    if images < classes:
        raise SettingsError(
            f"data.train_limit: {images:,}, but {train.name} has {counted(classes, 'class')} in its training images;"
            f" choose {classes:,} or more, for one of each"
        )
    chosen = limited_indices(strata, images, seed=seed)
    rest = np.setdiff1d(np.arange(len(train)), chosen)
    source = "of each class alike, " if classes else ""
    rule = (
        f"{splits.split_rule}; trained on {images:,} of {counted(len(train), 'training image')}, {source}drawn with"
        f" seed {seed}"
    )
    return splits._replace(
        train=subset(train, train.split, chosen), unused=subset(train, train.split, rest), split_rule=rule
    )


def limited_indices(strata: list[int], images: int, *, seed: int) -> NDArray[np.int64]:
    """Rising indices of so many samples, (images,): the first of every stratum's shuffle, then the second, and on.

    A stratum that has run out leaves its turn to the others.
    """
    names, stratum_of = np.unique(np.asarray(strata, dtype=np.int64), return_inverse=True)
    turn = np.empty(len(strata), dtype=np.int64)
    for stratum, name in enumerate(names.tolist()):
        members = np.flatnonzero(stratum_of == stratum)
        turn[members[shuffled(len(members), seed=key(seed, name + 1))]] = np.arange(len(members))
    # The last round ends within the strata, so its order is drawn as well: else the first classes would have more.
    place = shuffled(len(names), seed=key(seed, len(names), 0))[stratum_of]
    return np.sort(np.lexsort((place, turn))[:images])
