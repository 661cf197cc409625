"""Which nets the study of representations compares, and what it keeps of a finished run."""

from typing import Any

import numpy as np
import pytest

from resvision.inference.load import Trained, load
from resvision.launch import Finished
from resvision.probes.representations import first_filters
from resvision.studies import landscape_drawings, representation_drawings
from resvision.studies.measures_representations import far, likeness, near, pictures
from resvision.studies.results import Member, Results
from resvision.studies.specimen import Specimen


class Kept(Specimen):
    """A run as a subject of a study, under any name."""

    def __init__(self, run: Trained, condition: str, seed: int) -> None:
        self.run, self.condition, self.seed = run, condition, seed

    @property
    def trained(self) -> Trained:
        return self.run


def subjects(finished: Finished, conditions: str, seeds: int) -> list[Any]:
    run = load(finished.folder)
    return [Kept(run, condition, seed) for seed in range(seeds) for condition in conditions]


def test_near_and_far_are_means_beside_the_diagonal_and_away_from_it() -> None:
    table = np.array([[1, 0.8, 0.2, 0.1], [0.8, 1, 0.6, 0.3], [0.2, 0.6, 1, 0.4], [0.1, 0.3, 0.4, 1]])
    assert near(table) == pytest.approx((0.8 + 0.6 + 0.4) / 3)
    assert far(table) == pytest.approx((0.2 + 0.1 + 0.3) / 3)


@pytest.mark.parametrize(
    ("conditions", "seeds", "with_seed", "with_net"),
    [("ab", 1, [], []), ("a", 2, [0], []), ("ab", 2, [0, 1], [0, 1, 2, 3]), ("a", 3, [0, 1, 2], [])],
)
def test_no_pair_of_seeds_counts_twice_and_nets_of_one_start_are_not_compared(
    conditions: str, seeds: int, with_seed: list[int], with_net: list[int], finished: Finished
) -> None:
    found = likeness(subjects(finished, conditions, seeds), images=8)
    assert [i for i, each in enumerate(found) if "seeds_same" in each.figures] == with_seed
    assert [i for i, each in enumerate(found) if "nets_same" in each.figures] == with_net
    assert all(each.figures["seeds_same"] == pytest.approx(1) for each in found if "seeds_same" in each.figures)


def results_of(members: list[Member]) -> Results:
    return Results(
        format=1, study="", data="digits", task="classification", quick=True, date="", machine="", settings={},
        members=tuple(members),
    )  # fmt: skip


def test_pictures_are_drawn_from_what_is_kept(finished: Finished) -> None:
    (first, second) = subjects(finished, "a", 2)
    assert not pictures(second).series
    kept = pictures(first, filters=3)
    weights = first_filters(first.net)[1][:3].double().numpy()
    whole = np.array(kept.series["filters"]).reshape(3, *weights.shape[1:])
    assert np.abs(whole / 255 * np.ptp(weights) + weights.min() - weights).max() <= np.ptp(weights) / 510 + 1e-9
    series = {f"seen.{name}": [*values] for name, values in kept.series.items()}
    (alike,) = likeness([first], images=8)
    series |= {f"cka.{name}": [*values] for name, values in alike.series.items()}
    drawn = results_of([Member(condition="a", seed=0, folder="a-seed0", series=series)])
    for draw in (representation_drawings.tables, representation_drawings.filters, representation_drawings.maps):
        svg = draw(drawn, name="x")
        assert svg.startswith("<svg")
        assert svg.count("<image") >= 1
        assert draw(results_of([]), name="x").startswith("<p")
    assert representation_drawings.maps(drawn, name="x").count("<image") == 1 + 4 + 4 + 8 + 8


def test_a_surface_is_drawn_for_every_condition_and_survives_losses_that_are_no_number() -> None:
    steps = [-1.0, 0.0, 1.0]
    series: dict[str, list[float | None]] = {
        "surface.at": [*steps],
        "surface.surface": [*map(float, range(1, 9)), None],
    }
    members = [Member(condition=name, seed=0, folder=name, series=series) for name in ("plain", "residual")]
    svg = landscape_drawings.surfaces(results_of(members), name="x")
    assert "plain, seed 0" in svg
    assert "residual, seed 0" in svg
    assert landscape_drawings.surfaces(results_of([]), name="x").startswith("<p")
