import numpy as np
import pytest

from resvision.report.grids import Strip, Surface, contours, picture, plain, strips


def test_filters_of_three_channels_are_colours_around_grey() -> None:
    filters = np.zeros((3, 2, 2))
    filters[0, 0, 0], filters[2, 1, 1] = 2.0, -2.0
    shown = picture(filters)
    assert shown.shape == (2, 2, 3)
    assert shown[0, 0].tolist() == [1.0, 0.5, 0.5]
    assert shown[1, 1].tolist() == [0.5, 0.5, 0.0]
    assert picture(np.stack([np.ones((2, 2)), np.zeros((2, 2))])).tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("value", "written"), [(1.294, "1.3"), (0.0123, "0.012"), (1746, "1,700"), (99.7, "100"), (0.999, "1.00")]
)
def test_numbers_of_a_bar_of_colours_are_short_and_without_powers(value: float, written: str) -> None:
    assert plain(value) == written


def test_a_picture_is_the_same_each_time_and_says_what_it_shows() -> None:
    plot = strips("Two", [Strip("a", [np.eye(3)]), Strip("b", [np.eye(2)] * 9)], words="eyes & more")
    assert plot.svg("x") == plot.svg("x")
    assert 'aria-label="eyes &amp; more"' in plot.svg("x")
    assert plot.svg("x").count("<image") == 10
    assert plot.png() == plot.png()


def test_a_flat_surface_is_drawn() -> None:
    steps = np.linspace(-1, 1, 3)
    assert contours("Flat", [Surface("", np.zeros((3, 3)), (steps, steps))], words="flat").svg("x").startswith("<svg")


def test_walls_of_a_surface_do_not_hide_its_bottom() -> None:
    steps = np.linspace(-1, 1, 3)
    bowl = np.array([[1e9, 10.0, 1e9], [10.0, 0.1, 10.0], [1e9, 10.0, 1e9]])
    svg = contours("Bowl", [Surface("", bowl, (steps, steps))], words="bowl").svg("x")
    assert "1,000 and more" in svg
    assert "and more" not in contours("Bowl", [Surface("", np.minimum(bowl, 10), (steps, steps))], words="").svg("x")
