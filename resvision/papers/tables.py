"""The tables of architectures, by the names of our nets: LeNet-5, VGG, GoogLeNet, both of He et al., detectors."""

from collections.abc import Mapping

from resvision.papers.detector_tables import DETECTORS
from resvision.papers.printed import NOTHING, Cell, Line, PrintedTable

LENET = "LeCun et al. 1998, Gradient-Based Learning, doi:10.1109/5.726791"
RESNET = "He et al. 2015, Deep Residual Learning, arXiv:1512.03385"
PRERESNET = "He et al. 2016, Identity Mappings, arXiv:1603.05027"
VGG = "Simonyan, Zisserman 2014, Very Deep Convolutional Networks, arXiv:1409.1556"
GOOGLENET = "Szegedy et al. 2014, Going Deeper with Convolutions, arXiv:1409.4842"

ROUNDING = "A printed number agrees with ours where ours, rounded or cut after the printed digits, gives it."


def _resnet(counts: tuple[int, int, int, int], flops: str, *, bottleneck: bool) -> PrintedTable:
    """The column of Table 1 in He et al. 2015 with these numbers of blocks."""

    def row(label: str, size: str, layers: str, *where: str) -> Line:
        cells = {"output size": Cell(size, "size", where), "layers": Cell(layers, "blocks", where)}
        return Line(label, cells | {"FLOPs": Cell(NOTHING, "macs", where)})

    def block(width: int, count: int) -> str:
        convs = f"1x1, {width}; 3x3, {width}; 1x1, {4 * width}" if bottleneck else f"3x3, {width}; 3x3, {width}"
        return f"[{convs}] x{count}"

    conv2, conv3, conv4, conv5 = (block(64 * 2**i, count) for i, count in enumerate(counts))
    return PrintedTable(
        "Table 1",
        RESNET,
        (
            row("conv1", "112x112", "7x7, 64, stride 2", "conv1"),
            row("conv2_x", "56x56", f"3x3 max pool, stride 2, {conv2}", "maxpool", "layer1"),
            row("conv3_x", "28x28", conv3, "layer2"),
            row("conv4_x", "14x14", conv4, "layer3"),
            row("conv5_x", "7x7", conv5, "layer4"),
            row("", "1x1", "average pool, 1000-d fc", "avgpool", "fc"),
            Line("FLOPs", {"FLOPs": Cell(flops, "macs")}),
        ),
        (
            ROUNDING,
            "conv3_1, conv4_1 and conv5_1 stride by 2, as the caption says; the softmax is in the system.",
            "The paper counts multiply-adds. 3.8, 7.6 and 11.3 x 10^9 are those of the stride in the first 1x1 (_v1);"
            " with the stride in the 3x3 (v1.5) they are more. 3.6 x 10^9 counts no projection.",
        ),
    )


def _cifar(depth: int, params: str = "") -> PrintedTable:
    """The table in section 4.2 of He et al. 2015 for a net of 6n+2 layers, with its parameters from Table 6."""
    layers, filters = "# layers", "# filters"
    n = (depth - 2) // 6

    def row(size: str, count: int, width: int, *where: str) -> Line:
        cells = {"output map size": Cell(size, "size", where), layers: Cell(str(count), "depth", where)}
        return Line(where[-1], cells | {filters: Cell(str(width), "channels", where)})

    total = {layers: Cell(str(depth), "depth")} | ({"# params": Cell(params, "params")} if params else {})
    return PrintedTable(
        f"Section 4.2, n = {n}" + (", and Table 6" if params else ""),
        RESNET,
        (
            row("32x32", 1 + 2 * n, 16, "conv1", "layer1"),
            row("16x16", 2 * n, 32, "layer2"),
            row("8x8", 2 * n, 64, "layer3"),
            Line("total", total),
        ),
        (ROUNDING, "The section prints the layers as 1+2n, 2n and 2n; here n is put in."),
    )


def _preresnet(params: str) -> PrintedTable:
    """The parameters that Table 4 of He et al. 2016 prints."""
    return PrintedTable(
        "Table 4",
        PRERESNET,
        (Line("total", {"# params": Cell(params, "params")}),),
        (ROUNDING, "10.2M is the number of weights without scale and shift of the normalizations."),
    )


