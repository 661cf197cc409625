"""Contracts between the floors above: batches, systems and their losses.

Glossary
    N, C, H, W   images in a batch, channels, height and width in pixels
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn


class Images(NamedTuple):
    """The inputs of classification and segmentation: uint8 pixels, (N, C, H, W), in any memory format."""

    images: Tensor


class MixedTargets(NamedTuple):
    """The targets of images made of two in classification: `share` of the first class, the rest of the second.

    first, second  class indices, (N,) int64
    share          0..1, (N,) float32
    """

    first: Tensor
    second: Tensor
    share: Tensor


class WeightedMasks(NamedTuple):
    """The targets of segmentation whose pixels do not all count the same.

    labels   (N, H, W) int64, VOID where nothing is learned
    weights  (N, H, W) float32, the factor of each pixel's loss
    """

    labels: Tensor
    weights: Tensor


class Batch(NamedTuple):
    """The samples of one step. The loop passes them on unread.

    inputs   a NamedTuple of the task, tensors with N first
    targets  for the system's losses: class indices (N,) int64 or MixedTargets for classification, labels
             (N, H, W) int64 or WeightedMasks for segmentation; a list has one entry for each image
    ids      positions in the data set, (N,) int64
    """

    inputs: Any
    targets: Any
    ids: Tensor


class Term(NamedTuple):
    """A sum over a part of a batch, and the weight that it is to be divided by; scalars.

    total   the sum
    weight  the amount that it is taken over, at least 0: images, judged pixels, weights of their classes. Without
            gradient
    """

    total: Tensor
    weight: Tensor

    def mean(self) -> Tensor:
        """The total divided by its own weight, 0 where nothing counts."""
        return quotient(self.total, self.weight)


class Losses(NamedTuple):
    """Sums over a part of a batch, by name, which the loop divides once over all parts.

    terms    the sum of their quotients is minimised. A factor such as `auxiliary_weight` is in the total
    metrics  detached, and not minimised (`error`: wrong images or pixels, of those that are judged)

    Every part of every batch has the same names, in the same order.
    """

    terms: dict[str, Term]
    metrics: dict[str, Term]


class System(nn.Module):
    """A net with its loss and its decoding: what the loop trains.

    Abstract. `net` holds every parameter; `losses` and `predict` never look at `self.training` to choose a type.
    `takes_mixed_targets` says whether `losses` knows MixedTargets. `loss_options` is the dataclass of the options of
    `losses`, which the constructor takes as `options`. `frozen` modules of the net are never in training mode.
    """

    net: nn.Module
    frozen: Sequence[nn.Module] = ()
    takes_mixed_targets: ClassVar[bool] = False
    loss_options: ClassVar[type]

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode for all modules but the frozen ones."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    @abstractmethod
    def losses(self, batch: Batch) -> Losses:
        """Compute loss terms and metrics of a part of a batch, or of all of it."""

    @abstractmethod
    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the weights of terms of `losses` that follow from the targets alone, by name; no net runs.

        The weight of a batch is the sum of those of its parts, so that such a term is divided by the weight of the
        whole batch, over all processes: its gradient does not depend on how the batch was cut. A term that is not
        named here, whose weight depends on predictions, is divided part by part, and all parts of all processes count
        the same.
        """

    @abstractmethod
    def predict(self, inputs: Any) -> Any:
        """Predict results of fixed shape, in tensor operations only: a tensor, or a NamedTuple of them, with N first.

        Class probabilities (N, K) for classification.
        """


class PixelSystem(System):
    """A system whose inputs are Images, which it normalizes: (pixels / 255 - mean) / std. Abstract.

    mean, std  a number for each channel, in units of 0..1
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def normalized(self, pixels: Tensor) -> Tensor:
        """Normalize uint8 pixels, (N, C, H, W), or floats 0..255, to the net's input in float32."""
        return (pixels.float() - self.mean) / self.std


class Batches(Protocol):
    """Batches by number; `[number]` is a pure function of the number."""

    def __getitem__(self, number: int, /) -> Batch: ...


class CountedBatches(Batches, Protocol):
    """Batches that end: those of an evaluation."""

    def __len__(self) -> int: ...


def quotient(total: Tensor, weight: Tensor) -> Tensor:
    """`total` / `weight`; 0, and no gradient, where the weight is 0, as the total then is."""
    return total / weight.clamp(min=torch.finfo(torch.float32).tiny)


def fp32_or_more(values: Tensor) -> Tensor:
    """Cast to float32, or keep float64: losses are never computed in less."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def to_device(value: Any, device: torch.device) -> Any:
    """Move a tree to another device.

    A tree is a tensor, or a tuple, NamedTuple, list or dict of trees; anything else is kept as it is.
    """
    return _map(value, lambda tensor: tensor.to(device, non_blocking=True))


def arrays(value: Any) -> Any:
    """Turn the tensors of a tree into numpy arrays on the CPU, floats in float32, or in float64 where they are."""

    def array(tensor: Tensor) -> Any:
        return (fp32_or_more(tensor) if tensor.is_floating_point() else tensor).detach().cpu().numpy()

    return _map(value, array)


def tensors_of(value: Any) -> list[Tensor]:
    """List the tensors of a tree."""
    tensors: list[Tensor] = []

    def listed(tensor: Tensor) -> Tensor:
        tensors.append(tensor)
        return tensor

    _map(value, listed)
    return tensors


def split(batch: Batch, parts: int) -> list[Batch]:
    """Cut a batch into `parts` batches of equal length, which must divide it.

    Every tensor has N first; a list has N entries, one for each image, and stays uncut within them.
    """
    length = len(batch.ids) // parts

    def cut(start: int) -> Batch:
        def of_part(member: Any) -> Any:
            return member[start : start + length]

        part: Batch = _map(batch, of_part, change_list=of_part)
        return part

    return [cut(start) for start in range(0, parts * length, length)]


def shortened(value: Any, length: int) -> Any:
    """Cut every tensor and list of a tree to its first `length` entries."""
    return _map(value, lambda tensor: tensor[:length], change_list=lambda entries: entries[:length])


def filled(value: Any, length: int) -> Any:
    """Fill every tensor and list of a tree up to `length` by repeating its last entry."""
    return _map(
        value,
        lambda tensor: tensor[torch.arange(length).clamp(max=len(tensor) - 1)],
        change_list=lambda entries: [*entries[:length], *entries[-1:] * (length - len(entries))],
    )


def apart(value: Any, length: int) -> list[Any]:
    """Take a tree of numpy arrays with N first apart, into a tree for each of `length` images."""
    if isinstance(value, tuple):
        members = zip(*(apart(member, length) for member in value), strict=True)
        return [type(value)(*one) if hasattr(value, "_fields") else one for one in members]
    if isinstance(value, dict):
        parts = {key: apart(member, length) for key, member in value.items()}
        return [{key: parts[key][index] for key in parts} for index in range(length)]
    return [value] * length if value is None else [*value[:length]]


def _map(
    value: Any, change: Callable[[Tensor], Any], *, change_list: Callable[[list[Any]], list[Any]] | None = None
) -> Any:
    """Change the tensors of a tree, and its lists as a whole where `change_list` is given."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list) and change_list:
        return change_list(value)
    if isinstance(value, dict):
        return {key: _map(member, change, change_list=change_list) for key, member in value.items()}
    if not isinstance(value, tuple | list):
        return value
    members = [_map(member, change, change_list=change_list) for member in value]
    if isinstance(value, tuple):  # a NamedTuple takes its members one by one
        return type(value)(*members) if hasattr(value, "_fields") else tuple(members)
    return members
