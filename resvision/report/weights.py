"""Weights without a run as one page: what they are, their scores on labelled images, and their worst mistakes.

There is no history to draw, and the page says so.
"""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from resvision.core.data_names import short_name
from resvision.core.errors import printable
from resvision.core.plurals import plural
from resvision.core.samples import Reader
from resvision.core.views import described
from resvision.inference.evaluate import evaluate_with_overlap
from resvision.inference.load import Trained
from resvision.inference.predict import result_of
from resvision.kinds.kind import Scores
from resvision.report.class_tables import class_values
from resvision.report.heat import heated
from resvision.report.html import render, write_page
from resvision.report.pictures import Gallery, gallery
from resvision.tasks import How


def write_weights_report(
    trained: Trained, data: str, out: Path, *, root: Path | None = None, columns: Sequence[str] | None = None
) -> Path:
    """Score weights on labelled images, and write one self-contained page about them to `out`; the path.

    Raises what `evaluate` does, and RunError where `out` cannot be written or is not a page of ours.
    """
    evaluation = evaluate_with_overlap(trained, data, root=root, columns=columns, how=How(grey=True))
    return write_page(out, _page(trained, data, evaluation.images.reader, evaluation.scores))


def _page(trained: Trained, data: str, reader: Reader[Any], scores: Scores) -> str:
    kind, name = trained.kind, short_name(data)
    return render(
        "weights.html.j2",
        title=f"{trained.name} with weights from elsewhere on {name}",
        lead=f"{trained.name} {kind.sentence(scores, f' of {name}')}.",
        facts=_facts(trained, name, reader),
        scores=kind.lines(scores),
        **class_values(kind, scores, name="confusion", data=name),
        worst_title=kind.worst_title,
        worst_note=kind.worst_note,
        gallery=_gallery(trained, reader, scores),
    )


def _facts(trained: Trained, data: str, reader: Reader[Any]) -> list[tuple[str, str]]:
    """Rows about the weights and the images."""
    view, listed = trained.view, ", ".join(trained.classes[:20])
    more = f" and {len(trained.classes) - 20} more" if len(trained.classes) > 20 else ""
    options = ", ".join(f"{key} {value}" for key, value in trained.run.model.options.items())
    facts = [
        ("model", f"{trained.name}, {options}" if options else trained.name),
        ("weights", printable(trained.folder.name)),
        (plural(trained.kind.sample_noun), f"{len(reader):,} of {printable(data)}"),
        ("shown as", described(view)),
        ("mean, std", f"{_numbers(view.mean)}; {_numbers(view.std)}"),
    ]
    if trained.classes:
        facts.append((f"{len(trained.classes)} classes", f"in this order: {printable(listed)}{more}"))
    doubt = trained.doubt.removeprefix(f"{printable(trained.folder)}: ")  # a page holds no folder of the machine
    return [*facts, ("in doubt", doubt)] if doubt else facts


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _gallery(trained: Trained, reader: Reader[Any], scores: Scores) -> Gallery:
    """The worst images, with the net's results where the kind shows results, and what the net looked at."""
    kind = trained.kind
    examples = kind.worst(scores)
    if not examples:
        return Gallery(reason=kind.none_wrong(scores))
    samples, answers, exhibits = [], [], []
    for rank, example in enumerate(examples):
        sample, source = reader[example.image], printable(reader.source(example.image))
        result = result_of(trained, sample, name=source, grey=True) if kind.predicts_examples else None
        exhibit = kind.exhibit(scores, rank, sample.image, sample.target, result)
        exhibits.append(exhibit._replace(source=PurePath(exhibit.source).name))
        samples.append(sample)
        answers.append((sample.target, result))
    return gallery(exhibits, tuple(kind.legend(scores, answers)), lambda: heated(trained, exhibits, samples))
