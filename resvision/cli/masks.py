"""What `predict` and `evaluate` do for runs that label pixels."""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from resvision.core.errors import DataError, SettingsError, printable

if TYPE_CHECKING:
    from resvision.core.label_maps import Areas, SegmentationScores
    from resvision.inference.load import Trained

CONFUSION_UP_TO = 20  # classes; a larger matrix is for --json and the report


def print_mask_protocols() -> None:
    """The table of the protocols of segmentation."""
    from resvision.cli.tables import new_table, print_tables
    from resvision.inference.mask_presets import MASK_PRESETS

    table = new_table("of segmentation", "what is averaged", "paper")
    for preset in MASK_PRESETS:
        table.add_row(preset.name, preset.summary, preset.source)
    print_tables(table)


def evaluate_and_tell(
    trained: "Trained", data: str | None, how: dict[str, Any], *, protocol: str | None, as_json: bool
) -> None:
    """Scores of a run that labels pixels, by a protocol, as tables or as one JSON document.

    how  what else `evaluate_masks` is told
    """
    from resvision.inference.mask_presets import WHOLE, find
    from resvision.inference.segment import evaluate_masks

    preset = find(protocol or WHOLE)
    scores = evaluate_masks(trained, data, protocol=preset.name, **how)
    about = {
        "run": str(trained.folder),
        "model": trained.run.model.name,
        "data": data or trained.run.data.name,
        "arithmetic": trained.run.machine.precision,
        "protocol": preset.name,
    }
    if as_json:
        print(json.dumps({**about, **scores.to_json()}, ensure_ascii=False))
        return
    print(f"{about['model']} on {about['data']}, {about['arithmetic']}, {preset.name}: {preset.summary}")
    show_scores(scores)


def show_scores(scores: "SegmentationScores") -> None:
    """Figures, a row a class, and the confusion of pixels in percent of the true class."""
    from resvision.cli.tables import new_table, print_tables

    print(f"mean IoU                {scores.mean_iou:.2%}")
    print(f"pixel accuracy          {scores.pixel_accuracy:.2%}")
    print(f"mean accuracy           {scores.mean_accuracy:.2%}")
    print(f"frequency-weighted IoU  {scores.frequency_weighted_iou:.2%}")
    print(f"loss                    {scores.loss:.4f}")
    print(f"images                  {scores.images:,}\n")
    pixels = scores.confusion.sum(axis=1)
    table = new_table("class", "pixels", "IoU", "accuracy", numbers=("pixels", "IoU", "accuracy"))
    for name, count, iou, accuracy in zip(scores.classes, pixels, scores.iou, scores.accuracy, strict=True):
        table.add_row(name, f"{count:,}", _percent(iou), _percent(accuracy))
    tables = [table]
    if len(scores.classes) <= CONFUSION_UP_TO:
        columns = tuple(str(k) for k in range(len(scores.classes)))
        confusion = new_table("", "% of the true class, predicted in columns", *columns, numbers=columns)
        for number, name, row, count in zip(columns, scores.classes, scores.confusion, pixels, strict=True):
            confusion.add_row(number, name, *(f"{100 * each / count:.1f}" if count else "-" for each in row))
        tables.append(confusion)
    print_tables(*tables)


def predict_masks(
    trained: "Trained",
    files: list[Path],
    *,
    out: Path | None,
    as_json: bool,
    as_csv: bool,
    top: int | None,
    grey: bool,
) -> None:
    """Label maps and overlays of images into `out`, where it is given, and the areas of classes to stdout.

    A file that cannot be used is named, the rest goes on, and the exit code is 1; it is 2 where none can be used.
    Raises DataError where two images would be written under one name, or over a file.
    """
    from resvision.inference.segment import segment

    if as_csv:
        raise SettingsError("--csv: areas of classes come as --json")
    if top is not None:
        raise SettingsError("--top: a pixel has one class; leave it out")
    if out is not None:
        _require_free(files, out)
    documents: list[dict[str, Any]] = []
    for file in files:
        try:
            (found,) = segment(trained, [file], grey=grey)
        except DataError as error:
            if len(files) == 1:
                raise
            print(f"resvision: {error}", file=sys.stderr)
            continue
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            _write(trained, found.image, found.labels, *_places(file, out))
        documents.append(found.areas.to_json())
        if not as_json:
            print(_in_a_line(found.areas))
    if as_json:
        print(json.dumps(documents, ensure_ascii=False))
    if failed := len(files) - len(documents):
        print(f"resvision: {failed} of {len(files)} images could not be used", file=sys.stderr)
        raise typer.Exit(1 if documents else 2)


def _write(trained: "Trained", image: Any, labels: Any, mask: Path, over: Path) -> None:
    from resvision.core.masks import label_colours, write_mask
    from resvision.inference.overlays import overlay

    colours = label_colours(trained.classes)
    write_mask(mask, labels, colours)
    picture = overlay(image, labels, colours, trained.classes)
    picture.save(over, compress_level=1)  # a fifth of the time, for files a seventh larger


def _places(file: Path, out: Path) -> tuple[Path, Path]:
    """Where the label map and the overlay of an image go."""
    return out / f"{file.stem}.png", out / f"{file.stem}-overlay.png"


def _require_free(files: list[Path], out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"{printable(out)}: a file; --out names a folder")
    claimed: dict[Path, Path] = {}
    for file in files:
        for place in _places(file, out):
            if place in claimed:
                raise DataError(
                    f"{printable(file)} and {printable(claimed[place])} would both be written to {printable(place)};"
                    " predict them into two folders"
                )
            if place.exists():
                raise DataError(f"{printable(place)}: there already; name a new folder by --out")
            claimed[place] = file


def _in_a_line(areas: "Areas") -> str:
    whole = areas.width * areas.height
    ranked = sorted(zip(areas.pixels, areas.classes, strict=True), key=lambda each: -each[0])
    shares = ", ".join(f"{name} {count / whole:.1%}" for count, name in ranked if count)
    return f"{areas.source}: {shares}"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2%}"
