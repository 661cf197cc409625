"""Cells of means have a unit once and no spread where there is none; lines of many conditions are told apart."""

from collections.abc import Callable

import pytest

from resvision.report.svg import colours
from resvision.report.tables import duration, percent
from resvision.studies.experiment_plots import dashes_of
from resvision.studies.spreads import mean_and_spread


def plain(value: float) -> str:
    return f"{value:.4g}"


@pytest.mark.parametrize(
    ("values", "write", "cell"),
    [
        ([0.70, 0.72, 0.74], percent, "72.00 ± 2.00 %"),
        ([1.0, 2.0, 3.0], plain, "2 ± 1"),
        ([1.81, 1.887, 1.91], plain, "1.869 ± 0.052"),
        ([1.8100, 1.8101, 1.8102], plain, "1.81 ± 0.0001"),
        ([50.0, 60.0, 70.0], duration, "60 ± 10 s"),
        ([60.0, 130.0], duration, "1.6 min ± 49 s"),
        ([0.5], percent, "50.00 %"),
        ([0.5, 0.5, 0.5], percent, "50.00 %"),
        ([1.0, 3.0], lambda value: f"{value:.2f} m", "2.00 ± 1.41 m"),
    ],
)
def test_a_mean_and_its_spread(values: list[float], write: Callable[[float], str], cell: str) -> None:
    assert mean_and_spread(values, write) == cell


def test_a_colour_that_comes_again_is_dashed() -> None:
    dashes = dashes_of(colours([f"net {number}" for number in range(10)]))
    assert [*dashes.values()] == ["-"] * 8 + ["--"] * 2
