"""Training with side heads: Szegedy et al. 2014, https://arxiv.org/abs/1409.4842, section 5.

Side heads are classifiers on maps in the middle of a net, whose weighted losses are added to its own. The loss alone
runs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast, runtime_checkable

from torch import Tensor, nn

from resvision.classification.classifier import Classifier, ClassifierLoss, require_factor
from resvision.contracts import Batch, Losses, Term, fp32_or_more


@runtime_checkable
class SideHeaded(Protocol):
    """A net with side heads, which its `forward` does not run.

    auxiliary  names of their modules, shallow to deep; empty in a net that was built without
    """

    auxiliary: tuple[str, ...]

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the main logits, then those of every side head in the order of `auxiliary`; (N, K) each."""
        ...


@dataclass(frozen=True, kw_only=True)
class AuxiliaryLoss(ClassifierLoss):
    """The options of the loss of a classifier with side heads.

    auxiliary_weight  factor of the loss of each side head
    """

    auxiliary_weight: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_factor("auxiliary_weight", self.auxiliary_weight)


class AuxiliaryClassifier(Classifier):
    """A classifier whose side heads are trained with its own loss times `auxiliary_weight`.

    The weighted losses are the terms auxiliary_1, auxiliary_2 .. of `losses`; the error is the main classifier's.
    """

    loss_options: ClassVar[type] = AuxiliaryLoss

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], options: AuxiliaryLoss | None = None
    ) -> None:
        options = options or AuxiliaryLoss()
        super().__init__(net, mean=mean, std=std, options=options)
        if not isinstance(net, SideHeaded):
            raise ValueError(f"{type(net).__name__} has no side heads: it lacks `auxiliary` and `all_logits`")
        self.auxiliary_weight = options.auxiliary_weight

    def losses(self, batch: Batch) -> Losses:
        """Compute the losses of Classifier, and a term for every side head."""
        main, *side = cast(SideHeaded, self.net).all_logits(self.normalized(batch.inputs.images))
        losses = self.losses_of(fp32_or_more(main), batch.targets)
        for i, logits in enumerate(side, start=1):
            total, weight = self.cross_entropy(fp32_or_more(logits), batch.targets)
            losses.terms[f"auxiliary_{i}"] = Term(self.auxiliary_weight * total, weight)
        return losses

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """The weight of Classifier, which every side head has too."""
        names = [f"auxiliary_{i}" for i, _ in enumerate(cast(SideHeaded, self.net).auxiliary, start=1)]
        return dict.fromkeys(["cross_entropy", *names], self.weight_of(batch.targets))


def side_parameters(net: nn.Module) -> int:
    """Count the numbers in the parameters of the side heads; 0 for a net without any."""
    names = net.auxiliary if isinstance(net, SideHeaded) else ()
    return sum(parameter.numel() for name in names for parameter in net.get_submodule(name).parameters())
