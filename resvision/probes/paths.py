"""Paths through a residual net: how many there are of each length, and how much gradient comes back along them.

After Veit, Wilber, Belongie 2016, https://arxiv.org/abs/1605.06431, sections 3 and 4.3. A net of n blocks is a sum over
2^n paths, each of which takes the branch or the shortcut at every block; n choose k of them take k branches. The
gradient along a path falls about exponentially with its length, so that the short paths among the many middling ones
carry most of what reaches the input. The paper names 5 to 17 of 54 blocks, and no share of the gradient by which it
chose them; here the effective lengths are the fewest that hold 95 % of it.

Glossary
    N images, n blocks
    length     the branches that a path takes, 0..n; of two convolutions each
    gradient   of an image's loss with regard to the image; its norm is the Euclidean one
    share      of all 2^n paths, or of the gradient over all of them
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resvision.core.draws import key, shuffled
from resvision.core.errors import SettingsError
from resvision.probes.blocks import Block, find_blocks, following
from resvision.probes.modes import in_mode

Loss = Callable[[nn.Module, Tensor], Tensor]


class PathGradient(NamedTuple):
    """The gradient at the input along paths of one length.

    length          branches on the path
    norm            mean over draws and images
    paths           share of all paths that have this length
    gradient        share of the gradient over all paths: `norm` times the number of paths, of the sum over lengths
    """

    length: int
    norm: float
    paths: float
    gradient: float


class EffectiveLengths(NamedTuple):
    """The fewest neighbouring lengths, first to last, which hold a share of the gradient, and their share of paths."""

    first: int
    last: int
    paths: float
    gradient: float


def length_shares(blocks: int) -> list[float]:
    """The share of the 2^n paths that have each length 0..n: the binomial distribution of n fair draws."""
    return [math.comb(blocks, length) / 2**blocks for length in range(blocks + 1)]


def share_between(blocks: int, first: int, last: int) -> float:
    """The share of the 2^n paths whose length is first..last, both among them."""
    return sum(math.comb(blocks, length) for length in range(max(0, first), min(blocks, last) + 1)) / 2**blocks


def mean_length(blocks: int) -> float:
    """The mean length of a path, n / 2."""
    return blocks / 2


def length_deviation(blocks: int) -> float:
    """The standard deviation of the lengths of paths, sqrt(n) / 2."""
    return math.sqrt(blocks) / 2


def path_gradients(
    net: nn.Module, loss: Loss, images: Tensor, *, draws: int = 10, seed: int = 0
) -> tuple[PathGradient, ...]:
    """The gradient along paths of each length 0..n, of `draws` random paths each.

    1. The net computes its loss as ever, in evaluation mode.
    2. k blocks are drawn; the gradient goes back through their branches, and through the shortcuts of all others.
    3. The norm of what reaches each image is averaged over images and draws, and multiplied by the number of paths.

    loss    the sum of the images' losses, a scalar, from the net and the images, as `F.cross_entropy(net(images),
            labels, reduction="sum")`; a mean makes all norms smaller alike
    images  what the net takes, (N, ...) floating point

    Raises SettingsError for plain nets and those without blocks, and for images that the loss does not depend on.
    """
    if draws < 1:
        raise SettingsError(f"draws {draws}: at least one is needed")
    with in_mode(net, training=False), torch.enable_grad():
        blocks = find_blocks(net, lambda net: loss(net, images))
        norms = [_mean_norm(net, blocks, length, loss, images, draws, seed) for length in range(len(blocks) + 1)]
    return weighted(norms)


def weighted(norms: Sequence[float]) -> tuple[PathGradient, ...]:
    """Mean norms by length 0..n, with the shares that follow from the number of paths of each length."""
    paths = length_shares(len(norms) - 1)
    parts = [share * norm for share, norm in zip(paths, norms, strict=True)]
    total = sum(parts)
    return tuple(
        PathGradient(length, norm, share, part / total if total else 0.0)
        for length, (norm, share, part) in enumerate(zip(norms, paths, parts, strict=True))
    )


def effective_lengths(gradients: Sequence[PathGradient], *, held: float = 0.95) -> EffectiveLengths:
    """The fewest neighbouring lengths that hold `held` of the gradient; of several, those that hold most."""
    spans = [
        EffectiveLengths(
            gradients[i].length,
            gradients[j].length,
            sum(each.paths for each in gradients[i : j + 1]),
            sum(each.gradient for each in gradients[i : j + 1]),
        )
        for i in range(len(gradients))
        for j in range(i, len(gradients))
    ]
    enough = [span for span in spans if span.gradient >= held] or spans[len(gradients) - 1 : len(gradients)]
    return min(enough, key=lambda span: (span.last - span.first, -span.gradient))


def mean_effective_length(gradients: Sequence[PathGradient]) -> float:
    """The mean length of paths, each counted by its gradient."""
    return sum(each.length * each.gradient for each in gradients)


def decades_per_block(gradients: Sequence[PathGradient]) -> float:
    """By how many powers of ten the gradient changes with each further branch: the slope of its logarithm.

    A line of least squares, each length counted by its share of paths, so that what is rare says little; negative where
    long paths carry less, NaN where fewer than two lengths carry any.
    """
    known = [(each.length, math.log10(each.norm), each.paths) for each in gradients if each.norm > 0]
    total = sum(share for _, _, share in known)
    if len(known) < 2:
        return math.nan
    middle, mean = (sum(row[i] * row[2] for row in known) / total for i in (0, 1))
    spread = sum(share * (length - middle) ** 2 for length, _, share in known)
    return sum(share * (length - middle) * (height - mean) for length, height, share in known) / spread


def _mean_norm(
    net: nn.Module, blocks: Sequence[Block], length: int, loss: Loss, images: Tensor, draws: int, seed: int
) -> float:
    """The mean norm along random paths of one length; there is one path alone of length 0, and one of length n."""
    norms = []
    for draw in range(1 if length in {0, len(blocks)} else draws):
        chosen = shuffled(len(blocks), seed=key(seed, length, draw))[:length].tolist()
        with following(blocks, chosen):
            norms.append(gradient_norms(net, loss, images).mean())
    return float(torch.stack(norms).mean())


def gradient_norms(net: nn.Module, loss: Loss, images: Tensor) -> Tensor:
    """The norm of the gradient at each image, (N,). Raises SettingsError where the loss does not depend on them."""
    leaf = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        total = loss(net, leaf)
    gradient = torch.autograd.grad(total, leaf, allow_unused=True)[0] if total.requires_grad else None
    if gradient is None:
        raise SettingsError(f"{type(net).__name__}: its loss does not depend on the images; no path leads to them")
    norms: Tensor = gradient.flatten(1).norm(dim=1)
    return norms
