"""Residual blocks of a trained net, deleted or put into another order for a while: no weight changes.

After Veit, Wilber, Belongie 2016, https://arxiv.org/abs/1605.06431, section 4. Normalizations keep the statistics that
they learned with all blocks in place.

Glossary
    branch, shortcut, after   the parts of a block, whose output is after(branch(x) + shortcut(x))
    plain block               one without a shortcut: after(branch(x))
    deleted block             after(shortcut(x)), which is x where shapes agree and the shortcut has no weights. A plain
                              block leaves x; where shapes change, every s-th pixel of it with zeros for the new
                              channels, as option A of the ResNet paper
    order                     order[p] is the index of the block that runs in position p
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.residual_parts import Map, ResidualBlock, ResidualParts
from resvision.probes.modes import in_mode


@dataclass(frozen=True, eq=False)
class Block:
    """A block of a net, in its place.

    name      in the net, such as `layer2.0`
    module    itself
    entering  the shape of its input for one image, (C, H, W), or (C,) in a perceptron; `leaving` that of its output
    """

    name: str
    module: nn.Module
    entering: tuple[int, ...]
    leaving: tuple[int, ...]

    @property
    def parts(self) -> ResidualParts:
        """Branch, shortcut and what follows their sum."""
        assert isinstance(self.module, ResidualBlock), "`find_blocks` gives no others"
        return ResidualParts(*self.module.residual_parts())

    @property
    def is_plain(self) -> bool:
        """Whether the block has no shortcut."""
        return self.parts.shortcut is None

    @property
    def enters_stage(self) -> bool:
        """Whether the block changes the shape, as the first one of a stage does."""
        return self.entering != self.leaving

    def without_branch(self, x: Tensor) -> Tensor:
        """The output of the deleted block."""
        _, shortcut, after = self.parts
        if shortcut is None:
            return _fitted(x, self.entering, self.leaving)
        return after(shortcut(x).clone())  # an identity gives x itself, and `after` may work in place


def find_blocks(net: nn.Module, run: Callable[[nn.Module], object]) -> tuple[Block, ...]:
    """The blocks of a net that run, residual or plain, in the order in which they do.

    A block is a module with a method `residual_parts` (`layers.residual_parts`); inside a block none is looked for.

    run  shows the net an image or more, such as `lambda net: net(images)`

    Raises SettingsError for a net without such blocks.
    """
    names = {module: name for name, module in _outermost(net)}
    blocks: dict[nn.Module, Block] = {}

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        shapes = (tuple(tensor.shape[1:]) for tensor in (inputs[0], output))
        blocks.setdefault(module, Block(names[module], module, *shapes))

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        if hooks:
            with in_mode(net, training=False):
                run(net)
    finally:
        for hook in hooks:
            hook.remove()
    if not blocks:
        raise SettingsError(
            f"{type(net).__name__}: runs no blocks that are residual, or that would be with a shortcut; take a net such"
            " as resnet20 or plain20, or give the blocks of your own a method `residual_parts`"
        )
    return tuple(blocks.values())


@contextmanager
def deleted(blocks: Iterable[Block]) -> Iterator[None]:
    """A context in which these blocks are deleted, as the glossary says; behind it the net is as it was.

    Raises SettingsError for a plain block that no subsampling replaces, since it enlarges the map.
    """
    gone = tuple(blocks)
    for block in gone:
        if block.is_plain and any(now > then for now, then in zip(block.leaving[1:], block.entering[1:], strict=True)):
            raise SettingsError(f"{block.name}: enlarges its map and has no shortcut, so that it cannot be deleted")
    with _computing({block.module: block.without_branch for block in gone}):
        yield


@contextmanager
def reordered(blocks: Sequence[Block], order: Sequence[int]) -> Iterator[None]:
    """A context in which position p runs the block with index order[p]; behind it the net is as it was.

    Raises SettingsError for an order that is no permutation, or that puts a block where other shapes are.
    """
    if sorted(order) != [*range(len(blocks))]:
        raise SettingsError(f"order {[*order]}: expected each of 0..{len(blocks) - 1} once")
    moved = [(blocks[place], blocks[index]) for place, index in enumerate(order) if place != index]
    for position, block in moved:
        if not _alike(position, block):
            raise SettingsError(f"{block.name} cannot take the place of {position.name}, whose shapes are others")
    forwards = {block.module: block.module.forward for block in blocks}  # all read before any is replaced
    with _computing({position.module: forwards[block.module] for position, block in moved}):
        yield


def swappable(blocks: Sequence[Block]) -> list[tuple[int, int]]:
    """The pairs of indices, the smaller first, of blocks that have equal shapes and may be swapped."""
    return [(i, j) for i, j in combinations(range(len(blocks)), 2) if _alike(blocks[i], blocks[j])]


@contextmanager
def following(blocks: Sequence[Block], chosen: Iterable[int]) -> Iterator[None]:
    """A context in which gradients go back through the branches of the chosen blocks, and past those of all others.

    The net computes what it always does: each block adds both of its parts, but a chosen one passes gradients through
    its branch alone, the others through their shortcut alone. Raises SettingsError for a plain block.
    """
    plain = next((block.name for block in blocks if block.is_plain), None)
    if plain is not None:
        raise SettingsError(f"{plain} has no shortcut, so that there is one path only; take a residual net")
    through = set(chosen)
    with _computing({block.module: partial(_one_way, block, i in through) for i, block in enumerate(blocks)}):
        yield


def _one_way(block: Block, through_branch: bool, x: Tensor) -> Tensor:
    branch, shortcut, after = block.parts
    assert shortcut is not None, "`following` looked at it"
    followed, passed = (branch, shortcut) if through_branch else (shortcut, branch)
    with torch.no_grad():
        constant = passed(x.detach())  # an identity gives what it got, gradient and all
    return after(followed(x) + constant)


@contextmanager
def _computing(forwards: Mapping[nn.Module, Map]) -> Iterator[None]:
    """A context in which modules compute something else; their hooks, children and weights stay."""
    own = {module: vars(module).get("forward") for module in forwards}
    try:
        for module, forward in forwards.items():
            vars(module)["forward"] = forward
        yield
    finally:
        for module, forward in own.items():
            if forward is None:
                vars(module).pop("forward", None)  # that of the class counts again
            else:
                vars(module)["forward"] = forward


def _outermost(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the blocks inside a module that lie in no other block, with their dotted names."""
    if isinstance(module, ResidualBlock) and isinstance(module, nn.Module):
        yield name, module
        return
    for child_name, child in module.named_children():
        yield from _outermost(child, f"{name}.{child_name}".strip("."))


def _alike(one: Block, other: Block) -> bool:
    return (one.entering, one.leaving) == (other.entering, other.leaving)


def _fitted(x: Tensor, entering: tuple[int, ...], leaving: tuple[int, ...]) -> Tensor:
    """A map (N, C, ...) as a plain block's output: each axis strided, channels padded with zeros behind, or cut."""
    strides = [-(-before // behind) for before, behind in zip(entering[1:], leaving[1:], strict=True)]
    fitted = x[(slice(None), slice(None), *(slice(None, None, stride) for stride in strides))]
    return F.pad(fitted, (0, 0) * len(strides) + (0, leaving[0] - entering[0]))
