"""Linear CKA: how alike the representations of two layers are, of one net or of two.

Kornblith et al. 2019, https://arxiv.org/abs/1905.00414. It is 1 where one representation is the other, rotated, shifted
and scaled alike in all directions, and 0 where nothing of one is a linear function of the other.

The paper's estimate is biased: of features with many more numbers than there are images it comes out near 1 even where
they have nothing to do with each other, and maps of a convolution have tens of thousands of numbers. So this takes the
unbiased estimate of HSIC (Song et al. 2012, https://jmlr.org/papers/v13/song12a.html) in batches, whose mean is again
unbiased (Nguyen et al. 2021, https://arxiv.org/abs/2010.15327, equations 2 and 3). It needs neither all images nor
all features at once: a table of Gram matrices of one batch is all that is kept of a net. `linear_cka` of two matrices
of features has the paper's own estimate, too.

Glossary
    N images, n of a batch, p numbers of a representation, L and M layers
    features  (n, p): a representation, flattened
    Gram      (n, n): the inner products of the centred features of each two images
    centred   a Gram matrix with means of rows and columns taken off, as HSIC needs it, flattened: (n * n,)
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.probes.representations import chosen, watched_modules

LEAST = 4
"""The fewest images of a batch: the unbiased estimate divides by n - 3."""


class Similarity(NamedTuple):
    """The CKA of every layer of one net, in rows, with every layer of a net, in columns; NaN for a constant layer."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]


def linear_cka(first: Tensor, second: Tensor, *, unbiased: bool = True) -> float:
    """The linear CKA of two representations of the same images, (n, p) and (n, q).

    unbiased  estimate HSIC without bias, which may lie a little outside of 0..1; the paper's equation else

    Raises SettingsError for fewer than 4 images, or for unequal numbers of them.
    """
    if len(first) != len(second) or len(first) < LEAST:
        raise SettingsError(
            f"CKA compares {LEAST} images or more, the same of both; got {len(first)} and {len(second)}"
        )
    x, y = (_centred(_gram(features), unbiased=unbiased) for features in (first, second))
    return _ratio(float(x @ y), float(x @ x), float(y @ y))


@torch.no_grad()
def layer_cka(
    first: nn.Module,
    images: Tensor,
    second: nn.Module | None = None,
    *,
    second_images: Tensor | None = None,
    layers: Sequence[str] | None = None,
    second_layers: Sequence[str] | None = None,
    batch_size: int = 128,
) -> Similarity:
    """The CKA between the layers of a net, or of two nets that are shown the same images.

    images         (N, C, H, W), the input of the net, which is run as it is: in evaluation mode, images do not mix
    second_images  the same images as the second net takes them, where that is otherwise
    layers         dotted names of modules; the units of the net where they are left out
    batch_size     images at a time; what is kept of each net is a Gram matrix of them for every layer

    Raises SettingsError for fewer than 4 images, UnknownNameError for a layer that a net lacks.
    """
    theirs = images if second_images is None else second_images
    if len(images) < LEAST or len(theirs) != len(images):
        raise SettingsError(f"CKA compares {LEAST} images or more, the same of both; got {len(images)}, {len(theirs)}")
    rows = chosen(first, images, layers)
    columns = rows if second is None else chosen(second, theirs, second_layers)
    own = np.zeros(len(rows)), np.zeros(len(columns))
    across = np.zeros((len(rows), len(columns)))
    parts = -(-len(images) // max(batch_size, LEAST))
    parts = max(1, min(parts, len(images) // LEAST))  # no batch is too small for the estimate
    for part, other in zip(images.tensor_split(parts), theirs.tensor_split(parts), strict=True):
        share = len(part) / len(images)
        x = _centred_grams(first, part, rows)
        y = x if second is None else _centred_grams(second, other, columns)
        scale = share / (len(part) * (len(part) - 3))
        own[0][:] += scale * (x * x).sum(dim=1).numpy()
        own[1][:] += scale * (y * y).sum(dim=1).numpy()
        across += scale * (x @ y.T).numpy()
    values = np.array(
        [[_ratio(across[i, j], own[0][i], own[1][j]) for j in range(len(columns))] for i in range(len(rows))]
    )
    return Similarity(tuple(rows), tuple(columns), values)


def _centred_grams(net: nn.Module, images: Tensor, layers: dict[str, nn.Module]) -> Tensor:
    """The centred Gram matrices of layers for a batch, (L, n * n) float64; features are dropped as they come."""
    grams: dict[str, Tensor] = {}

    def see(name: str, result: Tensor) -> None:
        if not isinstance(result, Tensor) or len(result) != len(images) or name in grams:
            raise SettingsError(f"layer {name}: does not give one tensor for each image, once")
        grams[name] = _centred(_gram(result), unbiased=True)

    with watched_modules(layers, see):
        net(images)
    return torch.stack([grams[name] for name in layers])


def _gram(features: Tensor) -> Tensor:
    """The inner products of centred features, (n, n) float64 on the CPU.

    Products are taken in the type of the features; without their mean they lose no digits to it.
    """
    flat = features.flatten(1)
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
    flat = flat - flat.mean(dim=0)
    return (flat @ flat.T).double().cpu()


def _centred(gram: Tensor, *, unbiased: bool) -> Tensor:
    """A Gram matrix with the means of rows and columns taken off, (n * n,), so that HSIC is an inner product of two.

    The unbiased one leaves the diagonal out, and divides by what then is free (Szekely and Rizzo 2014,
    https://arxiv.org/abs/1310.2926, equation 2.1): its inner products are n (n - 3) times the HSIC of Song et al.
    """
    n = len(gram)
    if not unbiased:
        return (gram - gram.mean(dim=0) - gram.mean(dim=1, keepdim=True) + gram.mean()).flatten()
    gram = gram.clone().fill_diagonal_(0.0)
    sums = gram.sum(dim=0)
    centred = gram - (sums + sums[:, None]) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    return centred.fill_diagonal_(0.0).flatten()


def _ratio(product: float, first: float, second: float) -> float:
    scale = math.sqrt(max(first, 0.0)) * math.sqrt(max(second, 0.0))
    return product / scale if scale > 0 else math.nan
