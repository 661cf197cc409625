"""An experiment: the members of a design are trained, measured, and their results written.

Whatever is finished is not done again, whatever was begun goes on, so that a stopped study is continued by the same
command. A member whose loss becomes no number is left as it is, and the study goes on without it, now and when it is
continued.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from resvision.assembly import task_name
from resvision.core import rundir
from resvision.core.data_names import short_name
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.core.rundir import locked
from resvision.kinds.table import kind_of
from resvision.preparation import resolve
from resvision.recipes import compose
from resvision.report.record import RunRecord
from resvision.studies.design import Condition, Design, Pretraining
from resvision.studies.design_checks import require_figures, require_sound
from resvision.studies.jobs import attempt_beside
from resvision.studies.results import (
    FORMAT,
    RESULTS,
    Findings,
    Member,
    Results,
    known,
    plotted,
    read_results,
    write_results,
)
from resvision.studies.subject import Subject, measured
from resvision.studies.trials import Diverged, Outcome, Trial, attempt
from resvision.training.machine import environment
from resvision.training.stopping import GoingOn
from resvision.training_graph import RunPhase

POINTS = 200
"""The points that are kept of a training curve at most."""


class Asked(NamedTuple):
    """The wishes of a person for a study.

    seeds     None for the usual number
    epochs    the length of every training; None for the usual one
    recipe    by which all are trained; None for the design's, or each net's own
    settings  `KEY=VALUE` of all trainings, which have the last word
    jobs      members that are trained beside each other, each in a process of its own
    train_images  the most images that a training of a condition sees, drawn by its seed; None for all
    """

    data: str
    seeds: int | None = None
    epochs: int | None = None
    recipe: str | None = None
    quick: bool = False
    settings: Sequence[str] = ()
    jobs: int = 1
    train_images: int | None = None


def plan(design: Design, asked: Asked) -> list[Trial]:
    """The trials: every condition under seeds 0, 1, ..."""
    seeds = design.seeds if asked.seeds is None else asked.seeds
    if seeds < 1:
        raise SettingsError(f"--seeds {seeds}: at least one is needed, three to decide a claim")
    require_sound(design)
    trials = [_trial(design, condition, seed, asked) for seed in range(seeds) for condition in design.conditions]
    kinds = {trial.model: kind_of(task_name(trial.run)) for trial in trials}
    trained = {name: ("trained",) if kind.metrics else () for name, kind in kinds.items()}
    require_figures(design, {name: (*trained[name], *kind.figures) for name, kind in kinds.items()})
    return trials


def _trial(design: Design, condition: Condition, seed: int, asked: Asked) -> Trial:
    """The training of a condition under a seed, with the one before it where there is one."""
    length = {} if asked.epochs is None else {"training.duration": f"{asked.epochs} epochs"}
    before = condition.pretraining
    earlier_names = {f"{other.pretraining.name}." for other in design.conditions if other.pretraining}
    run = compose(
        condition.model,
        condition.data or asked.data,
        recipe_name=asked.recipe,
        changes=limited(changes_of(design, condition, quick=asked.quick), asked.train_images)
        | length
        | {"training.seed": seed},
        settings=[text for text in asked.settings if not text.startswith(tuple(earlier_names))],
    )
    if before is None:
        return Trial(model=condition.name, seed=seed, run=run)
    earlier = compose(
        before.quick_model if asked.quick and before.quick_model else before.model,
        before.data,
        changes={**before.settings, **(before.quick if asked.quick else {}), **length, "training.seed": seed},
        settings=_settings_before(before, asked.settings),
    )
    phases = (RunPhase(name=before.name, run=earlier), RunPhase(name="heads", run=run, encoder_from=before.name))
    return Trial(model=condition.name, seed=seed, run=run, phases=phases)


def _settings_before(before: Pretraining, settings: Sequence[str]) -> list[str]:
    """What `--set` says about a pre-training: its own by its name, those of the machine, and those of the net of both.

    Others are about the training that is compared.
    """
    shared = [path for path in before.settings if path.startswith("model.options.")]
    both = [text for text in settings if text.startswith(("machine.", *(f"{path}=" for path in shared)))]
    own = [text.removeprefix(f"{before.name}.") for text in settings if text.startswith(f"{before.name}.")]
    return both + own


def changes_of(design: Design, condition: Condition, *, quick: bool) -> dict[str, Any]:
    """The settings of a condition: its own stand over those of all."""
    usual = {**design.common, **condition.settings}
    return {**design.common, **design.quick, **condition.settings, **condition.quick} if quick else usual


def limited(changes: Mapping[str, Any], train_images: int | None) -> dict[str, Any]:
    """The changes of a training that sees so many images at most; a condition that asks for fewer keeps its number."""
    if train_images is None:
        return {**changes}
    return {**changes, "data.train_limit": min(train_images, changes.get("data.train_limit") or train_images)}


def conduct(design: Design, folder: Path, asked: Asked, console: Console) -> Results:
    """Carry out a study in `folder`, going on with what was begun, and write its results there.

    Raises RunError where another process works in the folder, or where it holds a study of other settings.
    """
    trials = plan(design, asked)
    _require_trainable(trials, folder)
    _require_own(folder, design)
    with GoingOn("the same command"), locked(folder, use="used for a study"):
        outcomes = _attempted(design, folder, trials, asked, console)
        finished = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
        if not finished:
            raise SettingsError(
                f"{folder}: every training diverged; try a lower rate, --set optimizer.lr=..., and another --out"
            )
        findings = _findings(design, folder, finished, console, quick=asked.quick)
        members = [
            member_of(outcome, findings.get(outcome.trial.name, {}))
            if isinstance(outcome, Outcome)
            else diverged_member(outcome)
            for outcome in outcomes
        ]
        results = Results(
            format=FORMAT,
            study=design.name,
            data=short_name(trials[0].run.data.name),
            task=finished[0].record.task_name,
            quick=asked.quick,
            date=date.today().isoformat(),
            machine=machine_in_words(finished),
            settings=finished[0].record.run,
            members=tuple(members),
        )
        write_results(results, folder / RESULTS)
    return results


def _require_own(folder: Path, design: Design) -> None:
    """Make the folder of a study; RunError where that cannot be, and where it holds a run or another study."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise rundir.unwritable(folder, error) from None
    if any((folder / name).is_file() for name in (rundir.RUN, rundir.PHASES, rundir.FOLDS)):
        raise RunError(f"{folder}: holds a run, and no study; name another --out")
    if (folder / RESULTS).is_file() and (other := read_results(folder / RESULTS).study) != design.name:
        raise RunError(f"{folder}: holds the study {other}; name another --out for {design.name}")


