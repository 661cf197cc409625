"""The one table of what can be built by name. Importing it loads no torch: rows name functions as text.

A user's own builder is named like ours, `package.module:function`, wherever a name is taken.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from resvision.core import references
from resvision.core.errors import MissingStageError, SettingsError, nearest, unknown_name

if TYPE_CHECKING:
    from torch import nn

POSITIVE = ("num_classes", "in_channels", "width", "input_size")

TASKS = {
    "classification": "resvision.classification.task:Classification",
    "segmentation": "resvision.segmentation.task:Segmentation",
}
"""What is asked of nets, and where it stands."""

SYSTEMS = {
    "classification": "resvision.classification.classifier:Classifier",
    "segmentation": "resvision.segmentation.segmenter:Segmenter",
}
"""What trains a net of a task, where its row names nothing else."""

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_MODULES = ("Module", "nn.Module", "torch.nn.Module")  # as text where annotations are not evaluated
_REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Row:
    """One name.

    options      what the name stands for: given to the builder, and not to be given again
    usual        what is given unless a user says otherwise
    builder      "module:function"; its other parameters are the options that a user may give. A parameter `backbone`
                 that is an nn.Module is given as the name of a model, whose options then are options of this one too
    system       "module:class" that trains the net
    recipe       the recipe when none is named
    input        (C, H, W) of the paper's images
    num_classes  the paper's
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    usual: Mapping[str, Any] = field(default_factory=dict)
    task: str = "classification"
    paper: str
    year: int
    builder: str
    system: str = SYSTEMS["classification"]
    recipe: str = "small-images-short"
    input: tuple[int, int, int] = (3, 32, 32)
    num_classes: int = 10


_lenet_1998 = partial(
    Row,
    paper="LeCun et al. 1998, Gradient-Based Learning, doi:10.1109/5.726791",
    year=1998,
    input=(1, 32, 32),
)
_vgg_2014 = partial(
    Row,
    paper="Simonyan, Zisserman 2014, Very Deep Convolutional Networks, arXiv:1409.1556",
    year=2014,
    builder="resvision.classification.vgg:vgg",
    recipe="vgg-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_imagenet_2015 = partial(
    Row,
    paper="He et al. 2015, Deep Residual Learning, arXiv:1512.03385",
    year=2015,
    builder="resvision.classification.resnet:resnet",
    recipe="photos-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_cifar_2015 = partial(
    Row,
    paper="He et al. 2015, Deep Residual Learning, arXiv:1512.03385",
    year=2015,
    builder="resvision.classification.resnet_cifar:resnet_cifar",
)
_cifar_2016 = partial(
    Row,
    paper="He et al. 2016, Identity Mappings, arXiv:1603.05027",
    year=2016,
    builder="resvision.classification.preresnet:preresnet",
)
_googlenet = partial(
    Row,
    paper="Szegedy et al. 2014, Going Deeper with Convolutions, arXiv:1409.4842",
    year=2014,
    builder="resvision.classification.googlenet:googlenet",
    system="resvision.classification.auxiliary:AuxiliaryClassifier",
    recipe="inception-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_bn_inception = partial(
    Row,
    paper="Ioffe, Szegedy 2015, Batch Normalization, arXiv:1502.03167",
    year=2015,
    builder="resvision.classification.bn_inception:bn_inception",
    recipe="inception-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_prelunet = partial(
    Row,
    paper="He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852",
    year=2015,
    builder="resvision.classification.prelunet:prelunet",
    recipe="prelunet-short",
    input=(3, 224, 224),
    num_classes=1000,
)
_perceptron = partial(
    Row,
    paper="ours, after He et al. 2015, arXiv:1512.03385",
    year=2015,
    builder="resvision.classification.mlp:mlp",
)
_segmentation = partial(
    Row,
    task="segmentation",
    system="resvision.segmentation.segmenter:Segmenter",
    recipe="segmentation-short",
    input=(3, 512, 512),
    num_classes=21,
)
_fcn = partial(
    _segmentation,
    paper="Long et al. 2015, Fully Convolutional Networks, arXiv:1411.4038",
    year=2015,
)
_fcn_vgg = partial(
    _fcn,
    builder="resvision.segmentation.fcn_vgg:fcn_vgg",
    input=(3, 500, 500),
)
_fcn_any = partial(
    _fcn,
    builder="resvision.segmentation.fcn:fcn",
)
_pspnet = partial(
    _segmentation,
    paper="Zhao et al. 2017, Pyramid Scene Parsing Network, arXiv:1612.01105",
    year=2017,
    builder="resvision.segmentation.pspnet:pspnet",
    input=(3, 473, 473),
)
_deeplabv3 = partial(
    _segmentation,
    paper="Chen et al. 2017, Rethinking Atrous Convolution, arXiv:1706.05587",
    year=2017,
    builder="resvision.segmentation.deeplabv3:deeplabv3",
    input=(3, 513, 513),
)
_deeplabv3plus = partial(
    _segmentation,
    paper="Chen et al. 2018, Encoder-Decoder with Atrous Separable Convolution, arXiv:1802.02611",
    year=2018,
    builder="resvision.segmentation.deeplabv3plus:deeplabv3plus",
    input=(3, 513, 513),
)
_unet = partial(
    _segmentation,
    paper="Ronneberger et al. 2015, U-Net, arXiv:1505.04597",
    year=2015,
    num_classes=2,
)