def _vgg(column: str, depth: int, blocks: tuple[str, ...], params: str) -> PrintedTable:
    """A column of VGG's Table 1, with its parameters from Table 2."""
    sides = (224, 112, 56, 28, 14)
    layers = f"ConvNet configuration {column}"
    return PrintedTable(
        "Tables 1 and 2",
        VGG,
        (
            *(
                Line(f"maps of {side} px", {layers: Cell(f"{words} maxpool", "words", ("features",), part=i)})
                for i, (side, words) in enumerate(zip(sides, blocks, strict=True))
            ),
            Line("", {layers: Cell("FC-4096 FC-4096 FC-1000", "words", ("classifier",))}),
            Line("weight layers", {layers: Cell(str(depth), "depth")}),
            Line("parameters", {layers: Cell(params, "params")}),
        ),
        (ROUNDING, "The soft-max of the last row is in the system. Table 2 prints the parameters in millions."),
    )


def _convs(width: int, *windows: int) -> str:
    return " ".join(f"conv{window}-{width}" for window in windows)


def _vgg_blocks(*counts: int, last: int = 3) -> tuple[str, ...]:
    """The words for five blocks of VGG; `last` is the window of the third convolution in the last three."""
    windows = [(3,) * n if n != 3 else (3, 3, last) for n in counts]
    return tuple(_convs(width, *block) for width, block in zip((64, 128, 256, 512, 512), windows, strict=True))


PATCH, MAP = "patch/stride", "output size"
INCEPTION_COLUMNS: Mapping[str, tuple[str, str]] = {
    "#1x1": ("branch1", "1x1"),
    "#3x3 reduce": ("branch2.0", "1x1"),
    "#3x3": ("branch2.1", "3x3"),
    "#5x5 reduce": ("branch3.0", "1x1"),
    "#5x5": ("branch3.1", "5x5"),
    "pool proj": ("branch4.1", "1x1"),
}
"""Columns of GoogLeNet's Table 1, with the branch of ours and the window that their number is about."""


def _googlenet_row(
    label: str,
    where: tuple[str, ...],
    size: str,
    depth: int,
    *,
    window: str = "",
    channels: Mapping[str, Cell] | None = None,
    params: str = "",
    ops: str = "",
) -> Line:
    cells = {PATCH: Cell(window, "window", where[-1:])} if window else {}
    cells |= {MAP: Cell(size, "map", where), "depth": Cell(str(depth), "depth", where), **(channels or {})}
    cells |= {"params": Cell(params, "params", where, unit=1024)} if params else {}
    cells |= {"ops": Cell(ops, "macs", where)} if ops else {}
    return Line(label, cells)


def _inception_row(name: str, size: str, channels: str, params: str, ops: str) -> Line:
    module = f"inception{name}"
    printed = {
        column: Cell(number, "channels", (f"{module}.{branch}",), window=window)
        for number, (column, (branch, window)) in zip(channels.split(), INCEPTION_COLUMNS.items(), strict=True)
    }
    return _googlenet_row(f"inception ({name})", (module,), size, 2, channels=printed, params=params, ops=ops)


def _googlenet() -> PrintedTable:
    """The rows of GoogLeNet's Table 1."""
    row, module = _googlenet_row, _inception_row
    conv2 = {
        "#3x3 reduce": Cell("64", "channels", ("conv2",), window="1x1"),
        "#3x3": Cell("192", "channels", ("conv3",), window="3x3"),
    }
    return PrintedTable(
        "Table 1",
        GOOGLENET,
        (
            row("convolution", ("conv1",), "112x112x64", 1, window="7x7/2", params="2.7K", ops="34M"),
            row("max pool", ("maxpool1",), "56x56x64", 0, window="3x3/2"),
            row(
                "convolution",
                ("conv2", "conv3"),
                "56x56x192",
                2,
                window="3x3/1",
                channels=conv2,
                params="112K",
                ops="360M",
            ),
            row("max pool", ("maxpool2",), "28x28x192", 0, window="3x3/2"),
            module("3a", "28x28x256", "64 96 128 16 32 32", "159K", "128M"),
            module("3b", "28x28x480", "128 128 192 32 96 64", "380K", "304M"),
            row("max pool", ("maxpool3",), "14x14x480", 0, window="3x3/2"),
            module("4a", "14x14x512", "192 96 208 16 48 64", "364K", "73M"),
            module("4b", "14x14x512", "160 112 224 24 64 64", "437K", "88M"),
            module("4c", "14x14x512", "128 128 256 24 64 64", "463K", "100M"),
            module("4d", "14x14x528", "112 144 288 32 64 64", "580K", "119M"),
            module("4e", "14x14x832", "256 160 320 32 128 128", "840K", "170M"),
            row("max pool", ("maxpool4",), "7x7x832", 0, window="3x3/2"),
            module("5a", "7x7x832", "256 160 320 32 128 128", "1072K", "54M"),
            module("5b", "7x7x1024", "384 192 384 48 128 128", "1388K", "71M"),
            row("avg pool", ("avgpool",), "1x1x1024", 0, window="7x7/1"),
            row("dropout (40%)", ("dropout",), "1x1x1024", 0),
            row("linear", ("fc",), "1x1x1000", 1, params="1000K", ops="1M"),
        ),
        (
            ROUNDING,
            "K is read as 1,024 parameters, since with 1,000 none of them would agree; M as a million multiply-adds.",
            "conv1 has 7 x 7 x 3 x 64 = 9,408 weights and 64 biases.",
            "The side heads have no row; the soft-max of the last row is in the system.",
        ),
        order=(PATCH, MAP, "depth", *INCEPTION_COLUMNS, "params", "ops"),
    )


