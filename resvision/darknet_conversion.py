"""Darknet's files of weights for a net of the catalog: its classes from their number, and what else they would fit.

A file tells neither names nor shapes. Its numbers grow evenly with the classes of a net, so that their count tells
these, or that the file is of another net.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from torch import nn

from resvision import catalog
from resvision.classification.darknet import DarknetOrdered
from resvision.conversion import meta_net
from resvision.core import references
from resvision.core.errors import SettingsError, WeightsError, printable
from resvision.core.meanings import as_text
from resvision.core.views import Letterbox, Stretch, View
from resvision.detection.yolov1_nets import YOLOv1
from resvision.tasks import task_of
from resvision.training.checkpoints import State
from resvision.weights.darknet_cfg import Cfg, read_cfg
from resvision.weights.darknet_differences import anchors_px, differences
from resvision.weights.darknet_weights import DarknetFile, end_of, numbers_of, read_darknet

GREY = 128
"""Darknet's colour around an image, a half of 255."""


class DarknetWeights(NamedTuple):
    """The weights of a net in one of Darknet's files, by our names, and the options of the net, its classes too."""

    state: State
    options: dict[str, Any]


def read_for(
    model: str, looked_at: DarknetFile, given: Mapping[str, Any], *, without_head: bool = False
) -> DarknetWeights:
    """Read the weights of a model, whose options are those given.

    without_head  the file ends before the last layer, as darknet53.conv.74 does

    Raises WeightsError for a file with more or fewer numbers, which tells what of ours it would fit, for a model that
    is no net of Darknet, and where the file is damaged.
    """
    options = {"num_classes": catalog.find(model).num_classes, **given}
    if not without_head and "num_classes" not in given:
        classes = _classes_for(model, options, looked_at.numbers)
        options["num_classes"] = classes or options["num_classes"]
    net = meta_net(model, options)
    wanted = numbers_of(net, without_head=without_head)
    if wanted != looked_at.numbers:
        head = ", its last layer apart," if without_head else ""
        raise WeightsError(
            f"{printable(looked_at.path)}: holds {looked_at.numbers:,} numbers behind its header, and {model} with"
            f" {options['num_classes']} classes{head} has {wanted:,}; {_remedy(model, net, looked_at, given)}"
        )
    return DarknetWeights(read_darknet(looked_at, net, without_head=without_head), options)


def require_same(cfg_file: Path, model: str, options: Mapping[str, Any]) -> Cfg:
    """Read a cfg file of the model's net. WeightsError, with the differences, where it is of another."""
    cfg = read_cfg(cfg_file)
    if lines := differences(cfg, meta_net(model, options)):
        remedy = ""
        if any(line.startswith("anchors") for line in lines):
            pixels = anchors_px(cfg)
            shapes = " ".join(f"{wide:g},{high:g}" for wide, high in zip(pixels[::2], pixels[1::2], strict=True))
            remedy = f"; --option anchors='{shapes}' gives it these"
        raise WeightsError(f"{printable(cfg_file)}: is of another net than {model} here: {'; '.join(lines)}{remedy}")
    return cfg


def darknets_view(model: str, cfg: Cfg | None) -> View:
    """The view of Darknet's images, in 0..1, of the size that a cfg says or else of the paper's.

    YOLOv1 sees them stretched, later ones whole with grey around them, and classifiers their middle.
    """
    row = catalog.find(model)
    channels, side = (row.input[0], row.input[1]) if cfg is None else (cfg.image[0], max(cfg.image[1:]))
    mean, std = (0.0,) * channels, (1.0,) * channels
    if issubclass(_net_class(row), YOLOv1):
        return Stretch(channels=channels, mean=mean, std=std, resize_px=side, crop_px=side)
    usual = task_of(row.task).usual_view((), mean=mean, std=std, input_px=side)
    return replace(usual, fill=GREY) if isinstance(usual, Letterbox) else usual


def _classes_for(model: str, options: Mapping[str, Any], numbers: int) -> int | None:
    """The number of classes with which a model has so many numbers, None where there is none."""
    of_net = tuple(sorted((key, value) for key, value in options.items() if key != "num_classes"))
    one, two = (_count(model, (*of_net, ("num_classes", classes))) for classes in (1, 2))
    more, rest = divmod(numbers - one, two - one)
    return 1 + more if rest == 0 and more >= 0 else None


@cache  # a file that fits nothing is held against every net of Darknet
def _count(model: str, options: tuple[tuple[str, Any], ...]) -> int:
    return numbers_of(meta_net(model, dict(options)))


def _remedy(model: str, net: nn.Module, looked_at: DarknetFile, given: Mapping[str, Any]) -> str:
    """The net that a file would fit; where there is none, what may have become of the file."""
    numbers, wanted = looked_at.numbers, numbers_of(net)
    if numbers == numbers_of(net, without_head=True):
        return "it ends before the last layer: --without-head takes all others, for model.encoder_from"
    if fits := _fitting(model, {key: value for key, value in given.items() if key != "num_classes"}, numbers):
        return f"it fits {fits}"
    for row in catalog.ROWS:
        if row.name != model and _is_darknets(row) and (fits := _fitting(row.name, {}, numbers)):
            return f"it fits {fits}"
    for name in _classifiers():
        if numbers == numbers_of(meta_net(name, {"num_classes": 2}), without_head=True):
            return (
                f"it fits {name} without its last layer: `resvision convert FILE {name} --without-head` makes a file"
                " for model.encoder_from"
            )
    return (
        f"it ends {end_of(numbers, net)}: cut short, or of another net" if numbers < wanted else "it is of another net"
    )


def _fitting(model: str, options: Mapping[str, Any], numbers: int) -> str | None:
    """A model with the options and classes with which it has so many numbers, in words; None without any."""
    variants, usual = [dict(options)], catalog.options(model, options)
    for key, values in catalog.choices(model, options).items():
        variants += [{**options, key: value} for value in values if value != usual[key]]
    for variant in variants:
        with suppress(SettingsError):
            if classes := _classes_for(model, variant, numbers):
                changed = {key: value for key, value in variant.items() if options.get(key) != value}
                flags = "".join(f", --option {key}={as_text(value)}" for key, value in changed.items())
                return f"{model} with {classes} classes{flags}"
    return None


def _net_class(row: catalog.Row) -> type:
    """The class of a row's net as its builder is annotated; `object` where it is not."""
    returned = get_type_hints(references.load(row.builder, noun="model")).get("return")
    return returned if isinstance(returned, type) else object


def _is_darknets(row: catalog.Row) -> bool:
    """Whether a row's builder gives nets that Darknet has."""
    return issubclass(_net_class(row), DarknetOrdered)


def _classifiers() -> Iterator[str]:
    """Yield the names of the classification nets that Darknet has."""
    for row in catalog.ROWS:
        if row.is_backbone and _is_darknets(row):
            yield row.name
