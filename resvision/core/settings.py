"""Settings trees: frozen dataclasses that go to JSON and back, strictly, and whose leaves can be set by text.

A tree is a frozen dataclass whose fields are other such trees or leaves: numbers, text, booleans, None,
tuples, literals, and flat mappings of option names. Every error is a SettingsError that names the key by its
path (`optimizer.lr`) and, where there are some, the choices.
"""

import dataclasses
import json
import math
import re
import reprlib
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from resvision.core.errors import SettingsError, nearest, unknown_name
from resvision.core.meanings import form

Tree = TypeVar("Tree")
Scalar = bool | int | float | str | None

_SHORT = reprlib.Repr()  # a value of any size as a piece of one line
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60

_TYPES = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "text", "null": "none"}
_TYPES |= {"array": "a list", "object": "an object"}
"""The names of types in msgspec's errors, in words."""


def to_json(tree: Any) -> dict[str, Any]:
    """The tree as plain dicts, lists and scalars, with every value."""
    plain: dict[str, Any] = msgspec.to_builtins(tree)
    return plain


def from_json(tree_type: type[Tree], data: Any, *, at: str = "", types: Mapping[str, type] | None = None) -> Tree:
    """A tree of type `tree_type` from plain data; SettingsError on an unknown, missing or ill-typed key.

    types  of fields, by name, that are declared as an abstract base
    """
    if not isinstance(data, Mapping):
        raise SettingsError(f"{at or 'the settings'}: expected an object, got {type(data).__name__}")
    hints = {**get_type_hints(tree_type, include_extras=True), **(types or {})}
    for key in data:
        if key not in hints:
            raise _unknown_key(_join(at, str(key)), hints)
    for key in hints:
        if key not in data:
            raise SettingsError(f"{_join(at, key)}: missing")
    values = {key: _read(hint, data[key], at=_join(at, key)) for key, hint in hints.items()}
    return _construct(tree_type, values, at=at)


def from_options(tree_type: type[Tree], options: Mapping[str, Any], *, at: str) -> Tree:
    """A tree of type `tree_type` from some of its fields by name; the others take their defaults.

    Raises SettingsError on an unknown or ill-typed option, on a missing one that has no default, and for values that do
    not go together.
    """
    hints = get_type_hints(tree_type, include_extras=True)
    for key in options:
        if key not in hints:
            raise _unknown_key(_join(at, key), hints)
    for field in dataclasses.fields(tree_type):  # type: ignore[arg-type]
        if field.name not in options and field.default is field.default_factory is dataclasses.MISSING:
            raise SettingsError(f"{_join(at, field.name)}: missing")
    values = {key: _read(hints[key], value, at=_join(at, key)) for key, value in options.items()}
    return _construct(tree_type, values, at=at)


def checked(tree: Tree) -> Tree:
    """The tree itself, once it has passed the checks of reading it from JSON."""
    trees = {key: type(value) for key, value in _fields(tree).items() if dataclasses.is_dataclass(value)}
    return from_json(type(tree), to_json(tree), types=trees)


def with_leaf(tree: Tree, path: str, value: Any, *, text: bool = False, at: str = "") -> Tree:
    """The tree with another value at the path `a.b`, checked; with `text` the value is parsed by the field's type.

    Raises SettingsError for a key or a value that does not fit.
    """
    if not at:
        _require_known(tree, path)
    key, _, rest = path.partition(".")
    hints = get_type_hints(type(tree), include_extras=True)
    key_path = _join(at, key)
    if key not in hints:
        raise _unknown_key(key_path, hints)
    old: Any = getattr(tree, key)
    if rest and isinstance(old, dict):
        new: Any = {**old, rest: _scalar(value) if text else value}
        new = _read(hints[key], new, at=key_path)
    elif rest and dataclasses.is_dataclass(old):
        new = with_leaf(old, rest, value, text=text, at=key_path)
    elif rest:
        raise SettingsError(f"{_join(key_path, rest)}: {key_path} is a single value and has no keys below it")
    elif dataclasses.is_dataclass(old) or isinstance(old, dict):
        below = [*(old if isinstance(old, dict) else _fields(old))]
        raise SettingsError(f"{key_path}: a group of settings; set one of its keys: {', '.join(below) or 'any'}")
    elif text:
        new = _read(hints[key], _from_text(hints[key], value), at=key_path, strict=False)
    else:
        new = _read(hints[key], list(value) if isinstance(value, tuple) else value, at=key_path)
    return _construct(type(tree), {**_fields(tree), key: new}, at=at)


def _require_known(tree: Any, path: str) -> None:
    """Raise SettingsError for a path whose last name is no leaf there, with the nearest leaves of the whole tree."""
    node = tree
    for key in path.split("."):
        if not dataclasses.is_dataclass(node):
            return
        if key not in _fields(node):
            break
        node = getattr(node, key)
    else:
        return
    paths = [known for known, _ in leaves(tree)]
    similar = _nearest_leaves(path, paths)
    group = path.rpartition(".")[0]
    if group and all(known.startswith(f"{group}.") for known in similar):
        similar = [known.removeprefix(f"{group}.") for known in similar]
    hint = f"nearest: {', '.join(similar)}; " if similar else ""
    below = [known.removeprefix(f"{group}.") for known in paths if known.startswith(f"{group}.")]
    choices = f"keys of {group}: {', '.join(below)}" if below else f"keys: {', '.join(_fields(tree))}"
    raise SettingsError(f"unknown key {_SHORT.repr(path)}; {hint}{choices}; `resvision settings` lists all")


