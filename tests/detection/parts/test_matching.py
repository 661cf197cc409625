"""Matching of anchors with true boxes: laws, hand-sized cases, and torchvision's matcher as judge."""

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from resvision.detection.parts import matching
from resvision.detection.parts.matching import match, match_each


def boxes(count: int, largest: float = 40) -> Tensor:
    corners = 60 * torch.rand(count, 2)
    return torch.cat([corners, corners + 4 + largest * torch.rand(count, 2)], dim=1)


def labels(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.int64)


def no_crowd(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.bool)


@pytest.mark.parametrize("low_quality", [False, True])
def test_matches_are_those_of_torchvision(low_quality: bool) -> None:
    anchors, truth = boxes(500), boxes(7)
    ours = match(anchors, truth, labels(7), no_crowd(7), positive=0.5, negative=0.4, low_quality=low_quality)
    theirs = Matcher(0.5, 0.4, low_quality)(box_iou(truth, anchors))
    assert torch.equal(ours.positive, theirs >= 0)
    assert torch.equal(ours.negative, theirs == Matcher.BELOW_LOW_THRESHOLD)
    assert torch.equal(ours.box[ours.positive], theirs[ours.positive])
    assert 0 < int(ours.positive.sum()) < 500


def test_boxes_taken_a_few_at_a_time_match_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    anchors, truth = boxes(300), boxes(11)
    given = (anchors, truth, labels(11), no_crowd(11))
    each_at_once = match_each(*given, positive=0.5)
    at_once = match(*given, positive=0.5, negative=0.4, low_quality=True)
    monkeypatch.setattr(matching, "CELLS_AT_A_TIME", 900)
    for whole, cut in zip(at_once, match(*given, positive=0.5, negative=0.4, low_quality=True), strict=True):
        assert torch.equal(whole, cut)
    for whole, cut in zip(each_at_once, match_each(*given, positive=0.5), strict=True):
        assert torch.equal(whole, cut)


def test_an_image_without_boxes_is_all_background() -> None:
    anchors = boxes(20)
    for truth, names in ((boxes(0), labels(0)), (torch.zeros(8, 4), labels(8) - 1)):
        matches = match(anchors, truth, names, no_crowd(len(names)), positive=0.5, negative=0.4, low_quality=True)
        assert matches.negative.all()
        assert not matches.positive.any()


def test_anchors_mostly_in_a_crowd_are_neither_object_nor_background() -> None:
    anchors = torch.tensor([[0.0, 0.0, 10.0, 10.0], [8.0, 0.0, 18.0, 10.0], [30.0, 0.0, 40.0, 10.0]])
    crowd = torch.tensor([[0.0, 0.0, 12.0, 12.0]])
    matches = match(anchors, crowd, labels(1), torch.tensor([True]), positive=0.5, negative=0.4, low_quality=True)
    assert not matches.positive.any()
    assert matches.negative.tolist() == [False, True, True]


def test_a_place_without_a_box_is_no_crowd() -> None:
    anchors = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    padded = torch.tensor([[0.0, 0.0, 12.0, 12.0]])
    matches = match(anchors, padded, labels(1) - 1, torch.tensor([True]), positive=0.5, negative=0.4)
    assert matches.negative.all()


def test_an_overlap_below_the_lowest_negative_teaches_nothing() -> None:
    anchors = torch.tensor([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]])
    truth = torch.tensor([[5.0, 0.0, 15.0, 10.0]])  # an overlap of a third with the first
    matches = match(anchors, truth, labels(1), no_crowd(1), positive=0.5, negative=0.5, lowest_negative=0.1)
    assert matches.negative.tolist() == [True, False]


def test_in_an_image_without_objects_every_region_is_background_however_low_its_overlap() -> None:
    anchors = torch.tensor([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]])
    crowd = torch.tensor([[45.0, 45.0, 65.0, 65.0]])
    rules = {"positive": 0.5, "negative": 0.5, "lowest_negative": 0.1}
    for number, negative in ((0, [True, True]), (1, [True, False])):  # the second lies in a crowd
        matches = match(anchors, crowd[:number], labels(number), torch.ones(number, dtype=torch.bool), **rules)
        assert matches.negative.tolist() == negative
        assert not matches.positive.any()


def taking_turns(iou: Tensor, positive: float) -> dict[int, int]:
    """The box of each positive anchor: the pair of largest overlap first, then every anchor with enough of a box."""
    rest, owned = iou.clone(), {}
    while rest.max() > 0:
        box, anchor = divmod(int(rest.argmax()), rest.shape[1])
        owned[anchor] = box
        rest[box], rest[:, anchor] = 0, 0
    best, of_box = iou.max(dim=0)
    return {int(anchor): int(of_box[anchor]) for anchor in (best >= positive).nonzero()} | owned


@pytest.mark.parametrize(("anchors", "count", "largest"), [(500, 9, 40), (60, 30, 90), (6, 12, 40), (400, 1, 20)])
def test_each_box_has_an_anchor_of_its_own_as_if_boxes_took_turns(anchors: int, count: int, largest: float) -> None:
    places, truth = boxes(anchors, largest), boxes(count, largest)
    matches = match_each(places, truth, labels(count), no_crowd(count), positive=0.5)
    expected = taking_turns(box_iou(truth, places), 0.5)
    found = {int(anchor): int(matches.box[anchor]) for anchor in matches.positive.nonzero()}
    assert found == expected
    assert torch.equal(matches.negative, ~matches.positive)
    assert len({*found.values()}) == min(count, anchors)


def test_boxes_drawn_twice_have_two_anchors() -> None:
    truth = boxes(3).repeat(2, 1)
    matches = match_each(boxes(300), truth, labels(6), no_crowd(6), positive=0.9)
    assert {*matches.box[matches.positive].tolist()} == {*range(6)}


def test_a_box_that_overlaps_no_anchor_and_a_crowd_have_none() -> None:
    anchors = torch.tensor([[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0], [40.0, 0.0, 50.0, 10.0]])
    truth = torch.tensor([[80.0, 80.0, 90.0, 90.0], [19.0, 0.0, 31.0, 10.0], [45.0, 0.0, 52.0, 10.0]])
    matches = match_each(anchors, truth, labels(3), torch.tensor([False, True, False]), positive=0.5)
    assert matches.positive.tolist() == [False, False, True]
    assert matches.negative.tolist() == [True, False, False]
    assert matches.box[2] == 2


def test_nothing_is_matched_without_boxes_or_without_anchors() -> None:
    for truth, names in ((boxes(0), labels(0)), (torch.zeros(8, 4), labels(8) - 1)):
        matches = match_each(boxes(20), truth, names, no_crowd(len(names)), positive=0.5)
        assert matches.negative.all()
    assert len(match_each(boxes(0), boxes(3), labels(3), no_crowd(3), positive=0.5).box) == 0
