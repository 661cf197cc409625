"""The error of a trained net after some of its blocks were deleted or swapped: lesion studies.

After Veit, Wilber, Belongie 2016, https://arxiv.org/abs/1605.06431, section 4: a net of the VGG kind falls to chance
whichever layer is taken out, a residual net hardly notices, and its error grows smoothly with the number of blocks that
are deleted or swapped. Nothing is trained again. The paper's plain net has other layers than its residual one; here any
net of blocks will do, such as the plain twin of a residual net.

Glossary
    error  from the net to a number, such as its share of wrong test images; the probes know no task
    k      blocks deleted, or swaps made
    draw   one random choice of k; each follows from the seed, k and its own number alone
    tau    Kendall's rank correlation of the new order of blocks with the old: 1 where none has moved
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from torch import nn

from resvision.core.draws import key, shuffled
from resvision.core.errors import SettingsError
from resvision.probes.blocks import deleted, find_blocks, reordered, swappable
from resvision.probes.modes import in_mode

Error = Callable[[nn.Module], float]


class Deletion(NamedTuple):
    """The error without one block.

    block         its name in the net
    enters_stage  whether it changes the shape, so that its deletion leaves a projection, or pixels and zeros
    """

    block: str
    enters_stage: bool
    error: float


class Deletions(NamedTuple):
    """The error of the whole net, and without each block in turn, in the order in which they run."""

    intact: float
    single: tuple[Deletion, ...]


class Removal(NamedTuple):
    """The error after `count` blocks were deleted at once, those with these indices."""

    count: int
    error: float
    blocks: tuple[int, ...]


class Shuffle(NamedTuple):
    """The error after `count` swaps, one after the other, which led to this order of blocks, at a distance tau."""

    count: int
    error: float
    tau: float
    order: tuple[int, ...]


@torch.no_grad()
def delete_each(net: nn.Module, error: Error) -> Deletions:
    """The error after deleting each block alone. Raises SettingsError for a net without blocks."""
    with in_mode(net, training=False):
        blocks = find_blocks(net, error)
        intact, single = error(net), []
        for block in blocks:
            with deleted([block]):
                single.append(Deletion(block.name, block.enters_stage, error(net)))
    return Deletions(intact, tuple(single))


@torch.no_grad()
def delete_some(
    net: nn.Module, error: Error, counts: Sequence[int], *, draws: int = 5, seed: int = 0
) -> tuple[Removal, ...]:
    """The error after deleting k blocks drawn at random, for each k of `counts`, `draws` times.

    Raises SettingsError for a k that is below 0 or above the number of blocks.
    """
    with in_mode(net, training=False):
        blocks = find_blocks(net, error)
        removals = []
        for count, draw in _cases(counts, draws, most=len(blocks)):
            drawn = sorted(shuffled(len(blocks), seed=key(seed, count, draw))[:count].tolist())
            with deleted(blocks[i] for i in drawn):
                removals.append(Removal(count, error(net), tuple(drawn)))
    return tuple(removals)


@torch.no_grad()
def swap_some(
    net: nn.Module, error: Error, counts: Sequence[int], *, draws: int = 5, seed: int = 0
) -> tuple[Shuffle, ...]:
    """The error after k swaps drawn at random, for each k of `counts`, `draws` times.

    A swap exchanges the blocks in two positions whose shapes are equal. Raises SettingsError for a k below 0, and for a
    net where no two blocks are alike.
    """
    with in_mode(net, training=False):
        blocks = find_blocks(net, error)
        pairs = swappable(blocks)
        if not pairs:
            raise SettingsError(f"{type(net).__name__}: no two of its blocks have equal shapes to be swapped")
        shuffles = []
        for count, draw in _cases(counts, draws):
            order = [*range(len(blocks))]
            for number in range(count):
                i, j = pairs[key(seed, count, draw, number) % len(pairs)]
                order[i], order[j] = order[j], order[i]
            with reordered(blocks, order):
                shuffles.append(Shuffle(count, error(net), kendall_tau(order), tuple(order)))
    return tuple(shuffles)


def kendall_tau(order: Sequence[int]) -> float:
    """Kendall's tau of an order of different numbers with the ascending one, -1..1; 1 for fewer than two.

    It is the share of pairs that stand in ascending order, less the share of those that do not.
    """
    pairs = [*combinations(order, 2)]
    ascending = sum(first < second for first, second in pairs)
    return (2 * ascending - len(pairs)) / len(pairs) if pairs else 1.0


def _cases(counts: Sequence[int], draws: int, *, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield each count with the number of each draw; SettingsError for counts or draws that cannot be."""
    if draws < 1:
        raise SettingsError(f"draws {draws}: at least one is needed")
    for count in counts:
        if count < 0 or (most is not None and count > most):
            raise SettingsError(f"{count} blocks: expected 0 or more" + ("" if most is None else f", {most} at most"))
    for count in counts:
        for draw in range(draws):
            yield count, draw
