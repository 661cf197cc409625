"""Owned places: those of a net's places that are to find a box, each one alone.

Glossary
    N images, M true boxes of an image at most, A places of an image, P owned places of all images
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Owned(NamedTuple):
    """The places that have a box, image by image, of an image in rising order.

    image  (P,) int64
    place  (P,) int64
    box    (P,) int64, the box of the place among those of its image
    """

    image: Tensor
    place: Tensor
    box: Tensor


def owned(places: Tensor, is_object: Tensor, count: int) -> Owned:
    """The owned places, of the place (N, M) of each box and flags (N, M) of those that are objects.

    Of boxes that ask for one place the last has it, as in Darknet.

    count  the number of places of an image
    """
    order = torch.arange(places.shape[1], device=places.device).expand_as(places)
    last = torch.full((len(places), count), -1, dtype=torch.int64, device=places.device)
    last.scatter_reduce_(1, places, torch.where(is_object, order, -1), "amax")
    image, place = (last >= 0).nonzero(as_tuple=True)
    return Owned(image, place, last[image, place])


def all_classes(owned_places: Owned, places: Tensor, labels: Tensor, is_object: Tensor, num_classes: int) -> Tensor:
    """The classes of all boxes that ask for each owned place, (P, K) float32 of 0 and 1.

    places, labels, is_object  (N, M), of each box
    """
    image, place, _ = owned_places
    boxes_of, box = is_object.nonzero(as_tuple=True)
    asks = (image == boxes_of[:, None]) & (place == places[boxes_of, box][:, None])  # (boxes, P), one each
    classes = torch.zeros(len(image), num_classes, device=places.device)
    if len(image):
        classes[asks.long().argmax(dim=1), labels[boxes_of, box]] = 1.0
    return classes
