"""Finished runs as a study: those that differ in nothing but the seed are one condition, named by what sets it apart.

Each condition is held against the first, in pairs of equal seeds. All pairs of conditions would be more claims, of
which more are decided by chance; name another run first to hold the others against that.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from resvision.catalog.table import find
from resvision.core import references
from resvision.core.data_names import short_name
from resvision.core.errors import RunError, SettingsError
from resvision.core.plurals import plural
from resvision.core.settings import leaves
from resvision.kinds.kind import Kind
from resvision.run import Run, code_in_run, refuse_code
from resvision.studies.design import Claim, Column, Condition, Design, Value
from resvision.studies.experiment import machine_in_words, member_of
from resvision.studies.results import FORMAT, Results
from resvision.studies.trials import Outcome, outcome_in
from resvision.weights.published import is_published

NAME = "comparison"
SEED = "training.seed"
MODEL = "model.name"

NEVER_APART = frozenset(
    {SEED, "data.root", "data.name", "training.extended"}
    | {f"machine.{name}" for name in ("threads", "workers", "compile", "channels_last", "matrix_units")}
)
"""Leaves that set no runs apart: the seed, and what is about the speed of a machine."""

DERIVED = ("data.view", "data.mean", "data.std", "data.train_images", "model.num_classes", "recipe")
"""Beginnings of leaves that mostly follow from others, so that they name a condition only where nothing else does."""

SOURCES = frozenset({"model.init_from", "model.encoder_from", "data.proposals"})
"""Leaves that may be a file of the run's own: another in each run, but of one kind."""

MISSING = "usual"
"""The value of an option that a run does not name, so that the net's own holds."""

LIST_MOST = 6
"""The values of a setting that a sentence lists."""


def compare(folders: Sequence[Path], *, allow_code: bool = False) -> tuple[Design, Results]:
    """The design and the results of a comparison of finished runs, whose members have full paths.

    Raises SettingsError for fewer than two runs, for two of the same settings and seed, and for runs that differ in
    nothing else, RunError for one that is not finished, for several tasks or data sets, and where a run names code of
    a user's own and `allow_code` is not given.
    """
    if len(folders) < 2:
        raise SettingsError("a comparison needs two runs or more; name their folders")
    outcomes = [outcome_in(folder) for folder in folders]
    if not allow_code:
        for outcome in outcomes:
            refuse_code(code_in_run(outcome.record.run))
    _require_common_ground(folders, outcomes)
    names = condition_names([settings_of(outcome.trial.run) for outcome in outcomes])
    if len(set(names)) < 2:
        raise SettingsError("the runs differ in nothing but the seed; name runs that differ in a setting as well")
    _require_apart(folders, outcomes, names)
    members = [
        replace(
            member_of(replace(outcome, trial=replace(outcome.trial, model=name)), {}),
            folder=str(outcome.record.folder.resolve()),
        )
        for outcome, name in zip(outcomes, names, strict=True)
    ]
    results = Results(
        format=FORMAT,
        study=NAME,
        data=members[0].data,
        task=members[0].task,
        quick=False,
        date=date.today().isoformat(),
        machine=machine_in_words(outcomes),
        settings=outcomes[0].record.run,
        members=tuple(members),
    )
    differing = differing_leaves([settings_of(outcome.trial.run) for outcome in outcomes])
    return design_of_conditions(results.conditions, differing, results.kind, name=NAME), results


def design_of_conditions(
    conditions: Sequence[str | Condition],
    differing: Mapping[str, Sequence[Any]],
    kind: Kind[Any, Any, Any],
    *,
    name: str,
    data: str = "",
    seeds: int = 3,
) -> Design:
    """A design whose conditions differ in these settings, with a claim about each condition against the first."""
    rows = [row if isinstance(row, Condition) else Condition(name=row, model="") for row in conditions]
    settings = "; ".join(f"{path}: {_listed(values)}" for path, values in differing.items())
    asked = " and ".join(differing) if len(differing) <= 3 else f"{len(differing)} settings"
    return Design(
        name=name,
        question=f"What difference does {asked} make?",
        paper="",
        title="Runs that differ in their settings",
        lead=f"They differ in {settings}. Each condition is held against the first, {rows[0].name}, in pairs of equal"
        " seeds.",
        conditions=rows,
        claims=claims_against_first([row.name for row in rows], kind, losses=_losses_compare(differing)),
        columns=(Column("parameters", "parameters", "count"),),
        data=data,
        seeds=seeds,
    )


def claims_against_first(conditions: Sequence[str], kind: Kind[Any, Any, Any], *, losses: bool) -> list[Claim]:
    """Claims that each condition does better than the first on the test, and, with `losses`, in training."""
    first, *others = conditions
    claims = []
    for name in others:
        if kind.higher_is_better:
            claims.append(Claim(f"{name} has a higher test {kind.main_name} than {first}", Value(first), Value(name)))
        else:
            claims.append(Claim(f"{name} has a lower test {kind.main_name} than {first}", Value(name), Value(first)))
        if losses:
            text = f"{name} has a lower training loss than {first}"
            claims.append(Claim(text, Value(name, "loss"), Value(first, "loss")))
    return claims


