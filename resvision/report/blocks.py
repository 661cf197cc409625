"""A graph of layers as parts below each other and side by side: boxes, splits with their branches, repeats."""

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
    """Branches that begin at one place and meet at another; an empty branch is the identity."""

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
    """What lies between the image, the first node, and the last one, from top to bottom."""
    return _series(nodes, _fork_of(nodes), len(nodes) - 1, 0)


def _fork_of(nodes: Sequence["Node"]) -> list[int]:
    """For every node the last one before it that all paths to it go through (its immediate dominator)."""
    fork = [0]
    for node in nodes[1:]:
        place = node.inputs[0]
        for other in node.inputs[1:]:
            while place != other:
                place, other = (fork[place], other) if place > other else (place, fork[other])
        fork.append(place)
    return fork


def _series(nodes: Sequence["Node"], fork: list[int], last: int, before: int) -> tuple[Item, ...]:
    """What lies between the nodes `before` and `last`, `last` with it."""
    items: list[Item] = []
    place = last
    while place > before:
        node = nodes[place]
        if len(node.inputs) == 1:
            items.append(Box(node.label, node.kind, node.shape))
        else:
            begin = fork[place]
            parts = [_between(nodes, end, begin) for end in node.inputs]
            if sum(map(len, parts)) > len(set().union(*parts)):
                layers = sum(nodes[i].kind != "meeting" for i in set().union(*parts))
                items.append(Box(f"{layers} layers, crossing", "other", node.shape))
            else:
                branches = tuple(_series(nodes, fork, end, begin) for end in node.inputs)
                items.append(Split(node.label, branches, nodes[begin].shape, node.shape))
        place = fork[place]
    return tuple(reversed(items))


def _between(nodes: Sequence["Node"], end: int, begin: int) -> set[int]:
    found, waiting = set(), [end]
    while waiting:
        place = waiting.pop()
        if place > begin and place not in found:
            found.add(place)
            waiting += nodes[place].inputs
    return found


def folded(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items with what repeats drawn once; at every place the fold that covers most."""
    done: list[Item] = []
    place = 0
    while place < len(items):
        period, count = max(
            ((period, _repeats(items, place, period)) for period in range(1, LONGEST_PERIOD + 1)),
            key=lambda found: (found[0] * found[1] if found[1] > 1 else 0, -found[0]),
        )
        if count > 1:
            done.append(Repeat(tuple(items[place : place + period]), count))
            place += period * count
        else:
            done.append(items[place])
            place += 1
    return tuple(done)


def _repeats(items: Sequence[Item], place: int, period: int) -> int:
    first = items[place : place + period]
    count = 1
    while items[place + count * period : place + (count + 1) * period] == first and len(first) == period:
        count += 1
    return count
