"""Points inside polygons, judged by matplotlib's paths."""

import numpy as np
from matplotlib.path import Path

from resvision.geometry.polygons import edges_of, points_inside


def test_points_of_many_polygons_are_those_of_another_implementation() -> None:
    draws = np.random.default_rng(0)
    for corners in range(3, 40):
        angles = np.sort(draws.uniform(0, 2 * np.pi, corners))
        radii = draws.uniform(1, 5, corners)  # stars of any shape, which do not cross themselves
        polygon = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
        points = draws.uniform(-6, 6, size=(300, 2))

        np.testing.assert_array_equal(points_inside(points, edges_of(polygon)), Path(polygon).contains_points(points))


def test_either_way_round_a_polygon_holds_the_same_points() -> None:
    draws = np.random.default_rng(1)
    polygon, points = draws.uniform(size=(12, 2)), draws.uniform(size=(500, 2))

    np.testing.assert_array_equal(
        points_inside(points, edges_of(polygon)), points_inside(points, edges_of(polygon[::-1]))
    )


def test_tiles_hold_every_point_once_even_on_their_edges() -> None:
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    points = np.stack(np.meshgrid(np.arange(0.25, 3.9, 0.25), np.arange(0.25, 3.9, 0.25)), axis=-1).reshape(-1, 2)

    held = sum(points_inside(points, edges_of(corners + np.array([x, y]))) for x in range(4) for y in range(4))

    assert (held == 1).all()


def test_polygon_without_height_holds_nothing() -> None:
    assert not points_inside(np.array([[0.5, 0.0]]), edges_of(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]))).any()
