"""Things named as text, `package.module:name`: rows of our tables, and a user's own models, data sets and recipes."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from resvision.core.errors import MissingExtraError, UnknownNameError, nearest

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
    """The function or class that `package.module:name` names; modules in the working directory are found too, last.

    Raises UnknownNameError where it is not there, MissingExtraError where its module needs an extra.
    """
    module_name, _, name = reference.partition(":")
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.append(str(Path.cwd()))
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if f"{module_name}.".startswith(f"{error.name}."):
            raise UnknownNameError(f"unknown {kind} {reference!r}: no module named {error.name!r}") from None
        raise missing_extra(error) from None
    if not hasattr(module, name):
        close = nearest(name, [key for key in vars(module) if not key.startswith("_")])
        hint = f"; nearest: {', '.join(close)}" if close else ""
        raise UnknownNameError(f"unknown {kind} {reference!r}: module {module_name} has no {name!r}{hint}")
    found: Callable[..., Any] = getattr(module, name)
    if not callable(found):
        raise UnknownNameError(f"unknown {kind} {reference!r}: {name} is a {type(found).__name__}, not a function")
    return found


def missing_extra(error: ModuleNotFoundError) -> Exception:
    """The error that names the extra to install, or `error` itself where no extra of ours brings the module."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return error
    return MissingExtraError(f"this needs {module}, which is not installed: pip install 'resvision[{EXTRAS[module]}]'")
