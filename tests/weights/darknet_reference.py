"""Darknet in a few lines, as a judge: the sections of a cfg carried out one by one on the numbers of a file."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

HEADS = ("yolo", "region", "detection")


class Numbers:
    """The numbers of a file, taken from the front."""

    def __init__(self, content: bytes) -> None:
        self.rest = torch.from_numpy(np.frombuffer(content, "<f4").astype(np.float64))

    def take(self, *shape: int) -> Tensor:
        count = int(np.prod(shape))
        taken, self.rest = self.rest[:count], self.rest[count:]
        assert len(taken) == count
        return taken.view(shape)


def run(cfg: str, content: bytes, image: Tensor) -> list[Tensor]:
    """The maps that enter the heads, or the last one where there is no head, of an image (1, C, H, W) in float64."""
    numbers, maps, results, x = Numbers(content), [], [], image
    for kind, settings in sections(cfg)[1:]:
        if kind == "convolutional":
            x = convolution(x, settings, numbers)
        elif kind == "connected":
            biases = numbers.take(int(settings["output"]))
            weights = numbers.take(len(biases), x.numel())
            x = activated(x.flatten() @ weights.T + biases, settings).view(1, -1, 1, 1)
        elif kind == "maxpool":
            x = pooled(x, int(settings["size"]), int(settings["stride"]))
        elif kind == "avgpool":
            x = x.mean(dim=(2, 3), keepdim=True)
        elif kind == "upsample":
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        elif kind == "shortcut":
            x = x + maps[int(settings["from"])]
        elif kind == "route":
            x = torch.cat(
                [maps[int(i) if int(i) >= 0 else len(maps) + int(i)] for i in settings["layers"].split(",")], 1
            )
        elif kind == "reorg":
            x = reorganized(x)
        elif kind in HEADS:
            results.append(x)
        maps.append(x)
    assert not len(numbers.rest), "every number is used"
    return results or [x]


def sections(cfg: str) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    for line in filter(None, cfg.splitlines()):
        if line.startswith("["):
            found.append((line.strip("[]"), {}))
        else:
            key, _, value = line.partition("=")
            found[-1][1][key] = value
    return found


def convolution(x: Tensor, settings: dict[str, str], numbers: Numbers) -> Tensor:
    filters, size, stride = (int(settings[key]) for key in ("filters", "size", "stride"))
    biases = numbers.take(filters)
    scales, means, variances = (
        (numbers.take(filters) for _ in range(3)) if "batch_normalize" in settings else (None,) * 3
    )
    x = F.conv2d(x, numbers.take(filters, x.shape[1], size, size), stride=stride, padding=size // 2)
    if scales is not None:
        x = (x - means.view(-1, 1, 1)) / (variances.view(-1, 1, 1) + 1e-5).sqrt() * scales.view(-1, 1, 1)
    return activated(x + biases.view(-1, 1, 1), settings)


def activated(x: Tensor, settings: dict[str, str]) -> Tensor:
    return torch.where(x > 0, x, 0.1 * x) if settings["activation"] == "leaky" else x


def pooled(x: Tensor, size: int, stride: int) -> Tensor:
    """Windows from every stride-th pixel on, to the right and below, which may hang over the edge."""
    height, width = (-(-side // stride) for side in x.shape[2:])
    below, right = ((n - 1) * stride + size - side for n, side in zip((height, width), x.shape[2:], strict=True))
    return F.max_pool2d(F.pad(x, (0, max(0, right), 0, max(0, below)), value=-torch.inf), size, stride)


def reorganized(x: Tensor) -> Tensor:
    """Darknet's reorg of stride 2, by the addresses of its loops, which it carries out the wrong way round."""
    _, channels, height, width = x.shape
    flat, result = x.flatten(), torch.empty_like(x.flatten())
    narrow = channels // 4
    for k, j, i in np.ndindex(channels, height, width):
        there = (2 * i + k // narrow % 2) + 2 * width * ((2 * j + k // narrow // 2) + 2 * height * (k % narrow))
        result[i + width * (j + height * k)] = flat[there]
    return result.view(1, 4 * channels, height // 2, width // 2)
