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
from resvision.core.plurals import counted
from resvision.core.settings import to_json
from resvision.core.terminal import tell
from resvision.inference.load import Trained, load
from resvision.studies.design import Measure
from resvision.studies.results import Findings, known, number
from resvision.studies.specimen import Specimen
from resvision.studies.trials import Outcome

PROBES = "probes"
"""The folder, in that of a member or of a study, where findings are kept."""

MEMBERS = "members"
"""The key, beside the options of a joint measure, of the members that it was taken of."""


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

    A joint measure is taken anew of all members where others were there before, as when seeds are added: its findings
    in one depend on the others.

    folder  of the study, where those of a joint measure are kept
    """
    quick = any(subject.quick for subject in subjects)
    options = plain({**measure.options, **(measure.quick if quick else {})})
    function = references.load(measure.function, noun="measure")
    with references.own_code(measure.function):
        if measure.joint:
            return _of_all(measure.name, function, options, subjects, folder, console)
        return [_of_one(measure.name, function, options, subject, console) for subject in subjects]


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON gives them back, so that those that were kept can be compared with them: lists for tuples."""
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(options))
    return read


def _of_one(name: str, function: Any, options: dict[str, Any], subject: Subject, console: Console) -> Findings:
    path = subject.folder / PROBES / f"{name}.json"
    kept = _kept(path)
    if kept is None:
        console.rule(f"{name} of {subject.folder.name}")
        found = _require_findings(name, [function(subject, **options)], 1)
        return _keep(path, options, found)[0]
    _require_same(path, kept.options, options)
    return kept.as_measured()[0]


def _of_all(
    name: str, function: Any, options: dict[str, Any], subjects: Sequence[Subject], folder: Path, console: Console
) -> list[Findings]:
    path = folder / PROBES / f"{name}.json"
    members = [f"{subject.condition}-seed{subject.seed}" for subject in subjects]
    kept = _kept(path)
    if kept is not None:
        _require_same(path, {key: value for key, value in kept.options.items() if key != MEMBERS}, options)
        if kept.options.get(MEMBERS) == members:
            return kept.as_measured()
    console.rule(name)
    if kept is not None:
        tell(console, f"{name}: was measured of other members; it is measured of all {len(members)} again")
    found = _require_findings(name, function(subjects, **options), len(members))
    return _keep(path, {**options, MEMBERS: members}, found)


def _require_findings(name: str, found: Any, members: int) -> list[Findings]:
    """What a measure gave, which may be of a person's own; SettingsError where it is not Findings of each member."""
    given = [found] if isinstance(found, Findings) or not isinstance(found, Sequence) else [*found]
    foreign = [type(one).__name__ for one in given if not isinstance(one, Findings)]
    if foreign or len(given) != members:
        what = f"gave {foreign[0]}" if foreign else f"gave {counted(len(given), 'finding')}"
        raise SettingsError(f"measure {name!r}: {what}, where Findings of {counted(members, 'member')} are expected")
    return given


@dataclass(frozen=True, kw_only=True)
class KeptFindings:
    """The content of a file of findings: the options of the measure, and its findings, None for what is no number.

    Beside the options of a joint measure stand the names of its members, as `MEMBERS`.
    """

    options: dict[str, Any]
    findings: list[tuple[dict[str, float | None], dict[str, list[float | None]]]]

    def as_measured(self) -> list[Findings]:
        """The findings with NaN for what is no number."""
        return [
            Findings(
                {name: number(value) for name, value in figures.items()},
                {name: [number(value) for value in values] for name, values in series.items()},
            )
            for figures, series in self.findings
        ]


def _kept(path: Path) -> KeptFindings | None:
    """The findings in a file; None where there is none."""
    if not path.is_file():
        return None
    try:
        return msgspec.convert(rundir.read_json(path), KeptFindings)
    except msgspec.ValidationError as error:
        raise RunError(f"{path}: holds no findings: {error}; remove it, and it is measured again") from None


def _require_same(path: Path, kept: dict[str, Any], asked: dict[str, Any]) -> None:
    """Raise SettingsError where findings were kept under other options than those that are asked for."""
    if kept != asked:
        raise SettingsError(
            f"{path}: was measured under other options, {kept}, asked {asked}; remove it, or name another --out"
        )


def _keep(path: Path, options: dict[str, Any], findings: Sequence[Findings]) -> list[Findings]:
    """Write findings into a file; the findings as they will be read from there."""
    path.parent.mkdir(exist_ok=True)
    written = [
        (
            {name: known(value) for name, value in each.figures.items()},
            {name: [known(value) for value in values] for name, values in each.series.items()},
        )
        for each in findings
    ]
    kept = KeptFindings(options=options, findings=written)
    rundir.write_json(path, to_json(kept))
    return kept.as_measured()
