"""Default boxes, or priors, of SSD: Liu et al. 2016, https://arxiv.org/abs/1512.02325, section 2.2.

Every position of a map has a square of the map's size, a square between this size and that of the next map, and two
boxes of the map's size for each ratio of sides. Sizes grow linearly from map to map; as in the released code, the first
map has half of the size at which this line begins.

Glossary
    m          maps
    sizes_px   m + 1 sides of squares, in pixels: that of each map, and the one that would come next
    ratios     of width to height, above 1, of each map: boxes of r and of 1 / r
    map sides  height and width of each map
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from resvision.core.errors import SettingsError


class Priors(NamedTuple):
    """The priors of a net that was made for square images of `input_px` pixels.

    They have the same sizes in images of other sides, since the net sees objects in pixels.

    steps_px  the distance between positions of each map, at `input_px`; None, as for images of other sides, divides the
              image evenly
    clamped   whether no side is longer than `input_px`, as in torchvision; the paper's priors reach beyond the image
    """

    sizes_px: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]
    input_px: int
    steps_px: tuple[float, ...] | None = None
    clamped: bool = False

    @property
    def of_each_position(self) -> tuple[int, ...]:
        """The number of priors at each position, by map."""
        return tuple(2 + 2 * len(ratios) for ratios in self.ratios)

    def boxes(
        self, map_sides: Sequence[tuple[int, int]], sides: tuple[int, int], *, device: torch.device | None = None
    ) -> list[Tensor]:
        """The priors of each map, (h * w * priors of a position, 4) float32, row by row, x1 y1 x2 y2 in pixels.

        map_sides  height and width of each map, for an image of `sides`, which are its height and width
        """
        fixed = self.steps_px is not None and sides == (self.input_px, self.input_px)
        maps = []
        for level, (height, width) in enumerate(map_sides):
            step = self.steps_px[level] if fixed and self.steps_px else None
            y = _centres(height, step or sides[0] / height, device)
            x = _centres(width, step or sides[1] / width, device)
            centres = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)  # (h, w, 2)
            half = torch.tensor(self._sides_at(level), device=device) / 2
            boxes = torch.cat([centres[:, :, None] - half, centres[:, :, None] + half], dim=-1)
            maps.append(boxes.flatten(0, 2))
        return maps

    def _sides_at(self, level: int) -> list[tuple[float, float]]:
        """Width and height of the priors at a position of a map."""
        size, next_size = self.sizes_px[level : level + 2]
        between = math.sqrt(size * next_size)
        sides = [(size, size), (between, between)]
        for ratio in self.ratios[level]:
            long, short = size * math.sqrt(ratio), size / math.sqrt(ratio)
            sides += [(long, short), (short, long)]
        most = float(self.input_px) if self.clamped else math.inf
        return [(min(width, most), min(height, most)) for width, height in sides]


def linear_priors(maps: int, *, input_px: int, smallest: float = 0.2, largest: float = 0.9) -> Priors:
    """The priors of any number of maps, by the paper's rule.

    smallest  size of the second map, as a share of the image's side; the first map has half of it
    largest   size of the last map

    Ratios are 2 on the first map and the last two, where 3 would be finer than the map or as large as the image, and 2
    and 3 on those between. Raises SettingsError for shares that do not grow within 0..1.
    """
    if not 0.0 < smallest < largest <= 1.0:
        raise SettingsError(f"sizes of priors from {smallest} to {largest}: expected 0 < smallest < largest <= 1")
    step = (largest - smallest) / max(1, maps - 2)
    shares = [smallest + step * k for k in range(maps)]
    shares = [smallest / 2, *shares] if maps > 1 else [smallest, largest]
    ratios = tuple((2.0, 3.0) if 0 < level < maps - 2 else (2.0,) for level in range(maps))
    return Priors(tuple(share * input_px for share in shares), ratios, input_px)


def _centres(count: int, step: float, device: torch.device | None) -> Tensor:
    """The middles of `count` cells of a width, (count,)."""
    return (torch.arange(count, dtype=torch.float32, device=device) + 0.5) * step
