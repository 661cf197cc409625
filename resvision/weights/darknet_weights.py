"""Darknet's files of weights: numbers without names or shapes, layer by layer in the order of the net's cfg.

    int32     major, minor and revision of the version
    int64     images that the net was trained on, so from version 0.2 on; int32 before, and for numbers above 1000
    float32   of each convolution: biases; scales, means and variances where it is normalized, whose biases are then
              those of the normalization; kernels (out, in, height, width)
              of each fully connected layer: biases, weights (out, in)

All are little-endian. A number above 1000 in the version says that fully connected layers lie the other way, (in, out).
Only the net can tell what the numbers are, so a file is read for a net, and is of another net if it holds more or fewer
of them.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator
from io import BufferedReader
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from resvision.classification.darknet import ConvBlock, DarknetOrdered
from resvision.core.errors import WeightsError, printable
from resvision.core.files import open_regular
from resvision.core.plurals import counted
from resvision.training.checkpoints import State
from resvision.weights.foreign import require_regular

ENDINGS = (".weights", ".backup")
"""Endings of the names of Darknet's files."""

_FLOAT = np.dtype("<f4")
_TRANSPOSED_FROM = 1000
_LARGEST_VERSION = 100
"""A file whose first three numbers are no larger begins like one of Darknet's, and like no other file of weights."""
_COUNT = "num_batches_tracked"
_SEEN = "seen"
_VARIANCE = "running_var"


class Header(NamedTuple):
    """The start of a file.

    version  major, minor, revision
    seen     images that the net was trained on
    length   bytes of the header
    """

    version: tuple[int, int, int]
    seen: int
    length: int

    @property
    def is_transposed(self) -> bool:
        """Whether weights of fully connected layers are (in, out)."""
        return max(self.version[:2]) > _TRANSPOSED_FROM


class Block(NamedTuple):
    """A tensor of a net in a file; of a linear layer its weights may lie the other way."""

    name: str
    shape: tuple[int, ...]
    is_linear: bool = False


class DarknetFile(NamedTuple):
    """A file of weights that was looked at, not read yet.

    numbers  behind the header
    """

    path: Path
    header: Header
    numbers: int


def is_darknet(path: Path) -> bool:
    """Whether a file is one of Darknet's, by its name or by its first bytes; WeightsError where there is none."""
    require_regular(path, printable(path))
    if path.suffix in ENDINGS:
        return True
    with _opened(path) as file:
        start = file.read(12)
    version = np.frombuffer(start, "<u4").tolist() if len(start) == 12 else [0]
    return any(version) and max(version) <= _LARGEST_VERSION


def look_at(path: Path) -> DarknetFile:
    """The header of a file and the number of its numbers. WeightsError for a file that ends within one of them."""
    shown = printable(path)
    require_regular(path, shown)
    with _opened(path) as file:
        start = file.read(20)
    header = _header(start, shown)
    numbers, rest = divmod(path.stat().st_size - header.length, _FLOAT.itemsize)
    if rest:
        raise WeightsError(
            f"{shown}: ends within a number, {counted(rest, 'byte')} behind {numbers:,} numbers: it is cut short, or"
            " none of Darknet's files"
        )
    return DarknetFile(path, header, numbers)


def numbers_of(net: nn.Module, *, without_head: bool = False) -> int:
    """The number of numbers in a file of this net; errors are those of `blocks`."""
    return sum(map(_size, blocks(net, without_head=without_head)))


def blocks(net: nn.Module, *, without_head: bool = False) -> list[Block]:
    """The tensors of a net in the order of its file, without those of its last layer if so asked.

    Raises WeightsError where Darknet's files hold no such net.
    """
    if not isinstance(net, DarknetOrdered):
        raise WeightsError(f"{type(net).__name__} is no net of Darknet, whose files hold no names or shapes")
    names = {module: name for name, module in net.named_modules()}
    layers = [[*_blocks_of(layer, names[layer])] for layer in net.darknet_order()]
    # Over a backbone that Darknet does not have, layers are left whose order nobody knows.
    known = {block.name for layer in layers for block in layer}
    unknown = [name for name in net.state_dict() if name not in known and not _is_count(name)]
    if unknown:
        raise WeightsError(
            f"{type(net).__name__} over this backbone is no net of Darknet: {counted(len(unknown), 'tensor')} of it,"
            f" such as {unknown[0]}, would have no place in a file"
        )
    return [block for layer in (layers[:-1] if without_head else layers) for block in layer]


