"""Bundles made of runs, with the scores before and after."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from resvision.core import rundir
from resvision.core.drafts import draft_folder, sync_folder
from resvision.core.errors import RunError, SettingsError
from resvision.core.samples import Reader
from resvision.core.settings import to_json
from resvision.export.onnx_graph import write_onnx
from resvision.inference.load import Trained
from resvision.kinds.kind import Kind, Scores
from resvision.kinds.table import TASKS
from resvision.prediction.exams import examined
from resvision.runtime.bundle import Bundle, open_bundle
from resvision.runtime.bundle_format import BUNDLE, FORMAT, Manifest, Measured, sum_of
from resvision.runtime.engines import EngineSettings

GRAPH = "graph.onnx"
BOUND = 0.005
"""The most by which a figure that is a share may become worse, where a person names none."""


def write_bundle(
    trained: Trained,
    out: Path,
    *,
    reader: Reader[Any] | None,
    bound: float = BOUND,
    settings: EngineSettings | None = None,
) -> Bundle:
    """Export a run into the folder `out`, and open the bundle.

    reader  the samples that the run and the graph are both scored on; None measures nothing
    bound   the most by which the main figure may become worse

    Raises SettingsError for a net that is not exported, RunError where `out` holds something, cannot be written, or
    where the graph's figure is worse by more than `bound`; then nothing is left there.
    """
    rundir.require_free(out)
    if (task := trained.kind.name) not in TASKS:
        raise SettingsError(f"export: {task} is a task of your own, and bundles name no code")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(out) as draft:
            manifest = _written(trained, draft)
            if reader is not None:
                measured = _measured(trained, open_bundle(draft, settings), reader, bound)
                _write_manifest(replace(manifest, measured=measured), draft)
            draft.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise rundir.unwritable(out, error) from None
    return open_bundle(out, settings)


def _written(trained: Trained, folder: Path) -> Manifest:
    """Write the graph, the Run, and the manifest, still without scores."""
    net = trained.task.exported(trained)
    write_onnx(net, folder / GRAPH)
    rundir.write_json(folder / rundir.RUN, to_json(trained.run))
    manifest = Manifest(
        format=FORMAT,
        net=trained.name,
        task=trained.kind.name,
        data=trained.data,
        classes=trained.classes,
        view=net.view,
        side_px=trained.side_px,
        timing=dict(trained.timing._asdict()),
        columns=trained.columns,
        weights="fp32",
        graph=GRAPH,
        batch=net.batch,
        inputs={name: tuple(example.shape[1:]) for name, example in net.inputs.items()},
        outputs=net.outputs,
        options=dict(net.options),
        sums={name: sum_of(folder / name) for name in (rundir.RUN, GRAPH)},
    )
    _write_manifest(manifest, folder)
    return manifest


def _write_manifest(manifest: Manifest, folder: Path) -> None:
    rundir.write_json(folder / BUNDLE, to_json(manifest))


def _measured(trained: Trained, bundle: Bundle, reader: Reader[Any], bound: float) -> Measured:
    """The main figure by the run and by the graph; RunError where it became worse by more than the bound."""
    kind = trained.kind
    before, after = (_main(kind, examined(model, reader)) for model in (trained, bundle))
    worse = before - after if kind.higher_is_better else after - before
    if not worse <= bound:  # which NaN does not meet either
        raise RunError(
            f"{trained.title}: {kind.noun(kind.main)} was {kind.write(kind.main, before)} by the run, and is"
            f" {kind.write(kind.main, after)} by the graph, worse by more than {bound:g}; nothing was written"
        )
    return Measured(
        data=f"{reader.name}/{reader.split}",
        images=len(reader),
        figure=kind.main,
        before=before,
        after=after,
        bound=bound,
        engine=bundle.graph.described,
    )


def _main(kind: Kind[Any, Any, Any], scores: Scores) -> float:
    return scores.figures()[kind.main]