ROWS = (
    _lenet_1998(
        "lenet5",
        builder="resvision.classification.lenet:lenet5",
        system="resvision.classification.lenet:LeNetClassifier",
        recipe="lenet-short",
    ),
    _lenet_1998("lenet5_modern", builder="resvision.classification.lenet:lenet5_modern"),
    Row(
        "alexnet_2012",
        paper="Krizhevsky et al. 2012, ImageNet Classification, doi:10.1145/3065386",
        year=2012,
        builder="resvision.classification.alexnet:alexnet_2012",
        recipe="alexnet-short",
        input=(3, 227, 227),
        num_classes=1000,
    ),
    Row(
        "alexnet",
        paper="Krizhevsky 2014, One Weird Trick, arXiv:1404.5997",
        year=2014,
        builder="resvision.classification.alexnet:alexnet",
        recipe="alexnet-short",
        input=(3, 224, 224),
        num_classes=1000,
    ),
    _vgg_2014("vgg11", {"config": "A", "batch_norm": False}),
    _vgg_2014("vgg13", {"config": "B", "batch_norm": False}),
    _vgg_2014("vgg16", {"config": "D", "batch_norm": False}),
    _vgg_2014("vgg19", {"config": "E", "batch_norm": False}),
    _vgg_2014("vgg11_bn", {"config": "A", "batch_norm": True}),
    _vgg_2014("vgg13_bn", {"config": "B", "batch_norm": True}),
    _vgg_2014("vgg16_bn", {"config": "D", "batch_norm": True}),
    _vgg_2014("vgg19_bn", {"config": "E", "batch_norm": True}),
    _vgg_2014("vgg11_lrn", {"config": "A-LRN", "batch_norm": False}),
    _vgg_2014("vgg16_c", {"config": "C", "batch_norm": False}),
    _imagenet_2015("resnet18", {"depth": 18}),
    _imagenet_2015("resnet34", {"depth": 34}),
    _imagenet_2015("resnet50", {"depth": 50}),
    _imagenet_2015("resnet101", {"depth": 101}),
    _imagenet_2015("resnet152", {"depth": 152}),
    _imagenet_2015("resnet50_v1", {"depth": 50, "stride_in": "1x1"}),
    _imagenet_2015("resnet101_v1", {"depth": 101, "stride_in": "1x1"}),
    _imagenet_2015("resnet152_v1", {"depth": 152, "stride_in": "1x1"}),
    _imagenet_2015("resnet18_a", {"depth": 18, "shortcut": "A"}),
    _imagenet_2015("resnet34_a", {"depth": 34, "shortcut": "A"}),
    _imagenet_2015("resnet34_b", {"depth": 34, "shortcut": "B"}),
    _imagenet_2015("resnet34_c", {"depth": 34, "shortcut": "C"}),
    _imagenet_2015("plain18", {"depth": 18, "shortcut": "none"}),
    _imagenet_2015("plain34", {"depth": 34, "shortcut": "none"}),
    _cifar_2015("resnet20", {"depth": 20}),
    _cifar_2015("resnet32", {"depth": 32}),
    _cifar_2015("resnet44", {"depth": 44}),
    _cifar_2015("resnet56", {"depth": 56}),
    _cifar_2015("resnet110", {"depth": 110}),
    _cifar_2015("resnet1202", {"depth": 1202}),
    _cifar_2015("resnet20_b", {"depth": 20, "shortcut": "B"}),
    _cifar_2015("resnet32_b", {"depth": 32, "shortcut": "B"}),
    _cifar_2015("resnet44_b", {"depth": 44, "shortcut": "B"}),
    _cifar_2015("resnet56_b", {"depth": 56, "shortcut": "B"}),
    _cifar_2015("resnet110_b", {"depth": 110, "shortcut": "B"}),
    _cifar_2015("resnet1202_b", {"depth": 1202, "shortcut": "B"}),
    _cifar_2015("plain20", {"depth": 20, "shortcut": "none"}),
    _cifar_2015("plain32", {"depth": 32, "shortcut": "none"}),
    _cifar_2015("plain44", {"depth": 44, "shortcut": "none"}),
    _cifar_2015("plain56", {"depth": 56, "shortcut": "none"}),
    _cifar_2015("plain110", {"depth": 110, "shortcut": "none"}),
    _cifar_2016("preresnet110", {"depth": 110, "block": "basic"}),
    _cifar_2016("preresnet164", {"depth": 164, "block": "bottleneck"}),
    _cifar_2016("preresnet1001", {"depth": 1001, "block": "bottleneck"}),
    _googlenet("googlenet", {"variant": "torchvision"}),
    _googlenet("googlenet_2014", {"variant": "2014"}),
    _bn_inception("bn_inception"),
    _prelunet("prelunet_a", {"model": "A"}),
    _prelunet("prelunet_b", {"model": "B"}),
    _prelunet("prelunet_c", {"model": "C"}),
    Row(
        "xception65",
        paper="Chen et al. 2018, Encoder-Decoder with Atrous Separable Convolution, arXiv:1802.02611",
        year=2018,
        builder="resvision.classification.xception65:xception65",
        recipe="photos-short",
        input=(3, 299, 299),
        num_classes=1000,
    ),
    _perceptron("resmlp", {"shortcut": "identity"}),
    _perceptron("plainmlp", {"shortcut": "none"}),
    _fcn_vgg("fcn32s", {"stride": 32}),
    _fcn_vgg("fcn16s", {"stride": 16}),
    _fcn_vgg("fcn8s", {"stride": 8}),
    _fcn_any("fcn", usual={"backbone": "resnet50"}),
    _fcn_any("fcn_resnet50", {"backbone": "resnet50"}),
    _fcn_any("fcn_resnet101", {"backbone": "resnet101"}),
    _pspnet("pspnet", usual={"backbone": "resnet50"}),
    # As released: the encoder of 50 layers strides in its 1x1 convolutions, that of 101 in its 3x3.
    _pspnet("pspnet_resnet50", {"backbone": "resnet50"}, usual={"stem": "deep", "stride_in": "1x1"}),
    _pspnet("pspnet_resnet101", {"backbone": "resnet101"}, usual={"stem": "deep"}),
    _deeplabv3("deeplabv3", usual={"backbone": "resnet50"}),
    _deeplabv3("deeplabv3_resnet50", {"backbone": "resnet50", "head": "torchvision"}),
    _deeplabv3("deeplabv3_resnet101", {"backbone": "resnet101", "head": "torchvision"}),
    _deeplabv3("deeplabv3_2017_resnet50", {"backbone": "resnet50", "head": "2017"}),
    _deeplabv3("deeplabv3_2017_resnet101", {"backbone": "resnet101", "head": "2017"}),
    _deeplabv3plus("deeplabv3plus", usual={"backbone": "resnet50"}),
    _deeplabv3plus("deeplabv3plus_resnet18", {"backbone": "resnet18"}),
    _deeplabv3plus("deeplabv3plus_resnet50", {"backbone": "resnet50"}),
    _deeplabv3plus("deeplabv3plus_resnet101", {"backbone": "resnet101"}),
    _deeplabv3plus("deeplabv3plus_xception65", {"backbone": "xception65"}, usual={"depthwise": True}),
    _unet("unet", builder="resvision.segmentation.unet:unet", input=(1, 572, 572)),
    _unet("unet_padded", builder="resvision.segmentation.unet:unet_padded"),
    _unet("unet_encoder", usual={"backbone": "resnet18"}, builder="resvision.segmentation.unet:unet_encoder"),
    _segmentation(
        "deconvnet",
        paper="Noh et al. 2015, Learning Deconvolution Network, arXiv:1505.04366",
        year=2015,
        builder="resvision.segmentation.deconvnet:deconvnet",
        input=(3, 224, 224),
    ),
)
_BY_NAME = {row.name: row for row in ROWS}


