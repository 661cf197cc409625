"""The options that a builder takes, read off its signature, and checks of the values that a user gives."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

import msgspec

from resvision.catalog.row import Row
from resvision.catalog.table import find
from resvision.core import references
from resvision.core.errors import SettingsError, nearest
from resvision.core.meanings import form

POSITIVE = (
    *("num_classes", "in_channels", "width", "input_size"),
    *("channels", "decoder_width", "output_stride", "hidden", "proposals", "smallest_anchor_px"),
    *("svd_fc6", "svd_fc7", "window_px"),
    *("steps", "modes", "frames", "tracks"),
)
"""Options that count something, so that a value below 1 is a mistake whatever the builder."""

INPUT, WINDOW = "input_size", "window_px"
"""The side of the images that a net takes, and that of the windows of images that a net over a backbone shows to it. A
builder with the second decides the first for its backbone."""

_NOT_OF_THE_NET = ("num_classes", "zero_init")

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_MODULES = ("Module", "nn.Module", "torch.nn.Module")  # as text where annotations are not evaluated
_REQUIRED = inspect.Parameter.empty


def options(name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The options that `build` takes for a model's name, besides num_classes, with their defaults.

    An option that must be given has the default `inspect.Parameter.empty`. A net over a backbone also takes the
    options of the backbone, which is the usual one unless `given` names another.
    """
    row = find(name)
    builder = references.load(row.builder, noun="model")
    taken = own_options(row, builder)
    backbone = {**row.usual, **(given or {}), **row.options}.get("backbone")
    if takes_backbone(builder) and isinstance(backbone, str):
        taken = {**options(backbone), **taken}
        if WINDOW in taken:
            taken.pop(INPUT, None)
    return {**taken, **row.usual}


def identity(name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The builder of a net and all of its options with their values: equal for two names of one net.

    The number of classes, and an option that only draws other weights, are left out.
    """
    row = find(name)
    values = {**options(name, given), **(given or {}), **row.options, "builder": row.builder}
    return {key: value for key, value in values.items() if key not in _NOT_OF_THE_NET}


def choices(name: str, given: Mapping[str, Any] | None = None) -> dict[str, tuple[Any, ...]]:
    """The values of each option that `build` takes for a model's name and that has a few only, such as True and False.

    Options of a backbone are among them, as for `options`.
    """
    row = find(name)
    builder = references.load(row.builder, noun="model")
    parameters = inspect.signature(builder).parameters
    annotations = {key: parameters[key].annotation for key in own_options(row, builder)}
    few = {key: (True, False) if hint is bool else get_args(hint) for key, hint in annotations.items()}
    own = {
        key: values for key, values in few.items() if values and all(isinstance(v, bool | int | str) for v in values)
    }
    backbone = {**row.usual, **(given or {}), **row.options}.get("backbone")
    below = choices(backbone) if takes_backbone(builder) and isinstance(backbone, str) else {}
    return {**below, **own}


def own_options(row: Row, builder: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of the builder itself that a user may give, with their defaults."""
    return {
        key: parameter.default
        for key, parameter in inspect.signature(builder).parameters.items()
        if key != "num_classes" and key not in row.options and parameter.kind in _NAMED
    }


def takes(function: Callable[..., Any], key: str) -> bool:
    """Whether a function takes a keyword argument of this name."""
    parameter = inspect.signature(function).parameters.get(key)
    return takes_anything(function) or (parameter is not None and parameter.kind in _NAMED)


def takes_anything(function: Callable[..., Any]) -> bool:
    """Whether a function takes keyword arguments that it does not name."""
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)


def takes_backbone(builder: Callable[..., Any]) -> bool:
    """Whether a builder has a parameter `backbone` that is a module."""
    parameter = inspect.signature(builder).parameters.get("backbone")
    return parameter is not None and getattr(parameter.annotation, "__name__", parameter.annotation) in _MODULES


def require_num_classes(name: str, builder: Callable[..., Any], num_classes: int | None) -> None:
    """Raise a SettingsError if the builder needs num_classes and gets none, or gets it and has no such parameter."""
    parameter = inspect.signature(builder).parameters.get("num_classes")
    if num_classes is not None and not takes(builder, "num_classes"):
        remedy = "give it that parameter, or leave num_classes out"
        raise SettingsError(f"{name}: has no parameter num_classes, and {num_classes} classes are asked for; {remedy}")
    if num_classes is None and parameter is not None and parameter.default is _REQUIRED:
        raise SettingsError(f"{name}: needs num_classes; say how many classes it shall tell apart")


def require_positive(name: str, given: Mapping[str, Any]) -> None:
    """Raise a SettingsError for an option that counts something and is below 1."""
    for key in POSITIVE:
        if isinstance(given.get(key), int) and given[key] < 1:
            raise SettingsError(f"{name}: {key} is {given[key]}; it must be at least 1")


def known_options(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    *,
    noun: str = "option",
    fixed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A copy of `given`, checked against the function's signature; `fixed` are parameters that nobody may give.

    Raises SettingsError for a name that is not a parameter, a value that does not suit its annotation, and a
    parameter without default that is not given.
    """
    parameters = inspect.signature(function).parameters
    if takes_anything(function):
        return dict(given)
    choices = [key for key, parameter in parameters.items() if parameter.kind in _NAMED and key not in (fixed or {})]
    for key, value in given.items():
        if key not in choices:
            raise unknown_option(key, choices, noun=noun)
        _check_value(key, value, parameters[key].annotation)
    missing = [key for key in choices if parameters[key].default is _REQUIRED and key not in given]
    if missing:
        raise SettingsError(f"missing {noun}: {', '.join(missing)}")
    return dict(given)


def unknown_option(key: str, choices: Iterable[str], *, noun: str) -> SettingsError:
    """The error for an option that a builder does not take, with the nearest names and all choices."""
    choices = list(choices)
    similar = nearest(key, choices)
    hint = f"nearest: {', '.join(similar)}; " if similar else ""
    return SettingsError(f"unknown {noun} {key!r}; {hint}choices: {', '.join(choices)}")


def _check_value(key: str, value: Any, annotation: Any) -> None:
    """Check a number, a text or None against its annotation; the builder itself judges other values."""
    if not isinstance(value, bool | int | float | str | None) or annotation is _REQUIRED:
        return
    choices = [choice for part in (annotation, *get_args(annotation)) for choice in get_args(part)]
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        texts = [choice for choice in choices if isinstance(choice, str)]
        hint = f"choices are {', '.join(texts)}" if texts else f"expected {form(annotation)}"
        raise SettingsError(f"{key} {value!r:.60}: {hint}") from None
    except TypeError:  # an annotation that is not plain data
        return
