"""Objects named as text `package.module:name`: rows of our tables, and a user's own models, data sets and recipes."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from resvision.core.errors import MissingExtraError, ResVisionError, SettingsError, UnknownNameError, nearest
from resvision.core.own_modules import OWN_MODULES

OURS = "resvision"
"""This package, whose own modules are never looked for in the working folder."""

EXTRAS = {
    "cv2": "rcnn",
    "pyarrow": "motion",
    "openvino": "openvino",
    "onnxruntime": "onnx",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "nncf": "int8",
    "timm": "timm",
    "fastapi": "serve",
    "uvicorn": "serve",
    "starlette": "serve",
    "h11": "serve",
    "torch": "train",
    "torchvision": "train",
    "sklearn": "train",
    "matplotlib": "train",
    "jinja2": "train",
    "markupsafe": "train",
    "scipy": "train",
    "tensorboard": "train",
}
"""The extra of the package that brings each module."""


def is_reference(name: str) -> bool:
    """Whether the name has the form `package.module:name`."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def load(reference: str, *, noun: str) -> Callable[..., Any]:
    """The function or class that `package.module:name` names; `noun` says in errors what it should be.

    Raises what `find` raises, and UnknownNameError for an object that cannot be called.
    """
    named: Any = find(reference, noun=noun)
    if not callable(named):
        name = reference.partition(":")[2]
        raise UnknownNameError(f"unknown {noun} {reference!r}: {name} is a {type(named).__name__}, not a function")
    function: Callable[..., Any] = named
    return function


def find(reference: str, *, noun: str) -> Any:
    """The object that `package.module:name` names; a module that is not ours may also lie in the working folder.

    Raises UnknownNameError where it is not there, MissingExtraError where its module needs an extra, SettingsError
    where its module fails.
    """
    module_name, _, name = reference.partition(":")
    try:
        module = _import(module_name)
    except ModuleNotFoundError as error:
        if f"{module_name}.".startswith(f"{error.name}."):
            raise UnknownNameError(f"unknown {noun} {reference!r}: no module named {error.name!r}") from None
        if (missing := missing_extra(error)) is not error:
            raise missing from None
        raise SettingsError(f"{noun} {reference!r}: {_failure_text(reference, error)}") from error
    except Exception as error:
        raise SettingsError(f"{noun} {reference!r}: {_failure_text(reference, error)}") from error
    if not hasattr(module, name):
        similar = nearest(name, [key for key in vars(module) if not key.startswith("_")])
        hint = f"; nearest: {', '.join(similar)}" if similar else ""
        raise UnknownNameError(f"unknown {noun} {reference!r}: module {module_name} has no {name!r}{hint}")
    return getattr(module, name)


def _import(module: str) -> ModuleType:
    if module.partition(".")[0] == OURS:
        return import_module(module)
    with OWN_MODULES.named(module):
        return import_module(module)


@contextmanager
def own_code(reference: str, *, error: type[ResVisionError] = SettingsError) -> Iterator[None]:
    """Turn a failure of a user's own function into an `error` that names file and line; our own errors pass.

    For what is ours, a name that is no reference, or a reference into this package, nothing changes.
    """
    try:
        yield
    except Exception as failure:
        is_ours = not is_reference(reference) or f"{reference.partition(':')[0]}.".startswith(f"{OURS}.")
        if isinstance(failure, ResVisionError) or is_ours:
            raise
        raise error(f"{reference}: {_failure_text(reference, failure)}") from failure


def _failure_text(reference: str, error: Exception) -> str:
    """The type and message of an error, with the innermost line of the user's module in its traceback."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    name = f"{reference.partition(':')[0].rpartition('.')[2]}.py"
    own_frames = [frame for frame in frames if Path(frame.filename).name == name]
    position = "".join(f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in own_frames[-1:])
    return f"{type(error).__name__}: {error}{position}"


def is_installed(module: str) -> bool:
    """Whether a module can be imported, which is not done here."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a finder that refuses it
        return False


def missing_extra(error: ModuleNotFoundError) -> Exception:
    """The error that names the extra to install, or `error` itself where no extra of ours brings the module."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return error
    return MissingExtraError(f"this needs {module}, which is not installed: pip install 'resvision[{EXTRAS[module]}]'")
