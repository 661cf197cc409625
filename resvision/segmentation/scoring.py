"""Counting of the confusion of label maps over a data set, image by image on any number of processes.

Glossary
    N images of one size, K classes
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resvision.contracts import Batch, to_device
from resvision.core.images import VOID
from resvision.kinds.segmentation.scores import Tally
from resvision.training.evaluation import merged


@torch.no_grad()
def count_all(
    probabilities: Callable[[Tensor], Tensor],
    batches: Iterable[Batch],
    *,
    images: int,
    classes: int,
    device: torch.device,
) -> Tally:
    """Count every image of a set, over all processes.

    probabilities  a function from uint8 images (N, C, H, W) to class probabilities, float (N, K, H, W)
    images         the number of images in the set
    """
    tally = Tally(images, classes)
    for batch in batches:
        predicted = probabilities(to_device(batch.inputs.images, device))
        for index, image, labels in zip(batch.ids, predicted, batch.targets.to(device), strict=True):
            if torch.isfinite(image).all():
                tally.add(int(index), *_count_image(image, labels))
            else:
                tally.add_not_finite()
    return merged(tally)


def confusion_of(pred: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Count the pixels of two label maps, (K, K) with true classes in rows; void pixels of `labels` are left out."""
    judged = labels != VOID
    cells = labels[judged].long() * num_classes + pred[judged].long()
    return torch.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def _count_image(probabilities: Tensor, labels: Tensor) -> tuple[NDArray[np.int64], float]:
    """The confusion of one image and the sum of its cross-entropies, of probabilities (K, H, W) and labels (H, W)."""
    classes = len(probabilities)
    true_class_probability = probabilities.gather(0, labels.clamp(max=classes - 1)[None])[0]
    nats = -true_class_probability.double().clamp(min=torch.finfo(torch.float32).tiny).log()[labels != VOID]
    confusion = confusion_of(probabilities.argmax(dim=0), labels, classes)
    return confusion.cpu().numpy(), float(nats.sum())
