import torch

from resvision.detection.parts.owned_places import all_classes, owned

PLACES = torch.tensor([[4, 2, 4, 0], [1, 1, 1, 1]])
IS_OBJECT = torch.tensor([[True, True, True, False], [False, True, False, False]])


def test_the_last_box_that_asks_for_a_place_has_it() -> None:
    image, place, box = owned(PLACES, IS_OBJECT, 5)
    assert image.tolist() == [0, 0, 1]
    assert place.tolist() == [2, 4, 1]
    assert box.tolist() == [1, 2, 1]


def test_a_place_has_the_classes_of_all_that_ask_for_it() -> None:
    labels = torch.tensor([[0, 2, 1, 2], [2, 1, 0, 0]])
    classes = all_classes(owned(PLACES, IS_OBJECT, 5), PLACES, labels, IS_OBJECT, 3)
    assert classes.tolist() == [[0, 0, 1], [1, 1, 0], [0, 1, 0]]


def test_nothing_is_owned_where_there_are_no_objects() -> None:
    none = torch.zeros_like(IS_OBJECT)
    found = owned(PLACES, none, 5)
    assert [len(member) for member in found] == [0, 0, 0]
    assert all_classes(found, PLACES, PLACES, none, 3).shape == (0, 3)
