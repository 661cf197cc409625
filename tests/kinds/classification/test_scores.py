import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, log_loss, precision_score, recall_score, top_k_accuracy_score

from resvision.core.errors import NonFiniteLossError
from resvision.kinds.classification.scores import ClassificationScores, Tally, score

CLASSES = tuple("abcdefgh")


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(500, 8)).astype(np.float32)
    targets = draw.integers(0, 8, size=500)
    logits[np.arange(500), targets] += 1
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True), targets


def scored(probabilities: np.ndarray, targets: np.ndarray) -> ClassificationScores:
    return score(probabilities, targets, classes=CLASSES, source=lambda i: f"image {i}")


def test_scores_agree_with_scikit_learn(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, targets = predictions
    ours = scored(probabilities, targets)
    predicted = probabilities.argmax(axis=1)
    assert ours.top1_error == pytest.approx(1 - top_k_accuracy_score(targets, probabilities, k=1))
    assert ours.top5_error == pytest.approx(1 - top_k_accuracy_score(targets, probabilities, k=5))
    assert ours.loss == pytest.approx(log_loss(targets, probabilities), rel=1e-5)
    np.testing.assert_array_equal(ours.confusion, confusion_matrix(targets, predicted))
    np.testing.assert_allclose(ours.recall, recall_score(targets, predicted, average=None))
    np.testing.assert_allclose(ours.precision, precision_score(targets, predicted, average=None))


def test_the_surest_mistake_comes_first(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, targets = predictions
    mistakes = scored(probabilities, targets).mistakes
    assert [each.score for each in mistakes] == sorted((each.score for each in mistakes), reverse=True)
    first = mistakes[0]
    assert first.true == CLASSES[targets[first.index]] != first.predicted
    assert first.source == f"image {first.index}"


def test_equal_probabilities_are_no_hit_for_a_later_class() -> None:
    even = np.full((2, 8), 1 / 8, dtype=np.float32)
    ours = scored(even, np.array([0, 7]))
    assert ours.top1_error == 0.5
    assert ours.top5_error == 0.5


def test_a_class_without_images_has_no_recall() -> None:
    sure = np.eye(8, dtype=np.float32)[[0, 1]]
    ours = scored(sure, np.array([0, 1]))
    assert np.isnan(ours.recall[2])
    assert ours.to_json()["per_class"][2]["recall"] is None


def test_predictions_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(NonFiniteLossError, match="not finite"):
        scored(np.full((2, 8), np.nan, dtype=np.float32), np.array([0, 1]))


def test_scores_survive_json(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    ours = scored(*predictions)
    again = ClassificationScores.from_json(ours.to_json())
    assert again.to_json() == ours.to_json()


def test_any_order_and_any_number_of_processes_give_the_same_scores_to_the_bit(
    predictions: tuple[np.ndarray, np.ndarray],
) -> None:
    probabilities, targets = predictions
    expected = scored(probabilities, targets).to_json()
    order = np.random.default_rng(1).permutation(len(targets))
    whole = Tally(len(targets), len(CLASSES))
    for rank in range(3):
        share = Tally(len(targets), len(CLASSES))
        for part in np.array_split(order[rank::3], 7):
            share.add(part, probabilities[part], targets[part])
        whole.merge(share)
    assert whole.scores(CLASSES, lambda i: f"image {i}").to_json() == expected
    surest = np.sort(probabilities.max(axis=1)[probabilities.argmax(axis=1) != targets])[::-1]
    assert [each["score"] for each in expected["mistakes"]] == surest[:25].tolist()


def test_no_probabilities_are_kept_for_single_images(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, targets = predictions
    tracemalloc.start()
    try:
        tally = Tally(40 * len(targets), len(CLASSES))
        for part in range(40):
            tally.add(part * len(targets) + np.arange(len(targets)), probabilities, targets)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * probabilities.nbytes
