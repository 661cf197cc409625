"""The leaves of a settings tree described: meanings from docstrings, forms, choices and defaults from declarations.

A docstring has a line `name    meaning` for each field, or `name, other    meaning`; the lines below it that stand
further in go on with it.
"""

import dataclasses
import inspect
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from msgspec import Meta

_ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*) {2,}(?P<meaning>\S.*)")
_CHOICE = re.compile(r" +[\w-]+: ")  # a line that says what one of the choices means
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "none"}


class Leaf(NamedTuple):
    """A value that `--set` takes.

    path     such as `optimizer.lr`
    form     the form of its values, in words
    choices  its values, where they are few
    default  as text; "" where there is none, since a recipe or a user must say it
    """

    path: str
    meaning: str
    form: str
    choices: tuple[str, ...]
    default: str


def meanings(documented: Any) -> dict[str, str]:
    """The meanings of the names that the docstring of a function, or of a class and those that it inherits, lists."""
    entries: dict[str, str] = {}
    for parent in documented.__mro__[-2:0:-1] if isinstance(documented, type) else ():
        entries |= meanings(parent)
    names: list[str] = []
    for line in (inspect.getdoc(documented) or "").splitlines():
        if entry := _ENTRY.fullmatch(line):
            names = entry["names"].split(", ")
            entries |= dict.fromkeys(names, entry["meaning"])
        elif line.startswith("  ") and names:
            gap = "; " if _CHOICE.match(line) else " "
            entries |= {name: f"{entries[name]}{gap}{line.strip()}" for name in names}
        else:
            names = []
    return entries


def describe(tree_type: type, *, at: str, trees: Mapping[str, type] | None = None) -> Iterator[Leaf]:
    """Yield the leaves of a settings tree in order; mappings of option names have none.

    trees  types of fields, by path, that are declared as an abstract base
    """
    hints = get_type_hints(tree_type, include_extras=True)
    known = meanings(tree_type)
    for field in dataclasses.fields(tree_type):
        path = f"{at}.{field.name}" if at else field.name
        hint = (trees or {}).get(path, hints[field.name])
        below = [part for part in parts(hint) if dataclasses.is_dataclass(part)]
        if len(below) == 1 and isinstance(below[0], type):
            yield from describe(below[0], at=path, trees=trees)
        elif get_origin(hint) is not dict:
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            written = "" if default is dataclasses.MISSING else as_text(default)
            yield Leaf(path, known.get(field.name, ""), form(hint), choices(hint), written)


def describe_parameters(function: Any, *, at: str, leave_out: Sequence[str] = ()) -> Iterator[Leaf]:
    """Yield the parameters of a function that are plain data, in order."""
    known = meanings(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if name in leave_out or parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}:
            continue
        declared = parameter.annotation is not parameter.empty
        written = "" if parameter.default is parameter.empty else as_text(parameter.default)
        hint = parameter.annotation if declared else Any
        yield Leaf(f"{at}.{name}", known.get(name, ""), form(hint), choices(hint), written)


def form(hint: Any) -> str:
    """The form of a type's values in words: `a number above 0`, `numbers with commas between, such as 0.5,1`."""
    if get_origin(hint) is Annotated:
        inner, *metas = get_args(hint)
        descriptions = [meta.description for meta in metas if isinstance(meta, Meta) and meta.description]
        return descriptions[0] if descriptions else f"{form(inner)}{_bounds(metas)}"
    if get_origin(hint) is tuple:
        return _form_of_tuple(
            [part for part in get_args(hint) if part is not Ellipsis], fixed=... not in get_args(hint)
        )
    if get_origin(hint) is Literal:
        return "one of the choices"
    options = parts(hint)
    if len(options) > 1:
        return " or ".join(form(option) for option in options)
    return _WORDS.get(hint, "text" if isinstance(hint, type) else "any value")


def choices(hint: Any) -> tuple[str, ...]:
    """The values of a type, as text, where they are few; () elsewhere."""
    if get_origin(hint) is Annotated:
        return choices(get_args(hint)[0])
    if hint is bool:
        return ("true", "false")
    if get_origin(hint) is Literal:
        return tuple(str(choice) for choice in get_args(hint))
    members = [part for part in parts(hint) if part is not type(None)]
    if len(members) != 1 or len(parts(hint)) == 1:
        return ()
    few = choices(members[0])
    return (*few, "none") if few and "none" not in few else few


def parts(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the type alone."""
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


def as_text(value: Any) -> str:
    """A value as `--set` takes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(as_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _form_of_tuple(members: Sequence[Any], *, fixed: bool) -> str:
    several = {"a number": "numbers", "a whole number": "whole numbers", "text": "texts"}
    one = form(members[0]) if members else "text"
    plain = next((plural for word, plural in several.items() if one.startswith(word)), one)
    bounds = next((one.removeprefix(word) for word in several if one.startswith(word)), "")
    count = f"{len(members)} " if fixed else ""
    commas = "a comma" if fixed and len(members) == 2 else "commas"
    example = "a,b" if plain == "texts" else "8,16" if plain == "whole numbers" else "0.5,1"
    return f"{count}{plain}{bounds} with {commas} between, such as {example}"


def _bounds(metas: Sequence[Any]) -> str:
    """The bounds of a number in words: ` above 0`, ` from 0 to 1`."""
    meta = next((meta for meta in metas if isinstance(meta, Meta)), None)
    if meta is None:
        return ""
    low = f" above {meta.gt}" if meta.gt is not None else f" from {meta.ge} on" if meta.ge is not None else ""
    high = f" below {meta.lt}" if meta.lt is not None else f" up to {meta.le}" if meta.le is not None else ""
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}" if meta.le < 2**62 else low
    return f"{low}{' and' if low and high else ''}{high}"
