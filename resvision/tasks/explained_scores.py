"""A question about a net's answer, and the score whose gradients and changes answer it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Question(NamedTuple):
    """A question about a net's answer for one image.

    label   the index of a class; None asks about the net's own answer
    points  (M, 2), x and y in pixels of the view, where the answer is asked about; None asks about all of it
    """

    label: int | None = None
    points: NDArray[np.float64] | None = None


class ExplainedScore(NamedTuple):
    """The score of one image whose grounds are looked for.

    images     (1, C, H, W) float32, 0..255: the input of `net`, which may reach beyond the view
    border_px  rows above the view in it, and columns to its left
    net        from such images to an output with N first
    score      from the output to the score of each image, (N,)
    label      the name of the class that the score speaks for
    words      the score in words, such as "logit of cat"
    share      the share 0..1 that the net gives to the label: its probability, or that of the image's pixels
    box        (4,), x1 y1 x2 y2 in pixels of the view, of the object that it is about; None where it is about no one
    """

    images: Tensor
    border_px: int
    net: Callable[[Tensor], Tensor]
    score: Callable[[Tensor], Tensor]
    label: str
    words: str
    share: float
    box: NDArray[np.float64] | None = None
