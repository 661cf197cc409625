"""Images held out of training, so that a run can be judged on its way without a look at the test images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resvision.contracts import Reader, Sample
from resvision.core.draws import shuffled
from resvision.core.errors import SettingsError
from resvision.core.images import Preprocess
from resvision.data.sets import Splits

SEED = 0
"""Of the shuffle. Not the seed of the run: runs that differ in theirs are judged by the same images."""


@dataclass(kw_only=True)
class Part:
    """Some samples of a reader as a split of their own; `indices` (M,) int64 are their places in it."""

    name: str
    split: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    whole: Reader
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.whole[int(self.indices[index])]

    def target(self, index: int) -> int:
        """Class index of sample `index`."""
        return self.whole.target(int(self.indices[index]))

    def source(self, index: int) -> str:
        """Where the whole reader has it from."""
        return self.whole.source(int(self.indices[index]))


def hold_out(splits: Splits, share: float) -> Splits:
    """The splits with `share` of each class, 0 < share < 0.5, taken from training for validation.

    Each class with two images or more gives at least one. Raises SettingsError where the set brings validation images
    of its own, or where no class has two images.
    """
    train = splits.train
    if splits.validation is not None:
        raise SettingsError(
            f"data.validation: {train.name} brings validation images of its own; leave --validation out"
        )
    held_out = held_out_indices([train.target(index) for index in range(len(train))], share)
    if not len(held_out):
        raise SettingsError(f"data.validation: {train.name} has no class with two training images")
    kept = np.setdiff1d(np.arange(len(train)), held_out)
    rule = (
        f"{splits.split_rule}; of each training class {100 * share:.3g} % are held out for validation, after a shuffle"
        f" with seed {SEED}: {len(kept):,} train / {len(held_out):,} validation"
    )
    return splits._replace(
        train=_part(train, train.split, kept), validation=_part(train, "val", held_out), split_rule=rule
    )


def held_out_indices(targets: Sequence[int], share: float) -> NDArray[np.int64]:
    """Rising indices of `share` of each class, at least one of each class that has two: a function of `targets` alone.

    The shuffle of a class depends on its number of images only, so other classes may come and go.
    """
    of_class = np.asarray(targets, dtype=np.int64)
    chosen = [np.empty(0, dtype=np.int64)]
    for each in np.unique(of_class):
        places = np.flatnonzero(of_class == each)
        many = max(1, round(share * len(places))) if len(places) > 1 else 0
        chosen.append(places[shuffled(len(places), seed=SEED)[:many]])
    return np.sort(np.concatenate(chosen))


def _part(whole: Reader, split: str, indices: NDArray[np.int64]) -> Part:
    return Part(
        name=whole.name,
        split=split,
        classes=whole.classes,
        preprocess=whole.preprocess,
        whole=whole,
        indices=indices,
    )
