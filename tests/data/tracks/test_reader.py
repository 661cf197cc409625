"""Windows as samples: which there are, how they are cut and drawn, and what a person may ask of both."""

from dataclasses import replace

import numpy as np
import pytest

from resvision.core.errors import DataError, SettingsError
from resvision.core.samples import Drawing, Timing
from resvision.core.views import Raster
from resvision.data.tracks.cuts import cuts_of
from resvision.data.tracks.reader import TrackReader
from resvision.kinds.motion.scenes import Scene
from resvision.kinds.motion.windows import Span
from tests.data.tracks.written import driven


def scene(present: np.ndarray, *, frame_seconds: float = 0.1, **changed: object) -> Scene:
    """A scene whose cars are seen as `present`, (V, F), says."""
    cars, frames = present.shape
    paths = np.stack([driven(car, frames, frame_seconds=frame_seconds or 0.1, y=4.0 * car) for car in range(cars)])
    whole = Scene(
        name="road",
        source="/there/road.xml",
        recording="road",
        frame_seconds=frame_seconds,
        vehicles=tuple("abcdef"[:cars]),
        kinds=("car",) * cars,
        present=present,
        positions=np.where(present[..., None], paths, 0.0),
        headings=np.zeros(present.shape),
        speeds=None,
        sizes=np.tile([4.5, 1.8], (cars, 1)),
    )
    return replace(whole, **changed)


def reader(*scenes: Scene) -> TrackReader:
    return TrackReader(name="roads", split="train", scenes=scenes)


def test_windows_are_those_that_a_search_over_all_frames_finds() -> None:
    draws = np.random.default_rng(0)
    for span in (Span(3, 2, 2, 1), Span(0, 1, 1, 2), Span(4, 3, 1, 3)):
        present = draws.random((3, 40)) > 0.05
        cuts = cuts_of([scene(present)], span)
        found = set()
        for vehicle, seen in enumerate(present):
            last = None
            for frame in range(40):
                first, end = frame - span.history, frame + span.future + 1
                if first < 0 or end > 40 or not seen[first:end].all():
                    last = None if not seen[frame] else last
                elif last is None or frame - last == span.start_frames:
                    found.add((vehicle, frame))
                    last = frame
        assert {(int(v), int(f)) for v, f in zip(cuts.vehicles, cuts.frames, strict=True)} == found


def test_pedestrians_and_parked_cars_are_not_predicted_and_a_focal_car_is_alone() -> None:
    seen = np.ones((3, 60), dtype=np.bool_)
    windows = reader(scene(seen, kinds=("car", "parked", "pedestrian")))
    assert {windows.target(index).vehicle for index in range(len(windows))} == {0}
    windows = reader(scene(seen, focal=(2,)))
    assert {windows.target(index).vehicle for index in range(len(windows))} == {2}


def test_a_window_names_itself_its_file_its_recording_and_its_content() -> None:
    windows = reader(scene(np.ones((2, 60), dtype=np.bool_)))
    assert [windows.source(index) for index in range(len(windows))] == [
        "road:a@20",
        "road:a@25",
        "road:b@20",
        "road:b@25",
    ]
    assert windows.target_source(0) == "/there/road.xml"
    assert windows.group(0) == "road"
    assert windows.classes == ()
    assert len({windows.content(index) for index in range(4)}) == 4
    renamed = reader(scene(np.ones((2, 60), dtype=np.bool_), name="other", source="elsewhere.xml"))
    assert renamed.content(0) == windows.content(0)


def test_the_picture_of_a_sample_shows_its_window() -> None:
    windows = reader(scene(np.ones((2, 60), dtype=np.bool_)))
    sample = windows[1]
    assert sample.image.dtype == np.uint8
    assert sample.image.ndim == 3
    assert sample.image.shape[2] == 3
    assert sample.image.any()
    assert sample.target.name == "road:a@25"


def test_what_a_person_asks_is_cut_and_drawn_and_told() -> None:
    windows = reader(scene(np.ones((1, 60), dtype=np.bool_)))
    timing = Timing(history_seconds=1.0, horizon_seconds=2.0, step_seconds=0.5, start_seconds=1.0)
    asked = windows.recut(timing, Drawing(metres_per_px=0.5, ahead=0.6, drawn_past="channels"))
    assert asked.span == Span(10, 4, 5, 10)
    assert len(asked) == 3
    view = asked.view
    assert isinstance(view, Raster)
    assert (view.metres_per_px, view.ahead, view.channels, view.every) == (0.5, 0.6, 25, 1)
    assert asked.cut() == (timing._replace(frame_seconds=0.1), Drawing(0.5, 0.6, "channels", 1.0))
    again = windows.recut(*asked.cut())
    assert again.view == asked.view
    assert again.span == asked.span


