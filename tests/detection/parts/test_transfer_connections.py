"""Transfer connections: the sides of what they give, and what reaches what."""

import pytest
import torch
from torch import Tensor

from resvision.detection.parts.transfer_connections import TransferConnections, fitted


def maps_of(*sides: tuple[int, int]) -> list[Tensor]:
    return [torch.rand(2, 3 + level, *side) for level, side in enumerate(sides)]


@pytest.mark.parametrize(
    "sides",
    [
        [(40, 40), (20, 20), (10, 10), (5, 5)],
        [(38, 75), (19, 38), (10, 19)],  # the coarse map rounds up
        [(9, 13), (4, 6), (2, 3)],  # or down
    ],
)
def test_results_have_the_sides_of_the_maps(sides: list[tuple[int, int]]) -> None:
    maps = maps_of(*sides)
    results = TransferConnections([x.shape[1] for x in maps], channels=6)(maps)
    assert [x.shape for x in results] == [(2, 6, *side) for side in sides]
    assert all((x >= 0).all() for x in results)


def test_fine_results_know_of_coarse_maps_and_coarse_ones_of_themselves_alone() -> None:
    maps = [x.requires_grad_() for x in maps_of((8, 8), (4, 4), (2, 2))]
    results = TransferConnections([3, 4, 5], channels=6)(maps)
    for level, result in enumerate(results):
        gradients = torch.autograd.grad(result.sum(), maps, retain_graph=True, allow_unused=True)
        assert [gradient is not None for gradient in gradients] == [other >= level for other in range(3)]


def test_a_coarse_value_is_added_to_the_four_positions_below_it() -> None:
    connections = TransferConnections([1, 1], channels=1)
    with torch.no_grad():
        for parameter in connections.parameters():
            parameter.zero_()
        for conv in (connections.exits[0], connections.exits[1]):
            conv.weight[0, 0, 1, 1] = 1.0
        connections.doublings[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None])
        connections.entries[0][2].bias.fill_(0.5)
        connections.entries[1][0].weight[0, 0, 1, 1] = connections.entries[1][2].weight[0, 0, 1, 1] = 1.0
        fine, coarse = connections([torch.zeros(1, 1, 4, 4), torch.tensor([[[[1.0, 0.0], [0.0, 10.0]]]])])
    assert torch.equal(coarse[0, 0], torch.tensor([[1.0, 0.0], [0.0, 10.0]]))
    expected = torch.tensor([[1.0, 2, 0, 0], [3, 4, 0, 0], [0, 0, 10, 20], [0, 0, 30, 40]]) + 0.5
    assert torch.equal(fine[0, 0], expected)


def test_doubled_maps_are_cut_or_filled_with_zeros_at_their_end() -> None:
    doubled = torch.arange(16.0).reshape(1, 1, 4, 4)
    smaller = fitted(doubled, torch.zeros(1, 1, 3, 5))
    assert torch.equal(smaller[0, 0, :, :4], doubled[0, 0, :3])
    assert not smaller[0, 0, :, 4].any()
    assert fitted(doubled, doubled) is doubled
