"""`resvision evaluate`: scores of a run, per class and with confusion; of several runs, a table in the papers' form."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resvision.core.errors import SettingsError

if TYPE_CHECKING:
    from resvision.core.results import ClassificationScores
    from resvision.inference.ensemble import Ensemble
    from resvision.inference.protocols import Protocol
    from resvision.papers.results import Published, PublishedEnsemble

CONFUSION_UP_TO = 20  # classes; a larger matrix is for --json and the report


def _print_protocols(asked: bool) -> None:
    if asked:
        from resvision.cli.masks import print_mask_protocols
        from resvision.cli.tables import new_table, print_tables
        from resvision.inference.presets import PRESETS

        table = new_table("protocol", "what is averaged", "scales for a crop of 224 px", "paper")
        for preset in PRESETS:
            scales = ", ".join(map(str, preset.scales)) or "the run's"
            table.add_row(preset.name, preset.summary, scales, preset.source)
        print_tables(table)
        print_mask_protocols()
        raise typer.Exit


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or models with --weights."),
    ],
    weights: Annotated[
        str | None, typer.Option(help="Published weights: torchvision, or torchvision:NAME. Fetched once.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Another data set or folder with the same classes.")] = None,
    root: Annotated[Path | None, typer.Option(help="Where that data set lies.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images, or views of them, at a time; 64, or 4 where pixels are labelled.")
    ] = None,
    grey: Annotated[bool, typer.Option(help="Turn colour into grey for a net that takes grey.")] = False,
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Compile the net first; if left out, where it pays.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="How to test: center-crop if left out; whole images for label maps.")
    ] = None,
    scales: Annotated[
        str | None, typer.Option(help="Shorter sides of the resized images, as 224,256, for the protocol.")
    ] = None,
    protocols: Annotated[
        bool,
        typer.Option("--protocols", help="List the protocols and leave.", is_eager=True, callback=_print_protocols),
    ] = False,
    table: Annotated[bool, typer.Option("--table", help="A table beside published errors, for one run too.")] = False,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="A row for the averaged softmax of all runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
    allow_code: Annotated[bool, typer.Option("--allow-code", help="Import own code that the run names.")] = False,
) -> None:
    """Evaluate runs on the test images: top-1 and top-5 error, loss, per-class table, confusion matrix.

    A run that labels pixels: mean IoU, accuracies, a row for each class, the confusion of pixels.
    """
    from resvision.cli.masks import evaluate_and_tell
    from resvision.data.sets import IMAGENET
    from resvision.inference.ensemble import evaluate_ensemble
    from resvision.inference.evaluate import evaluate, open_data
    from resvision.inference.load import load
    from resvision.inference.mask_presets import MASK_PROTOCOLS
    from resvision.inference.presets import CENTER_CROP, find
    from resvision.inference.protocols import apply
    from resvision.weights import published

    pixels = None if scales is None else _pixels(scales)
    how: dict[str, Any]
    if protocol not in MASK_PROTOCOLS:
        find(protocol or CENTER_CROP, others=MASK_PROTOCOLS)
    if weights is not None:  # what can be wrong is told before the download
        for run in runs:
            published.find(str(run), weights)
        open_data(data or IMAGENET, root=root)
    loaded = [load(run, weights=weights, allow_code=allow_code) for run in runs]
    if any(trained.run.model.task == "segmentation" for trained in loaded):
        if len(runs) > 1 or table or ensemble or scales or compiled:
            raise SettingsError(
                "label maps: evaluate one run at a time, without --table, --ensemble, --scales, --compile"
            )
        how = {"root": root, "batch_size": batch_size or 4, "grey": grey}
        evaluate_and_tell(loaded[0], data, how, protocol=protocol, as_json=as_json)
        return
    how = {"root": root, "batch_size": batch_size or 64, "grey": grey, "compiled": compiled}
    how |= {"protocol": protocol or CENTER_CROP, "scales": pixels}
    if len(runs) > 1 or table or ensemble:
        found = evaluate_ensemble(loaded, data, **how)
        if as_json:
            print(json.dumps(_document(found, with_ensemble=ensemble), ensure_ascii=False))
        else:
            _show_table(found, with_ensemble=ensemble)
        return
    (trained,) = loaded
    scores = evaluate(trained, data, **how)
    applied = apply(protocol, trained, scales=pixels) if protocol else None
    about = {
        "run": str(runs[0]),
        "model": trained.run.model.name,
        "data": data or trained.run.data.name,
        "arithmetic": trained.run.machine.precision,
    }
    _tell(about, applied, scores, as_json=as_json)


def _tell(about: dict[str, str], applied: "Protocol | None", scores: "ClassificationScores", *, as_json: bool) -> None:
    """The scores of one run; `applied` is the protocol, where one was asked for."""
    if as_json:
        told = {} if applied is None else {"protocol": applied.to_json()}
        print(json.dumps({**about, **told, **scores.to_json()}, ensure_ascii=False))
        return
    print(f"{about['model']} on {about['data']}, {about['arithmetic']}")
    if applied is not None:
        print(f"{applied.title}\n{applied.details}")
    _show(scores)


def _pixels(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < len(part) < 6 for part in parts):
        raise SettingsError(f"--scales {text!r}: give whole numbers of pixels, as 224,256")
    return [int(part) for part in parts]


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2%}"


def _printed(percent: float | None) -> str:
    return "-" if percent is None else f"{percent:.2f}%"


def _show_table(found: "Ensemble", *, with_ensemble: bool) -> None:
    """One row a run, then the ensemble, with published errors beside the measured ones."""
    from resvision.cli.tables import new_table, print_tables

    print(f"{found.data}, {found.together.images:,} images, errors")
    print(found.members[0].protocol.title)
    details = [each.protocol.details for each in found.members]
    alike = len({*details}) == 1
    for member, told in [*zip(found.members, details, strict=True)][: 1 if alike else None]:
        print(told if alike else f"{member.trained.folder}: {told}")
    print()
    ensembles = found.published if with_ensemble else []
    known = bool(ensembles) or any(each.published for each in found.members)
    measured = ("measured top-1", "measured top-5")
    published = ("published top-1", "published top-5") if known else ()
    numbers = (*measured, *published)
    table = new_table("run", "model", "arithmetic", *numbers, *(["published by"] if known else []), numbers=numbers)
    nothing: tuple[str, ...] = ("-", "-", "") if known else ()
    for member in found.members:
        trained = member.trained
        about = (str(trained.folder), trained.run.model.name, trained.run.machine.precision)
        beside = [_beside(each) for each in member.published]
        table.add_row(*about, *_measured(member.scores), *(beside[0] if beside else nothing))
        for row in beside[1:]:
            table.add_row("", "", "", "", "", *row)
    if with_ensemble:
        name = f"ensemble of {len(found.members)}, averaged softmax"
        table.add_row(name, "", "", *_measured(found.together), *nothing)
    for each in ensembles:
        source = f"{each.source}, {each.split} images"
        table.add_row(f"{each.nets} x {each.name}", "", "", "", "", _printed(each.top1), _printed(each.top5), source)
    print_tables(table)
    if not known:
        print(f"published: no figures for these nets on {found.data} by this protocol")


def _document(found: "Ensemble", *, with_ensemble: bool) -> dict[str, Any]:
    """The table as plain data: errors that were measured as shares 0..1, published ones in percent."""
    rows = [
        {
            "run": str(member.trained.folder),
            "model": member.trained.run.model.name,
            "arithmetic": member.trained.run.machine.precision,
            "protocol": member.protocol.to_json(),
            "measured": _errors(member.scores),
            "published": [_reported(each) for each in member.published],
        }
        for member in found.members
    ]
    document = {"data": found.data, "images": found.together.images, "rows": rows}
    if with_ensemble:
        document["ensemble"] = {
            "runs": len(rows),
            "measured": _errors(found.together),
            "published": [_reported(each) for each in found.published],
        }
    return document


def _measured(scores: "ClassificationScores") -> tuple[str, str]:
    return _percent(scores.top1_error), _percent(scores.top5_error)


def _beside(published: "Published") -> tuple[str, str, str]:
    note = f"; {published.note}" if published.note else ""
    return _printed(published.top1), _printed(published.top5), f"{published.source}{note}"


def _reported(published: "Published | PublishedEnsemble") -> dict[str, Any]:
    rest = {key: value for key, value in vars(published).items() if key not in {"top1", "top5"}}
    return {"top1_percent": published.top1, "top5_percent": published.top5, **rest}


def _errors(scores: "ClassificationScores") -> dict[str, float]:
    return {"top1_error": scores.top1_error, "top5_error": scores.top5_error, "loss": scores.loss}


def _show(scores: "ClassificationScores") -> None:
    from resvision.cli.tables import new_table, print_tables

    print(f"top-1 error  {scores.top1_error:.2%}")
    if len(scores.classes) > 5:  # of five or fewer, one is always right
        print(f"top-5 error  {scores.top5_error:.2%}")
    print(f"loss         {scores.loss:.4f}")
    print(f"images       {scores.images:,}\n")
    numbers = ("images", "recall", "precision")
    per_class = new_table("class", *numbers, numbers=numbers)
    counts = scores.confusion.sum(axis=1)
    for name, images, recall, precision in zip(scores.classes, counts, scores.recall, scores.precision, strict=True):
        per_class.add_row(name, f"{images:,}", _percent(recall), _percent(precision))
    tables = [per_class]
    if len(scores.classes) <= CONFUSION_UP_TO:
        columns = tuple(str(k) for k in range(len(scores.classes)))
        confusion = new_table("", "true class, predicted in columns", *columns, numbers=columns)
        for number, name, row in zip(columns, scores.classes, scores.confusion, strict=True):
            confusion.add_row(number, name, *(str(count) for count in row))
        tables.append(confusion)
    print_tables(*tables)
