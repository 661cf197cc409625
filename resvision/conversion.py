"""Weights from elsewhere, fitted to a net of the catalog: options read off the shapes, heads renamed, open readings.

Some choices change what a net computes and no shape: where shortcuts without parameters pad channels, and which
convolution of a block strides. A file cannot tell them, so each is a `Reading`, which only labelled images can judge.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import nn

from resvision import catalog
from resvision.core.errors import SettingsError, WeightsError, nearest, printable
from resvision.core.meanings import as_text
from resvision.probes.shapes import WithoutDrawing
from resvision.training.checkpoints import State, same_layer
from resvision.weights.convert import Fit, fit, modules_that_differ, shapes, value_from_shapes
from resvision.weights.shortcut_padding import PADDINGS, Padding, padded_at_end, pads_channels

FROM_SHAPES = ("width", "in_channels", "num_classes")
"""Options that follow from the shapes of a file's tensors."""
UNTOLD = ("stride_in",)
"""Options that change strides and no shape."""
HEADS = ("fc", "linear", "classifier", "head", "last_linear", "logits")
"""Usual names of the last layer of a classification net."""


class Reading(NamedTuple):
    """A net that the weights may be of: the options that they cannot tell, and where its shortcuts pad channels."""

    options: dict[str, Any]
    padding: Padding | None

    def __str__(self) -> str:
        flags = [] if self.padding is None else [f"--padding {self.padding}"]
        return " ".join([*flags, *(f"--option {key}={value}" for key, value in self.options.items())])


class Fitted(NamedTuple):
    """Weights fitted to a net of the catalog: its options, the fit, and heads that were renamed, ours by theirs."""

    model: str
    options: dict[str, Any]
    fit: Fit
    heads: dict[str, str]

    def read_as(self, reading: Reading) -> State:
        """The weights for our net, under one reading."""
        if reading.padding != "both-sides":
            return self.fit.state
        return padded_at_end(meta_net(self.model, self.options), self.fit.state)


def fit_to(model: str, state: State, given: Mapping[str, Any], *, without_head: bool = False) -> Fitted:
    """Fit a state dict by our names to a model, whose options are those given and those that the shapes tell.

    without_head  leave out what depends on the number of classes, whether the file has it or not
    """
    # the classes follow from the head, and a head is known by its name or by the width, so the width comes first
    options = options_from_shapes(model, state, given, ("width", "in_channels"))
    heads = _renamed_heads(model, options, state)
    state = {_renamed(name, heads): tensor for name, tensor in state.items()}
    rest = {key: value for key, value in options.items() if key in given or key != "num_classes"}
    options = options_from_shapes(model, state, rest)
    own = meta_net(model, options).state_dict()
    if without_head:
        head = _head(model, options)
        own, state = (
            {name: tensor for name, tensor in some.items() if not any(_is_under(name, part) for part in head)}
            for some in (own, state)
        )
    return Fitted(model, options, fit(own, state), heads)


