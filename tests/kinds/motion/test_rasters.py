"""Rasters, judged by a drawing that asks of many points of every pixel whether a box or a lane holds them."""

from dataclasses import replace

import numpy as np
import pytest

from resvision.core.views import Raster
from resvision.geometry.frames import Pose, world_from_agent
from resvision.kinds.motion.painting import Boxes, paint
from resvision.kinds.motion.rasters import OLDEST, SURFACE, drawn, layers
from resvision.kinds.motion.scenes import Lane, Scene
from resvision.kinds.motion.windows import Span, Window

SPAN = Span(history=4, steps=2)
FINE = 8
"""Points of a pixel's side that the judge asks about."""


def road(*, cars: int = 4, seed: int = 0, lanes: bool = True) -> Scene:
    """Cars of all directions and sizes around the origin, and three lanes in a bend, the last of them overlapping."""
    draws = np.random.default_rng(seed)
    steps = draws.uniform(-1.5, 1.5, (cars, 1, 2)) * np.arange(6)[:, None]
    angles = np.linspace(-0.5, 0.6, 24)

    def arc(radius: float) -> np.ndarray:
        return np.stack([radius * np.sin(angles), 60 - radius * np.cos(angles)], axis=1)

    borders = [arc(radius) for radius in (55.0, 59.0, 62.0, 58.0)]
    return Scene(
        name="bend",
        source="bend.csv",
        recording="bend",
        frame_seconds=0.1,
        vehicles=tuple(f"car{number}" for number in range(cars)),
        kinds=("car",) * cars,
        present=np.ones((cars, 6), dtype=np.bool_),
        positions=draws.uniform(-10, 10, (cars, 1, 2)) + steps,
        headings=np.tile(draws.uniform(-3, 3, (cars, 1)), (1, 6)) + 0.05 * np.arange(6),
        speeds=None,
        sizes=np.stack([draws.uniform(0.4, 8, cars), draws.uniform(0.3, 2.5, cars)], axis=1),
        lanes=(Lane(borders[0], borders[1]), Lane(borders[1], borders[2]), Lane(borders[0], borders[3]))
        if lanes
        else (),
    )


def view(past: str = "fading", *, side: int = 40, metres: float = 0.5, ahead: float = 0.6, every: int = 1) -> Raster:
    """A raster with all the history of the tests."""
    channels = Raster.drawn_channels(past, SPAN.history)
    numbers = (0.0,) * channels
    return Raster(
        size_px=side, metres_per_px=metres, ahead=ahead, past=past, history=SPAN.history, every=every,
        channels=channels, mean=numbers, std=(1.0,) * channels,
    )  # fmt: skip


def points_of(window: Window, shown: Raster) -> np.ndarray:
    """The points of all pixels in the world, (side, side, FINE * FINE, 2), rows from the farthest ahead."""
    fine = (np.arange(shown.size_px * FINE) + 0.5) / FINE * shown.metres_per_px
    x = shown.ahead * shown.size_px * shown.metres_per_px - fine
    y = shown.size_px * shown.metres_per_px / 2 - fine
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    world = world_from_agent(grid, window.pose()).reshape(shown.size_px, FINE, shown.size_px, FINE, 2)
    return world.transpose(0, 2, 1, 3, 4).reshape(shown.size_px, shown.size_px, FINE * FINE, 2)


def box_share(points: np.ndarray, scene: Scene, vehicle: int, frame: int) -> np.ndarray:
    """The share of each pixel's points inside a vehicle's box."""
    x, y = scene.positions[vehicle, frame]
    heading = scene.headings[vehicle, frame]
    shifted = points - (x, y)
    along = shifted @ (np.cos(heading), np.sin(heading))
    across = shifted @ (-np.sin(heading), np.cos(heading))
    length, width = scene.sizes[vehicle]
    return ((np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)).mean(axis=-1)


def lane_share(points: np.ndarray, scene: Scene) -> np.ndarray:
    """The share of each pixel's points inside a lane, by the even-odd rule for each of them."""
    inside = np.zeros(points.shape[:-1], dtype=np.bool_)
    for lane in scene.lanes:
        outline = np.concatenate([lane.left, lane.right[::-1]])
        odd = np.zeros_like(inside)
        for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            crosses = (points[..., 1] < y0) != (points[..., 1] < y1)
            at = x0 + (points[..., 1] - y0) * (x1 - x0) / (y1 - y0 if y1 != y0 else 1.0)
            odd ^= crosses & (points[..., 0] < at)
        inside |= odd
    return inside.mean(axis=-1)


@pytest.mark.parametrize("seed", range(3))
def test_fading_boxes_agree_with_points_that_are_asked_one_by_one(seed: int) -> None:
    scene, shown = road(seed=seed), view()
    window = Window(scene, 1, 5, SPAN)
    raster, points = drawn([window], shown)[0].astype(float), points_of(window, shown)
    for channel, vehicles in ((layers(shown).target, [1]), (layers(shown).others, [0, 2, 3])):
        due = np.zeros((shown.size_px, shown.size_px))
        for age in range(SPAN.history + 1):
            value = 255 * (1 - (1 - OLDEST) * age / SPAN.history)
            for vehicle in vehicles:
                due = np.maximum(due, value * box_share(points, scene, vehicle, 5 - age))
        assert np.abs(raster[channel] - due).max() <= 0.07 * 255  # at corners, where shares are products
        assert np.abs(raster[channel] - due).mean() <= 0.6