def test_what_is_left_open_is_as_usual() -> None:
    usual = reader(scene(np.ones((1, 60), dtype=np.bool_))).recut(Timing(), Drawing())
    assert usual.span == Span(20, 30, 1, 5)
    assert usual.cut() == (Timing(0.1, 2.0, 3.0, 0.1, 0.5), Drawing(1.0, 0.75, "fading", 2.0))
    slow = reader(scene(np.ones((1, 60), dtype=np.bool_), frame_seconds=0.4)).recut(Timing(), Drawing())
    assert slow.span == Span(5, 8, 1, 1)  # the nearest whole numbers of frames


def test_many_frames_of_history_share_ten_channels_of_the_past() -> None:
    windows = reader(scene(np.ones((1, 90), dtype=np.bool_)))
    views = [windows.recut(Timing(history_seconds=s), Drawing(drawn_past="channels")).view for s in (0, 0.5, 1, 2, 3)]
    assert [view.channels for view in views] == [5, 15, 25, 25, 25]
    assert [view.history * view.every for view in views if isinstance(view, Raster)] == [0, 5, 10, 20, 30]


def test_the_size_that_a_person_asks_for_stays_when_metres_are_asked_for_too() -> None:
    windows = reader(scene(np.ones((1, 60), dtype=np.bool_)))
    windows.view = windows.view.sized(64)
    view = windows.recut(Timing(), Drawing(metres_per_px=0.5)).view
    assert isinstance(view, Raster)
    assert (view.size_px, view.metres_per_px) == (64, 0.5)


@pytest.mark.parametrize(
    ("timing", "said"),
    [
        (Timing(history_seconds=0.25), "data.history_seconds: 0.25 s are no whole number of frames, which are 0.1 s"),
        (Timing(step_seconds=0.04), "data.step_seconds: 0.04 s are no whole number of frames"),
        (
            Timing(step_seconds=0.7, horizon_seconds=2.0),
            "data.horizon_seconds: 2 s are no whole number of steps of 0.7",
        ),
        (Timing(step_seconds=4.0), "data.horizon_seconds: 3 s are no whole number of steps of 4 s"),
        (Timing(frame_seconds=0.2), "data.frame_seconds: 0.2, but the files of roads have frames 0.1 s apart"),
        (Timing(horizon_seconds=1e6), "more than 100,000 frames"),
    ],
)
def test_times_that_do_not_fit_the_frames_are_refused(timing: Timing, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        reader(scene(np.ones((1, 60), dtype=np.bool_))).recut(timing, Drawing())
    assert said in str(refused.value)


def test_tracks_that_are_too_short_are_refused_with_the_length_of_the_longest() -> None:
    short = np.zeros((2, 60), dtype=np.bool_)
    short[0, 3:40], short[1, 10:20] = True, True
    with pytest.raises(DataError, match=r"roads, train: no track is long enough: 51 frames .* longest track has 37"):
        reader(scene(short)).recut(Timing(), Drawing())


def test_only_tracks_that_are_predicted_count_as_the_longest() -> None:
    seen = np.ones((2, 60), dtype=np.bool_)
    seen[0, 20:] = False
    with pytest.raises(DataError, match=r"longest track has 20;"):
        reader(scene(seen, kinds=("car", "parked"))).recut(Timing(), Drawing())
    with pytest.raises(DataError, match=r"roads, train: no vehicle to predict: all are parked or on foot"):
        reader(scene(seen, kinds=("pedestrian", "parked"))).recut(Timing(), Drawing())


def test_the_time_between_frames_is_asked_for_where_no_file_tells_it() -> None:
    untimed = reader(scene(np.ones((1, 60), dtype=np.bool_), frame_seconds=0.0))
    with pytest.raises(SettingsError, match=r"data.frame_seconds: roads does not tell the seconds between two frames"):
        len(untimed)
    assert len(untimed.recut(Timing(frame_seconds=0.1), Drawing())) == 2
