"""The only place that imports engines: none of them tells anybody that it was used.

`openvino` and `nncf` send events through the package `openvino_telemetry` as soon as they are imported; ONNX
Runtime from 1.29 on sends them itself, unless the environment forbids it before the library is loaded.
"""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from resvision.core.references import missing_extra

_EVENTS = "openvino_telemetry"


class _Silence:
    """Stands in for every class and function of the telemetry: it takes anything and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __call__(self, *_: Any, **__: Any) -> "_Silence":
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def engine(name: str) -> Any:
    """The module of an engine: `openvino`, `onnxruntime`, `nncf` or one below them; MissingExtraError without it."""
    _silence()
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        raise missing_extra(error) from None
    if name == "onnxruntime":
        module.disable_telemetry_events()
    return module


def _silence() -> None:
    """Keep what is imported from now on from sending events; again and again, since others may have changed it."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    if not isinstance(sys.modules.get(_EVENTS), _Muted):
        for name in (_EVENTS, f"{_EVENTS}.backend", f"{_EVENTS}.main", f"{_EVENTS}.utils"):
            sys.modules[name] = _Muted(name)


class _Muted(ModuleType):
    """A module in place of the telemetry; every name in it is silent."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Silence