def find(name: str) -> Row:
    """The row of a name; for `package.module:function` a row that names that builder.

    Raises UnknownNameError with the nearest names.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    if references.is_reference(name):
        return Row(name, task="classification", paper="your own", year=0, builder=name)
    raise unknown_name("model", name, _BY_NAME, remedy="`resvision list` shows all")


def build(name: str, *, num_classes: int, **options: Any) -> "nn.Module":
    """The net of a name with fresh weights, on the current default device ("meta" too), in training mode.

    A net over a backbone takes the name of a model as `backbone`, and passes on the options that are not its own.
    Raises UnknownNameError for an unknown name, SettingsError for an option or value it does not take.
    """
    row = find(name)
    for key in row.options.keys() & {"num_classes", *options}:
        raise SettingsError(f"{name}: {key} is {row.options[key]!r} by the name; choose another model instead")
    builder = references.load(row.builder, kind="model")
    given = {**row.usual, "num_classes": num_classes, **options}
    fixed = dict(row.options)
    if takes_backbone(builder):
        fixed["backbone"], given = _build_backbone(row, builder, given)
    given = known_options(builder, given, kind=f"option of {name}", fixed=fixed)
    for key in POSITIVE:
        if isinstance(given.get(key), int) and given[key] < 1:
            raise SettingsError(f"{name}: {key} is {given[key]}; it must be at least 1")
    try:
        with references.own_code(name):
            net: nn.Module = builder(**fixed, **given)
    except MissingStageError as error:
        raise MissingStageError(f"{name}: {error}; these will do: {', '.join(_fitting(row, given))}") from None
    if not callable(getattr(net, "state_dict", None)):
        raise SettingsError(f"{name}: gave {type(net).__name__}, not a torch.nn.Module")
    return net


def options(name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The options that `build` takes for a name, besides num_classes, with their defaults.

    An option that must be given has the default `inspect.Parameter.empty`. A net over a backbone takes those of the
    backbone too, which is the usual one unless `given` names another.
    """
    row = find(name)
    builder = references.load(row.builder, kind="model")
    taken = _own_options(row, builder)
    backbone = {**row.usual, **(given or {}), **row.options}.get("backbone")
    if takes_backbone(builder) and isinstance(backbone, str):
        taken = {**options(backbone), **taken}
    return {**taken, **row.usual}


