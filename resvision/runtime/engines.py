"""Engines that run exported graphs: their names, and what each is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.kinds.graph import Graph

EngineName = Literal["openvino", "onnxruntime"]
Precision = Literal["auto", "fp32", "bf16"]
Mode = Literal["latency", "throughput"]

BATCHES = (1, 4, 16)
"""The numbers of views that a graph is compiled for where it takes any: four in bf16 reach most of the rate of 16."""

BATCH = BATCHES[-1]
"""Views that go through a graph together at most."""

FILLED = 0.75
"""The share of a batch that must be there; the rest is filled up with the last view."""


def batch_for(views: int) -> int:
    """The largest of BATCHES that so many views fill well enough."""
    return max(size for size in BATCHES if views >= FILLED * size)


_ENGINES: dict[str, str] = {
    "openvino": "resvision.runtime.openvino_engine:OpenVinoGraph",
    "onnxruntime": "resvision.runtime.onnxruntime_engine:OnnxRuntimeGraph",
}


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """How a graph is run.

    engine     openvino, which is faster on every CPU that we measured, or onnxruntime
    precision  of the arithmetic: auto leaves it to the engine, which takes bf16 where the CPU is fast in it
    threads    of the CPU, all that the process may use where None
    mode       latency: one answer as soon as can be; throughput: many answers beside each other
    """

    engine: EngineName = "openvino"
    precision: Precision = "auto"
    threads: int | None = None
    mode: Mode = "latency"

    def __post_init__(self) -> None:
        for name, choices in (("engine", EngineName), ("precision", Precision), ("mode", Mode)):
            if getattr(self, name) not in get_args(choices):
                raise SettingsError(f"{name} {getattr(self, name)!r}: choices are {', '.join(get_args(choices))}")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise SettingsError(f"threads: must lie in 1..1024, got {self.threads}")


class RunningGraph(Graph, Protocol):
    """A graph on an engine, which may be called by several threads at once."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its outputs."""
        ...

    @property
    def lanes(self) -> int:
        """The number of calls that are best made at once."""
        ...

    @property
    def described(self) -> str:
        """Engine, version and precision in words."""
        ...


def run_graph(
    file: Path, settings: EngineSettings, *, key: str, batch: int | None, require_unchanged: Callable[[], None]
) -> RunningGraph:
    """Have an engine run the graph in a file.

    key                what its content is told by in the cache, such as the sum of its bundle
    batch              the number of views that the graph takes at a time; None for any
    require_unchanged  raises an error where the file is not what its bundle says; called before an engine reads it, and
                       again before what is compiled of it is kept. Where that is kept already the file is not read

    Raises MissingExtraError for an engine that is not installed, SettingsError for a graph that it cannot run.
    """
    of_engine = references.find(_ENGINES[settings.engine], noun="engine")
    graph: RunningGraph = of_engine(file, settings, key, batch, require_unchanged)
    return graph
