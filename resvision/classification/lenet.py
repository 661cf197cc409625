"""LeNet-5: LeCun, Bottou, Bengio, Haffner 1998, https://doi.org/10.1109/5.726791, sections II and III.

LeNet5        the paper's: trainable subsampling, the table of C3, scaled tanh, Euclidean RBF outputs with fixed codes.
              The paper does not print its ten bitmaps; those here are drawn anew, after the style of its Figure 3.
LeNet5Modern  what is usually called LeNet-5 today: average pooling, a full C3, a linear layer that gives logits.

Glossary
    N images, K classes, D = 84 units of F6
    distances  (N, K) squared, between F6 and the codes, at least 0; their negatives are the logits
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Final, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Losses, Term
from resvision.core.errors import SettingsError
from resvision.layers.fully_connected import classify_everywhere
from resvision.layers.sizes import sides_are_known
from resvision.probes.count import count

C3_TABLE = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
"""The maps of S2 that each map of C3 takes as input: Table I."""

DIGITS = """
    ....... ....... ....... ....... ....... ....... ....... ....... ....... .......
    ..###.. ...##.. .#####. ####### ....##. ####### ..####. ####### .#####. .#####.
    .##.##. ..###.. ##...## .....## ...###. ##..... .##.... ##...## ##...## ##...##
    ##...## .####.. ##...## ....##. ..####. ##..... ##..... .....## ##...## ##...##
    ##...## ...##.. .....## ...##.. .##.##. ######. ##..... ....##. ##...## ##...##
    ##...## ...##.. ....##. ..####. ##..##. ##...## ######. ....##. .#####. ##...##
    ##...## ...##.. ...##.. .....## ##..##. .....## ##...## ...##.. ##...## .######
    ##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
    ##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
    .##.##. ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## ....##.
    ..###.. .###### ####### .#####. ....##. .#####. .#####. ..##... .#####. .####..
    ....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""
"""The target of F6 for each class, 7 wide and 12 high."""

SIDE, SMALLEST = 32, 16
AMPLITUDE, SLOPE = 1.7159, 2 / 3

Criterion = Literal["map", "mse"]


def digit_codes() -> Tensor:
    """The codes of DIGITS, (10, 84): +1 for ink, -1 for paper, row by row."""
    rows = [line.split() for line in DIGITS.split("\n") if line.strip()]
    pictures = ["".join(row[digit] for row in rows) for digit in range(len(rows[0]))]
    return torch.tensor([[1.0 if pixel == "#" else -1.0 for pixel in picture] for picture in pictures])


class ScaledTanh(nn.Module):
    """f(a) = 1.7159 tanh(2a / 3), so that f(1) = 1 and f(-1) = -1."""

    amplitude: Final[float] = AMPLITUDE
    slope: Final[float] = SLOPE

    def forward(self, x: Tensor) -> Tensor:
        """The function of every value; the shape stays."""
        return self.amplitude * torch.tanh(self.slope * x)


