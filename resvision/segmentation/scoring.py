"""Counting of the confusion of label maps over a data set, image by image on any number of processes.

Glossary
    N images of one size, K classes
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from resvision.contracts import Batch, to_device
from resvision.core.errors import NonFiniteLossError
from resvision.core.images import VOID
from resvision.kinds.segmentation.scores import ImageCounts
from resvision.training.evaluation import gathered


@torch.no_grad()
def count_all(
    probabilities: Callable[[Tensor], Tensor], batches: Iterable[Batch], *, device: torch.device
) -> list[ImageCounts]:
    """Count every image, over all processes, in the order of the data set.

    probabilities  a function from uint8 images (N, C, H, W) to class probabilities, float (N, K, H, W)

    Raises NonFiniteLossError for probabilities that are not numbers.
    """
    counts: list[ImageCounts] = []
    for batch in batches:
        predicted = probabilities(to_device(batch.inputs.images, device))
        counts += [
            _count_image(int(index), image, labels)
            for index, image, labels in zip(batch.ids, predicted, batch.targets.to(device), strict=True)
        ]
    return sorted(gathered(counts), key=lambda image: image.image)


def confusion_of(pred: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Count the pixels of two label maps, (K, K) with true classes in rows; void pixels of `labels` are left out."""
    judged = labels != VOID
    cells = labels[judged].long() * num_classes + pred[judged].long()
    return torch.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def _count_image(index: int, probabilities: Tensor, labels: Tensor) -> ImageCounts:
    """Count one image by its probabilities (K, H, W) and labels (H, W)."""
    if not torch.isfinite(probabilities).all():
        raise NonFiniteLossError(
            "the net's predictions are not finite: its weights are damaged or its training diverged"
        )
    classes = len(probabilities)
    true_class_probability = probabilities.gather(0, labels.clamp(max=classes - 1)[None])[0]
    nats = -true_class_probability.double().clamp(min=torch.finfo(torch.float32).tiny).log()[labels != VOID]
    confusion = confusion_of(probabilities.argmax(dim=0), labels, classes)
    return ImageCounts(index, confusion.cpu().numpy(), float(nats.sum()))
