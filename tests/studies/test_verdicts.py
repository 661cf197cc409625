import math

import pytest

from resvision.studies.verdicts import judge


@pytest.mark.parametrize("pairs", [1, 2])
def test_fewer_than_three_seeds_are_undecided(pairs: int) -> None:
    verdict = judge("a below b", smaller=[0.0] * pairs, larger=[1.0] * pairs)
    assert verdict.word == "undecided"
    assert math.isnan(verdict.standard_error)


@pytest.mark.parametrize(
    ("smaller", "larger", "word"),
    [
        ([1.0, 2.0, 3.0], [2.0, 3.1, 3.9], "supported"),
        ([2.0, 3.1, 3.9], [1.0, 2.0, 3.0], "contradicted"),
        ([1.0, 2.0, 3.0], [2.0, 1.0, 3.1], "not shown"),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], "not shown"),
    ],
)
def test_a_difference_counts_beyond_two_standard_errors(smaller: list, larger: list, word: str) -> None:
    assert judge("a below b", smaller=smaller, larger=larger).word == word


def test_pairing_removes_what_the_seeds_share() -> None:
    verdict = judge("a below b", smaller=[1.0, 5.0, 9.0], larger=[1.5, 5.6, 9.4])
    assert verdict.mean == pytest.approx(0.5)
    assert verdict.standard_error == pytest.approx(0.1 / math.sqrt(3), rel=1e-6)