def _require_trainable(trials: Sequence[Trial], folder: Path) -> None:
    """Raise the error of a condition that cannot be trained, before any is; that of the first alone is of all."""
    for trial in (trial for trial in trials if trial.seed == trials[0].seed):
        if not (folder / trial.name).exists():
            try:
                resolve(trial.run)
            except ResVisionError as error:
                if trial is trials[0]:
                    raise
                raise SettingsError(f"{trial.model}: {error}") from None


def _attempted(
    design: Design, folder: Path, trials: Sequence[Trial], asked: Asked, console: Console
) -> list[Outcome | Diverged]:
    """The outcomes of trials, one after another or several at a time, in their order."""
    if asked.jobs == 1:
        return [attempt(folder / trial.name, trial, console) for trial in trials]
    single = [measure for measure in design.measures if not measure.joint]
    return attempt_beside(folder, trials, single, console, jobs=asked.jobs, quick=asked.quick)


def _findings(
    design: Design, folder: Path, outcomes: Sequence[Outcome], console: Console, *, quick: bool
) -> dict[str, dict[str, Findings]]:
    """The findings of all measures, by the trial's name and the measure's."""
    subjects = [Subject(outcome.trial.model, outcome.trial.seed, outcome, quick) for outcome in outcomes]
    findings: dict[str, dict[str, Findings]] = {outcome.trial.name: {} for outcome in outcomes}
    for measure in design.measures:
        for outcome, found in zip(outcomes, measured(measure, subjects, folder, console), strict=True):
            findings[outcome.trial.name][measure.name] = found
    return findings


