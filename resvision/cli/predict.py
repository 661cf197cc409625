"""`resvision predict`: classes of image files, or label maps by a run that labels pixels."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resvision.core import rundir
from resvision.core.errors import DataError, SettingsError, printable

if TYPE_CHECKING:
    from resvision.core.images import Pixels
    from resvision.core.results import ClassScores
    from resvision.inference.load import Trained


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
    from resvision.cli.masks import predict_masks
    from resvision.inference.load import load
    from resvision.inference.predict import files_of, predict_pixels

    if as_json and as_csv:
        raise SettingsError("--json and --csv exclude each other")
    if weights is None:
        rundir.require(run)
    files = [file for path in images for file in files_of(path)]  # before weights are fetched for nothing
    trained = load(run, weights=weights, allow_code=allow_code)
    if trained.run.model.task == "segmentation":
        predict_masks(trained, files, out=out, as_json=as_json, as_csv=as_csv, top=top, grey=grey)
        return
    if out is not None:
        raise SettingsError(f"{run}: gives classes of images, not label maps: leave --out away, or redirect the output")
    failed: list[str] = []
    results = predict_pixels(trained, _readable(trained, files, grey, failed), top=top or 5)
    if as_json:
        print(json.dumps([result.to_json() for result in results], ensure_ascii=False))
    elif as_csv:
        _write_csv(results)
    else:
        for result in results:
            ranked = zip(result.labels, result.scores, strict=True)
            print(f"{result.source}: {', '.join(f'{label} {score:.1%}' for label, score in ranked)}")
    if failed:
        print(f"resvision: {len(failed)} of {len(files)} images could not be used", file=sys.stderr)
        raise typer.Exit(1 if len(failed) < len(files) else 2)


def _readable(trained: "Trained", files: list[Path], grey: bool, failed: list[str]) -> "Iterator[tuple[str, Pixels]]":
    """Each file's name with what the net sees of it; the others are told on standard error and noted in `failed`."""
    from resvision.inference.predict import prepare

    for file in files:
        try:
            pixels = prepare(trained, file, grey=grey)
        except DataError as error:
            if len(files) == 1:  # the error is all there is to say
                raise
            failed.append(str(file))
            print(f"resvision: {error}", file=sys.stderr)
        else:
            yield printable(file), pixels


def _write_csv(results: "Iterable[ClassScores]") -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(["source", "rank", "label", "score"])
    for result in results:
        for rank, (label, score) in enumerate(zip(result.labels, result.scores, strict=True), start=1):
            writer.writerow([result.source, rank, label, f"{score:.6f}"])
