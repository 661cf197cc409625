"""AlexNet as in 2012, and its single-column variant of 2014.

AlexNet2012  Krizhevsky, Sutskever, Hinton 2012, https://doi.org/10.1145/3065386: convolutions in two groups, one for
             each of the paper's two GPUs, and LRN. Images of 227 px, where the paper prints 224: only 227 gives 55x55.
             Caffe's authors pool before LRN (CaffeNet), which computes otherwise with weights of the same shapes.
AlexNet      Krizhevsky 2014, https://arxiv.org/abs/1404.5997, as torchvision has it, under torchvision's names: one
             column, narrower, no LRN, dropout before the fully connected layers instead of after them.
"""

from collections import OrderedDict
from typing import Literal, get_args

from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.fully_connected import classify_everywhere
from resvision.layers.init import glorot_initialize, relu_initialize
from resvision.layers.lrn import local_response_norm
from resvision.layers.sizes import sides_are_known

Init = Literal["pytorch", "he"]
Init2012 = Literal["paper", "caffe", "glorot", "he"]

WINDOW = 6
SMALLEST, SMALLEST_2012 = 63, 67
"""Least side in pixels of an image of which the three poolings leave one position; conv1 of 2012 has no padding."""


class AlexNet(nn.Module):
    """Five convolutions, three overlapping poolings, an average to 6x6, three fully connected layers."""

    def __init__(self, *, num_classes: int, in_channels: int = 3, width: int = 64, init: Init = "pytorch") -> None:
        super().__init__()
        self.widths = [width, 3 * width, 4 * width]
        hidden = 64 * width
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(width, 3 * width, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(3 * width, 6 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(6 * width, 4 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(WINDOW)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(4 * width * WINDOW**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )
        if init not in get_args(Init):
            raise SettingsError(f"init {init!r}: choices are {', '.join(get_args(Init))}")
        if init == "he":
            relu_initialize(self, last=self.classifier[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W), at any size from 63 px on; SettingsError below."""
        x = self.features(_large_enough(images))
        x = self.avgpool(x).flatten(1)
        logits: Tensor = self.classifier(x)
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits (N, K, h, w) at each position of the net applied fully convolutionally; 1x1 at 224 px.

        fc6 is a 6x6 convolution, fc7 and fc8 are 1x1. Raises SettingsError for images whose last map is below 6x6.
        """
        x = self.features(_large_enough(images))
        return classify_everywhere(self.classifier, x, window=WINDOW)

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes C2 to C5, with their channels."""
        first, second, last = self.widths
        return {"features.1": first, "features.4": second, "features.11": last, "features.12": last}


class AlexNet2012(nn.Module):
    """The paper's net: conv2, conv4 and conv5 in two groups, LRN after conv1 and conv2, no average before fc6."""

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 3,
        input_size: int = 227,
        width: int = 32,
        init: Init2012 = "paper",
        pool_first: bool = False,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.pool_first = pool_first
        self.window = _last_side(input_size)
        self.widths = [3 * width, 8 * width, 8 * width]
        hidden = 128 * width
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(in_channels, 3 * width, 11, stride=4),
                relu1=nn.ReLU(inplace=True),
                **_norm_and_pool(1, pool_first=pool_first),
                conv2=nn.Conv2d(3 * width, 8 * width, 5, padding=2, groups=2),
                relu2=nn.ReLU(inplace=True),
                **_norm_and_pool(2, pool_first=pool_first),
                conv3=nn.Conv2d(8 * width, 12 * width, 3, padding=1),
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(12 * width, 12 * width, 3, padding=1, groups=2),
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(12 * width, 8 * width, 3, padding=1, groups=2),
                relu5=nn.ReLU(inplace=True),
                pool5=nn.MaxPool2d(3, stride=2),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                fc6=nn.Linear(8 * width * self.window**2, hidden),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.5),
                fc7=nn.Linear(hidden, hidden),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.5),
                fc8=nn.Linear(hidden, num_classes),
            )
        )
        initialize_2012(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, S, S) with S = input_size; SettingsError for other sizes."""
        if sides_are_known(images) and images.shape[2:] != (self.input_size, self.input_size):
            height, width = images.shape[2:]
            raise SettingsError(
                f"images are {height}x{width}, this AlexNet is for {self.input_size}x{self.input_size}: build it with"
                " their input_size (square images only)"
            )
        x = self.features(images).flatten(1)
        logits: Tensor = self.classifier(x)
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits (N, K, h, w) at each position of the net applied fully convolutionally; 1x1 at input_size.

        fc6 is a convolution as large as the last map at input_size, 6x6 for 227 px; fc7 and fc8 are 1x1. Raises
        SettingsError for smaller images.
        """
        x = self.features(_large_enough(images, SMALLEST_2012))
        return classify_everywhere(self.classifier, x, window=self.window)

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes C2 to C5, with their channels."""
        first, second, last = self.widths
        before = "relu" if self.pool_first else "norm"
        ends = (f"{before}1", f"{before}2", "relu5", "pool5")
        return dict(zip((f"features.{end}" for end in ends), (first, second, last, last), strict=True))


def initialize_2012(net: AlexNet2012, init: Init2012) -> None:
    """Draw the weights as section 5 says, in place: N(0, 0.01), biases 1 in conv2, conv4, conv5, fc6, fc7, else 0.

    "caffe" draws them as Caffe's authors did when they trained the net again: these biases are 0.1, and fc6 and fc7
    have a deviation of 0.005. Two are not in the paper: "glorot", which halves the signal's square at each layer, since
    it counts no ReLU, and "he", N(0, 2 / fan_in), which keeps its size, with N(0, 0.01^2) in fc8. Raises SettingsError
    for another name.
    """
    if init not in get_args(Init2012):
        raise SettingsError(f"init {init!r}: choices are {', '.join(get_args(Init2012))}")
    if init == "glorot":
        glorot_initialize(net)
        return
    if init == "he":
        relu_initialize(net, last=net.classifier[-1])
        return
    positive, hidden_std = (1.0, 0.01) if init == "paper" else (0.1, 0.005)
    for path, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
            name = path.rpartition(".")[2]
            nn.init.normal_(module.weight, std=hidden_std if name in {"fc6", "fc7"} else 0.01)
            assert module.bias is not None
            nn.init.constant_(module.bias, positive if name in {"conv2", "conv4", "conv5", "fc6", "fc7"} else 0.0)


def alexnet(*, num_classes: int, in_channels: int = 3, width: int = 64, init: Init = "pytorch") -> AlexNet:
    """The single column of 2014 with `width` maps in conv1.

    width  channels of the first convolution, by which all others scale
    init   rule by which the first weights are drawn

    Weights are drawn as PyTorch does, which shrinks the signal at each layer, or by "he": N(0, 2 / fan_in), which keeps
    its size, and N(0, 0.01^2) in the last layer. Raises SettingsError for another init.
    """
    return AlexNet(num_classes=num_classes, in_channels=in_channels, width=width, init=init)


def alexnet_2012(
    *,
    num_classes: int,
    in_channels: int = 3,
    input_size: int = 227,
    width: int = 32,
    init: Init2012 = "paper",
    pool_first: bool = False,
) -> AlexNet2012:
    """The paper's net for square images of `input_size` px, with 3, 8, 12, 12, 8 times `width` maps.

    width       a third of the maps of the first convolution, by which all others scale
    init        rule by which the first weights are drawn
    pool_first  pooling comes before LRN, as in CaffeNet, and not after it

    Raises SettingsError for an odd width, images below 67 px, and another init.
    """
    if width % 2:
        raise SettingsError(f"width {width}: the maps are parted in two groups; choose an even width")
    return AlexNet2012(
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
        width=width,
        init=init,
        pool_first=pool_first,
    )


def _norm_and_pool(number: int, *, pool_first: bool) -> dict[str, nn.Module]:
    """LRN and max pooling after the convolution of this number, by name, in their order."""
    pair: list[tuple[str, nn.Module]] = [
        (f"norm{number}", local_response_norm()),
        (f"pool{number}", nn.MaxPool2d(3, stride=2)),
    ]
    return dict(reversed(pair) if pool_first else pair)


def _last_side(input_size: int) -> int:
    """Positions along one side after conv1 and the three poolings. Raises SettingsError where none is left."""
    if input_size < SMALLEST_2012:
        raise SettingsError(
            f"input_size {input_size}: AlexNet's poolings need {SMALLEST_2012} px or more; train it with"
            f" --set data.image_size={SMALLEST_2012}"
        )
    side = (input_size - 11) // 4 + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    return side


def _large_enough(images: Tensor, smallest: int = SMALLEST) -> Tensor:
    """The images. Raises SettingsError where a side is below `smallest` pixels."""
    height, width = images.shape[2], images.shape[3]
    if sides_are_known(images) and min(height, width) < smallest:
        raise SettingsError(
            f"images are {height}x{width}, AlexNet's poolings need {smallest} px or more; train it with"
            f" --set data.image_size={smallest}"
        )
    return images