def _head(model: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules that depend on the number of classes. SettingsError for a net whose number is fixed."""
    two, three = (meta_net(model, {**options, "num_classes": count}).state_dict() for count in (2, 3))
    return modules_that_differ(shapes(two), shapes(three))


def renamed(state: State, renames: Mapping[str, str]) -> State:
    """The tensors with other names for whole modules, `linear` to `fc`, the first that fits of each.

    Raises WeightsError for a module that the file does not have, and where two tensors get one name.
    """
    for old in renames:
        if not any(_is_under(name, old) for name in state):
            modules = {name.rpartition(".")[0] for name in state} | {name.partition(".")[0] for name in state}
            similar = nearest(old, map(printable, modules - {""}))
            hint = f"; nearest: {', '.join(similar)}" if similar else ""
            raise WeightsError(f"--rename {printable(old)}: the file has no weights of that name{hint}")
    new = {_renamed(name, renames): tensor for name, tensor in state.items()}
    if len(new) < len(state):
        raise WeightsError("--rename: two weights would have one name")
    return new


def options_from_shapes(
    model: str, state: State, given: Mapping[str, Any], names: tuple[str, ...] = FROM_SHAPES
) -> dict[str, Any]:
    """The options to build the net with: those given, those that follow from the shapes, and the paper's classes."""
    accepted = (*catalog.options(model, given), "num_classes")
    options = {"num_classes": catalog.find(model).num_classes, **given}
    for name in names:
        if name in accepted and name not in given:
            options |= _from_shapes(model, state, options, name)
    return options


def readings(model: str, options: Mapping[str, Any], *, padding: Padding | None) -> list[Reading]:
    """The nets that weights of this model may be of, ours first; one alone where nothing is open.

    `options` and `padding` hold what a person has settled.
    """
    net = meta_net(model, options)
    paddings = [padding] if padding or not pads_channels(net) else [*PADDINGS]
    few, usual = catalog.choices(model, options), catalog.options(model, options)
    open_options = [key for key in UNTOLD if key in few and key not in options]
    values = [sorted(few[key], key=lambda value, key=key: value != usual[key]) for key in open_options]  # type: ignore[misc]
    first = _layers(net)
    options_of_reading = [dict(zip(open_options, chosen, strict=True)) for chosen in product(*values)]
    # a choice that changes no layer, as the stride of a block without 1x1 convolutions, is none
    differing = [
        chosen for chosen in options_of_reading[1:] if _layers(meta_net(model, {**options, **chosen})) != first
    ]
    candidates = [options_of_reading[0] if differing else {}, *differing]
    return [Reading(chosen, where) for chosen in candidates for where in paddings]


def fitting_option(model: str, options: Mapping[str, Any], state: State) -> str | None:
    """Find the option, written `key=value`, with which all weights of a file fit the net; None where none does."""
    usual = {**catalog.options(model, options), **options}
    for key, values in catalog.choices(model, options).items():
        for value in values:
            if value == usual.get(key):
                continue
            with suppress(SettingsError):
                if not fit(meta_net(model, {**options, key: value}).state_dict(), state).faults:
                    return f"{key}={as_text(value)}"
    return None


def meta_net(model: str, options: Mapping[str, Any]) -> nn.Module:
    """Build the net on the meta device."""
    with torch.device("meta"), WithoutDrawing():
        return catalog.build(model, **options)


def _from_shapes(model: str, state: State, options: Mapping[str, Any], name: str) -> dict[str, int]:
    """The option of that name as it follows from the shapes; empty where it does not."""

    def shapes_at(value: int) -> dict[str, tuple[int, ...]]:
        return shapes(meta_net(model, {**options, name: value}).state_dict())

    with suppress(SettingsError):  # a net that has one value only, as LeNet-5 has ten classes
        value = value_from_shapes(shapes_at, state, at=8)
        return {} if value is None else {name: value}
    return {}


def _renamed_heads(model: str, options: Mapping[str, Any], state: State) -> dict[str, str]:
    """Our name of the net's last layer, by the file's, where that is another usual one of the same entering width."""
    few, many = (dict[str, Any](options) | {"num_classes": count} for count in (2, 3))
    try:
        own, other = meta_net(model, few).state_dict(), meta_net(model, many).state_dict()
    except SettingsError:  # a net whose number of classes is fixed
        return {}
    missing = [head for head in modules_that_differ(shapes(own), shapes(other)) if f"{head}.weight" not in state]
    theirs = {name.rpartition(".")[0] for name in state if name not in own}
    candidates = {
        head: [name for name in theirs & {*HEADS} if _same_but_classes(own, head, state, name)] for head in missing
    }
    return {names[0]: head for head, names in candidates.items() if len(names) == 1}


def _same_but_classes(own: State, head: str, state: State, name: str) -> bool:
    """Whether a layer of a file is a head of ours, up to the number of classes."""
    wanted, given = own[f"{head}.weight"], state.get(f"{name}.weight")
    if given is None or not given.ndim:
        return False
    return same_layer(wanted[:1], given[:1]) and (f"{head}.bias" in own) == (f"{name}.bias" in state)


def _is_under(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module.removesuffix('.')}.")


def _renamed(name: str, renames: Mapping[str, str]) -> str:
    for old, new in renames.items():
        if _is_under(name, old):
            return new.removesuffix(".") + name[len(old.removesuffix(".")) :]
    return name


def _layers(net: nn.Module) -> list[tuple[str, str]]:
    """The name and the settings of every layer."""
    return [*_described(net)]


def _described(net: nn.Module) -> Iterator[tuple[str, str]]:
    for name, module in net.named_modules():
        yield name, f"{type(module).__name__}({module.extra_repr()})"
