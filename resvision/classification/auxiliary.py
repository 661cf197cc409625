"""Training with side heads: Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, section 5.

Classifiers on maps in the middle of a net, whose weighted losses are added to its own. Nothing but the loss runs them.
"""

import math
from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

from torch import Tensor, nn

from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Losses


@runtime_checkable
class SideHeaded(Protocol):
    """A net with side heads, which its `forward` does not run.

    auxiliary  names of their modules, shallow to deep; empty in a net that was built without
    """

    auxiliary: tuple[str, ...]

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        """Main logits, then those of every side head in the order of `auxiliary`; (N, K) each."""
        ...


class AuxiliaryClassifier(Classifier):
    """A classifier whose side heads are trained with the same loss as it is, times `auxiliary_weight`.

    The weighted losses are the terms auxiliary_1, auxiliary_2 .. of `losses`; the error is the main classifier's.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        label_smoothing: float = 0.0,
        class_weights: str | None = None,
        auxiliary_weight: float = 0.3,
    ) -> None:
        super().__init__(net, mean=mean, std=std, label_smoothing=label_smoothing, class_weights=class_weights)
        if not 0.0 <= auxiliary_weight < math.inf:
            raise ValueError(f"auxiliary_weight must be a number of at least 0, got {auxiliary_weight}")
        if not isinstance(net, SideHeaded):
            raise ValueError(f"{type(net).__name__} has no side heads: it lacks `auxiliary` and `all_logits`")
        self.auxiliary_weight = auxiliary_weight

    def losses(self, batch: Batch) -> Losses:
        """Those of Classifier, and a term for every side head."""
        main, *side = cast(SideHeaded, self.net).all_logits(self.normalized(batch.inputs.images))
        losses = self.losses_of(main.float(), batch.targets)
        for i, logits in enumerate(side, start=1):
            loss = self.cross_entropy(logits.float(), batch.targets)
            losses.terms[f"auxiliary_{i}"] = self.auxiliary_weight * loss
        return losses


def side_parameters(net: nn.Module) -> int:
    """Numbers in the parameters of the side heads; 0 for a net without."""
    names = net.auxiliary if isinstance(net, SideHeaded) else ()
    return sum(parameter.numel() for name in names for parameter in net.get_submodule(name).parameters())
