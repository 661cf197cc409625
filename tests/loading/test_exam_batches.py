"""Batches of an evaluation: every sample once, whole batches to each process, sizes kept apart."""

from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from resvision.contracts import Batch, Images
from resvision.core.errors import SettingsError
from resvision.loading.exam_batches import ExamBatches, cut_by_size, cut_evenly

SIZES = st.lists(st.sampled_from([(8, 8), (8, 12)]), max_size=30)
BATCH_SIZES = st.integers(min_value=1, max_value=8)


class Numbers(ExamBatches):
    def batch_of(self, ids: NDArray[np.int64]) -> Batch:
        return Batch(Images(torch.zeros(len(ids), 1, 1, 1)), targets=None, ids=torch.from_numpy(ids))


def seen(batches: ExamBatches) -> list[list[int]]:
    return [batches[position].ids.tolist() for position in range(len(batches))]


@given(sizes=SIZES, batch_size=BATCH_SIZES, world=st.integers(1, 4), by_size=st.booleans())
def test_processes_together_see_the_batches_of_one_and_every_sample_once(
    sizes: list[tuple[int, int]], batch_size: int, world: int, by_size: bool
) -> None:
    given_sizes = sizes if by_size else None
    alone = seen(Numbers(len(sizes), batch_size=batch_size, sizes=given_sizes))
    assert [*chain(*alone)] == [*range(len(sizes))]
    shares = [
        seen(Numbers(len(sizes), batch_size=batch_size, rank=rank, world=world, sizes=given_sizes))
        for rank in range(world)
    ]
    assert sorted(chain(*shares)) == alone


@given(sizes=SIZES, batch_size=BATCH_SIZES)
def test_a_batch_has_one_size_and_is_cut_no_sooner_than_it_must(sizes: list[tuple[int, int]], batch_size: int) -> None:
    cuts = cut_by_size(sizes, batch_size)
    assert all(len({sizes[index] for index in cut}) == 1 and len(cut) <= batch_size for cut in cuts)
    for before, after in pairwise(cuts):
        assert len(before) == batch_size or sizes[before[-1]] != sizes[after[0]]


@given(samples=st.integers(0, 40), batch_size=BATCH_SIZES)
def test_images_of_one_size_are_cut_evenly(samples: int, batch_size: int) -> None:
    assert cut_evenly(samples, batch_size) == cut_by_size([(8, 8)] * samples, batch_size)


def test_a_batch_of_no_samples_is_refused() -> None:
    with pytest.raises(SettingsError, match="batch_size: 0"):
        Numbers(3, batch_size=0)
