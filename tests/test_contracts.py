"""Trees of tensors, as inputs and targets of any task may be, and terms of a loss."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from resvision.contracts import Batch, Images, Term, apart, arrays, filled, shortened, split, tensors_of, to_device


class Inputs(NamedTuple):
    """Images with a state that not every task has, and padded boxes with their count."""

    images: Tensor
    state: Tensor | None
    boxes: tuple[Tensor, Tensor]
    more: dict[str, tuple[Tensor, ...]]


def inputs(length: int = 6) -> Inputs:
    numbers = torch.arange(length)
    return Inputs(
        numbers.float(), None, (numbers.view(-1, 1).expand(-1, 4), numbers % 3), {"views": (numbers, -numbers)}
    )


def shaped_alike(found: Any, tree: Any) -> bool:
    """Whether two trees have the same types all the way down."""
    if type(found) is not type(tree):
        return False
    if isinstance(tree, dict):
        return found.keys() == tree.keys() and all(shaped_alike(found[key], tree[key]) for key in tree)
    if isinstance(tree, tuple | list):
        return len(found) == len(tree) and all(map(shaped_alike, found, tree))
    return True


def test_a_batch_of_any_tree_is_cut_and_put_together_again() -> None:
    batch = Batch(inputs(), (torch.arange(6), None), torch.arange(6))
    parts = split(batch, 3)
    assert all(shaped_alike(part, batch) for part in parts)
    assert all(len(part.inputs.boxes[0]) == len(part.inputs.more["views"][1]) == 2 for part in parts)
    assert torch.equal(torch.cat([part.inputs.more["views"][1] for part in parts]), batch.inputs.more["views"][1])
    assert torch.equal(torch.cat([part.targets[0] for part in parts]), batch.targets[0])


def test_a_tree_is_moved_and_filled_up_with_its_last_entry() -> None:
    tree = inputs(2)
    moved, more = to_device(tree, torch.device("meta")), filled(tree, 4)
    assert shaped_alike(moved, tree)
    assert shaped_alike(more, tree)
    assert moved.more["views"][0].is_meta
    assert more.boxes[0][:, 0].tolist() == more.more["views"][0].tolist() == [0, 1, 1, 1]


def test_a_term_over_nothing_is_0_without_gradient() -> None:
    weight = torch.ones(3, requires_grad=True)
    term = Term((weight * 0).sum(), torch.zeros(()))
    term.mean().backward()
    assert term.mean() == 0
    assert not weight.grad.any()


def test_lists_of_a_batch_are_cut_and_filled_by_images_and_not_within_them() -> None:
    boxes = [torch.full((count, 4), float(count)) for count in (3, 1, 2, 5)]
    parts = split(Batch(Images(torch.zeros(4, 1, 2, 2)), boxes, torch.arange(4)), 2)
    assert [[len(one) for one in part.targets] for part in parts] == [[3, 1], [2, 5]]
    assert [len(one) for one in filled(boxes, 6)] == [3, 1, 2, 5, 5, 5]
    assert [len(one) for one in filled(boxes, 3)] == [3, 1, 2]


def test_a_tree_is_shortened_and_taken_apart_into_one_for_each_image() -> None:
    short = shortened(inputs(5), 3)
    assert len(short.images) == len(short.more["views"][1]) == 3
    each = apart(arrays(short), 3)
    assert [one.images.item() for one in each] == [0, 1, 2]
    assert [one.state for one in each] == [None] * 3
    assert each[2].boxes[0].tolist() == [2, 2, 2, 2]
    assert each[1].more["views"][1] == -1


def test_arrays_of_half_precision_are_of_single_precision_and_whole_numbers_stay_whole() -> None:
    tree = arrays((torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.int64), torch.ones(2).double()))
    assert [array.dtype.name for array in tree] == ["float32", "int64", "float64"]


def test_what_is_no_tensor_stays_in_its_place() -> None:
    truth = np.ones((2, 4))
    batch = Batch(Images(torch.zeros(1, 1, 2, 2)), [(truth, "name")], torch.arange(1))
    assert to_device(batch, torch.device("meta")).targets[0][0] is truth
    assert len(tensors_of(batch)) == 2
