"""A training split cut to a number of images: balanced, nested, drawn by the seed, and kept by the run."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resvision.core.errors import SettingsError
from resvision.data.identities import identify
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.data.train_limit import limit_training, limited_indices
from resvision.preparation import prepare, reopen
from resvision.recipes import compose

STRATA = st.lists(st.integers(-1, 4), min_size=1, max_size=60)
SEEDS = st.integers(0, 2**63 - 1)
SMALL = ("model.options.width=4", "data.image_size=8", "machine.threads=1", "training.batch_size=16")


@given(STRATA, SEEDS, st.data())
def test_strata_have_equal_numbers_unless_they_run_out(strata: list[int], seed: int, data: st.DataObject) -> None:
    images = data.draw(st.integers(1, len(strata)))
    chosen = limited_indices(strata, images, seed=seed)
    assert len(chosen) == images
    assert (np.diff(chosen) > 0).all()
    have, taken = Counter(strata), Counter(strata[index] for index in chosen)
    most = max(taken.values())
    assert all(taken[stratum] >= min(most - 1, have[stratum]) for stratum in have)


@given(STRATA, SEEDS)
def test_fewer_images_are_among_more_images(strata: list[int], seed: int) -> None:
    draws = [set(limited_indices(strata, images, seed=seed).tolist()) for images in range(1, len(strata) + 1)]
    assert all(fewer < more for fewer, more in pairwise(draws))


def test_the_seed_draws_the_images_and_the_classes_that_have_one_more() -> None:
    strata = [0, 1, 2] * 20
    draws = [limited_indices(strata, 10, seed=seed) for seed in range(12)]
    assert len({tuple(draw.tolist()) for draw in draws}) == 12
    assert {Counter(strata[index] for index in draw).most_common(1)[0][0] for draw in draws} == {0, 1, 2}


def test_digits_are_cut_and_nothing_else_changes() -> None:
    whole = open_splits("digits")
    splits = limit_training(whole, 200, seed=1)
    assert len(splits.train) == 200
    assert splits.test is whole.test
    assert Counter(splits.train.target(index) for index in range(200)) == dict.fromkeys(range(10), 20)
    assert "200 of 1,400 training images, of each class alike, drawn with seed 1" in splits.split_rule
    assert len({limit_training(whole, 200, seed=seed).fingerprint() for seed in (1, 2)} | {whole.fingerprint()}) == 3


@pytest.mark.parametrize(
    ("images", "message"), [(1401, "1,401, but digits has 1,400"), (9, "10 classes .* 10 or more")]
)
def test_a_limit_beyond_the_set_or_below_its_classes_is_refused(images: int, message: str) -> None:
    with pytest.raises(SettingsError, match=f"data.train_limit: .*{message}"):
        limit_training(open_splits("digits"), images, seed=0)


def test_images_that_were_left_out_are_not_taken_for_new_ones() -> None:
    whole = open_splits("digits")
    known = identify(limit_training(whole, 200, seed=1))
    together = Splits(whole.test, whole.train, "the other way round")
    assert known.own_test(together).new == 0
    assert replace(known, unused_names=known.unused_names[:0]).own_test(together).new == len(whole.train) - 200


def test_a_run_keeps_its_limit_and_opens_the_same_images_again() -> None:
    run = compose("resnet20", "digits", changes={"data.train_limit": 100, "training.seed": 3}, settings=SMALL)
    first = prepare(run)
    assert first.run.data.train_images == 100
    again = reopen(first.run)
    sources = [[part.splits.train.source(i) for i in range(100)] for part in (first, again)]
    assert sources[0] == sources[1]
    judged = compose("resnet20", "digits", changes={"data.train_limit": 100, "data.validation": 0.1}, settings=SMALL)
    held_out = prepare(judged).splits
    assert len(held_out.train) == 100
    assert held_out.validation is not None
    assert not {held_out.train.source(i) for i in range(100)} & {
        held_out.validation.source(i) for i in range(len(held_out.validation))
    }


@pytest.mark.parametrize(("images", "said"), [(5000, "data.train_limit: 5,000"), (10, "batch_size: 64")])
def test_the_command_line_refuses_a_wrong_number_in_one_line(
    images: int, said: str, cli: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, err = cli("train", "resnet20", "--data", "digits", "--train-images", images)
    assert code == 2
    assert said in err
    assert err.strip().count("\n") == 0
