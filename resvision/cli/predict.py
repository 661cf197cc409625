"""`resvision predict`: results of a run or a bundle for image files, as lines, JSON, CSV, and pictures in a folder."""

import csv
import json
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Unpack

import typer

from resvision.cli.engines import open_predictor
from resvision.cli.failures import Failures
from resvision.cli.shared_options import AllowCode, Grey, Only, finds_of
from resvision.cli.weights import (
    UseOptions,
    require_run,
    with_use_options,
)
from resvision.core.errors import SettingsError
from resvision.core.plurals import counted
from resvision.runtime.engines import BATCH, Mode
from resvision.runtime.shipped import SHIPPED, is_place

if TYPE_CHECKING:
    from resvision.kinds.kind import Kind
    from resvision.prediction.out_folder import OutFolder
    from resvision.prediction.predictions import Predicted

Form = Literal["lines", "json", "json-list", "csv"]


@with_use_options(after="images")
def command(
    run: Annotated[
        Path,
        typer.Argument(
            help="Use the run in this directory, or a bundle by folder or by name"
            f" ({', '.join(SHIPPED)}); with --weights, a model."
        ),
    ],
    images: Annotated[
        list[Path], typer.Argument(help="Predict these image files, and those in these folders.", readable=False)
    ],
    top: Annotated[
        int | None, typer.Option(min=1, help="Give this number of classes for each image, 5 if left out.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each image, as soon as it is predicted.")
    ] = False,
    as_list: Annotated[bool, typer.Option("--json-list", help="Print one JSON list of all images.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write results as pictures into this folder: label maps and overlays, or boxes.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in the folder of --out, with the images that lack their files.")
    ] = False,
    labels: Annotated[
        str | None, typer.Option(help="Write labels of this form into the folder of --out: voc, coco or yolo.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV row for each image and class.")] = False,
    only: Only = None,
    allow_code: AllowCode = False,
    grey: Grey = False,
    **options: Unpack[UseOptions],
) -> None:
    """Predict the classes of images or of their pixels, or boxes.

    With --labels, the folder of --out takes labels to correct or to train on in place of pictures.

    A file that cannot be used is named, the rest goes on, and the exit code is 1; it is 2 where none can be used.
    """
    from resvision.core.progress import Bar
    from resvision.core.terminal import Terminal
    from resvision.prediction.image_files import ImageFiles, require_there
    from resvision.prediction.out_folder import out_folder
    from resvision.prediction.predictions import predicted, showing
    from resvision.prediction.sample_files import asked_samples

    form = _form(as_json=as_json, as_list=as_list, as_csv=as_csv)
    if resume and out is None:
        raise SettingsError("--resume: goes on with a folder of results; name it with --out")
    if labels is not None and out is None:
        raise SettingsError("--labels: writes into a folder; name it with --out")
    if options["weights"] is None and not is_place(run):
        require_run(run)
    require_there(images)  # before weights are fetched for nothing
    mode: Mode = "throughput" if _are_many(images) else "latency"
    trained = open_predictor(run, options, mode=mode, allow_code=allow_code)
    kind = trained.kind
    files = ImageFiles.of(images, endings=kind.file_endings)
    for note in files.notes:
        print(f"resvision: {note}", file=sys.stderr)
    try:
        finds = finds_of(options)
        kind.require_options(
            {"out": out is not None, "csv": as_csv, "top": top is not None, "only": bool(only), **finds.given()}
        )
        trained = showing(trained, finds)
        files_form = kind if labels is None else kind.label_form(labels, trained.classes)
    except SettingsError as error:
        raise SettingsError(f"{run}: {error}") from None
    wanted = only or ()
    pieces = files if out is None else asked_samples(trained, files, wanted)
    place = nullcontext(None) if out is None else out_folder(files_form, out, pieces, resume=resume)
    with place as folder:
        count = len(files) if folder is None else _going_on(folder, kind.sample_noun) if resume else len(folder.files)
        bar = Bar(Terminal(stderr=True), "predicting", total=count, noun=kind.sample_noun)
        failures = Failures(count, bar, noun=kind.sample_noun)
        asked, names = (files, wanted) if folder is None else (folder.remaining(), ())
        save = None if folder is None else folder.save
        predictions = predicted(
            trained, asked, grey=grey, only=names, failed=failures.add, with_images=save is not None
        )
        with closing(predictions):
            write(kind, failures.watched(predictions), form, top=top or kind.usual_top, save=save)
    failures.finish()


def write(
    kind: "Kind[Any, Any, Any]",
    results: "Iterable[Predicted]",
    form: Form,
    *,
    top: int | None = None,
    save: "Callable[[Predicted], None] | None" = None,
) -> None:
    """Print results in the form that is asked for, one by one as they come, and save each after it is printed.

    So a result whose files are there was printed, however the process ended.
    """
    writer = csv.writer(sys.stdout)
    if form == "csv":
        writer.writerow(kind.csv_header)
    start = "["
    for prediction in results:
        limited = kind.limited(prediction.result, top)
        if form == "csv":
            writer.writerows(kind.csv_rows(limited))
        elif form == "lines":
            print(kind.line(limited))
        else:
            document = json.dumps(limited.to_json(), ensure_ascii=False)
            print(f"{start}{document}" if form == "json-list" else document, end="" if form == "json-list" else "\n")
            start = ",\n"
        sys.stdout.flush()
        if save is not None:
            save(prediction)
    if form == "json-list":
        print("[]" if start == "[" else "]")


def _are_many(places: Iterable[Path]) -> bool:
    """Whether files, and those in folders, are more than one batch, so that several lanes have something to do."""
    files = chain.from_iterable(place.rglob("*") if place.is_dir() else (place,) for place in places)
    return len([*islice(files, BATCH + 1)]) > BATCH


def _form(*, as_json: bool, as_list: bool, as_csv: bool) -> Form:
    """The form of the results; SettingsError for more than one."""
    if as_json + as_list + as_csv > 1:
        raise SettingsError("--json, --json-list and --csv exclude each other")
    return "json" if as_json else "json-list" if as_list else "csv" if as_csv else "lines"


def _going_on(folder: "OutFolder", noun: str) -> int:
    """Say how many images have their files already; the number of the others."""
    there = sum(folder.holds(file) for file in folder.files)
    print(f"resvision: going on: {there:,} of {counted(len(folder.files), noun)} have their files", file=sys.stderr)
    return len(folder.files) - there