def _nearest_leaves(path: str, paths: list[str]) -> list[str]:
    """The leaves that have the last name of a path, wherever they stand, or are spelled like it."""
    last = path.rpartition(".")[2][:60]
    if same := [known for known in paths if known.rpartition(".")[2] == last.lower()]:
        return same
    names = dict.fromkeys(known.rpartition(".")[2] for known in paths)
    ends = nearest(last, names)
    return [known for end in ends for known in paths if known.rpartition(".")[2] == end][:3] or nearest(
        path[:60], paths
    )


def leaves(tree: Any, *, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of the tree with its path, in order."""
    for key, value in (tree if isinstance(tree, dict) else _fields(tree)).items():
        if dataclasses.is_dataclass(value) or isinstance(value, dict):
            yield from leaves(value, at=_join(at, key))
        else:
            yield _join(at, key), value


def differences(first: Any, second: Any) -> list[tuple[str, Any, Any]]:
    """Every leaf that differs, as (path, value in first, value in second); None stands for a missing leaf."""
    a, b = dict(leaves(first)), dict(leaves(second))
    return [(path, a.get(path), b.get(path)) for path in {**a, **b} if a.get(path) != b.get(path)]


def _read(hint: Any, value: Any, *, at: str, strict: bool = True) -> Any:
    trees = [option for option in _options(hint) if dataclasses.is_dataclass(option)]
    if trees:
        return None if value is None and _is_optional(hint) else _read_tree(trees, value, at=at)
    choices = [choice for literal in _literals(hint) for choice in get_args(literal)]
    if choices and value not in choices and not (value is None and _is_optional(hint)):
        error = unknown_name("value", str(value)[:60], [str(choice) for choice in choices])
        raise SettingsError(f"{at}: {error}")
    try:
        parsed = msgspec.convert(value, hint, strict=strict)
    except msgspec.ValidationError as error:
        descriptions = [
            meta.description for meta in get_args(hint) if isinstance(meta, msgspec.Meta) and meta.description
        ]
        expected = f"expected {descriptions[0]}" if descriptions else _in_words(str(error))
        if not strict and isinstance(value, list):  # a list was given as text, so its form is what was missed
            expected, value = f"expected {form(hint)}", ",".join(value)
        raise SettingsError(f"{at}: {expected}, got {_SHORT.repr(value)}") from None
    except UnicodeError:
        raise SettingsError(f"{at}: holds bytes that are no text, got {_SHORT.repr(value)}") from None
    for key, scalar in parsed.items() if isinstance(parsed, dict) else [("", parsed)]:
        for part in scalar if isinstance(scalar, tuple) else (scalar,):
            _require_writable(part, at=_join(at, key) if key else at)
    return parsed


def _in_words(message: str) -> str:
    """The part of an error of msgspec that says what was expected, in words: `expected a whole number >= 1`."""
    expected = message.lower().partition(", got ")[0]
    return re.sub(r"`([a-z |]+)`", lambda types: " or ".join(_TYPES.get(t, t) for t in types[1].split(" | ")), expected)


def _read_tree(trees: list[Any], value: Any, *, at: str) -> Any:
    """A tree of the only type, or of the type that the key `kind` of the data names among several.

    A type that must look at the data to know the types of its fields reads itself, by a class method `__from_json__`.
    """
    if len(trees) == 1 or not isinstance(value, Mapping):
        own_reader = getattr(trees[0], "__from_json__", None)
        return own_reader(value, at=at) if own_reader else from_json(trees[0], value, at=at)
    by_kind = {field.default: tree for tree in trees for field in dataclasses.fields(tree) if field.name == "kind"}
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in by_kind:
        error = unknown_name("value", str(kind)[:60], [str(name) for name in by_kind])
        raise SettingsError(f"{_join(at, 'kind')}: {error}")
    return from_json(by_kind[kind], value, at=at)


def _require_writable(value: Any, *, at: str) -> None:
    """Raise SettingsError for a value that JSON, or arithmetic in 64 bits, cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingsError(f"{at}: must be finite, got {value}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise SettingsError(f"{at}: a whole number of {value.bit_length()} bits; 64 with sign are the most")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeError:
            raise SettingsError(f"{at}: holds bytes that are no text, got {_SHORT.repr(value)}") from None


def _construct(tree_type: type[Tree], values: dict[str, Any], *, at: str) -> Tree:
    try:
        return tree_type(**values)
    except ValueError as error:
        raise SettingsError(f"{at}: {error}" if at else str(error)) from None


def _fields(tree: Any) -> dict[str, Any]:
    return {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}


def _from_text(hint: Any, text: str) -> Any:
    """The text as input of the type's parser: a tuple is cut at commas, `none` is None where None is allowed."""
    if _is_optional(hint) and text.lower() in {"none", "null"}:
        return None
    if any(get_origin(option) is tuple for option in _options(hint)):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _scalar(text: str) -> Scalar:
    """The value of an option given as text: JSON where it is JSON (`3`, `true`, `null`), text otherwise."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, or a number of thousands of digits, or all brackets
        return text
    return value if isinstance(value, bool | int | float | str | None) else text


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


def _literals(hint: Any) -> list[Any]:
    return [option for option in _options(hint) if get_origin(option) is Literal]


def _is_optional(hint: Any) -> bool:
    return type(None) in _options(hint)


def _unknown_key(path: str, choices: Mapping[str, Any]) -> SettingsError:
    group, _, key = path.rpartition(".")
    similar = nearest(key[:60], choices)
    hint = f"nearest: {', '.join(similar)}; " if similar else ""
    return SettingsError(
        f"unknown key {_SHORT.repr(path)}; {hint}keys{f' of {group}' if group else ''}: {', '.join(choices)}"
    )


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
