"""Runs on an engine without a bundle of their own: each is exported once, into the cache folder."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import torch

import resvision
from resvision.core.drafts import remove
from resvision.core.errors import RunError
from resvision.core.settings import to_json
from resvision.data.roots import cache_root
from resvision.export.bundles import write_bundle
from resvision.inference.load import Trained
from resvision.runtime.bundle import Bundle, open_bundle
from resvision.runtime.bundle_format import FORMAT, is_bundle, sum_of
from resvision.runtime.engines import EngineSettings
from resvision.training.checkpoints import result_weights


def exported_once(
    trained: Trained, settings: EngineSettings, *, tell: Callable[[str], None] = lambda line: None
) -> Bundle:
    """A run or weights on an engine, from the bundle that was made of them before, or a new one.

    tell  takes a line for a person where it is made, which takes a while

    Raises what `export.bundles.write_bundle` raises.
    """
    folder = cache_root() / "exports" / _key(trained)
    if is_bundle(folder):
        try:
            return replace(open_bundle(folder, settings), title=trained.title)
        except RunError:  # damaged, which a cache may be
            remove(folder)
    tell(f"{trained.title}: is exported for {settings.engine}, once")
    try:
        bundle = write_bundle(trained, folder, reader=None, settings=settings)
    except RunError:
        if not is_bundle(folder):
            raise
        bundle = open_bundle(folder, settings)  # another process was faster
    return replace(bundle, title=trained.title)


def _key(trained: Trained) -> str:
    """The sum of all that an export depends on: weights, the Run, the versions of what exports it."""
    weights = result_weights(trained.folder) if trained.folder.is_dir() else trained.folder
    parts = [sum_of(weights.resolve()), json.dumps(to_json(trained.run), sort_keys=True)]
    parts += [resvision.__version__, torch.__version__, f"{FORMAT}"]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
