"""Intersection over union of boxes pair by pair, of shapes that broadcast: what regression of one box is judged by."""

import torch
from torch import Tensor


def paired_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU of each box (..., 4) with its partner (..., 4), x1 y1 x2 y2 in any unit, (...); 0 where both are empty."""
    common = (
        (torch.minimum(boxes[..., 2:], others[..., 2:]) - torch.maximum(boxes[..., :2], others[..., :2]))
        .clamp(min=0)
        .prod(dim=-1)
    )
    areas = [(some[..., 2:] - some[..., :2]).clamp(min=0).prod(dim=-1) for some in (boxes, others)]
    union = areas[0] + areas[1] - common
    return common / union.clamp(min=torch.finfo(union.dtype).tiny)
