"""A graph of layers as blocks below each other and side by side: boxes, splits with their branches, repeats."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resvision.probes.graph import Node

LONGEST_PERIOD = 8  # layers or blocks that repeat together


@dataclass(frozen=True)
class Box:
    """One layer."""

    label: str
    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """Branches that begin at one layer and meet at another; an empty branch is the identity."""

    meeting: str
    branches: tuple[tuple["Item", ...], ...]
    entering: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def trunk(self) -> tuple["Item", ...] | None:
        """The branch that the shortcut of an addition goes around; None if branches are to stand side by side."""
        short, *others = sorted(self.branches, key=len)
        is_shortcut = len(short) <= 1 and all(isinstance(item, Box) for item in short)
        return others[0] if self.meeting == "add" and len(others) == 1 and others[0] and is_shortcut else None

    @property
    def shortcut(self) -> tuple["Item", ...]:
        """The other branch: nothing, or one layer."""
        return min(self.branches, key=len)


@dataclass(frozen=True)
class Repeat:
    """Items that follow each other `count` times."""

    items: tuple["Item", ...]
    count: int


Item = Box | Split | Repeat


def items_of(nodes: Sequence["Node"]) -> tuple[Item, ...]:
    """The items between the image, which is the first node, and the last node, from top to bottom."""
    return _series(nodes, _fork_of(nodes), len(nodes) - 1, 0)


def _fork_of(nodes: Sequence["Node"]) -> list[int]:
    """The index of the last node before each that all paths to it go through (its immediate dominator)."""
    fork = [0]
    for node in nodes[1:]:
        index = node.inputs[0]
        for other in node.inputs[1:]:
            while index != other:
                index, other = (fork[index], other) if index > other else (index, fork[other])
        fork.append(index)
    return fork


def _series(nodes: Sequence["Node"], fork: list[int], last: int, before: int) -> tuple[Item, ...]:
    """The items between the nodes `before` and `last`, `last` included."""
    items: list[Item] = []
    index = last
    while index > before:
        node = nodes[index]
        if len(node.inputs) == 1:
            items.append(Box(node.label, node.kind, node.shape))
        else:
            begin = fork[index]
            parts = [_between(nodes, end, begin) for end in node.inputs]
            # branches that share nodes cross each other, which no picture of nested blocks can show
            if sum(map(len, parts)) > len(set().union(*parts)):
                layers = sum(nodes[i].kind != "meeting" for i in set().union(*parts))
                items.append(Box(f"{layers} layers, crossing", "other", node.shape))
            else:
                branches = tuple(_series(nodes, fork, end, begin) for end in node.inputs)
                items.append(Split(node.label, branches, nodes[begin].shape, node.shape))
        index = fork[index]
    return tuple(reversed(items))


def _between(nodes: Sequence["Node"], end: int, begin: int) -> set[int]:
    """Indices of the nodes on paths from `begin` to `end`, `end` included."""
    between, waiting = set(), [end]
    while waiting:
        index = waiting.pop()
        if index > begin and index not in between:
            between.add(index)
            waiting += nodes[index].inputs
    return between


def folded(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items with repeated ones drawn once; from every item on, the fold that covers most is taken."""
    done: list[Item] = []
    index = 0
    while index < len(items):
        period, count = max(
            ((period, _repeats(items, index, period)) for period in range(1, LONGEST_PERIOD + 1)),
            key=lambda fold: (fold[0] * fold[1] if fold[1] > 1 else 0, -fold[0]),
        )
        if count > 1:
            done.append(Repeat(tuple(items[index : index + period]), count))
            index += period * count
        else:
            done.append(items[index])
            index += 1
    return tuple(done)


def _repeats(items: Sequence[Item], index: int, period: int) -> int:
    first = items[index : index + period]
    count = 1
    while items[index + count * period : index + (count + 1) * period] == first and len(first) == period:
        count += 1
    return count
