"""Images held out of training, so that a run can be judged on its way without a look at the test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.contracts import MaskReader, Reader, Sample
from resvision.core.draws import shuffled
from resvision.core.errors import SettingsError
from resvision.core.images import Preprocess
from resvision.data.sets import Splits

SEED = 0
"""Of the shuffle. Not the seed of the run: runs that differ in theirs are judged by the same images."""


@dataclass(kw_only=True)
class _Part:
    """Some samples of a reader as a split of their own; `indices` (M,) int64 are their places in it. Abstract."""

    name: str
    split: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    whole: Any
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self.whole[int(self.indices[index])]
        return sample

    def source(self, index: int) -> str:
        """Where the whole reader has it from."""
        return str(self.whole.source(int(self.indices[index])))


@dataclass(kw_only=True)
class Part(_Part):
    """Some samples of a reader of classes."""

    def target(self, index: int) -> int:
        """Class index of sample `index`."""
        return int(self.whole.target(int(self.indices[index])))


@dataclass(kw_only=True)
class MaskPart(_Part):
    """Some samples of a reader of masks."""

    def target(self, index: int) -> NDArray[np.uint8]:
        """The mask of sample `index`, (H, W) of 0..K-1 and VOID."""
        return np.asarray(self.whole.target(int(self.indices[index])))

    def mask_source(self, index: int) -> str:
        """Where the whole reader has the mask from."""
        return str(self.whole.mask_source(int(self.indices[index])))


def hold_out(splits: Splits, share: float) -> Splits:
    """The splits with `share` of each class, 0 < share < 0.5, taken from training for validation.

    Each class with two images or more gives at least one. Images with masks, which hold many classes, are all taken as
    one. Raises SettingsError where the set brings validation images of its own, or where no class has two images.
    """
    train = splits.train
    if splits.validation is not None:
        raise SettingsError(
            f"data.validation: {train.name} brings validation images of its own; leave --validation out"
        )
    masked = isinstance(train, MaskReader)
    held_out = held_out_indices([0 if masked else train.target(index) for index in range(len(train))], share)
    if not len(held_out):
        few = "less than two training images" if masked else "no class with two training images"
        raise SettingsError(f"data.validation: {train.name} has {few}")
    kept = np.setdiff1d(np.arange(len(train)), held_out)
    of = "the training images" if masked else "each training class"
    rule = (
        f"{splits.split_rule}; of {of} {100 * share:.3g} % are held out for validation, after a shuffle"
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


def _part(whole: Reader, split: str, indices: NDArray[np.int64]) -> Part | MaskPart:
    made = MaskPart if isinstance(whole, MaskReader) else Part
    return made(
        name=whole.name,
        split=split,
        classes=whole.classes,
        preprocess=whole.preprocess,
        whole=whole,
        indices=indices,
    )
