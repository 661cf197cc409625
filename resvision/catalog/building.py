"""Building of nets by name, and the search for nets that fit below a system. Only a call loads torch."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from resvision.catalog.row import Row
from resvision.catalog.signatures import (
    INPUT,
    WINDOW,
    known_options,
    options,
    own_options,
    require_num_classes,
    require_positive,
    takes,
    takes_anything,
    takes_backbone,
    unknown_option,
)
from resvision.catalog.table import ROWS, find
from resvision.core import references
from resvision.core.errors import MissingStageError, SettingsError

if TYPE_CHECKING:
    from torch import nn


def build(name: str, *, num_classes: int | None = None, **options: Any) -> "nn.Module":
    """Build the net of a name with fresh weights, on the current default device ("meta" too), in training mode.

    num_classes  the number of classes, at least 1, for every builder that has such a parameter
    options      the builder's own; a net over a backbone takes the name of a model as `backbone`, and passes on to it
                 the options that are not its own

    Raises UnknownNameError for an unknown name, SettingsError for an option or value that the builder does not take,
    and where num_classes is missing or has no place.
    """
    row = find(name)
    given = options if num_classes is None else {"num_classes": num_classes, **options}
    for key in row.options.keys() & given.keys():
        raise SettingsError(f"{name}: {key} is {row.options[key]!r} by the name; choose another model instead")
    builder = references.load(row.builder, noun="model")
    given, fixed = {**row.usual, **given}, dict(row.options)
    require_num_classes(name, builder, num_classes)
    if takes_backbone(builder):
        fixed["backbone"], given = _build_backbone(row, builder, given)
    given = known_options(builder, given, noun=f"option of {name}", fixed=fixed)
    require_positive(name, given)
    try:
        with references.own_code(name):
            net: nn.Module = builder(**fixed, **given)
    except MissingStageError as error:
        raise MissingStageError(f"{name}: {error}; these will do: {', '.join(backbones(name, given))}") from None
    except ValueError as error:  # of torch, about a value such as a share of dropout above 1
        raise SettingsError(f"{name}: {error}") from None
    if not callable(getattr(net, "state_dict", None)):
        raise SettingsError(f"{name}: gave {type(net).__name__}, not a torch.nn.Module")
    return net


def backbones(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the models over which the builder of `name` builds a net with the options `given`.

    Whether a model fits depends on its stages, so one narrow net of each builder in the table is tried.
    """
    above = find(name)
    builder = references.load(above.builder, noun="model")
    fits: dict[str, bool] = {}
    for row in ROWS:
        if row.is_backbone and row.builder not in fits:
            narrow = {"width": 4} if "width" in options(row.name) else {}
            backbone = build(row.name, num_classes=row.num_classes, **narrow)
            try:
                fits[row.builder] = bool(builder(**{**above.options, **given, "backbone": backbone}))
            except SettingsError:
                fits[row.builder] = False
        if fits.get(row.builder):
            yield row.name


def _build_backbone(
    row: Row, builder: Callable[..., Any], given: Mapping[str, Any]
) -> tuple["nn.Module", dict[str, Any]]:
    """Build the backbone of a row's net, and return it with the part of `given` that is left for the builder itself."""
    name = row.options.get("backbone", given.get("backbone"))
    if not isinstance(name, str):
        raise SettingsError(f"{row.name}: backbone: expected the name of a model, such as resnet50, got {name!r:.60}")
    below = find(name)
    if not below.is_backbone:
        raise SettingsError(f"{row.name}: backbone: {name} is a net for {below.task}; choose a classification net")
    own_names, backbone_names, builder_below = (
        own_options(row, builder),
        options(name),
        references.load(below.builder, noun="model"),
    )
    for_builder = {key: value for key, value in given.items() if key in own_names or key == "num_classes"}
    passed_on = {key: value for key, value in given.items() if key not in for_builder}
    if not takes_anything(builder_below):
        for key in passed_on.keys() - backbone_names.keys():
            raise unknown_option(key, [*own_names, *backbone_names], noun=f"option of {row.name} over {name}")
    for_builder.pop("backbone", None)
    if WINDOW in own_names and INPUT in backbone_names:
        side = passed_on[INPUT] = for_builder.get(WINDOW, own_names[WINDOW])
        if isinstance(side, int) and side < 1:
            raise SettingsError(f"{row.name}: {WINDOW} is {side}; it must be at least 1")
    # The classes of the backbone's own head, which the system above cuts off, are the paper's.
    num_classes = below.num_classes if takes(builder_below, "num_classes") else None
    return build(name, num_classes=num_classes, **passed_on), for_builder
