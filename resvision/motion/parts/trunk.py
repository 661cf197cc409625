"""The trunk of nets over rasters: a classification net without its head, its deepest map averaged over all positions.

Any net of the catalog that has stages will do. Behind the trunk all is computed in full precision: in bf16 a position
40 metres away is told to a quarter of a metre.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from resvision.classification.stages import Stages, stages
from resvision.contracts import fp32_or_more


def trunk(backbone: nn.Module) -> tuple[Stages, int]:
    """The backbone up to its deepest map, a copy of it, and the number of its features.

    Raises MissingStageError for a backbone without stages.
    """
    encoder = stages(backbone)
    return encoder, [*encoder.channels.values()][-1]


def features(encoder: Stages, images: Tensor) -> Tensor:
    """The deepest map of normalized images, averaged over its positions, in float32: (N, features)."""
    deepest = [*encoder(images).values()][-1]
    return fp32_or_more(deepest).mean(dim=(2, 3))


def full_precision(tensor: Tensor) -> AbstractContextManager[object]:
    """A block in which autocast leaves the type of numbers alone, on the device of a tensor."""
    kind = tensor.device.type
    # Asked for first: a traced graph has no block where there is nothing to turn off, and meta knows no autocast.
    is_on = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if is_on else nullcontext()
