"""U-Net: Ronneberger, Fischer, Brox 2015, https://arxiv.org/abs/1505.04597.

unet          the net of figure 1: convolutions without padding, so that 572 pixels give 388
unet_padded   the net as it is mostly built since: with padding of one pixel, so that the result has the size of the
              image, and with batch normalization
unet_encoder  the expanding path on the maps of any net of the zoo

The paper has drop-out "at the end of the contracting path"; here it follows each of the two deepest levels.
"""

import torch
from torch import Tensor, nn

from resvision.classification.stages import MAX_STRIDE
from resvision.core.errors import SettingsError
from resvision.geometry.tiles import InputRule
from resvision.layers.init import he_initialize, he_initialize_incoming
from resvision.segmentation.parts.convolutions import conv_bn_relu, fusion_conv_bn_relu
from resvision.segmentation.parts.encoder import cut
from resvision.segmentation.parts.tiles import require_taken
from resvision.segmentation.parts.upsampling import resized

LEVELS = 5
VALID = InputRule(multiple=16, offset=60, border_px=92)
PADDED = InputRule(multiple=16)
SKIP = 1
"""Place of the finer map among the two that a level of `unet_encoder` takes."""


def two_convolutions(in_channels: int, channels: int, *, padded: bool, batch_norm: bool) -> nn.Sequential:
    """Two 3x3 convolutions, each with ReLU; with `batch_norm` a BN stands before each ReLU in place of the bias."""
    layers: list[nn.Module] = []
    for entering in (in_channels, channels):
        layers.append(nn.Conv2d(entering, channels, 3, padding=int(padded), bias=not batch_norm))
        layers.extend([nn.BatchNorm2d(channels)] if batch_norm else [])
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def centre(x: Tensor, height: int, width: int) -> Tensor:
    """The middle of a map (N, C, H, W), (N, C, height, width)."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


class Expansion(nn.Module):
    """One level of the expanding path: 2x2 up-convolution, concatenation with the skip, two convolutions."""

    def __init__(self, in_channels: int, *, padded: bool, batch_norm: bool) -> None:
        super().__init__()
        channels = in_channels // 2
        self.up = nn.ConvTranspose2d(in_channels, channels, 2, stride=2)
        self.convolve = two_convolutions(2 * channels, channels, padded=padded, batch_norm=batch_norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, C, h, w) and a skip of C / 2 channels, at least 2h x 2w, to (N, C / 2, 2h, 2w), 4 less each if valid."""
        x = self.up(x)
        x = torch.cat([centre(skip, x.shape[2], x.shape[3]), x], dim=1)
        convolved: Tensor = self.convolve(x)
        return convolved


class UNet(nn.Module):
    """Five levels down by poolings and four up again, each with its skip; a 1x1 convolution gives the logits.

    input_rule  with valid convolutions: sides of 16 s + 60, of which the inner 16 s - 124 are labelled; s is the side
                that enters the lowest level. With padded ones: multiples of 16.
    """

    auxiliary: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        width: int = 64,
        padded: bool = False,
        batch_norm: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise SettingsError(f"dropout {dropout}: it must be at least 0 and below 1")
        self.input_rule = PADDED if padded else VALID
        widths = [width * 2**level for level in range(LEVELS)]
        self.contracting = nn.ModuleList(
            two_convolutions(entering, channels, padded=padded, batch_norm=batch_norm)
            for entering, channels in zip([in_channels, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)
        self.expanding = nn.ModuleList(
            Expansion(channels, padded=padded, batch_norm=batch_norm) for channels in widths[:0:-1]
        )
        self.head = nn.Conv2d(width, num_classes, 1)
        he_initialize_incoming(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K, h, w) of images (N, C, H, W): h = H - 184, w = W - 184 if valid, or h = H, w = W if padded.

        Raises SettingsError for sides that `input_rule` does not allow.
        """
        require_taken(self.input_rule, images, net=type(self).__name__)
        maps: list[Tensor] = []
        for level, contract in enumerate(self.contracting):
            x = contract(self.pool(maps[-1]) if maps else images)
            maps.append(self.dropout(x) if level >= LEVELS - 2 else x)
        x = maps.pop()
        for expand in self.expanding:
            x = expand(x, maps.pop())
        logits: Tensor = self.head(x)
        return logits


class EncoderUNet(nn.Module):
    """The expanding path on the maps C1..C5 of a net for classification, or those of them that it has.

    A map is enlarged bilinearly to the size of the next finer one, where U-Net has an up-convolution, so that the net
    takes images of any size; two convolutions with normalization follow. Logits are enlarged to the image.
    """

    auxiliary: tuple[str, ...] = ()

    def __init__(self, backbone: nn.Module, *, num_classes: int, decoder_width: int = 256) -> None:
        super().__init__()
        self.backbone = cut(backbone, MAX_STRIDE, count=2)
        *skips, channels = self.backbone.channels.values()
        widths = [max(1, decoder_width >> level) for level in range(len(skips))]
        self.expanding = nn.ModuleList()
        for skip, width in zip(reversed(skips), widths, strict=True):
            fusion = fusion_conv_bn_relu(channels + skip, width, window=3, reference=SKIP, align_corners=False)
            self.expanding.append(nn.Sequential(*fusion, *conv_bn_relu(width, width, window=3)))
            channels = width
        self.head = nn.Conv2d(channels, num_classes, 1)
        he_initialize(self.expanding)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K, H, W) of images (N, C, H, W)."""
        *skips, x = self.backbone(images).values()
        for skip, expand in zip(reversed(skips), self.expanding, strict=True):
            x = expand([x, skip])
        logits = self.head(x)
        return resized(logits, images, align_corners=False)


def unet(*, num_classes: int, in_channels: int = 1, width: int = 64, dropout: float = 0.5) -> UNet:
    """The paper's net; `width` is the number of channels of the first level.

    width    channels of the first convolution, by which all others scale
    dropout  share of the activations that are dropped in training
    """
    return UNet(num_classes=num_classes, in_channels=in_channels, width=width, dropout=dropout)


def unet_padded(
    *, num_classes: int, in_channels: int = 3, width: int = 64, batch_norm: bool = True, dropout: float = 0.0
) -> UNet:
    """The net with padded convolutions, whose logits have the size of the image.

    width       channels of the first convolution, by which all others scale
    batch_norm  normalize after each convolution
    dropout     share of the activations that are dropped in training
    """
    return UNet(
        num_classes=num_classes,
        in_channels=in_channels,
        width=width,
        padded=True,
        batch_norm=batch_norm,
        dropout=dropout,
    )


def unet_encoder(backbone: nn.Module, *, num_classes: int, decoder_width: int = 256) -> EncoderUNet:
    """U-Net's expanding path on a classification net, `decoder_width` channels wide at its deepest level.

    decoder_width  channels of the decoder at its deepest level

    Raises MissingStageError for a net of fewer than two maps.
    """
    return EncoderUNet(backbone, num_classes=num_classes, decoder_width=decoder_width)
