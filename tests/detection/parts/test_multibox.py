"""MultiBox: the order of what heads say, and the best boxes of each class by brute force."""

import torch

from resvision.detection.parts.anchors import AnchorGrids, centred_cells
from resvision.detection.parts.multibox import MultiBoxHead, best_of_each_class


def test_values_lie_in_the_order_of_anchors() -> None:
    head = MultiBoxHead([2, 2], [1, 3], num_logits=2)
    with torch.no_grad():
        for layers in (head.classification_head, head.regression_head):
            for layer in layers.module_list:
                layer.weight.zero_()
                layer.weight[:, :, 1, 1] = torch.tensor([10.0, 1.0])  # row and column
                layer.bias.copy_(torch.arange(len(layer.bias)) / 100)
        grids = [
            torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")) for h, w in ((2, 3), (1, 2))
        ]
        maps = head([grid[None].float() for grid in grids])
        logits, deltas = maps.values(2)
    assert maps.sides == [(2, 3), (1, 2)]
    cells = {"fine": lambda: centred_cells([1.0], [1.0], stride=1), "coarse": lambda: centred_cells([1.0], stride=1)}
    anchors = AnchorGrids(cells, {"fine": 1, "coarse": 1}).of(
        {"fine": (2, 3), "coarse": (1, 2)}, (2, 3), torch.device("cpu")
    )
    centres = torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2 - 0.5 for boxes in anchors.values()])
    place = 10 * centres[:, 1] + centres[:, 0]
    shape = torch.tensor([0.0] * 6 + [0.0, 1.0, 2.0] * 2)
    assert torch.allclose(logits[0], (place + 0.02 * shape)[:, None] + torch.tensor([0.0, 0.01]))
    assert torch.allclose(deltas[0], (place + 0.04 * shape)[:, None] + torch.tensor([0.0, 0.01, 0.02, 0.03]))


def test_the_best_boxes_of_each_class_are_those_of_a_sort() -> None:
    boxes, probabilities = torch.rand(2, 30, 4), torch.rand(2, 30, 4).softmax(dim=2)
    chosen, scores, labels = best_of_each_class(boxes, probabilities, most=5)
    assert labels.tolist() == [[0] * 5 + [1] * 5 + [2] * 5] * 2
    for image in range(2):
        expected = []
        for label in (1, 2, 3):
            order = sorted(range(30), key=lambda place: -float(probabilities[image, place, label]))[:5]
            expected += [(float(probabilities[image, place, label]), boxes[image, place]) for place in order]
        assert scores[image].tolist() == [score for score, _ in expected]
        assert torch.equal(chosen[image], torch.stack([box for _, box in expected]))
    assert best_of_each_class(boxes, probabilities, most=99)[1].shape == (2, 90)
