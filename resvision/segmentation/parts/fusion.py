"""Fusion of maps of several sizes: interpolated to one size, concatenated, and convolved."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from resvision.layers.on_cpu.autocast import in_cpu_bf16
from resvision.layers.on_cpu.fusion import conv_over_sizes
from resvision.layers.on_cpu.interpolation import resize_bilinear


def concatenate(maps: Sequence[Tensor], *, reference: int, align_corners: bool) -> Tensor:
    """Maps (N, C_i, h_i, w_i), interpolated to the size of the one at `reference`, as one: (N, sum of C_i, H, W)."""
    size = (maps[reference].shape[-2], maps[reference].shape[-1])
    resized = [
        part if i == reference else resize_bilinear(part, size, align_corners=align_corners)
        for i, part in enumerate(maps)
    ]
    return torch.cat(resized, dim=1)


class FusionConv2d(nn.Conv2d):
    """A convolution of the concatenation of several maps, without bias, of stride 1 and an odd window.

    in_channels    of all maps together
    reference      place of the map whose size the others are interpolated to, and the result has
    align_corners  of the interpolation: see `upsampling.resized`
    depthwise      each channel is convolved alone; out_channels is in_channels then
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        window: int,
        *,
        reference: int,
        align_corners: bool,
        depthwise: bool = False,
    ) -> None:
        groups = in_channels if depthwise else 1
        super().__init__(in_channels, out_channels, window, padding=window // 2, groups=groups, bias=False)
        self.reference = reference
        self.align_corners = align_corners

    def forward(self, maps: Sequence[Tensor]) -> Tensor:  # type: ignore[override]
        """Maps (N, C_i, h_i, w_i) to (N, out_channels, H, W)."""
        if self.groups == 1 and in_cpu_bf16(maps[self.reference]):
            return conv_over_sizes(maps, self.weight, reference=self.reference, align_corners=self.align_corners)
        return super().forward(concatenate(maps, reference=self.reference, align_corners=self.align_corners))
