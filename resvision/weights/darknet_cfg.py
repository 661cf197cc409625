"""Darknet's cfg files: the layers of a net as sections of settings.

    [net]           width, height, channels of the images
    [convolutional] filters, size, stride, batch_normalize, activation; pad=1 keeps the size of a map
    [connected]     output
    [maxpool]       size, stride; [avgpool], [upsample], [reorg], [route], [shortcut] change the map, too
    [detection], [region], [yolo]   classes, boxes or anchors of a detector

Glossary
    map  (C, H, W), channels, height and width of what a section gives
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from resvision.core.errors import WeightsError, printable
from resvision.core.files import SMALL, read_text

Map = tuple[int, int, int]

GRID = "detection"
"""The section of YOLOv1, whose boxes are those of a grid, without anchors."""
HEADS = (GRID, "region", "yolo")
"""The sections of a detector that say its classes."""
PASSED_ON = ("dropout", "softmax", "cost", "crop", *HEADS)
"""Sections whose map is the one before; [crop] is the part of an image that is trained on."""


class Section(NamedTuple):
    """A section: its kind, its settings, and its line in the file."""

    kind: str
    settings: dict[str, str]
    line: int


class Layer(NamedTuple):
    """A layer with weights; what it says can be compared with one of ours.

    line    of the file, 0 of a layer of ours
    macs    multiplications and additions, a pair as one; 0 of a layer of ours, which knows no size of maps
    """

    kind: str
    entering: int
    leaving: int
    window: int
    stride: int
    is_normalized: bool
    is_leaky: bool
    line: int = 0
    macs: int = 0

    def __str__(self) -> str:
        window = f" {self.window}x{self.window}" if self.window else ""
        stride = f" /{self.stride}" if self.stride > 1 else ""
        words = f"{self.kind}{window}{stride} {self.entering} to {self.leaving}"
        norm = ", normalized" if self.is_normalized else ""
        return f"{words}{norm}, {'leaky' if self.is_leaky else 'linear'}"

    def is_like(self, other: "Layer") -> bool:
        """Whether both are one layer; a 1x1 convolution of one position is a connected layer."""
        own, theirs = (layer._replace(line=0, macs=0) for layer in (self, other))
        if {own.kind, theirs.kind} == {"convolutional", "connected"}:
            own, theirs = (layer._replace(kind="", window=max(1, layer.window)) for layer in (own, theirs))
        return own == theirs


@dataclass(frozen=True, kw_only=True)
class Cfg:
    """A net as a cfg says it.

    image    of the images, (C, H, W)
    layers   those with weights, in the order of the file
    classes  of a detector, or of the last layer of a classifier
    grid     cells along a side and boxes of a cell, for a detector with one grid and no anchors
    anchors  numbers of a detector, in its own unit; () without
    masks    the anchors of each map, one map after another, by their places in `anchors`; () for one map
    """

    image: Map
    layers: tuple[Layer, ...]
    classes: int
    grid: tuple[int, int] | None = None
    anchors: tuple[float, ...] = ()
    masks: tuple[int, ...] = ()

    @property
    def operations(self) -> int:
        """Operations of the convolutions of an image as Darknet counts them: twice the multiplications."""
        return 2 * sum(layer.macs for layer in self.layers if layer.kind == "convolutional")

    def __str__(self) -> str:
        _, height, width = self.image
        return (
            f"{len(self.layers)} layers, {self.classes} classes, images of {width}x{height} px,"
            f" {self.operations / 1e9:.2f} billion operations"
        )


def read_cfg(path: Path) -> Cfg:
    """Read a cfg file.

    Raises WeightsError, with the line, for a file that cannot be read, is no cfg, or has a kind of section or of
    activation that no net here has.
    """
    shown = printable(path)
    try:
        text = read_text(path, SMALL)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WeightsError(f"{shown}: cannot be read: {reason}") from None
    return _net_of(_sections(text, shown), shown)


def _sections(text: str, shown: str) -> list[Section]:
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#")[0].split(";")[0].strip()
        if line.startswith("["):
            sections.append(Section(line.strip("[] ").lower(), {}, number))
        elif line:
            key, equals, value = line.partition("=")
            if not (equals and sections):
                raise WeightsError(f"{shown}, line {number}: {printable(line)[:60]!r} is no setting of a section")
            sections[-1].settings[key.strip()] = value.strip()
    if not sections or sections[0].kind not in ("net", "network"):
        raise WeightsError(f"{shown}: does not begin with [net]: it is none of Darknet's cfg files")
    return sections


class _Reader:
    """The maps and the layers of a net, section by section."""

    def __init__(self, image: Map, shown: str) -> None:
        self.maps: list[Map] = []
        self.layers: list[Layer] = []
        self.image, self.shown = image, shown

    @property
    def last(self) -> Map:
        return self.maps[-1] if self.maps else self.image

    def number(self, section: Section, key: str, default: int) -> int:
        """A whole number among the settings of a section."""
        text = section.settings.get(key, str(default))
        try:
            value = int(text)
        except ValueError:
            raise self.fault(section, f"{key}={printable(text)[:40]} is no whole number") from None
        if not -100_000 <= value <= 100_000:
            raise self.fault(section, f"{key}={value} is beyond any net")
        return value

    def fault(self, section: Section, words: str) -> WeightsError:
        return WeightsError(f"{self.shown}, line {section.line}, [{printable(section.kind)[:40]}]: {words}")

    def at(self, section: Section, index: int) -> Map:
        """The map of another section, counted from this one where the index is below 0."""
        place = index if index >= 0 else len(self.maps) + index
        if not 0 <= place < len(self.maps):
            raise self.fault(section, f"{index} names no section before it")
        return self.maps[place]

    def take(self, section: Section) -> None:
        """Add the map of a section, and its layer if it has weights."""
        change = _CHANGES.get(section.kind)
        if change is None and section.kind not in PASSED_ON:
            raise self.fault(section, "is a kind of section that no net here has")
        self.maps.append(change(self, section) if change else self.last)


def _net_of(sections: Sequence[Section], shown: str) -> Cfg:
    head, *rest = sections
    reader = _Reader((0, 0, 0), shown)
    channels, height, width = (reader.number(head, key, 0) for key in ("channels", "height", "width"))
    if min(channels, height, width) < 1:
        raise reader.fault(head, "width, height and channels must be at least 1")
    reader.image = (channels, height, width)
    for section in rest:
        reader.take(section)
    if not reader.layers:
        raise WeightsError(f"{shown}: has no layer with weights")
    layers = tuple(reader.layers)
    heads = [section for section in rest if section.kind in HEADS]
    if not heads:
        return Cfg(image=reader.image, layers=layers, classes=layers[-1].leaving)
    last = heads[-1]
    return Cfg(
        image=reader.image,
        layers=layers,
        classes=reader.number(last, "classes", 20),
        grid=(reader.number(last, "side", 7), reader.number(last, "num", 1)) if last.kind == GRID else None,
        anchors=tuple(_numbers(reader, last, "anchors")),
        masks=tuple(int(value) for section in heads for value in _numbers(reader, section, "mask")),
    )


def _numbers(reader: _Reader, section: Section, key: str) -> Iterator[float]:
    for text in filter(None, map(str.strip, section.settings.get(key, "").split(","))):
        try:
            yield float(text)
        except ValueError:
            raise reader.fault(section, f"{key}: {printable(text)[:40]!r} is no number") from None


def _convolutional(reader: _Reader, section: Section) -> Map:
    channels, height, width = reader.last
    filters, window = reader.number(section, "filters", 1), reader.number(section, "size", 1)
    stride, groups = reader.number(section, "stride", 1), reader.number(section, "groups", 1)
    padding = window // 2 if reader.number(section, "pad", 0) else reader.number(section, "padding", 0)
    if min(filters, window, stride) < 1 or groups != 1:
        raise reader.fault(section, "filters, size and stride must be at least 1, and groups 1")
    sides = [(side + 2 * padding - window) // stride + 1 for side in (height, width)]
    if min(sides) < 1:
        raise reader.fault(section, f"its window of {window} does not fit into a map of {height}x{width}")
    macs = filters * channels * window**2 * sides[0] * sides[1]
    norm = bool(reader.number(section, "batch_normalize", 0))
    is_leaky = _activation(reader, section)
    layer = Layer("convolutional", channels, filters, window, stride, norm, is_leaky, section.line, macs)
    reader.layers.append(layer)
    return filters, sides[0], sides[1]


def _connected(reader: _Reader, section: Section) -> Map:
    channels, height, width = reader.last
    entering, leaving = channels * height * width, reader.number(section, "output", 1)
    if leaving < 1:
        raise reader.fault(section, "output must be at least 1")
    norm = bool(reader.number(section, "batch_normalize", 0))
    is_leaky = _activation(reader, section)
    reader.layers.append(Layer("connected", entering, leaving, 0, 1, norm, is_leaky, section.line, entering * leaving))
    return leaving, 1, 1


def _activation(reader: _Reader, section: Section) -> bool:
    """Whether a layer is leaky, and not linear; nets here have no other."""
    name = section.settings.get("activation", "logistic")
    if name not in ("leaky", "linear"):
        raise reader.fault(section, f"activation={printable(name)[:40]}: nets here have leaky and linear ones")
    return name == "leaky"


def _maxpool(reader: _Reader, section: Section) -> Map:
    stride = reader.number(section, "stride", 1)
    if stride < 1:
        raise reader.fault(section, "stride must be at least 1")
    channels, height, width = reader.last
    return channels, -(-height // stride), -(-width // stride)


def _avgpool(reader: _Reader, section: Section) -> Map:
    return reader.last[0], 1, 1


def _upsample(reader: _Reader, section: Section) -> Map:
    channels, height, width = reader.last
    stride = reader.number(section, "stride", 2)
    return channels, stride * height, stride * width


def _reorg(reader: _Reader, section: Section) -> Map:
    channels, height, width = reader.last
    stride = reader.number(section, "stride", 2)
    if stride < 1 or height % stride or width % stride:
        raise reader.fault(section, f"a map of {height}x{width} cannot be taken apart by {stride}")
    return channels * stride**2, height // stride, width // stride


def _route(reader: _Reader, section: Section) -> Map:
    maps = [reader.at(section, int(value)) for value in _numbers(reader, section, "layers")]
    if len({map_[1:] for map_ in maps}) != 1:
        raise reader.fault(section, "joins no maps, or maps of different sizes")
    return sum(channels for channels, _, _ in maps), maps[0][1], maps[0][2]


def _shortcut(reader: _Reader, section: Section) -> Map:
    if reader.at(section, reader.number(section, "from", -1)) != reader.last:
        raise reader.fault(section, "adds maps of different shapes")
    return reader.last


_CHANGES: dict[str, Callable[[_Reader, Section], Map]] = {
    "convolutional": _convolutional,
    "connected": _connected,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "upsample": _upsample,
    "reorg": _reorg,
    "route": _route,
    "shortcut": _shortcut,
}
