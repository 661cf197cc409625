"""Bundles and graphs made of runs, with the scores before and after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch.export import ExportedProgram

from resvision.core import rundir
from resvision.core.drafts import draft_folder, sync_folder
from resvision.core.errors import RunError, SettingsError, printable
from resvision.core.samples import Reader
from resvision.core.settings import to_json
from resvision.export.onnx_graph import Stored, write_onnx
from resvision.export.openvino_graph import write_openvino
from resvision.export.program import ProgramGraph, program_of, write_program
from resvision.inference.load import Trained
from resvision.kinds.graph import PIXELS
from resvision.kinds.kind import Kind, Scores
from resvision.kinds.table import TASKS
from resvision.prediction.exams import examined
from resvision.runtime.bundle import Bundle, bundle_of, open_bundle
from resvision.runtime.bundle_format import (
    FORMAT,
    GRAPHS,
    ONNX,
    OPENVINO,
    Manifest,
    Measured,
    is_bundle,
    sum_of,
    write_manifest,
)
from resvision.runtime.engines import EngineSettings
from resvision.tasks.exported_nets import ExportedNet

BOUND = 0.005
"""The most by which a figure that is a share may move, where a person names none."""

Form = Literal["onnx", "openvino"]
"""The form of a bundle's graph: ONNX, which both engines read, or OpenVINO's own."""


class Check(NamedTuple):
    """How the scores before and after are measured.

    reader    the samples that run and graph are both scored on
    bound     the most by which the main figure may move
    settings  the engine
    may_gain  whether it may become better by more, as by the noise of coarser numbers
    """

    reader: Reader[Any]
    bound: float = BOUND
    settings: EngineSettings | None = None
    may_gain: bool = False


class Exported(NamedTuple):
    """A net in a folder that is not finished: what its bundle is to say, and its program."""

    manifest: Manifest
    program: ExportedProgram


def write_bundle(
    trained: Trained,
    out: Path,
    *,
    reader: Reader[Any] | None,
    bound: float = BOUND,
    settings: EngineSettings | None = None,
    size_px: int | None = None,
    form: Form = "onnx",
    stored: Stored = "fp32",
) -> Bundle:
    """Export a run into the folder `out`, and open the bundle.

    reader   the samples that the run and the graph are both scored on; None measures nothing
    bound    the most by which the main figure may move
    size_px  side of the squares that it is exported for; that of the run when left out
    form     of the graph
    stored   number format of the weights

    Raises SettingsError for a net that is not exported, RunError where `out` holds something, cannot be written, or
    where the graph's figure differs by more than `bound`; then nothing is left there.
    """
    with draft_of(out) as draft:
        manifest, _ = _written(trained, draft, size_px=size_px, form=form, stored=stored)
        if reader is not None:
            measured = measured_by(trained, open_bundle(draft, settings), Check(reader, bound, settings))
            write_manifest(replace(manifest, measured=measured), draft)
        draft.rename(out)
    return open_bundle(out, settings)


def write_graph(
    trained: Trained,
    out: Path,
    *,
    form: Literal["onnx", "torch"],
    check: Check | None,
    size_px: int | None = None,
    stored: Stored = "fp32",
) -> Manifest:
    """Export a run into one file, an ONNX graph or a program for `torch.export.load`; what its bundle would say.

    It takes uint8 pixels, and gives what the bundle's graph gives. Raises as `write_bundle`.
    """
    if form == "torch" and stored != "fp32":
        raise SettingsError(f"--precision {stored}: a program of torch keeps the run's weights; leave it out")
    with draft_of(out) as draft:
        manifest, program = _written(trained, draft, size_px=size_px, form="onnx", stored=stored)
        if form == "torch":
            write_program(program, draft / "net.pt2")
            bundle = bundle_of(manifest, ProgramGraph(program, manifest), title=str(out))
        else:
            bundle = open_bundle(draft, check.settings if check else None)
        if check is not None:
            manifest = replace(manifest, measured=measured_by(trained, bundle, check))
        (draft / ("net.pt2" if form == "torch" else ONNX)).rename(out)
    return manifest


@contextmanager
def draft_of(out: Path) -> Iterator[Path]:
    """A folder beside `out`, which is renamed to it or of which a file is; RunError where that cannot be."""
    if is_bundle(out):
        raise RunError(f"{printable(out)}: holds a bundle already; name another --out")
    if out.is_file() or out.is_symlink():
        raise RunError(f"{printable(out)}: there already; name another --out")
    rundir.require_free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(out) as draft:
            yield draft
        sync_folder(out.parent)
    except OSError as error:
        raise rundir.unwritable(out, error) from None


def _written(trained: Trained, folder: Path, *, size_px: int | None, form: Form, stored: Stored) -> Exported:
    """Write the graph, the Run, and the manifest, still without scores."""
    if (task := trained.kind.name) not in TASKS:
        raise SettingsError(f"export: {task} is a task of your own, and bundles name no code")
    program, net = program_of(trained.task.exported(trained, size_px))
    used = write_onnx(program, net, folder / ONNX, stored=stored)
    if form == "openvino":
        write_openvino(folder / ONNX, folder / OPENVINO)
        (folder / ONNX).unlink()
    rundir.write_json(folder / rundir.RUN, to_json(trained.run))
    graph = ONNX if form == "onnx" else OPENVINO
    manifest = Manifest(
        format=FORMAT,
        net=trained.name,
        task=task,
        data=trained.data,
        classes=trained.classes,
        view=net.view,
        side_px=trained.side_px,
        timing=dict(trained.timing._asdict()),
        columns=trained.columns,
        weights=stored,
        graph=graph,
        batch=net.batch,
        inputs={name: _shape(net, name) for name in net.inputs if name in used},
        outputs=net.outputs,
        options=dict(net.options),
        sums={name: sum_of(folder / name) for name in (rundir.RUN, graph, *GRAPHS[graph])},
    )
    write_manifest(manifest, folder)
    return Exported(manifest, program)


def _shape(net: ExportedNet, name: str) -> tuple[int | None, ...]:
    """The shape of an input apart from the number of views; None for sides that may be any."""
    shape = tuple(net.inputs[name].shape[1:])
    return shape if net.sides is None or name != PIXELS else (None, None, shape[-1])


def windows_in_words(manifest: Manifest) -> str:
    """The windows in which a graph sees images that its run sees whole, to be read after its figure."""
    return "" if manifest.window_px is None else f" in windows of {manifest.window_px} px"


def measured_by(trained: Trained, bundle: Bundle, check: Check) -> Measured:
    """The main figure by the run and by the graph; RunError where it moved by more than the bound.

    A graph in the run's own numbers that is much better than the run is another net, too.
    """
    kind, reader = trained.kind, check.reader
    before, after = (_main(kind, examined(model, reader)) for model in (trained, bundle))
    in_windows = windows_in_words(bundle.manifest)
    worse = before - after if kind.higher_is_better else after - before
    if not (worse if check.may_gain else abs(worse)) <= check.bound:  # which NaN does not meet either
        raise RunError(
            f"{trained.title}: {kind.noun(kind.main)} was {kind.write(kind.main, before)} by the run, and is"
            f" {kind.write(kind.main, after)} by the graph{in_windows}, more than"
            f" {check.bound:g} apart; nothing was written"
        )
    return Measured(
        data=f"{reader.name}/{reader.split}",
        images=len(reader),
        figure=kind.main,
        before=before,
        after=after,
        bound=check.bound,
        engine=bundle.graph.described,
    )


def _main(kind: Kind[Any, Any, Any], scores: Scores) -> float:
    return scores.figures()[kind.main]
