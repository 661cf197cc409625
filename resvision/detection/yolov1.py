"""YOLO: Redmon et al. 2016, You Only Look Once, https://arxiv.org/abs/1506.02640: one look, one grid, one loss.

`yolov1` is the paper's figure 3: 24 convolutions, of which the first 20 are those of the classifier `extraction`, and
two fully connected layers; over another backbone, as the paper tries VGG-16, these 20 give way to its maps.
`yolov1_tiny` is Fast YOLO. The paper says no more of it than 9 convolutions with fewer filters; its layers are those of
the cfg that was released with the paper, yolo-tiny.cfg. The later yolov1-tiny.cfg has 8, normalized, and one fully
connected layer.

Where the paper and the released code disagree
    sides       the paper's net gives w and h, and its loss compares their roots; the code's net gives the roots, so
                that no root of a number below 0 is taken. Here as in the code
    confidence  the target of a responsible box is its overlap with the truth, as in both
    gradient    the code follows half of that of the printed loss, which is the one here
    yolov1.cfg  the net that was released later is another: normalized, 3 boxes a cell, and a layer of 256 maps whose
                weights differ from place to place instead of the first fully connected one, 197,301,875 parameters. It
                is not built here

A cell learns of one object. Of two whose centres share a cell the first is taken, in the order in which the data list
them; the code takes the first of an order that it draws.

Glossary
    N images, M true boxes of an image at most, K classes
    S           cells along a side of the grid
    B           boxes of a cell
    x, y        centre of a box from the upper left corner of its cell, in cells
    w, h        sides of a box as shares of the image's sides; a net gives their roots
    confidence  of a box: the probability of an object times its overlap with it
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.classification.darknet import SLOPE, ConvBlock, layers_in_order
from resvision.classification.stages import Map, Stages
from resvision.contracts import Batch, Losses, Term, fp32_or_more
from resvision.core.errors import SettingsError
from resvision.detection.detector import Candidates, TrueBoxes
from resvision.detection.one_stage import OneStageDetector
from resvision.detection.parts.box_coding import about, clip
from resvision.detection.parts.encoder import encoder, map_sizes
from resvision.detection.parts.matching import paired_overlaps
from resvision.detection.parts.suppression import Suppression
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


class YOLOv1Maps(NamedTuple):
    """The raw maps, rows of the grid first; a net's last layer gives them in this order, as Darknet's does.

    classes      (N, S, S, K), the probability of each class given an object
    confidences  (N, S, S, B)
    boxes        (N, S, S, B, 4), x, y and the roots of w and h
    """

    classes: Tensor
    confidences: Tensor
    boxes: Tensor


class Grid(NamedTuple):
    """The output of the net: its cells, boxes and classes."""

    cells: int
    boxes: int
    num_classes: int

    @property
    def values(self) -> int:
        """The number of values that a net gives for an image: S * S * (K + 5 * B)."""
        return self.cells**2 * (self.num_classes + 5 * self.boxes)

    def maps(self, values: Tensor) -> YOLOv1Maps:
        """The raw maps in the values (N, S * S * (K + 5 * B)) of the last layer."""
        counts = [self.cells**2 * of_each for of_each in (self.num_classes, self.boxes, 4 * self.boxes)]
        classes, confidences, boxes = torch.split(values, counts, dim=1)
        side = (-1, self.cells, self.cells)
        return YOLOv1Maps(
            classes.reshape(*side, self.num_classes),
            confidences.reshape(*side, self.boxes),
            boxes.reshape(*side, self.boxes, 4),
        )


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


@dataclass(frozen=True, kw_only=True)
class YOLOv1Loss:
    """The options of YOLO's loss; ValueError for values that cannot work.

    lambda_coord  the factor of the errors of centres and sides
    lambda_noobj  the factor of the confidences of boxes without an object
    """

    lambda_coord: float = 5.0
    lambda_noobj: float = 0.5

    def __post_init__(self) -> None:
        for name in ("lambda_coord", "lambda_noobj"):
            require_factor(name, getattr(self, name))


class CellTruth(NamedTuple):
    """The truth of each cell, S * S of them, rows first.

    has_object  (N, S * S) bool
    labels      (N, S * S) int64, of the object; any number where there is none
    boxes       (N, S * S, 4), x, y and the roots of w and h of the object, zeros where there is none
    judged      (N, S * S) bool, False where the cell's centre lies in a crowd
    """

    has_object: Tensor
    labels: Tensor
    boxes: Tensor
    judged: Tensor


class YOLOv1Detector(OneStageDetector):
    """The system of YOLO: the sum of five squared errors, divided by the number of images.

    1. An object belongs to the cell that its centre lies in.
    2. Responsible for it is the box of the cell that overlaps it most; if none does, the one that is nearest in x, y,
       w and h.
    3. `centres` and `sides` compare the responsible box with the object, `objects` its confidence with their overlap.
    4. `no_objects` compares all other confidences with 0, `classes` the classes of a cell with an object with its own.
    """

    loss_options: ClassVar[type] = YOLOv1Loss

    net: YOLOv1

    def __init__(
        self, net: YOLOv1, *, mean: Sequence[float], std: Sequence[float], options: YOLOv1Loss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std, suppression=Suppression(score=0.001, iou=0.5, most=200))
        self.options = options or YOLOv1Loss()

    def losses_of(self, maps: YOLOv1Maps, truth: TrueBoxes, sides: tuple[int, int]) -> Losses:
        """Compute the five errors; `error` is the share of cells with an object that are given another class."""
        classes, confidences, boxes = (fp32_or_more(map_).flatten(1, 2) for map_ in maps)
        cells = cell_truth(truth, sides, self.net.grid.cells, dtype=boxes.dtype)
        responsible, overlap = responsible_boxes(boxes.detach(), cells, self.net.grid.cells)
        errors = (boxes - cells.boxes[:, :, None]).square() * responsible[..., None]
        wanted = F.one_hot(cells.labels, self.net.num_classes)
        is_empty = cells.judged[..., None] & ~responsible
        totals = {
            "centres": self.options.lambda_coord * errors[..., :2].sum(),
            "sides": self.options.lambda_coord * errors[..., 2:].sum(),
            "objects": ((confidences - overlap).square() * responsible).sum(),
            "no_objects": self.options.lambda_noobj * (confidences.square() * is_empty).sum(),
            "classes": ((classes - wanted).square() * cells.has_object[..., None]).sum(),
        }
        images = boxes.new_tensor(len(boxes))
        wrong = cells.has_object & (classes.detach().argmax(dim=2) != cells.labels)
        return Losses(
            terms={name: Term(total, images) for name, total in totals.items()},
            metrics={"error": Term(wrong.sum(), cells.has_object.sum())},
        )

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the images."""
        images = self.mean.new_tensor(len(batch.ids))
        return dict.fromkeys(("centres", "sides", "objects", "no_objects", "classes"), images)

    def hidden(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """Flags of the true boxes of one image (M, 4) whose cell an earlier one has, (M,) bool."""
        height, width = sides
        cells = self.net.grid.cells
        cell = cell_of(boxes / boxes.new_tensor([width, height, width, height]), cells)
        return (cell[:, None] == cell).tril(diagonal=-1).any(dim=1)

    def candidates(self, maps: YOLOv1Maps, sides: tuple[int, int]) -> Candidates:
        """Every box with every class, S * S * B * K of them; the score is class probability times confidence.

        Both come from a linear layer, and count as 0 below 0 and as 1 above 1.
        """
        classes, confidences, boxes = (fp32_or_more(map_).flatten(1, 2) for map_ in maps)
        height, width = sides
        pixels = corners(in_image(boxes, self.net.grid.cells)) * boxes.new_tensor([width, height, width, height])
        scores = classes.clamp(0, 1)[:, :, None] * confidences.clamp(0, 1)[..., None]  # (N, S * S, B, K)
        labels = torch.arange(self.net.num_classes, device=scores.device).expand(scores.shape)
        each = pixels[:, :, :, None].expand(*scores.shape, 4)
        return Candidates(clip(each.flatten(1, 3), sides), scores.flatten(1), labels.flatten(1))


def in_image(boxes: Tensor, cells: int) -> Tensor:
    """Centres, widths and heights as shares of the image's sides, of boxes (N, S * S, B, 4) as a net gives them."""
    place = torch.arange(cells * cells, device=boxes.device)
    corner = torch.stack([place % cells, place // cells], dim=1)[:, None]
    return torch.cat([(boxes[..., :2] + corner) / cells, boxes[..., 2:].square()], dim=-1)


def corners(boxes_cxcywh: Tensor) -> Tensor:
    """x1 y1 x2 y2 of boxes (..., 4)."""
    return about(boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:])


def cell_of(boxes: Tensor, cells: int) -> Tensor:
    """The cell of the centre of each box (..., 4), x1 y1 x2 y2 as shares of the image's sides, (...) int64.

    A centre on the far edge of the image belongs to the last cell.
    """
    place = (cells * (boxes[..., :2] + boxes[..., 2:]) / 2).floor().clamp(0, cells - 1).long()
    return place[..., 1] * cells + place[..., 0]


@torch.no_grad()
def cell_truth(targets: TrueBoxes, sides: tuple[int, int], cells: int, *, dtype: torch.dtype) -> CellTruth:
    """The truth of the cells of each image."""
    height, width = sides
    boxes = targets.boxes.to(dtype) / targets.boxes.new_tensor([width, height, width, height])
    cell = cell_of(boxes, cells)
    corner = torch.stack([cell % cells, cell // cells], dim=-1)
    centres = cells * (boxes[..., :2] + boxes[..., 2:]) / 2
    coded = torch.cat([centres - corner, (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).sqrt()], dim=-1)
    is_object = (targets.labels >= 0) & ~targets.crowd
    places = is_object.shape[1]
    # Of objects in one cell the first is taken; other places, and those without an object, come behind all.
    turn = torch.where(is_object, torch.arange(places, device=cell.device), places)
    first = turn.new_full((len(turn), cells * cells), places).scatter_reduce(1, cell, turn, "amin")
    has_object = first < places
    owner = first.clamp(max=places - 1)
    chosen = coded.gather(1, owner[..., None].expand(-1, -1, 4)) * has_object[..., None]
    labels = targets.labels.gather(1, owner).clamp(min=0)
    return CellTruth(has_object, labels, chosen, _judged(boxes, targets.crowd, cells))


def _judged(boxes: Tensor, crowd: Tensor, cells: int) -> Tensor:
    """Flags (N, S * S) of the cells whose centre lies in no crowd.

    Boxes are (N, M, 4) as shares of the image's sides, crowd is (N, M).
    """
    place = torch.arange(cells * cells, device=boxes.device)
    centre = (torch.stack([place % cells, place // cells], dim=1) + 0.5) / cells
    inside = (centre >= boxes[:, :, None, :2]) & (centre <= boxes[:, :, None, 2:])  # (N, M, S * S, 2)
    return ~(inside.all(dim=3) & crowd[..., None]).any(dim=1)


@torch.no_grad()
def responsible_boxes(boxes: Tensor, truth: CellTruth, cells: int) -> tuple[Tensor, Tensor]:
    """The boxes (N, S * S, B, 4) that are responsible for the object of their cell.

    Gives flags and overlaps with that object, (N, S * S, B) each.
    """
    found, wanted = in_image(boxes, cells), in_image(truth.boxes[:, :, None], cells)
    overlap = paired_overlaps(corners(found), corners(wanted))
    distance = (found - wanted).square().sum(dim=-1)
    best = torch.where((overlap > 0).any(dim=2), overlap.argmax(dim=2), distance.argmin(dim=2))
    is_best = F.one_hot(best, boxes.shape[2]).bool()
    return is_best & truth.has_object[..., None], overlap


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
