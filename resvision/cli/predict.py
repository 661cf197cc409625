"""`resvision predict`: results of a run for image files, as lines, JSON, CSV, or pictures in a folder."""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resvision.core import rundir
from resvision.core.errors import DataError, SettingsError, printable

if TYPE_CHECKING:
    from resvision.kinds.kind import Kind


def command(
    run: Annotated[Path, typer.Argument(help="A run directory; with --weights a model.")],
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.", readable=False)],
    weights: Annotated[
        str | None, typer.Option(help="Published weights: torchvision, or torchvision:NAME. Fetched once.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="How many classes to give, 5 when left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for label maps and overlays, by a run that labels pixels.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="A CSV row for each image and class.")] = False,
    allow_code: Annotated[bool, typer.Option("--allow-code", help="Import own code that the run names.")] = False,
    grey: Annotated[bool, typer.Option(help="Turn colour into grey for a net that was trained on grey.")] = False,
) -> None:
    """Predict the classes of images, or of their pixels: then --out FOLDER takes label maps and overlays.

    A file that cannot be used is named, the rest goes on, and the exit code is 1; it is 2 where none can be used.
    """
    from resvision.inference.load import load
    from resvision.inference.predict import files_of, predicted

    if as_json and as_csv:
        raise SettingsError("--json and --csv exclude each other")
    if weights is None:
        rundir.require(run)
    files = [file for path in images for file in files_of(path)]  # before weights are fetched for nothing
    trained = load(run, weights=weights, allow_code=allow_code)
    kind = trained.kind
    try:
        kind.require_options({"out": out is not None, "csv": as_csv, "top": top is not None})
    except SettingsError as error:
        raise SettingsError(f"{run}: {error}") from None
    if out is not None:
        _require_free(kind, files, out)
    errors: list[DataError] = []

    def failed(error: DataError) -> None:
        if len(files) == 1:  # the error is all there is to say
            raise error
        errors.append(error)
        print(f"resvision: {error}", file=sys.stderr)

    writer, documents = csv.writer(sys.stdout), []
    if as_csv:
        writer.writerow(kind.csv_header)
    for source, image, result in predicted(trained, files, grey=grey, failed=failed):
        if out is not None and isinstance(source, Path):
            out.mkdir(parents=True, exist_ok=True)
            kind.write_files(result, image, kind.files(source, out))
        limited = kind.limited(result, top or kind.usual_top)
        if as_json:
            documents.append(limited.to_json())
        elif as_csv:
            writer.writerows(kind.csv_rows(limited))
        else:
            print(kind.line(limited))
    if as_json:
        print(json.dumps(documents, ensure_ascii=False))
    if errors:
        print(f"resvision: {len(errors)} of {len(files)} images could not be used", file=sys.stderr)
        raise typer.Exit(1 if len(errors) < len(files) else 2)


def _require_free(kind: "Kind[Any, Any, Any]", files: list[Path], out: Path) -> None:
    """Raise DataError where two images would be written under one name, or over a file."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{printable(out)}: a file; --out names a folder")
    source_of: dict[Path, Path] = {}
    for file in files:
        for path in kind.files(file, out):
            if path in source_of:
                raise DataError(
                    f"{printable(file)} and {printable(source_of[path])} would both be written to {printable(path)};"
                    " predict them into two folders"
                )
            if path.exists():
                raise DataError(f"{printable(path)}: there already; name a new folder by --out")
            source_of[path] = file
