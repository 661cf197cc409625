"""Boxes as offsets from references, which are anchors, priors or proposals: Girshick et al. 2014, appendix C.

With centres (x, y) and sides (w, h) of a box and of its reference r,
    t_x = (x - x_r) / w_r,  t_y = (y - y_r) / h_r,  t_w = log(w / w_r),  t_h = log(h / h_r),
each multiplied by a weight, which is one over the standard deviation or the variance that a paper divides by.

Glossary
    boxes, references  (..., 4), x1 y1 x2 y2 in pixels
    deltas             (..., 4), the four weighted offsets
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from resvision.contracts import fp32_or_more

LARGEST_GROWTH = math.log(1000 / 16)
"""The greatest t_w and t_h that are decoded: a reference of 16 pixels grows to 1,000 at most, and never to infinity."""


class BoxCoding(NamedTuple):
    """The weights of the four offsets: those of x, y, w and h."""

    x: float = 1.0
    y: float = 1.0
    w: float = 1.0
    h: float = 1.0

    def encode(self, boxes: Tensor, references: Tensor) -> Tensor:
        """The deltas (..., 4) from references to boxes, in float32; references have sides above 0."""
        centres, sides = centres_and_sides(fp32_or_more(boxes))
        reference_centres, reference_sides = centres_and_sides(fp32_or_more(references))
        shifts = (centres - reference_centres) / reference_sides
        deltas = torch.cat([shifts, growths(sides, reference_sides)], dim=-1)
        return deltas * deltas.new_tensor(self)

    def decode(self, deltas: Tensor, references: Tensor) -> Tensor:
        """The boxes (..., 4) at deltas from references, in float32; not clipped to any image."""
        deltas = fp32_or_more(deltas)
        deltas = deltas / deltas.new_tensor(self)
        centres, sides = centres_and_sides(fp32_or_more(references))
        return about(centres + deltas[..., :2] * sides, grown(sides, deltas[..., 2:]))


def clip(boxes: Tensor, sides: tuple[int, int]) -> Tensor:
    """The boxes (..., 4) cut off at the edges of an image of these sides, height and width."""
    height, width = sides
    limits = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limits)


def centres_and_sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The centres (..., 2), x y, and the sides (..., 2), width and height, of boxes (..., 4)."""
    near, far = boxes[..., :2], boxes[..., 2:]
    return (near + far) / 2, far - near


def about(centres: Tensor, sides: Tensor) -> Tensor:
    """The boxes (..., 4) with these centres (..., 2) and sides (..., 2)."""
    return torch.cat([centres - sides / 2, centres + sides / 2], dim=-1)


def growths(sides: Tensor, of: Tensor) -> Tensor:
    """The logarithms of sides as multiples of those `of` references, finite also where a side is 0."""
    return torch.log((sides / of).clamp(min=torch.finfo(torch.float32).tiny))


def grown(sides: Tensor, logarithms: Tensor) -> Tensor:
    """The sides of references, multiplied by what has these logarithms; by 62.5 at most."""
    return sides * logarithms.clamp(max=LARGEST_GROWTH).exp()