def member_of(outcome: Outcome, findings: Mapping[str, Findings]) -> Member:
    """A finished training as a member: what is known of every one, and findings under the names of their measures."""
    record = outcome.record
    figures, series = figures_of(outcome), curves_of(record)
    for name, found in findings.items():
        figures |= {f"{name}.{figure}": value for figure, value in found.figures.items()}
        series |= {f"{name}.{column}": list(values) for column, values in found.series.items()}
    return Member(
        condition=outcome.trial.model,
        seed=outcome.trial.seed,
        folder=f"{outcome.trial.name}/{record.folder.name}" if outcome.trial.phases else outcome.trial.name,
        task=record.task_name,
        data=short_name(outcome.trial.run.data.name),
        figures={name: known(value) for name, value in figures.items()},
        series={name: [plotted(value) for value in values] for name, values in series.items()},
    )


def diverged_member(diverged: Diverged) -> Member:
    """A training that diverged as a member without figures."""
    trial = diverged.trial
    return Member(
        condition=trial.model,
        seed=trial.seed,
        folder=trial.name,
        diverged=diverged.reason,
        task=task_name(trial.run),
        data=short_name(trial.run.data.name),
    )


def figures_of(outcome: Outcome) -> dict[str, float]:
    """The figures of every member, as the glossary of `design` names them."""
    record = outcome.record
    metrics = record.kind.metrics
    own = {
        "loss": outcome.trained("loss"),
        "tested": outcome.tested,
        "parameters": float(record.parameters or 0),
        "seconds": outcome.seconds,
    }
    return {**record.scores.figures(), **({"trained": outcome.trained(metrics[0])} if metrics else {}), **own}


def curves_of(record: RunRecord) -> dict[str, list[float]]:
    """The curves of a training, thinned out.

    train.epoch   with train.loss and the first metric, `train.trained`: means over as many steps as a point stands for
    tested.epoch  with tested.tested: the main figure of each evaluation on the way
    """
    steps, per_epoch = record.steps, record.steps_per_epoch
    if not len(steps.step):
        return {}
    cuts = np.arange(0, len(steps.step), -(-len(steps.step) // POINTS) or 1)
    counts = np.diff([*cuts, len(steps.step)])
    named = {"loss": record.metric("loss")}
    if record.kind.metrics:
        named["trained"] = record.metric(record.kind.metrics[0])
    series = {f"train.{name}": np.add.reduceat(values, cuts) / counts for name, values in named.items()}
    series["train.epoch"] = np.add.reduceat(steps.step - 0.5, cuts) / counts / per_epoch
    series["tested.epoch"] = record.evaluations.step / per_epoch
    series["tested.tested"] = record.evaluations.figures.get(record.kind.main, np.empty(0))
    return {name: values.tolist() for name, values in series.items()}


def machine_in_words(outcomes: Sequence[Outcome]) -> str:
    """The processor, the threads of the runs and the version of torch, of which times and last digits depend."""
    known_here = environment()
    threads = sorted({outcome.record.setting("machine.threads") or known_here["threads"] for outcome in outcomes})
    counts = " or ".join(map(str, threads))
    differing = ", by which the last digits of figures differ," if len(threads) > 1 else ","
    noun = "thread" if threads == [1] else "threads"
    return f"{known_here['cpu']}, {counts} {noun}{differing} torch {known_here['torch']}"
