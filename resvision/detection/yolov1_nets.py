"""The nets of YOLO: Redmon et al. 2016, https://arxiv.org/abs/1506.02640.

`yolov1` is the paper's figure 3: 24 convolutions, of which the first 20 are those of the classifier `extraction`, and
two fully connected layers; over another backbone, as the paper tries VGG-16, these 20 give way to its maps.
`yolov1_tiny` is Fast YOLO. The paper says no more of it than 9 convolutions with fewer filters; its layers are those of
the cfg that was released with the paper, yolo-tiny.cfg. The later yolov1-tiny.cfg has 8, normalized, and one fully
connected layer.

The net that was released later as yolov1.cfg is another: normalized, 3 boxes a cell, and a layer of 256 maps whose
weights differ from place to place instead of the first fully connected one, 197,301,875 parameters. It is not built
here.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from resvision.classification.darknet import SLOPE, ConvBlock, layers_in_order
from resvision.classification.stages import Map, Stages
from resvision.core.errors import SettingsError
from resvision.detection.parts.encoder import encoder, map_sizes
from resvision.detection.yolov1_grid import Grid, YOLOv1Maps
from resvision.layers.init import relu_initialize
from resvision.layers.pooling import CeilMaxPool2d
from resvision.layers.sizes import scaled, sides_are_known

TINY: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
"""Channels of the convolutions of Fast YOLO that a pooling follows each; three of 1,024 come last."""
TINY_LAST = (1024,) * 3
TINY_NARROW = 256
"""Values to which the first, linear layer of Fast YOLO's head brings the map."""
HIDDEN = 4
"""Values of the hidden layer of YOLO's head, in multiples of the channels of the last map."""


class YOLOv1(nn.Module):
    """The last map of a backbone, convolutions of its own, and fully connected layers to the cells of a grid.

    convs  from the backbone's last map
    head   from the flattened map to the values of the grid
    """

    def __init__(
        self, backbone: Stages, *, convs: nn.Sequential, head: nn.Sequential, grid: Grid, input_size: int
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.convs = convs
        self.head = head
        self.grid = grid
        self.num_classes = grid.num_classes
        self.input_size = input_size

    def forward(self, images: Tensor) -> YOLOv1Maps:
        """The raw maps of normalized images (N, C, S, S) with S = input_size; SettingsError for other sizes."""
        self._require_size(images)
        x = [*self.backbone(images).values()][-1]
        x = self.convs(x)
        return self.grid.maps(self.head(x))

    def darknet_order(self) -> Sequence[nn.Module]:
        """The layers with weights in the order of the net's cfg."""
        return layers_in_order(self)

    def _require_size(self, images: Tensor) -> None:
        height, width = images.shape[2:]
        if sides_are_known(images) and {height, width} != {self.input_size}:
            raise SettingsError(
                f"images are {height}x{width}, this YOLO is for {self.input_size}x{self.input_size}: its fully"
                " connected layers take one size; build it with the images' input_size (square images only)"
            )


def yolov1(
    backbone: nn.Module,
    *,
    num_classes: int,
    input_size: int = 448,
    grid: int = 7,
    boxes: int = 2,
    hidden: int | None = None,
    dropout: float = 0.5,
) -> YOLOv1:
    """The net over any backbone: four convolutions at its last map, of which the second strides, and two linear layers.

    The convolutions have the channels of that map, and are normalized if the backbone is.

    input_size  side of the images, in pixels
    grid        cells along a side
    boxes       boxes of a cell
    hidden      values between the two linear layers; None: four times the channels of the last map, the paper's 4,096
    dropout     share of these that are dropped in training

    Raises MissingStageError for a net without maps, SettingsError for a grid without cells or boxes.
    """
    body = encoder(backbone, ())
    channels = [*body.channels.values()][-1]
    is_normalized = any(isinstance(module, nn.BatchNorm2d) for module in body.modules())
    convs = nn.Sequential(
        *(ConvBlock(channels, channels, 3, stride=stride, batch_norm=is_normalized) for stride in (1, 2, 1, 1))
    )
    height, width = [*map_sizes(body, (_in_channels(body), input_size, input_size)).values()][-1]
    positions = math.ceil(height / 2) * math.ceil(width / 2)
    cells = _grid(grid, boxes, num_classes)
    hidden = HIDDEN * channels if hidden is None else hidden
    head = nn.Sequential(nn.Flatten(), *_connected(positions * channels, hidden, cells, dropout=dropout))
    for module in (convs, head):
        relu_initialize(module, last=head[-1])
    return YOLOv1(body, convs=convs, head=head, grid=cells, input_size=input_size)


def yolov1_tiny(
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = TINY[0],
    input_size: int = 448,
    grid: int = 7,
    boxes: int = 2,
    hidden: int | None = None,
    batch_norm: bool = False,
    dropout: float = 0.5,
) -> YOLOv1:
    """Fast YOLO: nine 3x3 convolutions, six of which a pooling follows, and three fully connected layers.

    width       channels of the first convolution, by which all others scale
    input_size  side of the images, in pixels
    grid        cells along a side
    boxes       boxes of a cell
    hidden      values before the last layer; None: in proportion to the width, the released 4,096
    batch_norm  normalize after each convolution
    dropout     share of the hidden values that are dropped in training

    Raises SettingsError for a grid without cells or boxes.
    """
    body = _tiny_stages(in_channels, width, batch_norm=batch_norm)
    last, narrow = (scaled(count, width=width, full=TINY[0]) for count in (TINY_LAST[-1], TINY_NARROW))
    hidden = HIDDEN * last if hidden is None else hidden
    side = math.ceil(input_size / 2 ** len(TINY))
    cells = _grid(grid, boxes, num_classes)
    first = nn.Linear(last * side**2, narrow)  # nothing follows it in the cfg, so that the two are linear together
    head = nn.Sequential(nn.Flatten(), first, *_connected(narrow, hidden, cells, dropout=dropout))
    net = YOLOv1(body, convs=nn.Sequential(), head=head, grid=cells, input_size=input_size)
    relu_initialize(net, last=head[-1])
    return net


def _grid(cells: int, boxes: int, num_classes: int) -> Grid:
    """The grid. SettingsError without cells or boxes."""
    for name, count in {"grid": cells, "boxes": boxes}.items():
        if count < 1:
            raise SettingsError(f"{name} is {count}; it must be at least 1")
    return Grid(cells, boxes, num_classes)


def _connected(entering: int, hidden: int, grid: Grid, *, dropout: float) -> list[nn.Module]:
    """The layers of two fully connected ones; the last is linear."""
    return [
        nn.Linear(entering, hidden),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Dropout(dropout),
        nn.Linear(hidden, grid.values),
    ]


def _tiny_stages(in_channels: int, width: int, *, batch_norm: bool) -> Stages:
    """The convolutions of Fast YOLO as the one map C6, of stride 64."""
    layers: list[nn.Module] = []
    for channels in (*TINY, *TINY_LAST):
        leaving = scaled(channels, width=width, full=TINY[0])
        layers.append(ConvBlock(in_channels, leaving, 3, batch_norm=batch_norm))
        if channels in TINY:
            layers.append(CeilMaxPool2d(2, stride=2))
        in_channels = leaving
    last = len(layers) - 1
    steps = {f"features.{i}": "C6" if i == last else "" for i in range(len(layers))}
    return Stages({"features": nn.Sequential(*layers)}, steps=steps, maps={"C6": Map(in_channels, 64)})


def _in_channels(net: nn.Module) -> int:
    """The channels of the images that a net takes."""
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    return first.in_channels
