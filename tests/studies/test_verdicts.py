import math

import pytest
from scipy import stats

from resvision.studies.verdicts import MOST_PAIRS, bound, judge, pairs_needed, share_within


def test_one_pair_is_undecided() -> None:
    verdict = judge("a below b", smaller=[0.0], larger=[1.0])
    assert verdict.word == "undecided"
    assert math.isnan(verdict.standard_error)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 30, 201])
def test_the_bound_is_that_of_students_t(freedom: int) -> None:
    assert bound(freedom + 1) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)
    assert share_within(1.3, freedom) == pytest.approx(2 * stats.t.cdf(1.3, freedom) - 1, rel=1e-12)


@pytest.mark.parametrize(
    ("smaller", "larger", "word"),
    [
        ([1.0, 2.0, 3.0], [2.0, 3.1, 3.9], "supported"),
        ([2.0, 3.1, 3.9], [1.0, 2.0, 3.0], "contradicted"),
        ([1.0, 2.0, 3.0], [2.0, 1.0, 3.1], "undecided"),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], "undecided"),
        ([0.0, 0.0, 0.0], [1.0, 2.0, 3.4], "undecided"),  # 2.1 ± 0.7: three standard errors are not enough
    ],
)
def test_a_difference_counts_beyond_the_bound(smaller: list, larger: list, word: str) -> None:
    assert judge("a below b", smaller=smaller, larger=larger).word == word


def test_the_verdict_is_that_of_the_paired_t_test() -> None:
    smaller, larger = [3.1, 2.9, 3.3, 2.2, 2.5], [3.0, 3.6, 3.9, 3.1, 2.6]
    found = stats.ttest_rel(larger, smaller)
    assert (judge("", smaller=smaller, larger=larger).word == "supported") == (found.pvalue < 0.05)


def test_pairing_removes_what_the_seeds_share() -> None:
    verdict = judge("a below b", smaller=[1.0, 5.0, 9.0], larger=[1.5, 5.6, 9.4])
    assert verdict.mean == pytest.approx(0.5)
    assert verdict.standard_error == pytest.approx(0.1 / math.sqrt(3), rel=1e-6)


def test_a_pair_without_a_figure_is_left_out() -> None:
    verdict = judge("a below b", smaller=[1.0, math.nan, 2.0, 3.0], larger=[2.0, 9.0, 3.1, 3.9])
    assert (verdict.pairs, verdict.word) == (3, "supported")


def test_the_pairs_that_are_needed_decide_and_one_less_does_not() -> None:
    verdict = judge("a below b", smaller=[0.0, 0.0, 0.0], larger=[1.0, 2.0, 3.4])
    needed, spread = verdict.needed, verdict.standard_error * math.sqrt(3)
    assert needed is not None
    assert verdict.mean > bound(needed) * spread / math.sqrt(needed)
    assert verdict.mean <= bound(needed - 1) * spread / math.sqrt(needed - 1)
    assert pairs_needed(1.0, 1.0 * MOST_PAIRS) is None
    assert judge("", smaller=[0.0, 0.0], larger=[1.0, 1.001]).needed is None
