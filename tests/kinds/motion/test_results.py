"""Results of motion: trajectories in the frame of the world, as JSON and CSV."""

import numpy as np
import pytest
from kinds.motion.made_recordings import driven, recording, window_of

from resvision.kinds.motion.kind import KIND
from resvision.kinds.motion.placement import WindowGeometry
from resvision.kinds.motion.results import Motion, RawTrajectories
from resvision.kinds.motion.windows import Window


def _window() -> Window:
    """A car that drives north-west, away from the origin of the world."""
    return window_of(recording({"7": driven(lambda t: (100 - 6 * t, 50 + 8 * t))}), steps=3)


def _decoded(window: Window) -> Motion:
    """Three modes: on as before, to the left of it, and to a stop, of which the second is the most probable."""
    ahead = np.stack([np.arange(1.0, 4.0), np.zeros(3)], axis=1)
    modes = np.stack([ahead, ahead + np.array([0.0, 1.0]), 0 * ahead]).astype(np.float32)
    raw = RawTrajectories(modes, np.array([0.3, 0.6, 0.1], dtype=np.float32))
    geometry = WindowGeometry((8, 8), (8, 8), window=window)
    return KIND.decode(raw, geometry, source="road.xml", classes=())


def test_trajectories_are_in_the_frame_of_the_world_the_most_probable_first() -> None:
    window = _window()
    here = np.array([100 - 12, 50 + 16])  # after 2 s
    ahead, left = np.array([-0.6, 0.8]), np.array([-0.8, -0.6])

    motion = _decoded(window)

    assert motion.probabilities == pytest.approx([0.6, 0.3, 0.1])
    np.testing.assert_allclose(motion.positions[0, -1], here + 3 * ahead + left, atol=1e-6)
    np.testing.assert_allclose(motion.positions[1], window.scene.positions[0, 21:24])
    np.testing.assert_allclose(motion.positions[2], np.tile(here, (3, 1)))
    np.testing.assert_allclose(motion.times, [0.1, 0.2, 0.3])


def test_truth_brought_into_the_world_is_the_recording() -> None:
    window = _window()
    raw = RawTrajectories(window.future().positions[None], np.ones(1))

    motion = KIND.decode(raw, WindowGeometry((8, 8), (8, 8), window=window), source="road.xml", classes=())

    np.testing.assert_allclose(motion.positions[0], window.scene.positions[0, 21:24])


def test_rows_name_their_units_and_hold_every_step() -> None:
    rows = [dict(zip(KIND.csv_header, row, strict=True)) for row in KIND.csv_rows(_decoded(_window()))]

    assert len(rows) == 3 * 3
    assert rows[2] == {
        "source": "road.xml",
        "scenario": "road",
        "vehicle": "7",
        "frame": 20,
        "mode": 1,
        "probability": "0.600000",
        "time_s": "0.3",
        "x_m": "85.400",
        "y_m": "67.800",
    }
    assert [row["mode"] for row in rows] == [1] * 3 + [2] * 3 + [3] * 3


def test_plain_data_name_their_units() -> None:
    data = _decoded(_window()).to_json()

    assert {"source", "scenario", "vehicle", "frame", "times_s", "modes"} == {*data}
    assert data["times_s"] == [0.1, 0.2, 0.3]
    assert data["modes"][0]["positions_m"][-1] == [85.4, 67.8]


def test_line_says_where_the_trajectories_end_and_top_cuts_them() -> None:
    motion = _decoded(_window())

    assert KIND.line(motion).startswith("road.xml: road:7@20 after 0.3 s at x 85.4 m, y 67.8 m (60.0%)")
    assert len(KIND.limited(motion, 2).positions) == 2
    assert "30.0%" not in KIND.line(KIND.limited(motion, 1))
    assert "<table>" in motion._repr_html_()


def test_target_that_is_no_window_is_told() -> None:
    assert KIND.target_fault(3, ()) == "a int where a Window is due"
    assert KIND.target_fault(_window(), ()) == ""
