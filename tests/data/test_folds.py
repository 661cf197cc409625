import numpy as np
import pytest

from resvision.core.errors import SettingsError
from resvision.data.digits import open_splits
from resvision.data.folds import fold_numbers, fold_out


def test_every_image_is_held_out_once_and_classes_are_divided_evenly() -> None:
    strata = [0] * 50 + [1] * 31 + [2] * 4
    numbers = fold_numbers(strata, [None] * 85, 5, seed=3)
    for stratum in range(3):
        counts = np.bincount(numbers[np.array(strata) == stratum], minlength=5)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(numbers)
    assert sizes.max() - sizes.min() <= 1


def test_the_seed_and_nothing_else_draws_the_folds() -> None:
    strata = [index % 3 for index in range(60)]
    first, again, other = (fold_numbers(strata, [None] * 60, 4, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_group_is_in_one_fold() -> None:
    groups = [f"film {index // 7}" for index in range(70)]
    numbers = fold_numbers([index // 35 for index in range(70)], groups, 5, seed=0)
    assert all(len({*numbers[start : start + 7].tolist()}) == 1 for start in range(0, 70, 7))
    assert np.bincount(numbers).tolist() == [14] * 5


def test_the_folds_of_a_set_part_its_training_images_and_leave_its_test_alone() -> None:
    digits = open_splits()
    parts = [fold_out(digits, folds=3, fold=fold, seed=0) for fold in (1, 2, 3)]
    tested = [part.test.source(index) for part in parts for index in range(len(part.test))]
    assert sorted(tested) == sorted(digits.train.source(index) for index in range(len(digits.train)))
    for part in parts:
        held_out = {part.test.source(index) for index in range(len(part.test))}
        assert not held_out & {part.train.source(index) for index in range(len(part.train))}
    assert parts[1].split_rule == (
        "fold 2 of 3 is the test: 934 train / 466 test of 1,400 images, after a shuffle with seed 0; the set's own 397"
        " test images take no part"
    )
    assert len({part.fingerprint() for part in parts}) == 3


@pytest.mark.parametrize(
    ("folds", "fold", "said"), [(3, None, "go together"), (3, 4, "go together"), (1500, 1, "fewer")]
)
def test_folds_that_cannot_be_are_refused(folds: int, fold: int | None, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        fold_out(open_splits(), folds=folds, fold=fold, seed=0)
