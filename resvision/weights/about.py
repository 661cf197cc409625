"""Facts about the weights in a safetensors file, in its header: net, options, view and classes, where they are known.

`convert` writes them, and whatever uses the file reads them, so that they need not be said again. They are texts in the
header's `__metadata__`, which other readers of safetensors pass over.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from resvision.core.errors import RunError, SettingsError, WeightsError, printable
from resvision.core.files import parse_json, require_tensors
from resvision.core.settings import Scalar, from_json, to_json
from resvision.core.views import View

_KEYS = ("options", "view", "classes", "settled")
"""The keys of the header whose texts are JSON."""


@dataclass(frozen=True, kw_only=True)
class About:
    """Facts about a net's weights.

    model    the name of the net
    options  of the net, with num_classes
    view     how images were shown to it; None where that is not known
    classes  in the order of the logits; None where they are not known
    settled  the choices that weights cannot tell and that a person has made, such as where shortcuts pad
    """

    model: str
    options: dict[str, Scalar] = field(default_factory=dict)
    view: View | None = None
    classes: tuple[str, ...] | None = None
    settled: tuple[str, ...] = ()


def header_of(about: About, *, made_from: str) -> dict[str, str]:
    """The texts of a header that say this; `made_from` is the name of the file that it was made from."""
    plain = to_json(about)
    known = {key: json.dumps(plain[key], ensure_ascii=False) for key in _KEYS if plain[key] not in (None, [])}
    return {"model": about.model, **known, "made from": printable(made_from)}


def read_about(path: Path) -> About | None:
    """The facts in the header of a safetensors file, None where it says none; RunError where it cannot be read.

    Raises WeightsError where what it says is damaged.
    """
    try:
        require_tensors(path)
        with safe_open(os.fspath(path), "numpy") as file:
            header: Mapping[str, str] = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else printable(str(error))[:200]
        raise RunError(f"{printable(path)}: cannot be read as safetensors: {reason}") from None
    if "model" not in header or "options" not in header:  # of another program
        return None
    try:
        data: dict[str, Any] = {key: parse_json(header[key]) for key in _KEYS if key in header}
        absent: dict[str, Any] = {"view": None, "classes": None, "settled": []}
        return from_json(About, {**absent, **data, "model": header["model"]})
    except (ValueError, SettingsError) as error:
        raise WeightsError(f"{printable(path)}: its header is damaged: {printable(str(error))[:200]}") from None
