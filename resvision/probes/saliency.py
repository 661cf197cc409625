"""Saliency: the pixels of an image whose change moves a score of a net most.

Simonyan et al. 2013, https://arxiv.org/abs/1312.6034, section 3.1: the gradient of the score at the image, of which
each pixel takes the largest absolute value over its channels.

Glossary
    N images
    images    (N, C, H, W), the input of the net
    score     from the net's output to a number for each image, (N,), such as `lambda logits: logits[:, 3]`
    saliency  (N, H, W), at least 0: how fast the score changes with the pixel
"""

from collections.abc import Callable

import torch
from torch import Tensor

Net = Callable[[Tensor], Tensor]
"""Any function from images to an output with N first: a module, or a part of a system around it."""
Score = Callable[[Tensor], Tensor]


def saliency_map(net: Net, images: Tensor, score: Score) -> Tensor:
    """The saliency of each pixel, (N, H, W); weights gather no gradients.

    Images do not influence each other where the net is in evaluation mode.
    """
    return image_gradient(net, images, score).abs().amax(dim=1)


def image_gradient(net: Net, images: Tensor, score: Score) -> Tensor:
    """The gradient of the score at the images, (N, C, H, W)."""
    inputs = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        total = score(net(inputs)).sum()
    (found,) = torch.autograd.grad(total, inputs)
    return found
