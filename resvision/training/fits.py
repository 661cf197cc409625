"""Fits of arrays that need no gradient descent: linear SVMs, ridge regression, k-means.

Sums are taken in float64. K-means avoids matrix products, so that its result is the same on any number of threads.

Glossary
    N samples, D features, M targets, K classes or clusters
    features  (N, D) numbers
    labels    (N,) class indices 0..K-1
    weight    (M, D) or (K, D), as a linear layer has it: scores = features @ weight.T + bias
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import uniform
from resvision.core.errors import SettingsError

Array = NDArray[np.float64]

HINGE_TOLERANCE = 1e-3
"""The violation of optimality that a hinge SVM stops at: liblinear's own is 0.1, which R-CNN's code leaves. By
scikit-learn's 1e-4 SVMs of a net that tells little apart do not converge."""

SVM_ITERATIONS = 10_000
"""The most Newton steps of one SVM; hundreds are already many."""


SAMPLES_AT_A_TIME = 4096
"""The most samples of a ridge regression that are held in float64."""


class Linear(NamedTuple):
    """A linear layer: weight (M, D) and bias (M,), float64."""

    weight: Array
    bias: Array

    def scores(self, features: NDArray[Any]) -> Array:
        """Scores of every sample, (N, M)."""
        scores: Array = features.astype(np.float64) @ self.weight.T + self.bias
        return scores


class Clusters(NamedTuple):
    """The result of k-means.

    centres   (K, D) float64
    labels    (N,) the nearest centre of every sample
    inertias  sum of squared distances to the nearest centres: of the first centres, then after every round
    """

    centres: Array
    labels: NDArray[np.int64]
    inertias: tuple[float, ...]


def linear_svm(features: NDArray[Any], labels: NDArray[Any], *, num_classes: int, cost: float = 1.0) -> Linear:
    """Fit a linear SVM for each class against all others by liblinear; weight (K, D), bias (K,).

    Each minimises 0.5 * |(weight, bias)|^2 + cost * sum of squared hinge losses. As liblinear has it, the bias is part
    of the norm. Raises SettingsError for a class that no sample or every sample has, and where Newton's method does not
    converge.
    """
    weights, biases = zip(*(_one_svm(features, labels == k, k, cost=cost) for k in range(num_classes)), strict=True)
    return Linear(np.stack(weights), np.array(biases))