def _lenet() -> PrintedTable:
    """The layers of LeNet-5 as section II.B describes them."""

    def row(label: str, where: str, params: str, size: str = "") -> Line:
        cells = {"maps": Cell(size, "map", (where,))} if size else {}
        return Line(label, cells | {"trainable parameters": Cell(params, "params", (where,))})

    return PrintedTable(
        "Section II.B",
        LENET,
        (
            row("C1", "c1", "156", "28x28x6"),
            row("S2", "s2", "12", "14x14x6"),
            row("C3", "c3", "1,516", "10x10x16"),
            row("S4", "s4", "32", "5x5x16"),
            row("C5", "c5", "48,120", "1x1x120"),
            row("F6", "f6", "10,164"),
            Line("total", {"trainable parameters": Cell("60,000", "params")}),
        ),
    )


_RESNETS = {
    "resnet18": _resnet((2, 2, 2, 2), "1.8x10^9", bottleneck=False),
    "resnet34": _resnet((3, 4, 6, 3), "3.6x10^9", bottleneck=False),
    "resnet50": _resnet((3, 4, 6, 3), "3.8x10^9", bottleneck=True),
    "resnet101": _resnet((3, 4, 23, 3), "7.6x10^9", bottleneck=True),
    "resnet152": _resnet((3, 8, 36, 3), "11.3x10^9", bottleneck=True),
}
_A = _vgg_blocks(1, 1, 2, 2, 2)
_B = _vgg_blocks(2, 2, 2, 2, 2)

TABLES: Mapping[str, PrintedTable] = {
    **_RESNETS,
    **{f"{name}_v1": _RESNETS[name] for name in ("resnet50", "resnet101", "resnet152")},
    **dict.fromkeys(("resnet18_a", "plain18"), _RESNETS["resnet18"]),
    **dict.fromkeys(("resnet34_a", "resnet34_b", "resnet34_c", "plain34"), _RESNETS["resnet34"]),
    "resnet20": _cifar(20, "0.27M"),
    "resnet32": _cifar(32, "0.46M"),
    "resnet44": _cifar(44, "0.66M"),
    "resnet56": _cifar(56, "0.85M"),
    "resnet110": _cifar(110, "1.7M"),
    "resnet1202": _cifar(1202, "19.4M"),
    **{f"plain{depth}": _cifar(depth) for depth in (20, 32, 44, 56, 110)},
    "preresnet164": _preresnet("1.7M"),
    "preresnet1001": _preresnet("10.2M"),
    "lenet5": _lenet(),
    "vgg11": _vgg("A", 11, _A, "133M"),
    "vgg11_lrn": _vgg("A-LRN", 11, (f"{_A[0]} LRN", *_A[1:]), "133M"),
    "vgg13": _vgg("B", 13, _B, "133M"),
    "vgg16_c": _vgg("C", 16, _vgg_blocks(2, 2, 3, 3, 3, last=1), "134M"),
    "vgg16": _vgg("D", 16, _vgg_blocks(2, 2, 3, 3, 3), "138M"),
    "vgg19": _vgg("E", 19, _vgg_blocks(2, 2, 4, 4, 4), "144M"),
    "googlenet_2014": _googlenet(),
    "googlenet": _googlenet(),
    **DETECTORS,
}
"""The table that a paper prints of a net, by the name in the catalog."""
