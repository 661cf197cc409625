import torch

from resvision.detection.parts.best_pairs import best_pairs


def test_the_best_pairs_are_those_of_a_full_sort() -> None:
    scores = torch.rand(3, 50, 7, generator=torch.Generator().manual_seed(0))
    pairs = best_pairs(scores, 20)
    expected = scores.flatten(1).sort(dim=1, descending=True)
    assert torch.equal(pairs.scores, expected.values[:, :20])
    assert torch.equal(7 * pairs.places + pairs.labels, expected.indices[:, :20])


def test_fewer_pairs_than_asked_for_are_all_given() -> None:
    pairs = best_pairs(torch.rand(1, 2, 3), 20)
    assert sorted(zip(pairs.places[0].tolist(), pairs.labels[0].tolist(), strict=True)) == [
        (place, label) for place in range(2) for label in range(3)
    ]