class Subsampling(nn.Module):
    """The sum of each 2x2 block, times a coefficient of the map, plus its bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H // 2, W // 2)."""
        sums = F.avg_pool2d(x, 2, divisor_override=1)
        return sums * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class TableConv2d(nn.Module):
    """A convolution in which each map takes some of the maps before it: its row of `table` names them.

    Rows of equal length stand together in the table; each such group is one grouped convolution of gathered inputs.
    """

    def __init__(self, table: Sequence[Sequence[int]], *, window: int) -> None:
        super().__init__()
        groups = [[*rows] for _, rows in groupby(table, key=len)]
        self.inputs = [[source for row in rows for source in row] for rows in groups]
        self.convs = nn.ModuleList(
            nn.Conv2d(len(inputs), len(rows), window, groups=len(rows))
            for inputs, rows in zip(self.inputs, groups, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, len(table), H - window + 1, W - window + 1)."""
        return torch.cat([conv(x[:, inputs]) for conv, inputs in zip(self.convs, self.inputs, strict=True)], dim=1)


class EuclideanRbf(nn.Module):
    """Squared distance of a vector to each of K fixed codes (K, D)."""

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)

    def forward(self, x: Tensor) -> Tensor:
        """Distances (..., K) of vectors (..., D)."""
        return (x[..., None, :] - self.codes).square().sum(dim=-1)


class LeNet5(nn.Module):
    """The paper's layers C1, S2, C3, S4, C5, F6 and the RBF outputs; logits are minus the distances."""

    def __init__(self, *, in_channels: int = 1) -> None:
        super().__init__()
        self.squash = ScaledTanh()
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = TableConv2d(C3_TABLE, window=5)
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.rbf = EuclideanRbf(digit_codes())
        initialize_1998(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 10) of images (N, C, 32, 32); SettingsError for other sizes."""
        if sides_are_known(images) and images.shape[2:] != (SIDE, SIDE):
            raise SettingsError(
                f"images are {_size(images)}, LeNet-5 is for {SIDE}x{SIDE}: train it with --set data.image_size={SIDE}"
            )
        x = self._maps(images).flatten(1)
        x = self.squash(self.f6(x))
        distances: Tensor = self.rbf(x)
        return -distances

    def class_map(self, images: Tensor) -> Tensor:
        """Logits (N, 10, h, w) at each position of larger images, 4 px apart: section VII; 1x1 at 32 px.

        Raises SettingsError for images below 32 px.
        """
        if min(images.shape[2:]) < SIDE:
            raise SettingsError(f"images are {_size(images)}, LeNet-5 sees {SIDE}x{SIDE}: give larger images")
        x = self._maps(images).movedim(1, -1)
        x = self.squash(self.f6(x))
        distances: Tensor = self.rbf(x)
        return -distances.movedim(-1, 1)

    def _maps(self, images: Tensor) -> Tensor:
        x = self.squash(self.c1(images))
        x = self.squash(self.s2(x))
        x = self.squash(self.c3(x))
        x = self.squash(self.s4(x))
        maps: Tensor = self.squash(self.c5(x))
        return maps


def initialize_1998(net: nn.Module) -> None:
    """Draw weights, coefficients and biases evenly from +-2.4 / fan-in of their unit, in place: appendix A."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | Subsampling) and not module.weight.is_meta:
            bound = 2.4 / _fan_in(module)
            assert module.bias is not None
            nn.init.uniform_(module.weight, -bound, bound)
            nn.init.uniform_(module.bias, -bound, bound)


def connections(net: LeNet5) -> dict[str, int]:
    """Connections of each layer for one image of 32 px, as the paper counts them: a bias is one, in each unit."""
    modules = dict(net.named_modules())
    total: dict[str, int] = {}
    for row in count(net, (net.c1.in_channels, SIDE, SIDE)).layers:
        module, units = modules[row.name], torch.Size(row.shape).numel()
        layer = row.name.partition(".")[0]
        if isinstance(module, nn.Conv2d | nn.Linear | Subsampling):
            total[layer] = total.get(layer, 0) + units * (_fan_in(module) + 1)
        elif isinstance(module, EuclideanRbf):
            total[layer] = module.codes.numel()
    return total


def _fan_in(module: nn.Conv2d | nn.Linear | Subsampling) -> int:
    """Inputs of a unit, without its bias."""
    return 4 if isinstance(module, Subsampling) else module.weight[0].numel()


@dataclass(frozen=True, kw_only=True)
class LeNetLoss:
    """Options of the paper's losses; ValueError for values that cannot work.

    criterion  map: y_D + log(exp(-j) + sum over i of exp(-y_i)), D the true class, equation (9): it pulls the true
               class in and pushes others out. mse: y_D alone, equation (8)
    j          above 0: classes further away than about this are not pushed. The paper does not give its value
    """

    criterion: Criterion = "map"
    j: float = 1.0

    def __post_init__(self) -> None:
        if self.criterion not in get_args(Criterion):
            raise ValueError(f"criterion must be one of {', '.join(get_args(Criterion))}, got {self.criterion!r}")
        if not self.j > 0:
            raise ValueError(f"j must be above 0, got {self.j}")


class LeNetClassifier(Classifier):
    """The paper's losses over distances to the codes; a net's logits are minus its distances."""

    takes_mixed_targets: ClassVar[bool] = False
    loss_options: ClassVar[type] = LeNetLoss

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], options: LeNetLoss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        options = options or LeNetLoss()
        self.criterion, self.j = options.criterion, options.j

    def losses(self, batch: Batch) -> Losses:
        """The criterion, and the share of images whose nearest code is of another class."""
        logits = self.logits(batch.inputs)
        loss = -logits.gather(1, batch.targets[:, None]).squeeze(1)
        if self.criterion == "map":
            rubbish = logits.new_full((len(logits), 1), -self.j)  # the class of what is no digit
            loss = loss + torch.cat([logits, rubbish], dim=1).logsumexp(dim=1)
        wrong = (logits.detach().argmax(dim=1) != batch.targets).float()
        images = self.weight_of(batch.targets)
        return Losses(terms={self.criterion: Term(loss.sum(), images)}, metrics={"error": Term(wrong.sum(), images)})

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """The number of images."""
        return {self.criterion: self.weight_of(batch.targets)}


