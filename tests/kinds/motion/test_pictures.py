"""Traffic from above for people: colours lie where things are, and a film runs as long as its window."""

from io import BytesIO

import numpy as np
import pytest
from motion.traffic import FRAME_SECONDS, SPAN, scene
from PIL import Image

from resvision.kinds.motion.captions import Lettering
from resvision.kinds.motion.pictures import animation, moving, top_view
from resvision.kinds.motion.results import Motion
from resvision.kinds.motion.showing import by_constant_velocity
from resvision.kinds.motion.viewport import GROUND, PREDICTED, TARGET, TRUTH, Viewport, viewport_of
from resvision.kinds.motion.windows import Window

SIDE_PX = 320


def window(frame: int = 12) -> Window:
    return Window(scene(), 1, frame, SPAN)


def aside(shown: Window, probability: float = 0.9) -> Motion:
    """A forecast that leaves to the side, and one that stands still."""
    straight = by_constant_velocity(shown)
    paths = straight.positions[0] + np.linspace(3, 12, SPAN.steps)[:, None] * [-1.0, 1.0]
    still = np.broadcast_to(shown.scene.positions[shown.vehicle, shown.frame], paths.shape)
    return Motion(
        source=straight.source,
        scenario=straight.scenario,
        vehicle=straight.vehicle,
        frame=straight.frame,
        times=straight.times,
        positions=np.stack([paths, still]),
        probabilities=np.array([probability, 1 - probability]),
    )


def colour_at(picture: Image.Image, viewport: Viewport, point: np.ndarray) -> np.ndarray:
    ((x, y),) = viewport.pixels(point[None])
    return np.array(picture.getpixel((int(x), int(y))), dtype=float)


def far(one: np.ndarray, other: tuple[int, int, int]) -> float:
    return float(np.abs(one - other).max())


def test_target_truth_and_forecast_have_their_colours_where_they_are() -> None:
    shown = window()
    forecast = aside(shown)
    picture, viewport = top_view(shown, forecast, side_px=SIDE_PX), viewport_of(shown, forecast, SIDE_PX)
    places = shown.scene.positions[shown.vehicle]
    assert far(colour_at(picture, viewport, places[shown.frame]), TARGET) < 60
    assert far(colour_at(picture, viewport, places[shown.frame + SPAN.future]), TRUTH) < 60
    assert far(colour_at(picture, viewport, forecast.positions[0, -1]), PREDICTED) < 60
    assert far(colour_at(top_view(shown, side_px=SIDE_PX), viewport_of(shown, None, SIDE_PX), places[0]), TARGET) > 20


def test_less_probable_trajectories_are_paler() -> None:
    shown = window()
    colours = []
    for probability in (0.9, 0.1):
        forecast = aside(shown, probability)
        picture, viewport = top_view(shown, forecast, side_px=SIDE_PX), viewport_of(shown, forecast, SIDE_PX)
        colours.append(far(colour_at(picture, viewport, forecast.positions[0, -1]), GROUND))
    assert colours[0] > colours[1] > 30


def test_past_truth_and_likely_forecasts_lie_within_the_picture() -> None:
    shown = window()
    forecast = aside(shown)
    viewport = viewport_of(shown, forecast, SIDE_PX)
    times = slice(shown.frame - SPAN.history, shown.frame + SPAN.future + 1)
    points = np.concatenate([shown.scene.positions[shown.vehicle, times], *forecast.positions])
    assert ((np.array(viewport.pixels(points)) > 0) & (np.array(viewport.pixels(points)) < SIDE_PX)).all()


def test_a_film_shows_each_frame_of_the_window_in_the_time_of_the_recording() -> None:
    shown = window()
    pictures = animation(shown, by_constant_velocity(shown), side_px=SIDE_PX)
    assert len(pictures) == SPAN.history + 1 + SPAN.future
    with Image.open(BytesIO(moving(pictures, FRAME_SECONDS))) as film:
        durations = []
        for frame in range(film.n_frames):
            film.seek(frame)
            durations.append(film.info["duration"])
    assert sum(durations[:-1]) == pytest.approx(1000 * FRAME_SECONDS * (len(pictures) - 1), rel=0.05)


def test_a_film_shows_nothing_before_it_happens() -> None:
    shown = window()
    forecast = aside(shown)
    first, *_, last = animation(shown, forecast, side_px=SIDE_PX)
    viewport = viewport_of(shown, forecast, SIDE_PX)
    places = shown.scene.positions[shown.vehicle]
    end = places[shown.frame + SPAN.future]
    assert far(colour_at(first, viewport, end), TARGET) > 60
    assert far(colour_at(last, viewport, end), TARGET) < 60
    assert far(colour_at(first, viewport, forecast.positions[0, -1]), PREDICTED) > 60
    assert far(colour_at(last, viewport, forecast.positions[0, -1]), PREDICTED) < 60


def test_a_window_whose_future_is_not_recorded_is_shown_as_far_as_it_is() -> None:
    shown = Window(scene(), 0, 28, SPAN)
    assert len(animation(shown, side_px=SIDE_PX)) == SPAN.history + 2
    assert top_view(shown, by_constant_velocity(shown), side_px=SIDE_PX).size == (SIDE_PX, SIDE_PX)


def test_a_picture_without_a_legend_has_no_colour_of_one() -> None:
    shown = window()
    forecast = aside(shown)
    corner = (slice(SIDE_PX // 2, None), slice(0, SIDE_PX // 4))  # lower left, where the legend stands

    told, bare = (
        np.asarray(top_view(shown, forecast, side_px=SIDE_PX, lettering=Lettering(11, has_legend=has_legend)))[corner]
        for has_legend in (True, False)
    )

    assert (told == PREDICTED).all(axis=-1).any()
    assert not (bare == PREDICTED).all(axis=-1).any()
