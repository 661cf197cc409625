from collections.abc import Callable

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from resvision.training.fits import HyperPlane, hinge_svm
from resvision.training.mining import MiningRules, mined_svm

PAPER = {"cost": 1e-3, "bias_feature": 10.0, "positive_weight": 2.0}


def cloud(count: int, *, at: float, seed: int) -> np.ndarray:
    """Points in six dimensions of a norm near 20 about (at, at, ..)."""
    return np.random.default_rng(seed).normal(at, 6.0, size=(count, 6)).astype(np.float32)


def objective(plane: HyperPlane, positives: np.ndarray, negatives: np.ndarray) -> float:
    """What the paper's code prints: the norm, its bias divided by 10, and twice the losses of positives."""
    losses = 2 * np.maximum(0, 1 - plane.margins(positives)).sum() + np.maximum(0, 1 + plane.margins(negatives)).sum()
    return float(0.5 * plane.weight @ plane.weight + 0.5 * (plane.bias / 10) ** 2 + 1e-3 * losses)


def fitted(positives: np.ndarray, negatives: np.ndarray) -> HyperPlane:
    together = np.concatenate([positives, negatives])
    return hinge_svm(together, np.arange(len(together)) < len(positives), **PAPER)


def recorded(planes: list[float], seen: list[tuple[list[float], list[float]]]) -> Callable[..., HyperPlane]:
    """A fit in one dimension that gives margins x + b for each b in turn, and notes the samples that it is given."""
    left = iter(planes)

    def fit(samples: np.ndarray, positive: np.ndarray) -> HyperPlane:
        seen.append((samples[positive, 0].tolist(), samples[~positive, 0].tolist()))
        return HyperPlane(np.ones(1), next(left))

    return fit


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


def test_the_svm_with_hinge_loss_is_that_of_scikit_learn_with_the_papers_numbers() -> None:
    positives, negatives = cloud(30, at=3, seed=0), cloud(80, at=-1, seed=1)
    ours = fitted(positives, negatives)
    theirs = LinearSVC(loss="hinge", C=1e-3, intercept_scaling=10, class_weight={1: 2}, tol=1e-8, max_iter=10**6)
    theirs.fit(np.concatenate([positives, negatives]), [1] * 30 + [0] * 80)
    np.testing.assert_allclose(ours.weight, theirs.coef_[0], atol=1e-3)
    np.testing.assert_allclose(ours.bias, theirs.intercept_[0], atol=1e-2)


def test_no_plane_nearby_has_a_smaller_objective() -> None:
    positives, negatives = cloud(30, at=3, seed=2), cloud(80, at=-1, seed=3)
    best = fitted(positives, negatives)
    least, draws = objective(best, positives, negatives), np.random.default_rng(0)
    for size in (0.1, 0.03, 0.01):
        for _ in range(50):
            weight, bias = best.weight + draws.normal(0, size, 6), best.bias + draws.normal(0, size)
            assert objective(HyperPlane(weight, bias), positives, negatives) > least - 1e-5


def test_all_negatives_of_the_first_image_are_held_and_later_ones_if_they_are_hard() -> None:
    seen: list[tuple[list[float], list[float]]] = []
    images = [column(-9, -5, -0.5), column(-4, -1.00005, -1.0002, -0.9), column(-3)]
    mined = mined_svm(column(1, 2), images, fit=recorded([0, 0], seen))
    # After the first fit those below -1.2 are dropped; margins above -1.0001 are hard.
    assert seen[0] == ([1, 2], [-9, -5, -0.5])
    assert seen[1] == ([1, 2], pytest.approx([-0.5, -1.00005, -0.9]))
    assert mined is not None
    assert (mined.fits, mined.negatives) == (2, 3)


def test_a_fit_follows_once_more_negatives_were_added_than_the_rules_say() -> None:
    seen: list[tuple[list[float], list[float]]] = []
    images = [column(0), column(0.1, 0.2), column(0.3), column(0.4), column(-2)]
    mined_svm(column(1), images, fit=recorded([0, 0, 0], seen), rules=MiningRules(retrain_after=2))
    assert [len(negatives) for _, negatives in seen] == [1, 4, 5], "after the first image, after 3 more, at the end"


def test_nothing_is_fitted_twice_to_the_same_samples() -> None:
    seen: list[tuple[list[float], list[float]]] = []
    mined = mined_svm(column(1), [column(0), column(-5)], fit=recorded([0], seen))
    assert mined is not None
    assert mined.fits == len(seen) == 1


def test_without_a_negative_there_is_no_svm() -> None:
    assert mined_svm(column(1), [np.empty((0, 1), dtype=np.float32)] * 3, fit=recorded([], [])) is None


def test_a_first_image_without_negatives_leaves_all_of_the_next_hard() -> None:
    seen: list[tuple[list[float], list[float]]] = []
    mined_svm(column(1), [np.empty((0, 1), dtype=np.float32), column(-50)], fit=recorded([0], seen))
    assert seen == [([1], [-50])]


def test_mining_comes_near_the_svm_of_all_samples_and_holds_few_of_them() -> None:
    positives, images = cloud(40, at=3, seed=4), [cloud(300, at=-1, seed=seed) for seed in range(5, 12)]
    everything = np.concatenate(images)
    mined = mined_svm(positives, images, fit=lambda x, flags: hinge_svm(x, flags, **PAPER))
    assert mined is not None
    least = objective(fitted(positives, everything), positives, everything)
    assert objective(mined.plane, positives, everything) < 1.01 * least
    assert mined.negatives < 0.8 * len(everything)


def test_mining_gives_the_same_bits_again() -> None:
    positives, images = cloud(40, at=2, seed=4), [cloud(100, at=-1, seed=seed) for seed in range(5)]
    first, second = (mined_svm(positives, images, fit=lambda x, flags: hinge_svm(x, flags, **PAPER)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.plane.weight.tobytes() == second.plane.weight.tobytes()
    assert first.plane.bias == second.plane.bias
