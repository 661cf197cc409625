"""What every graph of this package is compiled with."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch

_TAKEN = inspect.signature(torch.compile).parameters

COMPILED: Mapping[str, Any] = {
    "dynamic": False,
    # Else all graphs of a process that begin in one function count together, and after the eighth nothing is compiled:
    # the ninth training of a study would be an uncompiled one. Versions that lack the option have that limit.
    **({"isolate_recompiles": True} if "isolate_recompiles" in _TAKEN else {}),
}
"""Options of `torch.compile`: fixed shapes, and each graph counted by itself."""
