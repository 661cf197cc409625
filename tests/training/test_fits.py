import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from resvision.core.errors import SettingsError
from resvision.training.fits import kmeans, linear_svm, ridge, whitened_ridge


def blobs(n: int = 150, *, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clouds of points in four dimensions, (n, 4), and which cloud each is of."""
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return draw.normal(size=(classes, 4))[labels] * 2 + draw.normal(size=(n, 4)), labels


def test_ridge_on_one_feature_is_the_formula_of_the_textbook() -> None:
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    fitted = ridge(x, y, penalty=2.0)
    assert fitted.weight[0, 0] == pytest.approx(4 / (2 + 2))  # sum of (x - 1)(y - 3) over that of (x - 1)^2 + penalty
    assert fitted.bias[0] == pytest.approx(3 - 1)


def test_ridge_has_no_gradient_left() -> None:
    x, labels = blobs()
    y = np.eye(3)[labels]
    fitted = ridge(x, y, penalty=0.5)
    errors = fitted.scores(x) - y
    np.testing.assert_allclose(errors.T @ x + 0.5 * fitted.weight, 0, atol=1e-9)
    np.testing.assert_allclose(errors.sum(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 1000.0])
def test_ridge_is_that_of_scikit_learn(penalty: float) -> None:
    x, labels = blobs(seed=3)
    y = np.random.default_rng(1).normal(size=(len(x), 4)) + labels[:, None]
    ours, theirs = ridge(x.astype(np.float32), y, penalty=penalty), Ridge(alpha=penalty, solver="svd")
    theirs.fit(x.astype(np.float32).astype(np.float64), y)
    np.testing.assert_allclose(ours.weight, theirs.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.bias, theirs.intercept_, rtol=1e-9, atol=1e-12)


def offsets(n: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features, and four targets that follow from them, correlated and of different sizes."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, features))
    mixed = x[:, :4] @ draw.normal(size=(4, 4)) + 0.1 * draw.normal(size=(n, 4))
    return x.astype(np.float32), (mixed * (0.02, 0.2, 1.0, 5.0) + (0.1, -0.2, 0.0, 3.0)).astype(np.float32)


@pytest.mark.parametrize(("n", "features"), [(60, 7), (12, 30)], ids=["more samples", "more features"])
def test_the_whitened_ridge_is_the_closed_form_of_the_papers_code(n: int, features: int) -> None:
    x, y = offsets(n, features)
    mean = y.astype(np.float64).mean(axis=0)
    centred = y.astype(np.float64) - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / n)
    whitening = directions @ np.diag(1 / np.sqrt(variances + 0.001)) @ directions.T
    with_ones = np.hstack([x.astype(np.float64), np.ones((n, 1))])
    normal = with_ones.T @ with_ones + 30 * np.eye(features + 1)
    beta = np.linalg.inv(normal) @ with_ones.T @ (centred @ whitening)
    predicted = (with_ones @ beta) @ np.linalg.inv(whitening) + mean
    np.testing.assert_allclose(whitened_ridge(x, y, penalty=30).scores(x), predicted, rtol=1e-7, atol=1e-9)


def test_the_whitened_ridge_is_scikit_learns_on_a_column_of_ones_whose_targets_are_whitened() -> None:
    x, y = offsets(80, 5, seed=2)
    centred = y.astype(np.float64) - y.astype(np.float64).mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(centred.T, bias=True) + 0.001 * np.eye(4))
    whitening = vectors / np.sqrt(values) @ vectors.T
    theirs = Ridge(alpha=1000, fit_intercept=False, solver="svd")
    theirs.fit(np.hstack([x.astype(np.float64), np.ones((80, 1))]), centred @ whitening)
    whitened = theirs.predict(np.hstack([x, np.ones((80, 1))]))
    expected = whitened @ np.linalg.inv(whitening) + y.astype(float).mean(axis=0)
    np.testing.assert_allclose(whitened_ridge(x, y, penalty=1000).scores(x), expected, rtol=1e-8, atol=1e-10)


def test_the_whitened_ridge_of_a_large_penalty_predicts_the_mean() -> None:
    x, y = offsets(50, 6)
    scores = whitened_ridge(x, y, penalty=1e12).scores(x)
    np.testing.assert_allclose(scores, np.broadcast_to(y.mean(axis=0), (50, 4)), atol=1e-5)


def test_the_whitened_ridge_of_targets_that_never_change_is_their_value() -> None:
    x = np.random.default_rng(0).normal(size=(9, 3))
    layer = whitened_ridge(x, np.full((9, 4), 0.25), penalty=1.0)
    np.testing.assert_allclose(layer.scores(x), 0.25, atol=1e-12)


def test_a_whitened_ridge_without_samples_or_penalty_is_refused() -> None:
    for samples, penalty, said in ((0, 1.0, "no sample"), (3, 0.0, "must be above 0, got 0")):
        with pytest.raises(SettingsError, match=said):
            whitened_ridge(np.ones((samples, 2)), np.ones((samples, 4)), penalty=penalty)


def test_a_ridge_without_penalty_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be above 0, got 0"):
        ridge(np.ones((3, 2)), np.ones((3, 1)), penalty=0)


def test_the_svm_is_one_versus_rest_of_scikit_learn() -> None:
    x, labels = blobs()
    ours = linear_svm(x, labels, num_classes=3, cost=0.1)
    theirs = LinearSVC(C=0.1, dual=False).fit(x, labels)
    np.testing.assert_allclose(ours.weight, theirs.coef_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.scores(x), theirs.decision_function(x), atol=1e-3)


def test_an_svm_of_two_classes_has_a_row_for_each() -> None:
    x, labels = blobs(classes=2)
    fitted = linear_svm(x, labels, num_classes=2)
    assert fitted.weight.shape == (2, 4)
    np.testing.assert_allclose(fitted.weight[0], -fitted.weight[1], rtol=1e-6)
    assert (fitted.scores(x).argmax(axis=1) == labels).mean() > 0.8


def test_an_svm_of_a_class_without_samples_is_refused() -> None:
    x, labels = blobs()
    with pytest.raises(SettingsError, match="linear SVM of class 3: 0 of 150 samples"):
        linear_svm(x, labels, num_classes=4)


def test_an_svm_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = blobs()
    monkeypatch.setattr("resvision.training.fits.SVM_ITERATIONS", 1)
    with pytest.raises(SettingsError, match="not converged after 1 steps; scale the features"):
        linear_svm(x * 100, labels, num_classes=3, cost=1e4)


@given(seed=st.integers(0, 2**32), clusters=st.integers(1, 12))
def test_the_inertia_of_kmeans_never_rises(seed: int, clusters: int) -> None:
    x, _ = blobs(60, seed=seed % 1000)
    found = kmeans(x, clusters=clusters, seed=seed)
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(found.inertias))
    distances = ((x[:, None] - found.centres) ** 2).sum(axis=2)
    np.testing.assert_array_equal(found.labels, distances.argmin(axis=1))
    assert found.inertias[-1] == pytest.approx(distances.min(axis=1).sum())
    assert np.unique(found.labels).size == clusters


def test_centres_of_kmeans_are_the_means_of_their_samples() -> None:
    x, _ = blobs()
    found = kmeans(x, clusters=5)
    for k, centre in enumerate(found.centres):
        np.testing.assert_allclose(centre, x[found.labels == k].mean(axis=0), rtol=1e-12, atol=1e-12)


def test_kmeans_finds_clusters_that_lie_apart() -> None:
    x, labels = blobs()
    x = x * 0.01 + 100 * np.eye(4)[labels]
    found = kmeans(x, clusters=3)
    assert {*zip(labels.tolist(), found.labels.tolist(), strict=True)} == {
        (label, int(found.labels[label])) for label in range(3)
    }
    theirs = KMeans(3, n_init=1, random_state=0).fit(x)
    assert found.inertias[-1] == pytest.approx(theirs.inertia_)


def test_lloyds_rounds_of_kmeans_are_those_of_scikit_learn() -> None:
    x, _ = blobs(400)
    start = kmeans(x, clusters=6, rounds=0).centres
    theirs = KMeans(6, init=start, n_init=1, tol=0, algorithm="lloyd").fit(x)
    ours = kmeans(x, clusters=6)
    np.testing.assert_allclose(ours.centres, theirs.cluster_centers_, rtol=1e-9)
    assert ours.inertias[-1] == pytest.approx(theirs.inertia_)


def test_a_seed_of_kmeans_gives_one_result_and_another_seed_another() -> None:
    x, _ = blobs(300)
    first, again, other = (kmeans(x, clusters=9, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.centres, again.centres)
    assert not np.array_equal(first.centres, other.centres)


def test_kmeans_of_too_few_distinct_samples_is_refused() -> None:
    x = np.repeat(np.eye(3), 5, axis=0)
    assert kmeans(x, clusters=3).inertias[-1] == 0
    with pytest.raises(SettingsError, match="4 clusters of 3 distinct samples"):
        kmeans(x, clusters=4)
    with pytest.raises(SettingsError, match="0 distinct samples"):
        kmeans(x[:0], clusters=1)


def test_an_empty_cluster_is_moved_to_the_farthest_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.array([[0.0], [1.0], [9.0], [30.0]])
    monkeypatch.setattr("resvision.training.fits._spread_points", lambda *_, **__: np.array([[0.0], [1000.0], [9.0]]))
    found = kmeans(x, clusters=3)
    np.testing.assert_array_equal(found.centres, [[0.5], [30.0], [9.0]])


THREADS = """
import hashlib, sys
import numpy as np
from resvision.training.fits import kmeans
x = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
found = kmeans(x, clusters=20, rounds=5)
print(hashlib.sha256(found.centres.tobytes() + found.labels.tobytes()).hexdigest())
"""


def test_kmeans_is_equal_on_any_number_of_threads() -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    shown = set()
    for threads in ("1", "2", "4"):
        code = f"import os\nos.environ.update(dict.fromkeys({names}, {threads!r}))\n{THREADS}"
        shown.add(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert len(shown) == 1