def end_of(numbers: int, net: nn.Module) -> str:
    """The place in a net where so many numbers end, fewer than it has, in words."""
    layers: dict[str, int] = {}
    for block in blocks(net):
        layer = block.name.rpartition(".")[0].removesuffix(".conv").removesuffix(".bn")
        layers[layer] = layers.get(layer, 0) + _size(block)
    ends = [*accumulate(layers.values())]
    whole = bisect_right(ends, numbers)
    return f"{f'behind layer {whole}' if numbers in ends else f'within layer {whole + 1}'} of {len(ends)}"


def read_darknet(looked_at: DarknetFile, net: nn.Module, *, without_head: bool = False) -> State:
    """The weights of a net, by our names, on the CPU; the net may be on the meta device.

    without_head  those of all layers but the last, from a file that ends before it, such as darknet53.conv.74

    Raises WeightsError for a file with more or fewer numbers, and for numbers that no net has: a variance below 0, or
    one that is not finite.
    """
    path, header, numbers = looked_at
    shown = printable(path)
    listed = blocks(net, without_head=without_head)
    if numbers != (wanted := sum(map(_size, listed))):
        raise WeightsError(f"{shown}: holds {numbers:,} numbers, and {type(net).__name__} has {wanted:,}")
    state: State = {}
    with _opened(path) as file:
        file.seek(header.length)
        for block in listed:
            state[block.name] = _read(file, block, shown, is_transposed=header.is_transposed)
    counts = {name: torch.zeros((), dtype=torch.int64) for name in net.state_dict() if _is_count(name)}
    if _SEEN in counts:
        counts[_SEEN] += header.seen
    return {**state, **counts}


def _opened(path: Path) -> BufferedReader:
    try:
        return open_regular(path)
    except OSError as error:
        raise WeightsError(f"{printable(path)}: cannot be read: {error.strerror}") from None


def _header(start: bytes, shown: str) -> Header:
    if len(start) < 16:
        raise WeightsError(f"{shown}: ends within its header: it is cut short, or none of Darknet's files")
    major, minor, revision = np.frombuffer(start[:12], "<i4").tolist()
    is_long = 10 * major + minor >= 2 and max(major, minor) < _TRANSPOSED_FROM
    if min(major, minor, revision) < 0 or (is_long and len(start) < 20):
        raise WeightsError(f"{shown}: does not begin with a version: it is none of Darknet's files, or damaged")
    length = 20 if is_long else 16
    return Header((major, minor, revision), int.from_bytes(start[12:length], "little"), length)


def _blocks_of(layer: nn.Module, name: str) -> Iterator[Block]:
    """Yield the tensors of a layer in the order of a file."""
    if isinstance(layer, ConvBlock) and isinstance(layer.bn, nn.BatchNorm2d):
        for part in ("bias", "weight", "running_mean", _VARIANCE):
            yield Block(f"{name}.bn.{part}", (layer.bn.num_features,))
        yield Block(f"{name}.conv.weight", tuple(layer.conv.weight.shape))
        return
    own, name = (layer.conv, f"{name}.conv") if isinstance(layer, ConvBlock) else (layer, name)
    assert isinstance(own, nn.Conv2d | nn.Linear), "layers of Darknet are these"
    if own.bias is not None:  # as of every layer of Darknet; the normalizations of other nets are found to be left over
        yield Block(f"{name}.bias", tuple(own.bias.shape))
    yield Block(f"{name}.weight", tuple(own.weight.shape), isinstance(own, nn.Linear))


def _read(file: BufferedReader, block: Block, shown: str, *, is_transposed: bool) -> Tensor:
    values = np.fromfile(file, _FLOAT, _size(block))
    if len(values) != _size(block):
        raise WeightsError(f"{shown}: ends within {block.name}: it has become shorter")
    if not np.isfinite(values).all() or (block.name.endswith(_VARIANCE) and (values < 0).any()):
        raise WeightsError(
            f"{shown}: what would be {block.name} is not finite or a variance below 0: the file is damaged, or of"
            " another net with as many numbers"
        )
    turned = is_transposed and block.is_linear
    values = values.reshape(block.shape[::-1]).T if turned else values.reshape(block.shape)
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _size(block: Block) -> int:
    return math.prod(block.shape)


def _is_count(name: str) -> bool:
    return name == _SEEN or name.endswith(_COUNT)