def settings_of(run: Run) -> dict[str, Any]:
    """The leaves of a run that may set it apart from others."""
    kept = {path: value for path, value in leaves(run) if path not in NEVER_APART}
    own = {path: "a file" for path in SOURCES if isinstance(kept.get(path), str) and not is_published(kept[path])}
    return {**kept, **own, "data.proposals_sum": None}


def differing_leaves(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The different values of each leaf that is not the same in all runs, in their order; derived ones left out."""
    paths = dict.fromkeys(path for run in runs for path in run)
    values = {path: _unlike([run.get(path, MISSING) for run in runs]) for path in paths}
    differing = {path: each for path, each in values.items() if len(each) > 1}
    return {path: each for path, each in differing.items() if not path.startswith(DERIVED)} or differing


def condition_names(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The condition of each run, `shortcut=A, lr=0.1`; equal for runs of equal settings, and for those alone.

    The name of a model stands by itself. Leaves that follow from others are named only where those do not tell apart.
    """
    chosen = [*differing_leaves(runs)]
    whole = [sorted(run.items(), key=lambda leaf: leaf[0]) for run in runs]
    rest = [path for path in dict.fromkeys(path for run in runs for path in run) if path not in chosen]
    for path in rest:
        if _groups([tuple(run.get(each) for each in chosen) for run in runs]) == _groups(whole):
            break
        if len(_unlike([run.get(path, MISSING) for run in runs])) > 1:
            chosen.append(path)
    chosen.sort(key=lambda path: path != MODEL)
    shorts = short_paths(chosen)
    return [
        ", ".join(
            written(run[path]) if path == MODEL else f"{shorts[path]}={written(run.get(path, MISSING))}"
            for path in chosen
        )
        for run in runs
    ]


def short_paths(paths: Sequence[str]) -> dict[str, str]:
    """The last word of each path, or as many as tell it from the others."""
    shorts = {}
    for path in paths:
        words = path.split(".")
        lengths = range(1, len(words) + 1)
        ends = (".".join(words[-length:]) for length in lengths)
        shorts[path] = next(end for end in ends if sum(f".{other}".endswith(f".{end}") for other in paths) == 1)
    return shorts


def written(value: Any) -> str:
    """A value of a setting in the name of a condition."""
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "x".join(map(written, value)) if isinstance(value, list | tuple) else str(value)


def _listed(values: Sequence[Any]) -> str:
    shown = [written(value) for value in values[:LIST_MOST]]
    return ", ".join(shown) + (f" and {len(values) - LIST_MOST} more" if len(values) > LIST_MOST else "")


def _losses_compare(differing: Mapping[str, Sequence[Any]]) -> bool:
    """Whether training losses can be compared: other systems, loss options or images make other quantities of them."""
    systems = {_system_of(str(name)) for name in differing.get("model.name", ())}
    return len(systems) < 2 and not any(path.startswith(("loss.", "augment.")) for path in differing)


def _system_of(model: str) -> str:
    """The system that trains a model; that of a user's own is named by the model itself."""
    return model if references.is_reference(model) else find(model).system


def _unlike(values: Sequence[Any]) -> list[Any]:
    """The different values in their order; lists are no keys, so each is compared with those before it."""
    unlike: list[Any] = []
    for value in values:
        if value not in unlike:
            unlike.append(value)
    return unlike


def _groups(keys: Sequence[Any]) -> list[int]:
    """For each key the place of the first that equals it."""
    return [keys.index(key) for key in keys]


def seen_from(results: Results, out: Path) -> Results:
    """The results with the folders of members as they are named in `out`, so that both can be moved together."""
    members = (replace(m, folder=os.path.relpath(m.folder, out.resolve())) for m in results.members)
    return replace(results, members=tuple(members))


def _require_common_ground(folders: Sequence[Path], outcomes: Sequence[Outcome]) -> None:
    """Raise RunError for a run whose task, data or test images are not those of the first."""
    first = outcomes[0]
    for folder, outcome in zip(folders[1:], outcomes[1:], strict=True):
        if outcome.record.task_name != first.record.task_name:
            tasks = f"{outcome.record.task_name}, {folders[0]} one of {first.record.task_name}"
            raise RunError(f"{folder}: is a run of {tasks}; compare runs of one task")
        own, other = outcome.trial.run.data, first.trial.run.data
        if short_name(own.name) != short_name(other.name):
            raise RunError(
                f"{folder}: was trained on {short_name(own.name)}, {folders[0]} on {short_name(other.name)}; compare"
                " runs of one data set"
            )
        if (own.fingerprint, own.folds, own.fold) != (other.fingerprint, other.folds, other.fold):
            samples = plural(first.record.kind.sample_noun)
            raise RunError(
                f"{folder}: has other {samples} of {short_name(own.name)} than {folders[0]}; compare runs that were"
                " tested on the same ones"
            )


def _require_apart(folders: Sequence[Path], outcomes: Sequence[Outcome], names: Sequence[str]) -> None:
    """Raise SettingsError where two runs have the same settings and seed."""
    seen: dict[tuple[str, int], Path] = {}
    for folder, outcome, name in zip(folders, outcomes, names, strict=True):
        before = seen.setdefault((name, outcome.trial.seed), folder)
        if before is not folder:
            raise SettingsError(
                f"{folder}: is the training of {before} once more, of the same settings and seed; leave one of them out"
            )
