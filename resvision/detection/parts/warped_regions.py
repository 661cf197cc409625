"""Regions of images, each warped to one square with some of what lies around it: R-CNN's view of a region.

Girshick et al. 2014, https://arxiv.org/abs/1311.2524, appendix A: the region fills all but a border of `context` pixels
of the square, whatever its own shape, and what lies beyond the image has the mean colour.

Glossary
    R        regions of all images
    S        side of the square in pixels
    images   (N, C, H, W), normalized, so that the mean colour is 0
    regions  (R, 4), x1 y1 x2 y2 in continuous pixels
    image    (R,) int64, the image of each region
"""

import torch
from torch import Tensor
from torchvision.ops import roi_align

PAPER_SIDE_PX = 227
PAPER_CONTEXT_PX = 16


def with_context(regions: Tensor, context: float) -> Tensor:
    """The regions (R, 4), grown about their centres so that a share `context` of each side lies around each end."""
    corners, far_corners = regions[:, :2], regions[:, 2:]
    growth = (far_corners - corners) * (context / (1 - 2 * context))
    return torch.cat([corners - growth, far_corners + growth], dim=1)


def warped(images: Tensor, image: Tensor, regions: Tensor, *, side_px: int, context_px: float) -> Tensor:
    """The regions with their context as squares (R, C, S, S).

    context_px  pixels of the square on each side of the region

    Each pixel of a square is one bilinear sample at its centre, as the paper's code has it: no average is taken where
    a region is made smaller. Zeros stand for samples that lie more than half a pixel beyond the image; the paper's code
    rounds that edge to pixels of the square.
    """
    grown = with_context(regions.to(images.dtype), context_px / side_px)
    rois = torch.cat([image[:, None].to(images.dtype), grown], dim=1)
    # A grid of one sample a bin, `aligned`, is a resize about pixel centres.
    squares: Tensor = roi_align(images, rois, output_size=side_px, spatial_scale=1.0, sampling_ratio=1, aligned=True)
    return squares
