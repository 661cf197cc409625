"""The pairs of a place and a class with the greatest scores."""

from typing import NamedTuple

from torch import Tensor


class Pairs(NamedTuple):
    """Pairs of a place and a class of each image, (N, B) each, the greatest score first.

    scores  of the type of what they were chosen by
    places  int64
    labels  int64
    """

    scores: Tensor
    places: Tensor
    labels: Tensor


def best_pairs(scores: Tensor, most: int) -> Pairs:
    """The best `most` pairs, or all where there are fewer, of scores or logits (N, A, K)."""
    classes = scores.shape[2]
    # The best pairs belong to the best places, of which there are no more: so few scores are sorted.
    places = scores.amax(dim=2).topk(min(most, scores.shape[1]), dim=1).indices
    of_places = scores.gather(1, places[..., None].expand(-1, -1, classes)).flatten(1)
    best, pairs = of_places.topk(min(most, of_places.shape[1]), dim=1)
    return Pairs(best, places.gather(1, pairs // classes), pairs % classes)
