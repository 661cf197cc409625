"""Confusions of label maps, counted image by image."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix, jaccard_score
from torch import Tensor

from resvision.contracts import Batch, Images
from resvision.core.errors import DataError, NonFiniteLossError
from resvision.core.images import VOID
from resvision.kinds.segmentation.scores import SegmentationScores
from resvision.segmentation.scoring import confusion_of, count_all

CLASSES = ("a", "b", "c")


def logits_of(pixels: Tensor) -> Tensor:
    """Logits of three classes, (N, K, H, W): each pixel's channels."""
    return pixels.float() / 64


def batch() -> Batch:
    """Two images with their labels, a part of the first void."""
    torch.manual_seed(1)
    images = torch.randint(0, 256, (2, 3, 8, 6), dtype=torch.uint8)
    labels = torch.randint(0, 3, (2, 8, 6))
    labels[0, :3] = VOID
    return Batch(Images(images), labels, torch.arange(2))


def counted(*given: Batch) -> SegmentationScores:
    return scored(lambda pixels: logits_of(pixels).softmax(dim=1), *given)


def scored(probabilities: Callable[[Tensor], Tensor], *given: Batch) -> SegmentationScores:
    images = sum(len(batch.ids) for batch in given)
    tally = count_all(probabilities, given, images=images, classes=3, device=torch.device("cpu"))
    return tally.scores(CLASSES, lambda index: f"image {index}")


def test_iou_and_confusion_are_scikit_learns() -> None:
    torch.manual_seed(3)
    labels, pred = torch.randint(0, 3, (40, 30)), torch.randint(0, 3, (40, 30))
    labels[:4] = VOID
    judged = labels != VOID
    confusion = confusion_of(pred, labels, 3).numpy()
    np.testing.assert_array_equal(confusion, confusion_matrix(labels[judged], pred[judged]))
    scores = SegmentationScores(classes=CLASSES, images=1, loss=0.5, confusion=confusion, worst=())
    np.testing.assert_allclose(scores.iou, jaccard_score(labels[judged], pred[judged], average=None))


def test_scores_add_up_over_batches_and_name_the_worst_image() -> None:
    given = batch()
    singles = [
        Batch(Images(given.inputs.images[i : i + 1]), given.targets[i : i + 1], given.ids[i : i + 1]) for i in (1, 0)
    ]
    whole = counted(given)
    assert counted(*singles).to_json() == whole.to_json()
    logits = logits_of(given.inputs.images)
    assert whole.loss == pytest.approx(F.cross_entropy(logits, given.targets, ignore_index=VOID).item(), rel=1e-5)
    errors = [
        (logits[i].argmax(0) != given.targets[i])[given.targets[i] != VOID].float().mean().item() for i in range(2)
    ]
    first = int(np.argmax(errors))
    worst = whole.worst[0]
    assert (worst.index, worst.source) == (first, f"image {first}")
    assert worst.pixel_error == pytest.approx(errors[first])


def test_masks_that_are_void_throughout_cannot_be_scored() -> None:
    given = batch()
    given.targets[:] = VOID
    with pytest.raises(DataError, match="every mask is void"):
        counted(given)


def test_predictions_that_are_not_numbers_are_an_error() -> None:
    with pytest.raises(NonFiniteLossError):
        scored(lambda pixels: torch.full((2, 3, 8, 6), math.nan), batch())
