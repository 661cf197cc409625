"""Pixels on their way into a net, and images of a batch on their way to a person's eyes."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from resvision.core.images import Pixels
from resvision.tasks.trained_model import Model


def images_of(model: Model, pixels: Pixels) -> Tensor:
    """The view of one image as float32 (1, C, h, w), 0..255, on the model's device."""
    device = next(model.system.net.parameters()).device
    return torch.from_numpy(np.require(pixels, requirements="W")).permute(2, 0, 1)[None].float().to(device)


def pictures_of(images: Tensor) -> list[Image.Image]:
    """Images (N, C, H, W) uint8 as pictures; of other numbers of channels than 3, the first in grey."""
    pixels = images.permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0]) for image in pixels]
