"""Local response normalization: Krizhevsky et al. 2012, https://doi.org/10.1145/3065386, section 3.3.

b = a / (k + alpha * sum of a^2 over n neighbouring channels)^beta. The paper's alpha multiplies the sum; PyTorch's and
Caffe's multiplies the mean, so that theirs is n times as large for the same layer.
"""

from torch import nn


def local_response_norm(*, k: float = 2.0, n: int = 5, alpha: float = 1e-4, beta: float = 0.75) -> nn.LocalResponseNorm:
    """The paper's layer, its constants in the paper's terms; it keeps the shape (N, C, H, W)."""
    return nn.LocalResponseNorm(n, alpha=n * alpha, beta=beta, k=k)
