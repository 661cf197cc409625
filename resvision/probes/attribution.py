"""Maps of the parts of an image on which a score of a net rests: Grad-CAM and occlusion.

Grad-CAM: Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391, section 3. Occlusion: Zeiler and Fergus 2014,
https://arxiv.org/abs/1311.2901, section 4.2. They draw the score itself where the square stood; this draws its fall,
the mean over all squares that covered a pixel, so that squares may overlap.

Glossary
    N images, K channels of the layer, h and w the sides of its map
    images   (N, C, H, W), the input of the net
    score    from the net's output to a number for each image, (N,), such as `lambda logits: logits[:, 3]`
    heat     (N, H, W): the larger, the more the score rests on the pixel
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.core.errors import SettingsError

Net = Callable[[Tensor], Tensor]
"""Any function from images to an output with N first: a module, or a part of a system around it."""
Score = Callable[[Tensor], Tensor]


def grad_cam(net: Net, images: Tensor, score: Score, *, layer: nn.Module) -> Tensor:
    """The heat of Grad-CAM, (N, H, W): the maps of `layer`, weighted by their mean gradients, where they add up.

    1. A_k are the maps that `layer`, a module inside the net, gives; y is the score.
    2. alpha_k is the mean of dy/dA_k over the map (equation 1).
    3. The heat is ReLU(sum_k alpha_k A_k) (equation 2), brought bilinearly to the size of the images.

    Images do not influence each other where the net is in evaluation mode. Raises SettingsError for a layer that the
    net does not run exactly once, or whose result is no map.
    """
    maps: list[Tensor] = []

    def cut_off(module: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> Tensor:
        maps.append(result.detach().requires_grad_())  # nothing before the map needs a gradient
        return maps[-1].clone()  # which later layers may change in place

    hook = layer.register_forward_hook(cut_off)
    try:
        with torch.enable_grad():
            total = score(net(images)).sum()
    finally:
        hook.remove()
    if len(maps) != 1 or maps[0].ndim != 4:
        runs = f"runs {len(maps)} times" if len(maps) != 1 else "gives no map"
        raise SettingsError(f"Grad-CAM looks at a layer that gives one map; {type(layer).__name__} {runs}")
    (gradients,) = torch.autograd.grad(total, maps)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    heat = (weights * maps[0].detach()).sum(dim=1, keepdim=True).relu()
    return F.interpolate(heat, images.shape[2:], mode="bilinear").squeeze(1)


@torch.no_grad()
def occlusion(
    net: Net,
    images: Tensor,
    score: Score,
    *,
    fill: Tensor,
    patch_px: int,
    step_px: int,
    batch_size: int = 32,
) -> Tensor:
    """The heat of occlusion, (N, H, W): how far the score falls while a square covers the pixel, in the mean.

    It is negative where the score rises. Squares of `patch_px` lie `step_px` apart, the last ones at the image's edges,
    so that every pixel is covered.

    fill        the colour of the squares, a number for each channel, (C,)
    step_px     at most patch_px
    batch_size  images with a square that are shown to the net at a time
    """
    assert 1 <= step_px <= patch_px, "a step beyond the square leaves pixels out"
    height, width = images.shape[2:]
    whole = score(net(images))
    falls = torch.zeros(len(images), height, width, dtype=whole.dtype, device=images.device)
    covered = falls.new_zeros(height, width)
    squares = [
        (slice(top, top + patch_px), slice(left, left + patch_px))
        for top in _starts(height, patch_px, step_px)
        for left in _starts(width, patch_px, step_px)
    ]
    for image, before, fall in zip(images, whole, falls, strict=True):
        for start in range(0, len(squares), batch_size):
            part = squares[start : start + batch_size]
            hidden = image.repeat(len(part), 1, 1, 1)
            for picture, (rows, columns) in zip(hidden, part, strict=True):
                picture[:, rows, columns] = fill.view(-1, 1, 1)
            for (rows, columns), after in zip(part, score(net(hidden)), strict=True):
                fall[rows, columns] += before - after
    for rows, columns in squares:
        covered[rows, columns] += 1
    return falls / covered


@torch.no_grad()
def smallest_map(net: nn.Module, run: Callable[[], object]) -> str | None:
    """The dotted name of the net's module that gives the smallest map of more than one pixel, the last of several.

    `run` shows the net an image. Only modules that run once are looked at, as `grad_cam` needs; None where none gives a
    map.
    """
    pixels: dict[str, list[int]] = {}

    def noted(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Any], None]:
        def note(module: nn.Module, inputs: tuple[Tensor, ...], result: Any) -> None:
            is_map = isinstance(result, Tensor) and result.ndim == 4
            pixels.setdefault(name, []).append(result[0, 0].numel() if is_map else 0)

        return note

    hooks = [module.register_forward_hook(noted(name)) for name, module in net.named_modules() if name]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    maps = {name: sizes[0] for name, sizes in pixels.items() if len(sizes) == 1 and sizes[0] > 1}
    return min(reversed(maps), key=maps.__getitem__) if maps else None


def _starts(length: int, patch: int, step: int) -> Iterator[int]:
    """Yield the first pixels of squares along one axis; the last square ends at the edge."""
    last = max(0, length - patch)
    yield from range(0, last, step)
    yield last