def test_channels_show_each_frame_of_the_others_then_of_the_target_then_the_road() -> None:
    scene, shown = road(), view("channels")
    window = Window(scene, 2, 5, SPAN)
    raster, points = drawn([window], shown)[0].astype(float), points_of(window, shown)
    frames = SPAN.history + 1
    assert raster.shape[0] == 2 * frames + 3
    for age in range(frames):
        others = np.max([box_share(points, scene, vehicle, 5 - age) for vehicle in (0, 1, 3)], axis=0)
        assert np.abs(raster[age] - 255 * others).max() <= 0.07 * 255
        assert np.abs(raster[frames + age] - 255 * box_share(points, scene, 2, 5 - age)).max() <= 0.07 * 255
    surface = SURFACE * lane_share(points, scene)
    assert np.abs(raster[2 * frames] - surface).max() <= 0.25 * SURFACE  # four lines of a column
    assert np.abs(raster[2 * frames] - surface).mean() <= 0.01 * SURFACE


def test_surfaces_of_lanes_that_overlap_or_touch_are_no_brighter() -> None:
    scene, shown = road(cars=1), view("channels")
    surface = drawn([Window(scene, 0, 5, SPAN)], shown)[0, layers(shown).surface]
    assert surface.max() == SURFACE
    inner = lane_share(points_of(Window(scene, 0, 5, SPAN), shown), scene) == 1
    assert (surface[inner] == SURFACE).all()


@pytest.mark.parametrize("past", ["fading", "channels"])
def test_a_scene_that_is_moved_and_turned_looks_the_same(past: str) -> None:
    scene = road()
    away = Pose(1000.0, -400.0, 1.1)
    moved = replace(
        scene,
        positions=world_from_agent(scene.positions, away),
        headings=scene.headings + away.heading,
        lanes=tuple(Lane(*(world_from_agent(border, away) for border in lane)) for lane in scene.lanes),
    )
    first, second = (drawn([Window(one, 0, 5, SPAN)], view(past)).astype(int) for one in (scene, moved))
    assert np.abs(first - second).max() <= 16  # borders are taken to two centimetres of the world
    assert np.abs(first - second).mean() < 0.1


def test_ahead_is_up_and_left_is_left() -> None:
    heading = 0.7
    pose = Pose(3.0, 4.0, heading)
    places = world_from_agent([[0.0, 0.0], [10.0, 0.0], [0.0, 6.0]], pose)
    scene = replace(
        road(cars=3, lanes=False),
        positions=np.tile(places[:, None], (1, 6, 1)),
        headings=np.full((3, 6), heading),
        sizes=np.tile([2.0, 1.0], (3, 1)),
    )
    others = drawn([Window(scene, 0, 5, SPAN)], view(side=48, metres=0.5, ahead=0.75))[0, 1]
    rows, columns = np.nonzero(others == 255)
    assert {(row, column) for row, column in zip(rows, columns, strict=True) if row < 20} == {
        (row, column) for row in range(14, 18) for column in (23, 24)
    }
    assert columns[rows > 30].tolist() == [11, 12] * 4


def test_a_batch_is_drawn_as_its_windows_alone() -> None:
    windows = [Window(road(seed=seed), seed % 4, 4 + seed % 2, SPAN) for seed in range(19)]
    for shown in (view(), view("channels")):
        together = drawn(windows, shown)
        assert (together == np.concatenate([drawn([window], shown) for window in windows])).all()
    assert drawn([], view()).shape == (0, 3, 40, 40)


def test_vehicles_that_are_not_there_and_frames_before_the_first_are_not_drawn() -> None:
    scene = road(lanes=False)
    present = scene.present.copy()
    present[[0, 2, 3]] = False
    window = Window(replace(scene, present=present), 1, 2, SPAN)
    raster = drawn([window], view("channels"))[0]
    seen = raster.reshape(len(raster), -1).max(axis=1) > 0
    assert seen.tolist() == [False] * 5 + [True] * 3 + [False] * 5


def test_every_second_frame_is_drawn_where_that_is_asked() -> None:
    scene, shown = road(), replace(view("channels", every=2))
    raster = drawn([Window(scene, 1, 5, SPAN)], shown)[0]
    each = drawn([Window(scene, 1, 5, SPAN)], view("channels"))[0]
    for channel in (0, 5):
        assert (raster[channel : channel + 3] == each[channel : channel + 5 : 2]).all()
        assert not raster[channel + 3 : channel + 5].any()


def test_centre_lines_are_brightest_where_the_lane_runs_the_targets_way() -> None:
    scene, shown = road(cars=1), view("channels", side=96)
    lane = scene.lanes[0]
    middle = len(lane.left) // 2
    way = np.arctan2(*(lane.left[middle + 1] - lane.left[middle])[::-1])
    levels = []
    for turn in (0, np.pi / 2, np.pi):
        turned = replace(scene, positions=np.zeros((1, 6, 2)), headings=np.full((1, 6), way + turn))
        levels.append(drawn([Window(turned, 0, 5, SPAN)], shown)[0, layers(shown).centres].max())
    assert levels[0] > 250 > levels[1] > levels[2] > 0


def test_a_box_wider_than_the_raster_and_one_thinner_than_a_pixel_cover_what_they_cover() -> None:
    canvas = np.zeros((2, 16, 16), dtype=np.uint8)
    paint(
        canvas,
        Boxes(
            centres=np.array([8 + 8j, 8.5 + 8j]),
            directions=np.array([1j, 1j]),
            lengths=np.array([100.0, 4.0]),
            widths=np.array([90.0, 0.1]),
            values=np.array([200.0, 200.0]),
            planes=np.array([0, 1]),
        ),
    )
    assert (canvas[0] == 200).all()
    assert canvas[1].sum() == pytest.approx(200 * 8 * 0.2, abs=8)