class LeNet5Modern(nn.Module):
    """Two convolutions of 5x5, each with tanh and an average over 2x2, and three linear layers of 120, 84 and K."""

    def __init__(self, *, num_classes: int, in_channels: int = 1, input_size: int = 32) -> None:
        super().__init__()
        if input_size < SMALLEST:
            raise SettingsError(
                f"input_size {input_size}: LeNet-5 needs {SMALLEST} px or more; train it with"
                f" --set data.image_size={SIDE}"
            )
        self.input_size = input_size
        self.window = ((input_size - 4) // 2 - 4) // 2
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.Tanh(),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * self.window**2, 120),
            nn.Tanh(),
            nn.Linear(120, 84),
            nn.Tanh(),
            nn.Linear(84, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, S, S) with S = input_size; SettingsError for other sizes."""
        if sides_are_known(images) and images.shape[2:] != (self.input_size, self.input_size):
            raise SettingsError(
                f"images are {_size(images)}, this LeNet-5 is for {self.input_size}x{self.input_size}: build it with"
                " their input_size (square images only)"
            )
        x = self.features(images).flatten(1)
        logits: Tensor = self.classifier(x)
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits (N, K, h, w) at each position of larger images, 4 px apart; 1x1 at input_size.

        Raises SettingsError for smaller images.
        """
        if min(images.shape[2:]) < SMALLEST:
            raise SettingsError(f"images are {_size(images)}, LeNet-5 needs {SMALLEST} px or more")
        return classify_everywhere(self.classifier, self.features(images), window=self.window)


def lenet5(*, num_classes: int, in_channels: int = 1) -> LeNet5:
    """The paper's net; SettingsError for other than ten classes, for which it has no codes."""
    if num_classes != len(digit_codes()):
        raise SettingsError(
            f"lenet5: {num_classes} classes, but its output codes are pictures of the ten digits; choose lenet5_modern"
        )
    return LeNet5(in_channels=in_channels)


def lenet5_modern(*, num_classes: int, in_channels: int = 1, input_size: int = 32) -> LeNet5Modern:
    """Today's LeNet-5 for square images of `input_size` px, 61,706 parameters at 32 px; SettingsError below 16 px."""
    return LeNet5Modern(num_classes=num_classes, in_channels=in_channels, input_size=input_size)


def _size(images: Tensor) -> str:
    height, width = images.shape[2:]
    return f"{height}x{width}"
