"""Hard negatives: how many are taken, and which."""

import torch

from resvision.detection.parts.hard_negatives import hardest


def test_of_each_image_exactly_as_many_are_taken_as_are_wanted_and_no_easier_one() -> None:
    loss, among = torch.rand(4, 200), torch.rand(4, 200) < 0.7
    wanted = torch.tensor([3, 0, 30, 60])
    taken = hardest(loss, among, wanted)
    assert torch.equal(taken.sum(dim=1), wanted)
    assert not (taken & ~among).any()
    for row in (0, 2, 3):
        assert loss[row][taken[row]].min() > loss[row][among[row] & ~taken[row]].max()


def test_all_are_taken_where_there_are_fewer_than_wanted() -> None:
    among = torch.tensor([[True, False, True, False], [False, False, False, False]])
    assert torch.equal(hardest(torch.ones(2, 4), among, torch.tensor([9, 2])), among)


def test_equal_losses_do_not_make_more_of_them() -> None:
    taken = hardest(torch.zeros(1, 50), torch.ones(1, 50, dtype=torch.bool), torch.tensor([6]))
    assert int(taken.sum()) == 6
