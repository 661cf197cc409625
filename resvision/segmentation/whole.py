"""Whole images through a net, whatever sizes it takes.

Glossary
    N images of one size, K classes
"""

from torch import Tensor

from resvision.segmentation.segmenter import Segmenter


def probabilities_of(system: Segmenter, pixels: Tensor) -> Tensor:
    """Class probabilities of every pixel, float32 (N, K, H, W), of uint8 pixels (N, C, H, W)."""
    logits: Tensor = system.net(system.normalized(pixels))
    return logits.float().softmax(dim=1)
