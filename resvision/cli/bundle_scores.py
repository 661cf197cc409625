"""Scores of a bundle, or of a run on an engine, as tables or JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resvision.cli.engines import on_engine, open_bundle_of
from resvision.cli.shared_options import finds_of
from resvision.cli.tables import new_table, print_lines, print_tables
from resvision.core.errors import SettingsError, printable
from resvision.core.progress import Bar
from resvision.core.rundir import RUN, read_json
from resvision.core.samples import Reader
from resvision.core.terminal import Terminal
from resvision.kinds.kind import Scores
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.terminal_tables import as_text
from resvision.papers.related import related
from resvision.prediction.agreement import Agreement, agreement
from resvision.prediction.exam_data import open_exam
from resvision.prediction.exams import examined
from resvision.runtime.bundle import Bundle
from resvision.runtime.shipped import place_of

if TYPE_CHECKING:
    from resvision.cli.weights import UseOptions
    from resvision.inference.load import Trained
    from resvision.tasks import How


def evaluate_bundle(
    runs: Sequence[Path],
    data: str | None,
    options: "UseOptions",
    *,
    root: Path | None,
    columns: list[str] | None,
    protocol: str | None,
    refused: Mapping[str, Any],
    as_json: bool,
    wide: bool,
) -> None:
    """Score a bundle by one view of each image, and print the scores.

    refused  options that bundles do not take, by name, with their values

    Raises SettingsError for one of these that is given, and for several bundles.
    """
    if len(runs) > 1:
        raise SettingsError("evaluate: a bundle is scored alone; name one at a time")
    for name, value in refused.items():
        if value:
            raise SettingsError(f"{name}: is for runs; a bundle shows its graph one view of each image; leave it out")
    bundle = open_bundle_of(runs[0], options)
    own_root = None if data is not None else _place_of_data(place_of(runs[0]))
    reader = open_exam(bundle, data, root=root or own_root, columns=columns)
    asked = _asked(bundle, finds_of(options))
    with Bar(Terminal(stderr=True), "evaluating", total=len(reader), noun=bundle.kind.sample_noun) as bar:
        scores = examined(asked, reader, protocol=protocol, watch=bar.advance)
    _show(asked, reader, scores, as_json=as_json, wide=wide)


def evaluate_on_engine(
    trained: "Trained",
    data: str | None,
    options: "UseOptions",
    *,
    root: Path | None,
    columns: list[str] | None,
    how: "How",
    as_json: bool,
    wide: bool,
) -> None:
    """Score a run on an engine, and say how far it agrees with torch on some of the same images."""
    from resvision.inference.evaluate import open_images

    if how.compiled or how.scales or how.batch_size:
        raise SettingsError("--compile, --scales and --batch-size: are for torch; leave them out, or --engine")
    reader = open_images(trained, data, root=root, columns=columns).reader
    bundle = _asked(on_engine(trained, options), how.prediction)
    with Bar(Terminal(stderr=True), "evaluating", total=len(reader), noun=bundle.kind.sample_noun) as bar:
        scores = examined(bundle, reader, protocol=how.protocol, watch=bar.advance)
    with Bar(Terminal(stderr=True), "comparing with torch", noun=bundle.kind.sample_noun) as bar:
        alike = agreement(trained.configured(how.prediction), bundle, reader, watch=bar.advance)
    _show(bundle, reader, scores, alike, as_json=as_json, wide=wide)


def _asked(bundle: Bundle, options: PredictionOptions) -> Bundle:
    """The bundle with what a person asks; SettingsError for what its task does not take."""
    bundle.kind.require_options(options.given())
    return bundle.configured(options)


def _place_of_data(folder: Path) -> Path | None:
    """Where the run of a bundle had its data, unless it was told nothing; SettingsError for one of several folds."""
    run = read_json(folder / RUN)
    data = run.get("data") if isinstance(run, dict) else None
    if not isinstance(data, dict):
        return None
    if data.get("folds"):
        raise SettingsError(f"{printable(folder)}: its run tested one of several folds; name the images by --data")
    root = data.get("root")
    return Path(root) if isinstance(root, str) and Path(root).is_dir() else None


def _show(
    bundle: Bundle,
    reader: Reader[Any],
    scores: Scores,
    alike: Agreement | None = None,
    *,
    as_json: bool,
    wide: bool,
) -> None:
    kind, engine = bundle.kind, bundle.graph.described
    if as_json:
        compared = {} if alike is None else {"agreement_with_torch": alike.share, "images_compared": alike.images}
        header = {"run": bundle.title, "model": bundle.name, "data": reader.name, "arithmetic": engine}
        print(json.dumps({**header, **scores.to_json(), **compared}, ensure_ascii=False))
        return
    print_lines(f"{bundle.name} on {reader.name}, {engine}")
    lines = list(kind.lines(scores))
    if alike is not None:
        lines.append(("as torch says", f"{alike.share:.2%} of {alike.images:,} {kind.sample_noun}s"))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print_lines(f"{name:<{width}}  {value}")
    print()
    tables = []
    for table in [*kind.tables(scores), *map(as_text, related(reader.name))]:
        shown = new_table(*table.columns, numbers=table.numbers, title=table.title, least=table.least)
        for row in table.rows:
            shown.add_row(*row)
        tables.append(shown)
    print_tables(*tables, wide=wide)
