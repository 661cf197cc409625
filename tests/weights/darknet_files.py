"""Darknet's files, written by hand for tests: weights layer by layer, and cfg files from a few words a layer."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from resvision.classification.darknet import ConvBlock

LONG, SHORT = (0, 2, 0), (0, 1, 0)


def header(version: tuple[int, int, int] = LONG, seen: int = 32_013_312) -> bytes:
    """The header of a version; the number of images is long from 0.2 on."""
    return struct.pack("<iii", *version) + struct.pack("<q" if version == LONG else "<i", seen)


def numbers(net: nn.Module, *, transposed: bool = False) -> bytes:
    """The numbers of a net in the order in which Darknet saves them."""
    return b"".join(
        np.ascontiguousarray(tensor.detach().numpy(), dtype="<f4").tobytes()
        for layer in net.darknet_order()
        for tensor in _tensors(layer, transposed=transposed)
    )


def _tensors(layer: nn.Module, *, transposed: bool) -> Iterator[Tensor]:
    if isinstance(layer, nn.Linear):
        yield layer.bias
        yield layer.weight.T if transposed else layer.weight
    elif isinstance(layer, ConvBlock) and isinstance(layer.bn, nn.BatchNorm2d):
        yield from (layer.bn.bias, layer.bn.weight, layer.bn.running_mean, layer.bn.running_var)
        yield layer.conv.weight
    else:
        conv = layer.conv if isinstance(layer, ConvBlock) else layer
        yield from (conv.bias, conv.weight)


def drawn(net: nn.Module) -> nn.Module:
    """The net with random numbers everywhere."""
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 1.0, generator=draws)
    return net


def write(path: Path, net: nn.Module, version: tuple[int, int, int] = LONG, *, transposed: bool = False) -> Path:
    path.write_bytes(header(version) + numbers(net, transposed=transposed))
    return path


def cfg(words: Sequence[str], *, side: int, channels: int = 3) -> str:
    """The text of a cfg: a section a word.

    c3x64  3x3 convolution to 64 maps, normalized and leaky; c3x64/2 strides, C has a bias, L a bias and no leaky ReLU
    f9     fully connected to 9 values, leaky; F9 linear
    m2/2   max pooling; avg, drop, up, reorg
    s-3    shortcut; r-1,8 route
    net:a=1;b=2  any section written out
    """
    lines = ["[net]", f"width={side}", f"height={side}", f"channels={channels}"]
    for word in words:
        lines += ["", *_section(word)]
    return "\n".join(lines) + "\n"


def _section(word: str) -> list[str]:
    plain = {"avg": ["[avgpool]"], "drop": ["[dropout]", "probability=.5"], "up": ["[upsample]", "stride=2"]}
    if word in plain:
        return plain[word]
    if ":" in word:
        kind, _, settings = word.partition(":")
        return [f"[{kind}]", *settings.split(";")]
    if word == "reorg":
        return ["[reorg]", "stride=2"]
    if word[0] in "cCL" and word[1].isdigit():
        shape, _, stride = word[1:].partition("/")
        size, filters = shape.split("x")
        norm = ["batch_normalize=1"] if word[0] == "c" else []
        activation = "linear" if word[0] == "L" else "leaky"
        settings = [f"filters={filters}", f"size={size}", f"stride={stride or 1}", "pad=1", f"activation={activation}"]
        return ["[convolutional]", *norm, *settings]
    if word[0] in "fF" and word[1:].isdigit():
        return ["[connected]", f"output= {word[1:]}", f"activation={'leaky' if word[0] == 'f' else 'linear'}"]
    if word[0] == "m":
        size, _, stride = word[1:].partition("/")
        return ["[maxpool]", f"size={size}", f"stride={stride}"]
    if word[0] == "s":
        return ["[shortcut]", f"from={word[1:]}", "activation=linear"]
    return ["[route]", f"layers={word[1:]}"]


def narrowed(words: Sequence[str], share: int) -> list[str]:
    """The words of a net with one `share`-th of the channels of each convolution but the linear ones."""
    changed = []
    for word in words:
        if word[0] in "cC" and word[1].isdigit():
            size, _, rest = word.partition("x")
            filters, slash, stride = rest.partition("/")
            word = f"{size}x{int(filters) // share}{slash}{stride}"
        changed.append(word)
    return changed


def darknet19_words(last: Sequence[str] = ("L1x1000", "avg", "softmax:groups=1")) -> list[str]:
    words = ["c3x32", "m2/2", "c3x64", "m2/2"]
    for channels, pairs in ((128, 1), (256, 1)):
        words += [f"c3x{channels}", f"c1x{channels // 2}", f"c3x{channels}", "m2/2"] * pairs
    words += ["c3x512", "c1x256"] * 2 + ["c3x512", "m2/2"] + ["c3x1024", "c1x512"] * 2 + ["c3x1024"]
    return [*words, *last]


def darknet53_words(last: Sequence[str] = ("avg", "L1x1000", "softmax:groups=1")) -> list[str]:
    words = ["c3x32"]
    for channels, repeats in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        words += [f"c3x{channels}/2", *[f"c1x{channels // 2}", f"c3x{channels}", "s-3"] * repeats]
    return [*words, *last]


VOC_ANCHORS = "1.3221,1.73145,3.19275,4.00944,5.05587,8.09892,9.47112,4.84053,11.2364,10.0071"
COCO_ANCHORS = "10,13, 16,30, 33,23, 30,61, 62,45, 59,119, 116,90, 156,198, 373,326"


def yolov2_words(classes: int = 20, anchors: str = VOC_ANCHORS) -> list[str]:
    last = f"L1x{5 * (5 + classes)}"
    head = ["c3x1024", "c3x1024", "r-9", "c1x64", "reorg", "r-1,-4", "c3x1024", last]
    return darknet19_words([*head, f"region:classes={classes};num=5;anchors={anchors}"])


def yolov3_words(classes: int = 80, anchors: str = COCO_ANCHORS) -> list[str]:
    words = darknet53_words(())
    for rank, (channels, joined) in enumerate(((512, 61), (256, 36), (128, None))):
        masks = ",".join(str(6 - 3 * rank + place) for place in range(3))
        words += [f"c1x{channels}", f"c3x{2 * channels}"] * 3 + [f"L1x{3 * (5 + classes)}"]
        words += [f"yolo:mask={masks};classes={classes};anchors={anchors};num=9"]
        if joined is not None:
            words += ["r-4", f"c1x{channels // 2}", "up", f"r-1,{joined}"]
    return words


def yolov3_tiny_words(classes: int = 80) -> list[str]:
    anchors, last = "10,14, 23,27, 37,58, 81,82, 135,169, 344,319", f"L1x{3 * (5 + classes)}"
    words = [word for channels in (16, 32, 64, 128, 256) for word in (f"c3x{channels}", "m2/2")]
    words += ["c3x512", "m2/1", "c3x1024", "c1x256", "c3x512", last]
    words += [f"yolo:mask=3,4,5;classes={classes};anchors={anchors};num=6", "r-4", "c1x128", "up", "r-1,8"]
    return [*words, "c3x256", last, f"yolo:mask=0,1,2;classes={classes};anchors={anchors};num=6"]


def yolov1_words(side: int = 7, boxes: int = 2, classes: int = 20, hidden: int = 4096) -> list[str]:
    words = ["C7x64/2", "m2/2", "C3x192", "m2/2", "C1x128", "C3x256", "C1x256", "C3x512", "m2/2"]
    words += ["C1x256", "C3x512"] * 4 + ["C1x512", "C3x1024", "m2/2"] + ["C1x512", "C3x1024"] * 2
    words += ["C3x1024", "C3x1024/2", "C3x1024", "C3x1024"]
    values = side * side * (5 * boxes + classes)
    return [*words, f"f{hidden}", "drop", f"F{values}", f"detection:classes={classes};side={side};num={boxes};sqrt=1"]


def yolov1_tiny_words(classes: int = 20, hidden: int = 4096, narrow: int = 256) -> list[str]:
    words = [word for channels in (16, 32, 64, 128, 256, 512) for word in (f"C3x{channels}", "m2/2")]
    last = f"F{49 * (10 + classes)}"
    head = [f"F{narrow}", f"f{hidden}", "drop", last, f"detection:classes={classes};side=7;num=2;sqrt=1"]
    return [*words, *["C3x1024"] * 3, *head]
