"""Shapes of anchors as a person names them, and their overlap with boxes that lie about the same centre.

Glossary
    M boxes, S shapes
    shape  width and height in pixels of the images that a net sees
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from resvision.contracts import fp32_or_more
from resvision.core.errors import SettingsError, printable

Shape = tuple[float, float]


def read_shapes(text: str, named: Mapping[str, Sequence[Shape]], *, maps: int = 1) -> tuple[Shape, ...]:
    """The shapes of a name, or of a text such as "10,13 16,30 33,23", in which commas and blanks part numbers alike.

    named  the shapes of the released nets
    maps   the number of maps that share the shapes evenly

    Raises SettingsError for a text that holds no shapes, or not as many for each map.
    """
    if text in named:
        return tuple(named[text])
    quoted = f"anchors {printable(text)!r:.80}"
    remedy = f"say {' or '.join(named)}, or give width and height of each in pixels, as '10,13 16,30 33,23'"
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise SettingsError(f"{quoted}: neither a name nor numbers; {remedy}") from None
    if not numbers or len(numbers) % 2:
        raise SettingsError(f"{quoted}: {len(numbers)} numbers, which are no pairs; {remedy}")
    if not all(0 < number < math.inf for number in numbers):
        raise SettingsError(f"{quoted}: sides must be numbers above 0; {remedy}")
    shapes = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if len(shapes) % maps:
        raise SettingsError(f"anchors: {len(shapes)} cannot be shared evenly by {maps} maps; give as many for each")
    return shapes


def shape_overlaps(sides: Tensor, shapes: Tensor) -> Tensor:
    """Intersection over union of sides (..., 2) and shapes (S, 2) about one centre, (..., S)."""
    sides, shapes = fp32_or_more(sides), fp32_or_more(shapes)
    common = torch.minimum(sides[..., None, :], shapes).clamp(min=0).prod(dim=-1)
    union = sides.prod(dim=-1, keepdim=True) + shapes.prod(dim=-1) - common
    return common / union
