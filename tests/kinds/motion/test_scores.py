"""Scores of motion: the running tally, its merging, and the words about them."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from kinds.motion.made_recordings import driven, recording, window_of
from numpy.typing import NDArray

from resvision.core.errors import NonFiniteLossError
from resvision.kinds.motion.kind import KIND
from resvision.kinds.motion.scores import MotionScores
from resvision.kinds.motion.scoring import Tally
from resvision.kinds.motion.windows import Window

MODES = 6


def _windows() -> list[Window]:
    """Cars that drive straight on at some speed, or brake."""
    scene = recording(
        {
            "steady": driven(lambda t: (12 * t, 0 * t)),
            "slow": driven(lambda t: (3 * t, 1 * t)),
            "braking": driven(lambda t: (20 * t - 1.2 * t**2, 0 * t)),
        }
    )
    return [window_of(scene, vehicle=vehicle, frame=frame) for vehicle in range(3) for frame in (20, 25, 30)]


def _predictions(windows: Sequence[Window], *, off: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The truth, moved by up to `off` metres; probabilities that sum to 1."""
    draws = np.random.default_rng(0)
    truth = np.stack([window.future().positions for window in windows])
    probabilities = draws.dirichlet(np.ones(MODES), size=len(windows))
    return truth[:, None] + draws.uniform(-off, off, size=(len(windows), MODES, 30, 2)), probabilities


def _scores(*, off: float = 1.0) -> MotionScores:
    windows = _windows()
    tally = Tally(len(windows))
    tally.add(range(len(windows)), *_predictions(windows, off=off), windows)
    return tally.scores("window {}".format)


def test_perfect_predictions_have_no_error() -> None:
    scores = _scores(off=0.0)

    assert scores.net.whole.min_ade == [0, 0, 0]
    assert scores.net.whole.rmse == 0
    assert scores.gain == 1


def test_any_order_and_any_number_of_processes_give_the_same_bits() -> None:
    windows = _windows()
    positions, probabilities = _predictions(windows)
    parts = [np.array([8, 1, 4]), np.array([0, 2]), np.array([7, 5, 6, 3])]
    tallies = [Tally(len(windows)) for _ in range(4)]  # of which the last process has no window
    for tally, part in zip(tallies, parts, strict=False):
        tally.add(part, positions[part], probabilities[part], [windows[index] for index in part])
    tallies.reverse()
    first, *others = tallies
    for other in others:
        first.merge(other)

    assert first.scores("window {}".format) == _scores()


def test_scores_come_back_from_json() -> None:
    scores = _scores()

    assert MotionScores.from_json(json.loads(json.dumps(scores.to_json()))) == scores


@pytest.mark.parametrize("damage", [{"systems": []}, {"windows": 1}, {"modes": "three"}, {"worst": [{"index": -1}]}])
def test_damaged_scores_are_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        KIND.read_scores({**_scores().to_json(), **damage})


def test_predictions_that_are_no_numbers_are_refused() -> None:
    windows = _windows()
    positions, probabilities = _predictions(windows)
    positions[3, 0, 5, 1] = np.nan
    tally = Tally(len(windows))
    tally.add(range(len(windows)), positions, probabilities, windows)

    with pytest.raises(NonFiniteLossError, match="not finite"):
        tally.scores(str)


def test_run_that_is_worse_than_constant_velocity_is_said_to_lose() -> None:
    losing, winning = _scores(off=30.0), _scores(off=0.01)

    assert "of roads (constant velocity is 4.20 m off: it loses)" in KIND.sentence(losing, " of roads")
    assert "loses" in dict(KIND.lines(losing))["against constant velocity"]
    assert "lose" not in KIND.sentence(winning, "")
    assert "lower FDE" in dict(KIND.lines(winning))["against constant velocity"]


def test_every_table_of_errors_has_constant_velocity_and_says_where_the_run_loses() -> None:
    losing, winning = KIND.tables(_scores(off=30.0)), KIND.tables(_scores(off=0.01))

    *errors, probabilities = losing
    assert probabilities.title == "Probabilities of the modes"
    for table in errors:
        names = [*table.columns, *(row[0] for row in table.rows)]
        assert "constant velocity" in names, table.title
        assert any("(loses)" in name for name in names), table.title
    assert not any("loses" in row[0] for table in winning if table.columns[0] == "system" for row in table.rows)


def test_run_that_loses_at_some_horizons_is_said_to_lose_there() -> None:
    """It is two and a half metres off at every step, which is much after one second and little after three."""
    windows = _windows()
    braking = windows[6:]
    truth = np.stack([window.future().positions for window in braking])
    tally = Tally(3)
    tally.add(range(3), truth[:, None] + np.array([0.0, 2.5]), np.ones((3, 1)), braking)
    scores = tally.scores("window {}".format)

    by_horizon = next(table for table in KIND.tables(scores) if table.title == "FDE by horizon, m")

    assert [row[0] for row in by_horizon.rows][:2] == ["this run (loses: 1 s)", "constant velocity"]
    assert not scores.loses


@pytest.mark.parametrize(
    ("frame_seconds", "steps", "seconds"), [(0.5, 12, [1, 2, 3, 4, 5, 6]), (0.1, 1, [0.1]), (1.0, 3, [1, 2, 3])]
)
def test_other_paces_and_lengths_are_scored(frame_seconds: float, steps: int, seconds: list[float]) -> None:
    path = driven(lambda t: (10 * t, 0.1 * t**2), frame_seconds=frame_seconds)
    scene = recording({"car": path}, frame_seconds=frame_seconds)
    windows = [window_of(scene, frame=frame, history=4, steps=steps) for frame in (4, 10, 25)]
    tally = Tally(3)
    truth = np.stack([window.future().positions for window in windows])
    tally.add(range(3), truth[:, None], np.ones((3, 1)), windows)
    scores = tally.scores(str)

    assert [at.seconds for at in scores.net.horizons] == seconds
    assert scores.net.whole.rmse == 0
    assert 0 < scores.constant_velocity.whole.min_fde[0] < 40
    assert MotionScores.from_json(scores.to_json()) == scores


def test_vehicles_that_leave_are_scored_as_long_as_they_were_seen() -> None:
    gone = np.arange(61) < 45  # 2.4 s after the last frame that is observed
    paths = {name: driven(lambda t: (10 * t, 0 * t)) for name in ("stays", "leaves")}
    scene = recording(paths, present={"leaves": gone})
    windows = [window_of(scene, vehicle=vehicle) for vehicle in (0, 1)]
    tally = Tally(2)
    tally.add(range(2), np.zeros((2, 1, 30, 2)), np.ones((2, 1)), windows)
    scores = tally.scores(str)

    assert [at.windows for at in scores.net.horizons] == [2, 2, 1]
    assert scores.net.horizons[1].min_fde[0] == pytest.approx(20)
    assert [group.windows for group in scores.net.manoeuvres] == [1]
    assert [window.index for window in scores.worst] == [0]


def test_worst_windows_are_of_one_moment_of_each_vehicle() -> None:
    worst = _scores().worst

    assert len(worst) == 3
    assert {window.index // 3 for window in worst} == {0, 1, 2}
    assert [window.fde for window in worst] == sorted((window.fde for window in worst), reverse=True)


def test_windows_stand_in_the_groups_of_their_speeds() -> None:
    groups = {group.name: group.windows for group in _scores().net.speeds}

    assert groups == {"1 to 5 m/s": 3, "10 to 15 m/s": 3 + 2, "15 to 20 m/s": 1}  # 15.8, 14.6 and 13.4 when braking
