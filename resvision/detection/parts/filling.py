"""Images filled up with zeros to sides that a net can divide, right and below, so that boxes keep their place."""

import torch.nn.functional as F
from torch import Tensor

Sides = tuple[int, int]
"""Height and width of images."""


def filled_sides(sides: Sides, multiple: int) -> Sides:
    """The sides once they are filled up to whole multiples."""
    height, width = sides
    return height + -height % multiple, width + -width % multiple


def filled_up(images: Tensor, multiple: int) -> Tensor:
    """Images (N, C, H, W) with sides that are whole multiples."""
    height, width = images.shape[2:]
    below, right = -height % multiple, -width % multiple
    return F.pad(images, (0, right, 0, below)) if right or below else images
