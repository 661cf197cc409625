"""Local response normalization: over neighbouring channels, or over neighbouring pixels of each channel.

Channels: Krizhevsky et al. 2012, https://doi.org/10.1145/3065386, section 3.3; b = a / (k + alpha * sum of a^2 over n
neighbouring channels)^beta. The paper's alpha multiplies the sum; PyTorch's and Caffe's multiplies the mean, so that
theirs is n times as large for the same layer.

Pixels: b = a / (1 + alpha * mean of a^2 over n x n neighbouring pixels)^beta, which Caffe calls WITHIN_CHANNEL and the
released nets of ZF-5 have.
"""

import torch
from torch import Tensor, nn

from resvision.layers.pooling import SameAvgPool2d


def local_response_norm(*, k: float = 2.0, n: int = 5, alpha: float = 1e-4, beta: float = 0.75) -> nn.LocalResponseNorm:
    """The paper's layer, its constants in the paper's terms; it keeps the shape (N, C, H, W)."""
    return nn.LocalResponseNorm(n, alpha=n * alpha, beta=beta, k=k)


class PixelResponseNorm(nn.Module):
    """Divide each pixel by what the pixels around it in its channel amount to; those beyond the edge count as zeros.

    size  pixels of the window along a side
    """

    def __init__(self, size: int = 3, *, alpha: float = 5e-5, beta: float = 0.75) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta
        self.mean = SameAvgPool2d(size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        # In bf16 the sum of 1 and a little would be 1.
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        norms: Tensor = (1 + self.alpha * self.mean(wide.square())) ** -self.beta
        return (wide * norms).to(x.dtype)

    def extra_repr(self) -> str:
        """The text that `print` adds to the class name."""
        return f"alpha={self.alpha}, beta={self.beta}"
