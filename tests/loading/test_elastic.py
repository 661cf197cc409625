import numpy as np
import pytest
from scipy import special

from resvision.core import draws
from resvision.loading.elastic import ELASTIC_SLOTS, displacements, rotation, warped

NO_DEVIATION = np.full(ELASTIC_SLOTS, 0.5)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A colour image of noise and a mask of three labels that are not neighbours."""
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(40, 60, 3), dtype=np.uint8)
    mask = rng.choice(np.array([0, 7, 255], dtype=np.uint8), size=(40, 60))
    return image, mask


def deform(
    image: np.ndarray, mask: np.ndarray, drawn: np.ndarray, sigma_px: float = 10.0
) -> tuple[np.ndarray, np.ndarray]:
    """An image and its mask, warped by one field."""
    field = displacements(*mask.shape, drawn, sigma_px=sigma_px)
    return warped(image, field, order=1), warped(mask, field, order=0)


def drawn(indices: int = 1) -> np.ndarray:
    return draws.uniform(3, 0, np.arange(indices), ELASTIC_SLOTS)


def test_no_displacement_is_the_identity() -> None:
    image, mask = scene()
    for moved in (deform(image, mask, drawn()[0], sigma_px=0.0), deform(image, mask, NO_DEVIATION)):
        assert np.array_equal(moved[0], image)
        assert np.array_equal(moved[1], mask)


def test_the_field_has_the_drawn_deviates_at_the_points_of_the_grid() -> None:
    given = drawn()[0]
    field = displacements(41, 61, given, sigma_px=10.0)
    assert np.allclose(field[:, ::20, ::30], 10 * special.ndtri(given).reshape(2, 3, 3), atol=1e-9)


def test_equal_displacements_everywhere_shift_image_and_mask_alike() -> None:
    image, mask = scene()
    three_down = special.ndtr(0.3)  # of ten
    given = np.concatenate([np.full(9, three_down), np.full(9, 0.5)])
    moved, labels = deform(image, mask, given, sigma_px=10.0)
    assert np.abs(moved[:-3].astype(int) - image[3:]).max() <= 1
    assert np.array_equal(labels[:-3], mask[3:])
    assert np.array_equal(labels[-3:], mask[-2:-5:-1])  # mirrored about the last row


def test_labels_stay_in_the_label_set_and_the_image_within_its_values() -> None:
    image, mask = scene()
    moved, labels = deform(image // 4 + 100, mask, drawn()[0])
    assert {*np.unique(labels)} <= {0, 7, 255}
    assert (moved.min() >= 100) & (moved.max() <= 163)
    assert (labels != mask).any()
    assert moved.dtype == labels.dtype == np.uint8
    assert moved.shape == image.shape


def test_image_and_mask_move_by_the_same_field() -> None:
    y, x = np.indices((64, 64))
    mask = ((y - 30) ** 2 + (x - 34) ** 2 < 15**2).astype(np.uint8)
    moved, labels = deform(mask * 255, mask, drawn()[0])
    assert np.mean((moved > 127) != (labels == 1)) < 0.02  # but for rounding along the outline
    assert np.mean(labels != mask) > 0.05


def test_displacements_are_normal_with_the_given_deviation() -> None:
    at_the_grid = np.array([displacements(3, 3, each, sigma_px=10.0) for each in drawn(2000)])
    assert at_the_grid.mean() == pytest.approx(0.0, abs=0.2)
    assert at_the_grid.std() == pytest.approx(10.0, rel=0.02)
    assert np.abs(np.corrcoef(at_the_grid.reshape(2000, -1).T) - np.eye(18)).max() < 0.1


def test_the_extreme_draws_are_finite_and_equal_draws_give_equal_results() -> None:
    image, mask = scene()
    for extreme in (np.zeros(ELASTIC_SLOTS), np.full(ELASTIC_SLOTS, 1 - 2.0**-53)):
        assert np.isfinite(displacements(8, 8, extreme)).all()
    first, second = (deform(image, mask, drawn()[0]) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_grey_images_and_single_rows_go_too() -> None:
    grey = np.arange(7, dtype=np.uint8)[None]
    assert np.array_equal(warped(grey, np.zeros((2, 1, 7)), order=1), grey)
    assert displacements(1, 7, drawn()[0]).shape == (2, 1, 7)


@pytest.mark.parametrize("side", [6, 7])
def test_a_quarter_turn_is_numpys_and_no_turn_nothing(side: int) -> None:
    image = np.random.default_rng(0).integers(256, size=(side, side, 3), dtype=np.uint8)
    for quarters in (0, 1, 2, -1):
        field = np.round(rotation(side, side, 90 * quarters), 9)
        assert np.array_equal(warped(image, field, order=1), np.rot90(image, quarters))
        assert np.array_equal(warped(image[..., 0], field, order=0), np.rot90(image[..., 0], quarters))
