"""`resvision evaluate`: scores of a run, per class and with confusion."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from resvision.core.results import ClassificationScores

CONFUSION_UP_TO = 20  # classes; a larger matrix is for --json and the report


def command(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    data: Annotated[str | None, typer.Option(help="Another data set or folder with the same classes.")] = None,
    root: Annotated[Path | None, typer.Option(help="Where that data set lies.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 64,
    grey: Annotated[bool, typer.Option(help="Turn colour into grey for a net that takes grey.")] = False,
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Compile the net first; if left out, where it pays.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
    allow_code: Annotated[bool, typer.Option("--allow-code", help="Import own code that the run names.")] = False,
) -> None:
    """Evaluate a run on the test images: top-1 and top-5 error, loss, per-class table, confusion matrix."""
    from resvision.inference.evaluate import evaluate
    from resvision.inference.load import load

    trained = load(run, allow_code=allow_code)
    scores = evaluate(trained, data, root=root, batch_size=batch_size, grey=grey, compiled=compiled)
    about = {
        "run": str(run),
        "model": trained.run.model.name,
        "data": data or trained.run.data.name,
        "arithmetic": trained.run.machine.precision,
    }
    if as_json:
        print(json.dumps({**about, **scores.to_json()}, ensure_ascii=False))
    else:
        print(f"{about['model']} on {about['data']}, {about['arithmetic']}")
        _show(scores)


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2%}"


def _show(scores: "ClassificationScores") -> None:
    from resvision.cli.tables import new_table, print_tables

    print(f"top-1 error  {scores.top1_error:.2%}")
    if len(scores.classes) > 5:
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
