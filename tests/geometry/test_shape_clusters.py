import numpy as np
import pytest

from resvision.geometry import boxes as geometry
from resvision.geometry.shape_clusters import Floats, clusters, mean_best_iou, shape_iou


def drawn(count: int, *, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).lognormal(3, 0.7, (count, 2))


def test_overlaps_are_those_of_boxes_with_one_corner_in_common() -> None:
    sides, shapes = drawn(12), drawn(5, seed=1)
    boxes, others = (np.concatenate([np.zeros_like(some), some], axis=1) for some in (sides, shapes))
    np.testing.assert_allclose(shape_iou(sides, shapes), geometry.iou(boxes, others))


def test_boxes_of_three_shapes_have_these_as_their_clusters() -> None:
    shapes = np.array([[10.0, 20.0], [30.0, 30.0], [100.0, 40.0]])
    by_count = clusters(np.repeat(shapes, (50, 3, 20), axis=0), 3)
    np.testing.assert_allclose(by_count[2].shapes, shapes)
    assert by_count[2].mean_iou == pytest.approx(1.0)


def test_large_boxes_do_not_count_more_than_small_ones() -> None:
    """By Euclid's distance two of the clusters would lie among the large boxes."""
    sides = np.array([[10.0, 10.0]] * 5 + [[20.0, 10.0]] * 5 + [[400.0, 400.0]] * 2 + [[460.0, 400.0]] * 2)
    shapes = clusters(sides, 3)[2].shapes
    np.testing.assert_allclose(shapes[:2], [[10, 10], [20, 10]])
    assert shapes[2, 0] >= 400


def test_more_clusters_never_fit_worse_and_come_by_area() -> None:
    sides = drawn(300)
    by_count = clusters(sides, 8)
    overlaps = [some.mean_iou for some in by_count]
    assert overlaps == sorted(overlaps)
    for count, some in enumerate(by_count, start=1):
        assert some.shapes.shape == (count, 2)
        assert (np.diff(some.shapes.prod(axis=1)) >= 0).all()
        assert some.mean_iou == pytest.approx(mean_best_iou(sides, some.shapes))


def test_two_clusters_fit_about_as_well_as_the_best_pair_of_boxes() -> None:
    sides = drawn(40)
    best = max(mean_best_iou(sides, sides[[one, other]]) for one in range(40) for other in range(one))
    assert clusters(sides, 2)[1].mean_iou > best - 0.01


def test_the_same_seed_gives_the_same_clusters() -> None:
    sides = drawn(200)
    first, again = clusters(sides, 5, seed=7), clusters(sides, 5, seed=7)
    assert all(np.array_equal(one.shapes, other.shapes) for one, other in zip(first, again, strict=True))


def test_fewer_shapes_than_clusters_are_told() -> None:
    sides = np.array([[10.0, 20.0]] * 5 + [[30.0, 10.0]])
    assert len(clusters(sides, 2)) == 2
    with pytest.raises(ValueError, match="6 boxes have 2 different shapes, too few for 3 clusters"):
        clusters(sides, 3)


def test_of_many_boxes_some_are_drawn_and_all_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resvision.geometry.shape_clusters.MOST_BOXES", 100)
    sides = drawn(1000)
    some = clusters(sides, 3)[2]
    assert some.mean_iou == mean_best_iou(sides, some.shapes)
    monkeypatch.undo()
    assert some.mean_iou > clusters(sides, 3)[2].mean_iou - 0.03