def takes_backbone(builder: Callable[..., Any]) -> bool:
    """Whether a builder has a parameter `backbone` that is a module."""
    parameter = inspect.signature(builder).parameters.get("backbone")
    return parameter is not None and getattr(parameter.annotation, "__name__", parameter.annotation) in _MODULES


def takes_anything(function: Callable[..., Any]) -> bool:
    """Whether a function takes keyword arguments that it does not name."""
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in inspect.signature(function).parameters.values())


def _own_options(row: Row, builder: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of the builder itself that a user may give, with their defaults."""
    return {
        key: parameter.default
        for key, parameter in inspect.signature(builder).parameters.items()
        if key != "num_classes" and key not in row.options and parameter.kind in _NAMED
    }


def _build_backbone(
    row: Row, builder: Callable[..., Any], given: Mapping[str, Any]
) -> tuple["nn.Module", dict[str, Any]]:
    """The net that a row's builder stands on, and what of `given` is left for the builder itself."""
    name = row.options.get("backbone", given.get("backbone"))
    if not isinstance(name, str):
        raise SettingsError(f"{row.name}: backbone: expected the name of a model, such as resnet50, got {name!r:.60}")
    if find(name).task != "classification":
        raise SettingsError(f"{row.name}: backbone: {name} is a net for {find(name).task}; choose a classification net")
    own, below = _own_options(row, builder), options(name)
    kept = {key: value for key, value in given.items() if key in own or key == "num_classes"}
    passed_on = {key: value for key, value in given.items() if key not in kept}
    if not takes_anything(references.load(find(name).builder, kind="model")):
        for key in passed_on.keys() - below.keys():
            raise _unknown_option(key, [*own, *below], kind=f"option of {row.name} over {name}")
    kept.pop("backbone", None)
    return build(name, num_classes=find(name).num_classes, **passed_on), kept


def _fitting(row: Row, given: Mapping[str, Any]) -> Iterator[str]:
    """The models over which the builder of a row builds; one narrow net of each of their builders is tried."""
    builder = references.load(row.builder, kind="model")
    fits: dict[str, bool] = {}
    for each in ROWS:
        if each.task == "classification" and each.builder not in fits:
            narrow = {"width": 4} if "width" in options(each.name) else {}
            backbone = build(each.name, num_classes=each.num_classes, **narrow)
            try:
                fits[each.builder] = bool(builder(backbone=backbone, **given))
            except SettingsError:
                fits[each.builder] = False
        if fits.get(each.builder):
            yield each.name


def system(name: str, task: str | None = None) -> Callable[..., Any]:
    """The class of the system that trains the net of a name, a user's own net being for `task`."""
    row = find(name)
    of_row = row.system if task in {None, row.task} else SYSTEMS[str(task)]
    loaded: Callable[..., Any] = references.load(of_row, kind="system")
    return loaded


def known_options(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    *,
    kind: str = "option",
    fixed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`given`, after a look at the function's signature; `fixed` are parameters that are not to be given.

    Raises SettingsError for a name that is not a parameter, a value that does not suit its annotation, and a
    parameter without default that is not given.
    """
    parameters = inspect.signature(function).parameters
    if takes_anything(function):
        return dict(given)
    choices = [key for key, parameter in parameters.items() if parameter.kind in _NAMED and key not in (fixed or {})]
    for key, value in given.items():
        if key not in choices:
            raise _unknown_option(key, choices, kind=kind)
        _check_value(key, value, parameters[key].annotation)
    missing = [key for key in choices if parameters[key].default is _REQUIRED and key not in given]
    if missing:
        raise SettingsError(f"missing {kind}: {', '.join(missing)}")
    return dict(given)


def _unknown_option(key: str, choices: list[str], *, kind: str) -> SettingsError:
    close = nearest(key, choices)
    hint = f"nearest: {', '.join(close)}; " if close else ""
    return SettingsError(f"unknown {kind} {key!r}; {hint}choices: {', '.join(choices)}")


def _check_value(key: str, value: Any, annotation: Any) -> None:
    """Hold a number, text or None against its annotation; other values are the builder's own to judge."""
    if not isinstance(value, bool | int | float | str | None) or annotation is _REQUIRED:
        return
    choices = [choice for part in (annotation, *get_args(annotation)) for choice in get_args(part)]
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        texts = [choice for choice in choices if isinstance(choice, str)]
        hint = f"choices are {', '.join(texts)}" if texts else str(error).lower()
        raise SettingsError(f"{key} {value!r:.60}: {hint}") from None
    except TypeError:  # an annotation that is not plain data
        return
