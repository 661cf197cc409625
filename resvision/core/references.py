"""Things named as text, `package.module:name`: rows of our tables, and a user's own models, data sets and recipes."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from resvision.core.errors import MissingExtraError, ResVisionError, SettingsError, UnknownNameError, nearest

EXTRAS = {
    "torch": "train",
    "torchvision": "train",
    "sklearn": "train",
    "matplotlib": "train",
    "jinja2": "train",
    "tensorboard": "train",
}
"""Modules that come with an extra of the package, and its name."""


def is_reference(name: str) -> bool:
    """Whether the name has the form `package.module:name`."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def load(reference: str, *, kind: str) -> Callable[..., Any]:
    """The function or class that `package.module:name` names. Raises as `find`, also for other objects."""
    found: Any = find(reference, kind=kind)
    if not callable(found):
        name = reference.partition(":")[2]
        raise UnknownNameError(f"unknown {kind} {reference!r}: {name} is a {type(found).__name__}, not a function")
    function: Callable[..., Any] = found
    return function


def find(reference: str, *, kind: str) -> Any:
    """The object that `package.module:name` names; modules in the working directory are found too, last.

    Raises UnknownNameError where it is not there, MissingExtraError where its module needs an extra, SettingsError
    where its module fails.
    """
    module_name, _, name = reference.partition(":")
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.append(str(Path.cwd()))
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if f"{module_name}.".startswith(f"{error.name}."):
            raise UnknownNameError(f"unknown {kind} {reference!r}: no module named {error.name!r}") from None
        if (missing := missing_extra(error)) is not error:
            raise missing from None
        raise SettingsError(f"{kind} {reference!r}: {_told(reference, error)}") from error
    except Exception as error:
        raise SettingsError(f"{kind} {reference!r}: {_told(reference, error)}") from error
    if not hasattr(module, name):
        close = nearest(name, [key for key in vars(module) if not key.startswith("_")])
        hint = f"; nearest: {', '.join(close)}" if close else ""
        raise UnknownNameError(f"unknown {kind} {reference!r}: module {module_name} has no {name!r}{hint}")
    return getattr(module, name)


@contextmanager
def own_code(reference: str, *, error: type[ResVisionError] = SettingsError) -> Iterator[None]:
    """What goes wrong inside a user's own function, errors of ours apart, becomes an `error` that names file and line.

    For a name of ours, which is no reference, nothing changes.
    """
    try:
        yield
    except Exception as wrong:
        if isinstance(wrong, ResVisionError) or not is_reference(reference):
            raise
        raise error(f"{reference}: {_told(reference, wrong)}") from wrong


def _told(reference: str, error: Exception) -> str:
    """Kind and words of an error, with the innermost line of the user's module that has part in it."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    name = f"{reference.partition(':')[0].rpartition('.')[2]}.py"
    inside = [frame for frame in frames if Path(frame.filename).name == name]
    place = "".join(f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in inside[-1:])
    return f"{type(error).__name__}: {error}{place}"


def missing_extra(error: ModuleNotFoundError) -> Exception:
    """The error that names the extra to install, or `error` itself where no extra of ours brings the module."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return error
    return MissingExtraError(f"this needs {module}, which is not installed: pip install 'resvision[{EXTRAS[module]}]'")