def _one_svm(features: NDArray[Any], positive: NDArray[np.bool_], k: int, *, cost: float) -> tuple[Array, float]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if positive.all() or not positive.any():
        raise SettingsError(f"linear SVM of class {k}: {positive.sum()} of {len(positive)} samples are of this class")
    # the primal problem is solved without random numbers, the dual one is not
    svm = LinearSVC(C=cost, dual=False, max_iter=SVM_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            svm.fit(features.astype(np.float64), positive)
        except ConvergenceWarning:
            raise SettingsError(
                f"linear SVM of class {k}: not converged after {SVM_ITERATIONS:,} steps; scale the features to a"
                " deviation near 1, or choose a smaller cost"
            ) from None
    return svm.coef_[0], float(svm.intercept_[0])


class HyperPlane(NamedTuple):
    """One class of a linear SVM: weight (D,), float64, and bias."""

    weight: Array
    bias: float

    def margins(self, features: NDArray[Any]) -> Array:
        """The margins of samples, (N,)."""
        margins: Array = features.astype(np.float64) @ self.weight + self.bias
        return margins


def hinge_svm(
    features: NDArray[Any],
    positive: NDArray[np.bool_],
    *,
    cost: float,
    bias_feature: float = 1.0,
    positive_weight: float = 1.0,
) -> HyperPlane:
    """Fit a linear SVM of two classes by liblinear, whose order of samples is drawn alike each time.

    It minimises 0.5 * |weight|^2 + 0.5 * (bias / bias_feature)^2 + cost * the sum of hinge losses, those of positives
    (N,) times `positive_weight`. Raises SettingsError where one class has no sample, and where it does not converge.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if positive.all() or not positive.any():
        raise SettingsError(f"linear SVM: {positive.sum()} of {len(positive)} samples are of its class")
    svm = LinearSVC(
        loss="hinge",
        C=cost,
        intercept_scaling=bias_feature,
        class_weight={1: positive_weight},
        tol=HINGE_TOLERANCE,
        random_state=0,
        max_iter=SVM_ITERATIONS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            svm.fit(features.astype(np.float64), positive.astype(np.int64))
        except ConvergenceWarning:
            raise SettingsError(
                f"linear SVM: not converged after {SVM_ITERATIONS:,} passes; choose a smaller cost"
            ) from None
    return HyperPlane(svm.coef_[0], float(svm.intercept_[0]))


def ridge(features: NDArray[Any], targets: NDArray[Any], *, penalty: float) -> Linear:
    """Fit the linear layer that minimises squared errors + penalty * |weight|^2, in closed form.

    Targets are (N, M); the result has weight (M, D) and bias (M,), which is not penalised. Raises SettingsError unless
    the penalty is above 0.
    """
    if not penalty > 0:
        raise SettingsError(f"ridge: the penalty must be above 0, got {penalty}")
    x, y = features.astype(np.float64), targets.astype(np.float64)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    # taking the means away first leaves the best bias free: the layer passes through both means
    x, y = x - x_mean, y - y_mean
    weight = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y).T
    return Linear(weight, y_mean - weight @ x_mean)


def whitened_ridge(
    features: NDArray[Any], targets: NDArray[Any], *, penalty: float, least_variance: float = 1e-3
) -> Linear:
    """Fit the linear layer by ridge regression to targets (N, M) that are centred and decorrelated first.

    With mean m and covariance V (d_1, ..) V^T of the targets, T = V (d + least_variance)^-1/2 V^T, it minimises
    |[features, 1] B - (targets - m) T|^2 + penalty * |B|^2, whose bias row is penalised too, and gives the layer
    of B T^-1, with m added to its bias. Girshick et al. 2014, https://arxiv.org/abs/1311.2524, appendix C;
    decorrelation and bias are those of its code. Raises SettingsError unless the penalty is above 0 and there is a
    sample.
    """
    if not penalty > 0:
        raise SettingsError(f"ridge: the penalty must be above 0, got {penalty}")
    if not len(features):
        raise SettingsError("ridge: there is no sample to fit")
    mean = targets.mean(axis=0, dtype=np.float64)
    centred = targets.astype(np.float64) - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    deviations = np.sqrt(variances + least_variance)
    whitened = centred @ (directions / deviations) @ directions.T
    solution = _ridge_with_bias(features, whitened, penalty) @ (directions * deviations) @ directions.T
    return Linear(solution[:-1].T, solution[-1] + mean)


def _ridge_with_bias(features: NDArray[Any], y: Array, penalty: float) -> Array:
    """The B (D + 1, M) that minimises |[features, 1] B - y|^2 + penalty * |B|^2, by the smaller of two systems."""
    samples, columns = len(features), features.shape[1] + 1
    if samples < columns:
        x = _with_ones(features)
        dual: Array = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(samples), y)
        return dual
    # a part at a time, so that all samples are never held in float64
    squares: NDArray[Any] = penalty * np.eye(columns)
    products: NDArray[Any] = np.zeros((columns, y.shape[1]))
    for first in range(0, samples, SAMPLES_AT_A_TIME):
        x = _with_ones(features[first : first + SAMPLES_AT_A_TIME])
        squares = squares + x.T @ x
        products = products + x.T @ y[first : first + SAMPLES_AT_A_TIME]
    primal: Array = np.linalg.solve(squares, products)
    return primal


def _with_ones(features: NDArray[Any]) -> Array:
    """The features with a last column of ones, float64."""
    return np.concatenate([features.astype(np.float64), np.ones((len(features), 1))], axis=1)


def kmeans(features: NDArray[Any], *, clusters: int, seed: int = 0, rounds: int = 300) -> Clusters:
    """Find clusters by Lloyd's rounds from a k-means++ start (Arthur, Vassilvitskii 2007), until no label changes.

    A cluster that loses all its samples is moved to the sample farthest from its centre. There are at most `rounds`
    rounds. Raises SettingsError where there are fewer distinct samples than clusters.
    """
    points = features.astype(np.float64)
    centres = _spread_points(points, clusters, seed=seed)
    labels, squares = _nearest(points, centres)
    inertias = [float(squares.sum())]
    for _ in range(rounds):
        centres = _means(points, labels, squares, clusters)
        moved, squares = _nearest(points, centres)
        inertias.append(float(squares.sum()))
        unchanged = np.array_equal(moved, labels)
        labels = moved
        if unchanged:
            break
    return Clusters(centres, labels, tuple(inertias))


def _spread_points(points: Array, clusters: int, *, seed: int) -> Array:
    """Draw the first centres from the samples, each by its squared distance to the nearest of those before it."""
    draws = uniform(seed, 0, np.arange(clusters), 1)[:, 0]
    chosen: list[int] = []
    squares = np.ones(len(points))  # the first is drawn evenly
    for drawn in draws:
        total = np.cumsum(squares)
        if not len(points) or total[-1] <= 0:
            raise SettingsError(f"k-means: {clusters} clusters of {len(chosen)} distinct samples; choose fewer")
        # rounding may lead to the end of the sum, whose last samples may weigh nothing
        index = min(int(np.searchsorted(total, drawn * total[-1], side="right")), int(np.flatnonzero(squares)[-1]))
        distances = _squared_distances(points, points[index])
        squares = distances if not chosen else np.minimum(squares, distances)
        chosen.append(index)
    return points[chosen]


def _squared_distances(points: Array, centre: Array) -> Array:
    """Squared distances of points (N, D) to one centre (D,), (N,)."""
    differences = points - centre
    # without `optimize` einsum never calls BLAS, whose sums may depend on the number of threads
    squares: Array = np.einsum("nd,nd->n", differences, differences, optimize=False)
    return squares


def _nearest(points: Array, centres: Array) -> tuple[NDArray[np.int64], Array]:
    """The nearest centre of every point, the first of equally near ones, and the squared distance to it; (N,) both."""
    labels, least = np.zeros(len(points), dtype=np.int64), _squared_distances(points, centres[0])
    for k, centre in enumerate(centres[1:], start=1):
        squares = _squared_distances(points, centre)
        nearer = squares < least
        labels[nearer], least[nearer] = k, squares[nearer]
    return labels, least


def _means(points: Array, labels: NDArray[np.int64], squares: Array, clusters: int) -> Array:
    """The mean of every cluster, (K, D); empty ones get the points that are farthest from their centres."""
    farthest = iter(np.argsort(-squares, kind="stable"))
    members = [points[labels == k] for k in range(clusters)]
    return np.stack([cluster.mean(axis=0) if len(cluster) else points[next(farthest)] for cluster in members])
