"""Prediction of whole images by a segmentation net, whatever sizes it takes.

Glossary
    N images of one size, K classes
    pixels   (N, C, H, W) uint8
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from resvision.contracts import Images
from resvision.geometry.tiles import tiling_of
from resvision.segmentation.parts.tiles import input_rule, label_map, predict_tiled
from resvision.segmentation.segmenter import Segmenter


def probabilities_of(
    system: Segmenter,
    pixels: Tensor,
    *,
    num_classes: int,
    scales: Sequence[float] = (1.0,),
    mirror: bool = False,
    window_px: int | None = None,
) -> Tensor:
    """Predict class probabilities of every pixel, float32 (N, K, H, W): the mean over all scales and mirror images.

    scales     factors of the sides; images are resized bilinearly with antialiasing, probabilities bilinearly back
    window_px  side of windows, which overlap by a third; None shows images whole where the net takes their size
    """
    total: Tensor | None = None
    for scale in scales:
        images = pixels if scale == 1 else _resized(pixels.float(), [round(scale * side) for side in pixels.shape[2:]])
        for mirrored in (False, True) if mirror else (False,):
            inputs = images.flip(3) if mirrored else images
            result = _at_own_size(system, inputs, num_classes=num_classes, window_px=window_px)
            result = result.flip(3) if mirrored else result
            result = result if scale == 1 else F.interpolate(result, pixels.shape[2:], mode="bilinear")
            total = result if total is None else total + result
    assert total is not None, "there is a scale"
    return total / (len(scales) * (1 + mirror))


def labels_of(system: Segmenter, pixels: Tensor) -> Tensor:
    """Predict the label map, uint8 (H, W), of one image (C, H, W) uint8 of any size, in tiles where it is large."""
    rule = input_rule(system.net)
    tiling = tiling_of(pixels.shape[1:], rule)
    device = next(system.net.parameters()).device

    def probabilities(window: Tensor) -> Tensor:
        return system.predict(Images(window.to(device))).cpu()

    return label_map(probabilities, pixels, rule=rule, tile_px=tiling.tile_px, overlap_px=tiling.overlap_px)


def _at_own_size(system: Segmenter, images: Tensor, *, num_classes: int, window_px: int | None) -> Tensor:
    rule = input_rule(system.net)
    side = None if window_px is None else rule.fixed_px or rule.nearest(window_px)
    overlap = 0 if side is None else (side - 2 * rule.border_px) // 3
    return predict_tiled(
        lambda window: system.predict(Images(window)),
        images,
        rule=rule,
        num_classes=num_classes,
        tile_px=side,
        overlap_px=overlap,
    )


def _resized(images: Tensor, sides: list[int]) -> Tensor:
    return F.interpolate(images, [max(1, side) for side in sides], mode="bilinear", antialias=True).round()
