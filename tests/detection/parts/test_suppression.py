"""Suppression: laws, and torchvision's own as judge."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import batched_nms

from resvision.detection.parts import suppression
from resvision.detection.parts.suppression import kept, suppress
from resvision.kinds.detection.suppression import Suppression

PLAIN = Suppression(score=0.05, iou=0.5, most=100)


def crowded(images: int = 2, candidates: int = 60, classes: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    corners = 40 * torch.rand(images, candidates, 2)
    boxes = torch.cat([corners, corners + 5 + 20 * torch.rand(images, candidates, 2)], dim=2)
    return boxes, torch.rand(images, candidates), torch.randint(classes, (images, candidates))


def test_detections_are_those_of_torchvision_class_by_class() -> None:
    boxes, scores, labels = crowded()
    predictions = suppress(boxes, scores, labels, PLAIN)
    for image in range(2):
        above = scores[image] > PLAIN.score
        expected = batched_nms(boxes[image][above], scores[image][above], labels[image][above], PLAIN.iou)
        count = int(predictions.counts[image])
        assert count == len(expected) > 5
        torch.testing.assert_close(predictions.boxes[image, :count], boxes[image][above][expected])
        torch.testing.assert_close(predictions.labels[image, :count], labels[image][above][expected])


def test_places_behind_the_count_are_zero() -> None:
    boxes, scores, labels = crowded(candidates=4)
    predictions = suppress(boxes, scores, labels, PLAIN)
    for image, count in enumerate(predictions.counts.tolist()):
        assert predictions.boxes.shape[1] == PLAIN.most
        assert not predictions.boxes[image, count:].any()
        assert not predictions.scores[image, count:].any()
        assert not predictions.labels[image, count:].any()


def test_no_more_than_the_most_are_given_and_they_are_the_best() -> None:
    boxes, scores, labels = crowded()
    few = suppress(boxes, scores, labels, Suppression(score=0.05, iou=0.5, most=3))
    many = suppress(boxes, scores, labels, PLAIN)
    torch.testing.assert_close(few.scores, many.scores[:, :3])


def test_boxes_of_one_group_suppress_each_other_whatever_their_class() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 10.0]] * 3])
    scores, labels = torch.tensor([[0.9, 0.8, 0.7]]), torch.tensor([[0, 1, 2]])
    of_groups = {None: [0, 1, 2], (0, 0, 0): [0], (0, 0, 1): [0, 2]}
    for groups, expected in of_groups.items():
        predictions = suppress(boxes, scores, labels, Suppression(score=0.05, iou=0.5, most=5, groups=groups))
        assert predictions.labels[0, : int(predictions.counts[0])].tolist() == expected


def test_groups_stay_apart_in_the_largest_of_images() -> None:
    box = torch.tensor([[[1e6, 1e6, 1e6 + 1, 1e6 + 1]] * 2])
    predictions = suppress(box, torch.tensor([[0.9, 0.8]]), torch.tensor([[0, 90]]), PLAIN)
    assert int(predictions.counts[0]) == 2


@pytest.mark.filterwarnings("ignore:`create_unbacked_symint` is deprecated:FutureWarning")  # torchvision's own
@pytest.mark.parametrize("first", [60, 7])
def test_suppression_exports_as_one_graph_that_holds_for_any_number_of_boxes(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppression, "FIRST", first)

    class Net(torch.nn.Module):
        def forward(self, boxes: Tensor, scores: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
            return suppress(boxes, scores, labels, PLAIN)

    boxes, scores, labels = crowded()
    graph = torch.export.export(Net(), (boxes, scores, labels)).module()
    for found in (60, 2, 1, 0):
        scores[:, found:] *= 0.01
        for ours, exported in zip(Net()(boxes, scores, labels), graph(boxes, scores, labels), strict=True):
            assert torch.equal(ours, exported)


@pytest.mark.parametrize("size", [5.0, 60.0])
def test_the_best_of_many_boxes_are_those_that_suppression_of_all_gives(
    size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    corners = 100 * torch.rand(900, 2)
    boxes = torch.cat([corners, corners + size], dim=1)
    scores, labels = torch.randperm(900) / 900, torch.randint(3, (900,))
    everything = suppress(boxes[None], scores[None], labels[None], PLAIN)
    monkeypatch.setattr(suppression, "FIRST", 20)
    a_few_at_a_time = suppress(boxes[None], scores[None], labels[None], PLAIN)
    assert (int(everything.counts[0]) == PLAIN.most) is (size == 5)
    for ours, expected in zip(a_few_at_a_time, everything, strict=True):
        assert torch.equal(ours, expected)


def test_of_equal_scores_the_first_box_suppresses_the_others_however_many_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    boxes, _, groups = (whole[0] for whole in crowded(candidates=200))
    scores = torch.randint(1, 4, (200,)) / 4
    expected = kept(boxes, scores, groups, iou=0.5)
    monkeypatch.setattr(suppression, "FIRST", 20)
    assert torch.equal(kept(boxes, scores, groups, iou=0.5, most=200), expected)


def test_of_equal_boxes_one_is_kept() -> None:
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0]] * 5)
    keep = kept(boxes, torch.full((5,), 0.5), torch.zeros(5, dtype=torch.int64), iou=0.5)
    assert int(keep.sum()) == 1


@pytest.mark.parametrize("wrong", [{"score": -0.1}, {"iou": 1.5}, {"most": 0}, {"most": 10**9}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Suppression(**{"score": 0.05, "iou": 0.5, "most": 10, **wrong})  # type: ignore[arg-type]
