"""The parts of a residual block, by which a probe takes it apart: after(branch(x) + shortcut(x)).

A block of ours, or of a user's own, says its parts in one method, `residual_parts`; whoever deletes, swaps or follows
blocks needs to know no more of them. Plain blocks, those of the same net without shortcuts, say theirs as well.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

Map = Callable[[Tensor], Tensor]


def unchanged(x: Tensor) -> Tensor:
    """The tensor itself: the shortcut of a block without one of its own, or the end of a block that ends in the sum."""
    return x


class ResidualParts(NamedTuple):
    """The parts of a block whose output is after(branch(x) + shortcut(x)), or after(branch(x)) in a plain net.

    branch    F, the layers that the shortcut passes by
    shortcut  None in a plain net
    after     activation or normalization behind the sum; it may work in place
    """

    branch: Map
    shortcut: Map | None = unchanged
    after: Map = unchanged


@runtime_checkable
class ResidualBlock(Protocol):
    """A module that says its parts; those of a user's own may give a plain tuple in the same order."""

    def residual_parts(self) -> ResidualParts:
        """The parts of which the block's output consists."""
