"""A net that looks at given regions, small enough to read: it scores each by its mean colour."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.contracts import Batch, Losses, Term, fp32_or_more
from resvision.core.draws import order
from resvision.core.images import Pixels
from resvision.detection.detector import Candidates, ProposedImages, RegionDetector, RegionNet
from resvision.detection.proposing import Regions
from resvision.kinds.detection.boxes import Floats
from resvision.kinds.detection.suppression import Suppression

MOST = 6


class RegionScores(NamedTuple):
    """Scores of each class and of the background, (N, P, K + 1), with the proposals (N, P, 4) that they are of."""

    scores: Tensor
    proposals: Tensor


class ColourNet(RegionNet):
    """Linear scores of the mean colour of each region."""

    def __init__(self, num_classes: int = 2, in_channels: int = 3, most_proposals: int = MOST) -> None:
        super().__init__()
        self.most_proposals = most_proposals
        self.backbone = nn.Conv2d(in_channels, 4, 1)
        self.head = nn.Linear(4, num_classes + 1)

    def forward(self, images: Tensor, proposals: Tensor | None = None) -> RegionScores:
        height, width = images.shape[2:]
        if proposals is None:
            proposals = images.new_tensor([0, 0, width, height]).expand(len(images), 1, 4)
        maps = self.backbone(images)
        x, y = (torch.arange(side, device=images.device) + 0.5 for side in (width, height))
        left, top, right, bottom = (corner[..., None] for corner in proposals.unbind(-1))
        across, down = (x >= left) & (x < right), (y >= top) & (y < bottom)  # (N, P, W), (N, P, H)
        inside = (down[..., None] & across[:, :, None]).to(maps)
        mean = torch.einsum("ncij,npij->npc", maps, inside) / inside.sum(dim=(2, 3)).clamp(min=1)[..., None]
        return RegionScores(self.head(20 * mean), proposals)


class ColourDetector(RegionDetector):
    """A detector whose boxes are the regions themselves."""

    def __init__(self, net: RegionNet, *, mean: Any, std: Any, options: Any = None) -> None:
        super().__init__(net, mean=mean, std=std, suppression=Suppression(score=0.05, iou=0.5, most=20))

    def weights(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"class": _is_region(batch.inputs.proposals).sum().clamp(min=1)}

    def losses(self, batch: Batch) -> Losses:
        return self.region_losses(self.maps(batch.inputs), batch)

    @torch.compiler.disable
    def region_losses(self, maps: RegionScores, batch: Batch) -> Losses:
        scores, truth = fp32_or_more(maps.scores), batch.targets
        background = torch.full(scores.shape[:2], scores.shape[2] - 1, device=scores.device)
        centres = (maps.proposals[..., :2] + maps.proposals[..., 2:])[:, :, None] / 2
        inside = (centres > truth.boxes[:, None, :, :2]).all(-1) & (centres < truth.boxes[:, None, :, 2:]).all(-1)
        known = inside & (truth.labels >= 0)[:, None]
        labels = torch.where(known.any(-1), truth.labels.gather(1, known.int().argmax(-1)), background)
        counts = _is_region(maps.proposals) & ~(inside & truth.crowd[:, None]).any(-1)
        total = (F.cross_entropy(scores.transpose(1, 2), labels, reduction="none") * counts).sum()
        return Losses({"class": Term(total, self.weights(batch)["class"])}, {})

    def candidates(self, maps: RegionScores, sides: tuple[int, int]) -> Candidates:
        scores, proposals = maps.scores.float(), maps.proposals.float()
        shares = scores.softmax(-1)[..., :-1] * _is_region(proposals)[..., None]
        images, regions, classes = shares.shape
        labels = torch.arange(classes, device=scores.device).expand(images, regions, classes)
        boxes = proposals[:, :, None].expand(images, regions, classes, 4)
        return Candidates(boxes.flatten(1, 2), shares.flatten(1), labels.flatten(1))


def _is_region(proposals: Tensor) -> Tensor:
    return (proposals[..., 2:] > proposals[..., :2]).all(-1)


class MadeUpRegions(Regions):
    """Regions of the sizes of the rectangles in `box_scenes`, all over an image, in an order that is drawn."""

    def in_image(self, image: Pixels, name: str) -> Floats:
        height, width = image.shape[:2]
        boxes = [
            (left, top, left + wide, top + high)
            for wide, high in ((14, 8), (8, 14), (width, height))
            for left in range(0, width - wide + 1, 3)
            for top in range(0, height - high + 1, 3)
        ]
        return np.array(boxes, dtype=np.float64)[order(0, 0, len(boxes))]


def proposed(images: Tensor, most: int) -> ProposedImages:
    """Images with regions at any place, of which fewer are given than there are places."""
    draws = torch.Generator().manual_seed(most)
    height, width = images.shape[2:]
    corners = torch.rand(len(images), most, 2, 2, generator=draws).sort(dim=2).values
    boxes = (corners * torch.tensor([width, height])).flatten(2)
    boxes[:, (most + 1) // 2 :] = 0
    return ProposedImages(images, boxes)
