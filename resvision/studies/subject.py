"""A finished training that a measure looks at, and the findings that are kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import torch
from rich.console import Console

from resvision.contracts import Batch, System
from resvision.core import references, rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.settings import to_json
from resvision.inference.load import Trained, load
from resvision.studies.design import Measure
from resvision.studies.results import Findings, known
from resvision.studies.specimen import Specimen
from resvision.studies.trials import Outcome

PROBES = "probes"
"""The folder, in that of a member or of a study, where findings are kept."""


@dataclass(frozen=True)
class Subject(Specimen):
    """A finished training under a condition and a seed, whose net is loaded once a measure asks for it.

    quick  whether the study is a quick one, so that a few images will do
    """

    condition: str
    seed: int
    outcome: Outcome
    quick: bool = False

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self.outcome.record.folder

    @cached_property
    def trained(self) -> Trained:
        """The run with the weights of its result, in evaluation mode."""
        return load(self.folder, allow_code=True)  # whoever asked for the study has named the code


@torch.no_grad()
def mean_losses(system: System, batches: Sequence[Batch]) -> dict[str, float]:
    """The loss, its terms and the metrics of a system over batches, by name; `loss` is the sum of the terms."""
    totals: dict[str, float] = {}
    weights: dict[str, float] = {}
    terms: set[str] = set()
    for batch in batches:
        losses = system.losses(batch)
        terms |= losses.terms.keys()
        for name, term in {**losses.terms, **losses.metrics}.items():
            totals[name] = totals.get(name, 0.0) + float(term.total)
            weights[name] = weights.get(name, 0.0) + float(term.weight)
    means = {name: total / weights[name] if weights[name] else 0.0 for name, total in totals.items()}
    return {"loss": sum(means[name] for name in terms), **means}


def measured(measure: Measure, subjects: Sequence[Subject], folder: Path, console: Console) -> list[Findings]:
    """The findings of a measure in each subject; those that were kept under the same options are read again.

    folder  of the study, where those of a joint measure are kept
    """
    quick = any(subject.quick for subject in subjects)
    options = plain({**measure.options, **(measure.quick if quick else {})})
    function = references.load(measure.function, noun="measure")
    if measure.joint:
        names = [f"{subject.condition}-seed{subject.seed}" for subject in subjects]
        path, asked = folder / PROBES / f"{measure.name}.json", {**options, "members": names}
        kept = _kept(path, asked)
        if kept is None:
            console.rule(measure.name)
            with references.own_code(measure.function):
                kept = function(subjects, **options)
            _keep(path, asked, kept)
        return kept
    with references.own_code(measure.function):
        return [_of_one(measure.name, function, options, subject, console) for subject in subjects]


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON gives them back, so that those that were kept can be compared with them: lists for tuples."""
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(options))
    return read


def _of_one(name: str, function: Any, options: dict[str, Any], subject: Subject, console: Console) -> Findings:
    path = subject.folder / PROBES / f"{name}.json"
    kept = _kept(path, options)
    if kept is None:
        console.rule(f"{name} of {subject.folder.name}")
        kept = [function(subject, **options)]
        _keep(path, options, kept)
    return kept[0]


@dataclass(frozen=True, kw_only=True)
class KeptFindings:
    """The content of a file of findings: the options of the measure, and its findings."""

    options: dict[str, Any]
    findings: list[tuple[dict[str, float | None], dict[str, list[float | None]]]]


def _kept(path: Path, options: dict[str, Any]) -> list[Findings] | None:
    if not path.is_file():
        return None
    try:
        kept = msgspec.convert(rundir.read_json(path), KeptFindings)
    except msgspec.ValidationError as error:
        raise RunError(f"{path}: holds no findings: {error}; remove it, and it is measured again") from None
    if kept.options != options:
        raise SettingsError(
            f"{path}: was measured under other options, {kept.options}, asked {options}; remove it, or name another"
            " --out"
        )
    return [Findings(*pair) for pair in kept.findings]  # type: ignore[arg-type]  # None is NaN in JSON


def _keep(path: Path, options: dict[str, Any], findings: Sequence[Findings]) -> None:
    path.parent.mkdir(exist_ok=True)
    written = [
        (
            {name: known(value) for name, value in each.figures.items()},
            {name: [known(value) for value in values] for name, values in each.series.items()},
        )
        for each in findings
    ]
    rundir.write_json(path, to_json(KeptFindings(options=options, findings=written)))
