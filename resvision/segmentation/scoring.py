"""Scores of label maps over a whole data set, on any number of processes.

Glossary
    N images of one size, K classes
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resvision.contracts import Batch, to_device
from resvision.core.errors import DataError, NonFiniteLossError
from resvision.core.images import VOID
from resvision.core.label_maps import SegmentationScores, WorstImage
from resvision.training.evaluation import gathered

WORST = 12  # images that are kept by name


class Counts(NamedTuple):
    """What one image adds: its confusion (K, K), the sum of its pixels' cross-entropies in nats, and its place."""

    image: int
    confusion: NDArray[np.int64]
    loss: float


@torch.no_grad()
def count_all(
    probabilities: Callable[[Tensor], Tensor], batches: Iterable[Batch], *, device: torch.device
) -> list[Counts]:
    """What every image adds, over all processes, in the order of the data set.

    probabilities  of uint8 images (N, C, H, W), float (N, K, H, W)

    Raises NonFiniteLossError for probabilities that are not numbers.
    """
    found: list[Counts] = []
    for batch in batches:
        inputs = to_device(batch.inputs.images, device)
        found += [
            _counts(int(index), each, labels)
            for index, each, labels in zip(batch.ids, probabilities(inputs), batch.targets.to(device), strict=True)
        ]
    return sorted(gathered(found), key=lambda counts: counts.image)


def confusion_of(pred: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Pixel counts (K, K), true class in rows, of two label maps of one shape; void pixels of `labels` are left out."""
    judged = labels != VOID
    cells = labels[judged].long() * num_classes + pred[judged].long()
    return torch.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def scores(counts: list[Counts], *, classes: tuple[str, ...], source: Callable[[int], str]) -> SegmentationScores:
    """The scores that the images' counts add up to; DataError where not one pixel is judged."""
    confusion = np.sum([each.confusion for each in counts], axis=0)
    if not confusion.any():
        raise DataError("no pixel to judge: every mask is void throughout")
    worst = sorted(counts, key=lambda each: -_pixel_error(each.confusion))[:WORST]
    return SegmentationScores(
        classes=classes,
        images=len(counts),
        loss=sum(each.loss for each in counts) / int(confusion.sum()),
        confusion=confusion,
        worst=tuple(
            WorstImage(index=each.image, source=source(each.image), pixel_error=_pixel_error(each.confusion))
            for each in worst
            if _pixel_error(each.confusion) > 0
        ),
    )


def _counts(index: int, probabilities: Tensor, labels: Tensor) -> Counts:
    """Of one image's probabilities (K, H, W) and labels (H, W)."""
    if not torch.isfinite(probabilities).all():
        raise NonFiniteLossError(
            "the net's predictions are not finite: its weights are damaged or its training diverged"
        )
    classes = len(probabilities)
    true = probabilities.gather(0, labels.clamp(max=classes - 1)[None])[0]
    nats = -true.double().clamp(min=torch.finfo(torch.float32).tiny).log()[labels != VOID]
    confusion = confusion_of(probabilities.argmax(dim=0), labels, classes)
    return Counts(index, confusion.cpu().numpy(), float(nats.sum()))


def _pixel_error(confusion: NDArray[np.int64]) -> float:
    """Share of wrong pixels; 0 where all are void."""
    return 1 - float(np.trace(confusion)) / max(1, int(confusion.sum()))
