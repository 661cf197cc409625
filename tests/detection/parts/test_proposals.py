"""Proposals: their number, order and suppression, with torchvision's proposal network as judge."""

import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.rpn import RegionProposalNetwork as Theirs
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import box_iou

from resvision.detection.parts.proposals import AnchorMaps, ProposalHead, ProposalRules, by_anchor, propose

SIDES = (64, 96)


def said() -> tuple[AnchorMaps, dict[str, torch.Tensor]]:
    """Something said at random of two maps of anchors of two images."""
    corners = torch.rand(300, 2) * 60
    boxes = torch.cat([corners, corners + 5 + 40 * torch.rand(300, 2)], dim=-1)
    return AnchorMaps(torch.randn(2, 300), 0.3 * torch.randn(2, 300, 4)), {"P2": boxes[:200], "P3": boxes[200:]}


def test_proposals_are_torchvisions() -> None:
    maps, anchors = said()
    rules = ProposalRules(before=120, after=70, smallest_px=8)
    network = Theirs(
        AnchorGenerator(), RPNHead(4, 1), 0.7, 0.3, 256, 0.5, {"training": 120, "testing": 120},
        {"training": 70, "testing": 70}, 0.7,
    )  # fmt: skip
    network.min_size = 8
    boxes = network.box_coder.decode(maps.deltas.flatten(0, 1), [torch.cat([*anchors.values()])] * 2)
    expected, _ = network.filter_proposals(
        boxes.view(2, 300, 4), maps.objectness.flatten()[:, None], [SIDES] * 2, [200, 100]
    )
    proposals = propose(maps, anchors, SIDES, rules)
    assert proposals.boxes.shape == (2, 70, 4)
    for ours, valid, theirs in zip(*proposals, expected, strict=True):
        assert len(theirs) > 40
        assert torch.allclose(ours[valid], theirs, atol=1e-5)
        assert not ours[~valid].any()


def test_no_two_proposals_of_a_map_overlap_by_more_than_the_rules_allow_and_two_maps_may() -> None:
    maps, anchors = said()
    first = AnchorMaps(maps.objectness[:, :200], maps.deltas[:, :200])
    proposals = propose(first, {"P2": anchors["P2"]}, SIDES, ProposalRules(before=200, after=200, smallest_px=1))
    kept = proposals.boxes[0][proposals.valid[0]]
    assert (box_iou(kept, kept) - torch.eye(len(kept))).max() <= 0.7
    same = {"P2": anchors["P3"], "P3": anchors["P3"]}
    few = ProposalRules(before=9, after=18, smallest_px=0)
    twice = propose(AnchorMaps(*(torch.cat([some[:, :100]] * 2, dim=1) for some in maps)), same, SIDES, few)
    alone = propose(AnchorMaps(*(some[:, :100] for some in maps)), {"P2": anchors["P3"]}, SIDES, few)
    assert torch.equal(twice.valid.sum(dim=1), 2 * alone.valid.sum(dim=1))


def test_a_place_without_a_proposal_is_zero_and_says_so() -> None:
    maps, anchors = said()
    proposals = propose(maps, anchors, SIDES, ProposalRules(before=300, after=300, smallest_px=1000))
    assert not proposals.valid.any()
    assert not proposals.boxes.any()


def test_no_gradient_goes_through_proposals() -> None:
    maps, anchors = said()
    maps.deltas.requires_grad_()
    assert not propose(maps, anchors, SIDES, ProposalRules(before=9, after=9, smallest_px=0)).boxes.requires_grad


def test_two_logits_are_one_by_their_difference_as_softmax_has_it() -> None:
    head = ProposalHead(3, 2, channels=4, logits=2)
    pixels = torch.randn(1, 3, 2, 3)
    (objectness,), _ = head([pixels])
    logits = head.cls_logits(head.conv(pixels)).view(1, 2, 2, 2, 3)  # background and object, then anchors, as in Caffe
    expected = logits.softmax(dim=1)[0, 1].permute(1, 2, 0).flatten()
    assert torch.allclose(objectness.sigmoid(), expected, atol=1e-6)


def test_the_four_offsets_of_an_anchor_are_neighbours_among_the_channels() -> None:
    pixels = torch.arange(2 * 8 * 2 * 3.0).view(2, 8, 2, 3)
    rows = by_anchor(pixels, 2, last=True)
    assert rows.shape == (2, 12, 4)
    assert torch.equal(rows[1, 2 * 5 + 1], pixels[1, 4:, 1, 2])
