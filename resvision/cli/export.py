"""`resvision export`: a run as a bundle that needs no torch, or as one graph, with its score before and after."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Unpack, cast

import typer

from resvision.cli.engines import EngineOption, settings_of
from resvision.cli.shared_options import AllowCode
from resvision.cli.tables import print_lines
from resvision.cli.weights import (
    ColumnsOption,
    WeightsOptions,
    columns_of,
    known_of,
    load_and_warn,
    require_run,
    with_weights_options,
)
from resvision.core.errors import DataError, RunError, SettingsError, printable

if TYPE_CHECKING:
    from resvision.core.samples import Reader
    from resvision.export.onnx_graph import Stored
    from resvision.inference.load import Trained
    from resvision.runtime.bundle_format import Manifest

Target = Literal["bundle", "onnx", "openvino", "torch"]


@with_weights_options(after="to")
def command(
    run: Annotated[Path, typer.Argument(help="Export the run in this directory; with --weights, name a model.")],
    out: Annotated[Path, typer.Option(help="Write into this new folder; for --to onnx and torch, this new file.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="bundle|onnx|openvino|torch",
            help="Write a bundle, a bundle whose graph is in OpenVINO's own form, or one graph as ONNX or for torch.",
        ),
    ] = "bundle",
    size: Annotated[
        int | None, typer.Option(min=1, help="Export for images of this side in pixels; the run's if left out.")
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            metavar="fp32|fp16|int8",
            help="Store weights in this; fp16 halves the file, int8 also computes in 8 bits (extra int8).",
        ),
    ] = "fp32",
    data: Annotated[str | None, typer.Option(help="Measure on this; on the run's own test images if left out.")] = None,
    root: Annotated[Path | None, typer.Option(help="Look for a named data set in this folder.")] = None,
    columns: ColumnsOption = None,
    bound: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Write nothing where the main figure moves by more than this; 0.005 if left out, in int8 a loss of"
            " 0.003.",
        ),
    ] = None,
    engine: EngineOption = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Measure the score before and after, or do not.")
    ] = True,
    allow_code: AllowCode = False,
    **options: Unpack[WeightsOptions],
) -> None:
    """Export a run as a bundle, which predicts without torch.

    Its score is measured before and after. The graph takes pixels as uint8 and gives results; normalization and
    decoding are inside.
    """
    from resvision.export.bundles import BOUND, Check, write_bundle, write_graph
    from resvision.export.int8 import BOUND as INT8_BOUND
    from resvision.export.int8 import write_int8_bundle
    from resvision.export.onnx_graph import onnx_module

    target, stored = _target(to), _stored(precision)
    if options["weights"] is None:
        require_run(run)
    onnx_module("onnxscript")  # before anything is loaded for nothing
    settings = settings_of(engine)
    trained = load_and_warn(run, options["weights"], known_of(options), allow_code=allow_code)
    if options["weights"] is None:
        _tell_unfinished(run, allow_code=allow_code)
    reader = _reader(trained, data, root=root, columns=columns_of(columns)) if check else None
    bound = bound if bound is not None else INT8_BOUND if stored == "int8" else BOUND
    if stored == "int8":
        if reader is None or target not in ("bundle", "openvino"):
            raise SettingsError("--precision int8: is a bundle, and its score is always measured; see --to and --check")
        bundle = write_int8_bundle(trained, out, reader=reader, bound=bound, settings=settings, size_px=size)
        manifest = bundle.manifest
    elif target in ("bundle", "openvino"):
        form: Any = "onnx" if target == "bundle" else "openvino"
        bundle = write_bundle(
            trained, out, reader=reader, bound=bound, settings=settings, size_px=size, form=form, stored=stored
        )
        manifest = bundle.manifest
    else:
        checked = None if reader is None else Check(reader, bound, settings)
        manifest = write_graph(trained, out, form=cast(Any, target), check=checked, size_px=size, stored=stored)
    print_lines(_scores(trained, manifest), f"written: {printable(out)}, {_megabytes(out):.2f} MB")


def _tell_unfinished(run: Path, *, allow_code: bool) -> None:
    """Name the checkpoint of a run that has steps to go, on standard error; nothing where its history is damaged."""
    from resvision.report.read import read_record
    from resvision.training.checkpoints import result_weights

    try:
        record = read_record(run, allow_code=allow_code)
    except RunError:  # which takes nothing away from its weights
        return
    if 0 < record.steps_done < record.total_steps and not record.stopped_early:
        steps = f"{record.steps_done:,} of {record.total_steps:,} steps"
        told = f"has made {steps}; the weights of {result_weights(run).parent.name} are exported"
        print(f"resvision: {printable(run)}: {told}", file=sys.stderr)


def _target(to: str) -> Target:
    if to not in ("bundle", "onnx", "openvino", "torch"):
        raise SettingsError(f"--to {printable(to)}: choices are bundle, onnx, openvino, torch")
    return cast(Target, to)


def _stored(precision: str) -> "Stored | Literal['int8']":
    if precision not in ("fp32", "fp16", "int8"):
        raise SettingsError(f"--precision {printable(precision)}: choices are fp32, fp16 and int8")
    return cast("Stored | Literal['int8']", precision)


def _reader(trained: "Trained", data: str | None, *, root: Path | None, columns: list[str] | None) -> "Reader[Any]":
    """The images that the net is scored on before and after."""
    from resvision.inference.evaluate import open_images

    try:
        return open_images(trained, data, root=root, columns=columns).reader
    except DataError as error:
        raise DataError(f"{error}; measure on other images by --data, or on none by --no-check") from None


def _scores(trained: "Trained", manifest: "Manifest") -> str:
    """The score before and after in a line."""
    from resvision.export.bundles import windows_in_words

    measured = manifest.measured
    if measured is None:
        return f"{trained.name}: its score was not measured, as you asked"
    kind = trained.kind
    before, after = (kind.write(measured.figure, value) for value in (measured.before, measured.after))
    by_graph = f"{after} by the graph{windows_in_words(manifest)}"
    return (
        f"{trained.name}: {kind.noun(measured.figure)} {before} by the run, {by_graph}, on {measured.images:,}"
        f" {kind.sample_noun}s of {printable(measured.data)} ({measured.engine})"
    )


def _megabytes(path: Path) -> float:
    """The size of a file, or of all files in a folder."""
    paths = path.iterdir() if path.is_dir() else [path]
    return sum(one.stat().st_size for one in paths) / 1e6
