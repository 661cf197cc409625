"""Nets as torch's exporter sees them: one program, from pixels to results, for any number of views where that goes."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import Dim, ExportedProgram

from resvision.core.errors import SettingsError
from resvision.kinds.graph import PIXELS, Feed
from resvision.runtime.bundle_format import Manifest
from resvision.tasks.exported_nets import ExportedNet

# torch's errors about code that it cannot follow have no common class below these two
_REFUSED = (RuntimeError, ValueError)


def program_of(net: ExportedNet) -> tuple[ExportedProgram, ExportedNet]:
    """The program of a net, and the net with the number of views that the program takes.

    A net whose code asks how many views there are becomes a program for one at a time. Raises SettingsError where torch
    cannot follow its code.
    """
    if net.batch is None:
        try:
            return _exported(net), net
        except _REFUSED:
            net = net._replace(inputs={name: example[:1] for name, example in net.inputs.items()}, batch=1)
    try:
        return _exported(net), net
    except _REFUSED as error:
        line = str(error).strip().partition("\n")[0]
        raise SettingsError(f"export: torch cannot put this net into one graph: {line}") from error


def write_program(program: ExportedProgram, file: Path) -> None:
    """Write a program for `torch.export.load`, without the places in source files that torch notes down in it."""
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own work with shared weights
        torch.export.save(program, file)


def _exported(net: ExportedNet) -> ExportedProgram:
    number = {0: Dim("n")} if net.batch is None else {}
    dimensions = [{**number, **_sides(net)} if name == PIXELS else number for name in net.inputs]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own calls to what it will drop
        return torch.export.export(
            net.module.eval(), tuple(net.inputs.values()), dynamic_shapes=tuple(shape or None for shape in dimensions)
        )


def _sides(net: ExportedNet) -> dict[int, Any]:
    """The sides of pixels that may be any which the net takes, by axis."""
    rule = net.sides
    if rule is None:
        return {}
    if rule.multiple == 1:
        return {1: Dim.DYNAMIC, 2: Dim.DYNAMIC}
    return {axis: rule.multiple * Dim(name, min=1) + rule.offset for axis, name in ((1, "h"), (2, "w"))}


class ProgramGraph:
    """A program run by torch, a `runtime.engines.RunningGraph`."""

    lanes = 1

    def __init__(self, program: ExportedProgram, manifest: Manifest) -> None:
        self._module, self._batch = program.module(), manifest.batch
        self.inputs = {
            node.name: tuple(side if isinstance(side, int) else None for side in node.meta["val"].shape[1:])
            for node in _user_inputs(program)
        }
        self.outputs = manifest.outputs
        self.described = f"torch {torch.__version__}, fp32"

    def __call__(self, feed: Feed) -> dict[str, NDArray[Any]]:
        """The outputs for any number of views, as many at a time as the program takes."""
        count = len(next(iter(feed.values())))
        size = self._batch or count
        parts = []
        for first in range(0, count, size):
            with torch.no_grad():
                said = self._module(*(torch.from_numpy(feed[name][first : first + size]) for name in self.inputs))
            parts.append(said if isinstance(said, tuple) else (said,))
        values = (np.concatenate([part.numpy() for part in members]) for members in zip(*parts, strict=True))
        return dict(zip(self.outputs, values, strict=True))


def _user_inputs(program: ExportedProgram) -> list[torch.fx.Node]:
    """The inputs of a program apart from its weights, in order."""
    names = program.graph_signature.user_inputs
    return [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
