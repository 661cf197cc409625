"""A bundle that is open: it predicts as the run that it was made of does, without torch."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from resvision.core.errors import RunError, printable
from resvision.core.samples import Sample
from resvision.kinds.exported_kind import AS_EXPORTED
from resvision.kinds.kind import Kind
from resvision.kinds.model_card import ModelCard
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.seen_samples import SampleFile, Seen
from resvision.kinds.table import kind_of
from resvision.runtime.bundle_format import Manifest, graph_identity, require_unchanged, stated_manifest
from resvision.runtime.engines import BATCH, EngineSettings, RunningGraph, run_graph
from resvision.runtime.quiet_imports import engine


@dataclass(frozen=True)
class Bundle(ModelCard):
    """An exported net on an engine, a `prediction.predictor.Predictor`."""

    manifest: Manifest
    graph: RunningGraph
    options: PredictionOptions = AS_EXPORTED

    at_a_time = BATCH
    sees_views_alone = True

    @property
    def lanes(self) -> int:
        """The number of calls of the graph that are best made at once."""
        return self.graph.lanes

    @property
    def kind(self) -> Kind[Any, Any, Any]:
        """The torch-free half of the task."""
        return kind_of(self.manifest.task)

    def configured(self, options: PredictionOptions) -> "Bundle":
        """The bundle with what a person asks of its predictions; SettingsError for what was fixed in its graph."""
        self.kind.require_choosable(options, self.manifest.options, classes=self.classes)
        return replace(self, options=options)

    def opened(self, file: Path) -> SampleFile | None:
        """Open a file that holds several samples; None for an image."""
        source = self.kind.samples()
        return None if source is None else source.opened(self, file, self.columns)

    def seen_sample(self, sample: Sample[Any], name: str) -> Seen | None:
        """One labelled sample as the net sees it; None where it sees the sample's image by its view."""
        source = self.kind.samples()
        return None if source is None else source.seen(self, sample, name)

    def beside(self, seen: Seen) -> None:
        """Nothing: nets that take more than pixels of an image are not exported."""

    def raw(self, seen: Sequence[Seen]) -> list[Any]:
        """The raw results of the graph for views of one size."""
        return [self.chosen(answer, self.options) for answer in self.answers(seen)]

    def answers(self, seen: Sequence[Seen]) -> list[Any]:
        """What the graph says of views of one size, before anything is chosen by options."""
        answers = self.kind.answers(self.graph, seen, self.manifest.options)
        for answer in answers:
            if fault := self.kind.answer_fault(answer, self.classes):
                raise RunError(f"{printable(self.title)}: its graph gives {fault}; export the run again")
        return answers

    def chosen(self, answer: Any, options: PredictionOptions) -> Any:
        """The raw result that an answer is under options, which `configured` has let pass."""
        return self.kind.chosen(answer, self.manifest.options, options, classes=self.classes)


def open_bundle(folder: Path, settings: EngineSettings | None = None) -> Bundle:
    """Open the bundle in a folder on an engine.

    Raises RunError for one that is damaged, changed or of another format, MissingExtraError for an engine that is not
    installed, SettingsError for a graph that the engine cannot run.
    """
    manifest, settings = stated_manifest(folder), settings or EngineSettings()
    file, key = folder / manifest.graph, graph_identity(manifest)
    with ThreadPoolExecutor(1) as beside:  # sums of large files take as long as the engine and a graph of the cache
        summed = beside.submit(require_unchanged, manifest, folder)
        engine(settings.engine)
        require = _first_by(summed, partial(require_unchanged, manifest, folder))
        graph = run_graph(file, settings, key=key, batch=manifest.batch, require_unchanged=require)
        summed.result()
    if dict(graph.inputs) != {name: tuple(shape) for name, shape in manifest.inputs.items()}:
        raise RunError(
            f"{printable(folder / manifest.graph)}: takes {dict(graph.inputs)}, where the bundle says"
            f" {manifest.inputs}; export the run again"
        )
    if set(graph.outputs) != set(manifest.outputs):
        raise RunError(
            f"{printable(folder / manifest.graph)}: gives {', '.join(graph.outputs)}, where the bundle says"
            f" {', '.join(manifest.outputs)}; export the run again"
        )
    kind = kind_of(manifest.task)
    if not (set(graph.inputs) <= kind.graph_inputs and kind.graph_outputs <= set(graph.outputs)):
        raise RunError(
            f"{printable(folder / manifest.graph)}: takes {', '.join(graph.inputs)} and gives"
            f" {', '.join(graph.outputs)}, which is no graph of {manifest.task}; export the run again"
        )
    return bundle_of(manifest, graph, title=str(folder))


def _first_by(summed: "Future[None]", again: Callable[[], None]) -> Callable[[], None]:
    """A check whose first call waits for the one that is under way, and whose later calls are made anew."""
    under_way = [summed]

    def check() -> None:
        if under_way:
            under_way.pop().result()
        else:
            again()

    return check


def bundle_of(manifest: Manifest, graph: RunningGraph, *, title: str) -> Bundle:
    """A bundle of what it says of itself and a graph that runs, wherever that is."""
    return Bundle(
        name=manifest.net,
        title=title,
        data=manifest.data,
        classes=manifest.classes,
        view=manifest.view,
        side_px=manifest.side_px,
        timing=manifest.timed,
        columns=manifest.columns,
        manifest=manifest,
        graph=graph,
    )
