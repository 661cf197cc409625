"""Execution of the phases of a training: runs and fits in one folder, one after another, parents before children.

The folder holds `phases.json`, the phases as they were asked for, and a folder for each, `1-net`, `2-svm`: a run
directory, or that of a fit with `fit.json`, `weights.safetensors` and `evaluation.json`. A phase is done once it has
its `evaluation.json`; one that was stopped goes on from its last checkpoint, or from the files of its fit in `scratch`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from resvision.assembly import task_name
from resvision.core import files, references, rundir
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.core.rundir import PHASES
from resvision.core.settings import differences
from resvision.core.terminal import tell
from resvision.extension import Scheduling
from resvision.fit_phase import carry_out_fit
from resvision.kinds.kind import Scores
from resvision.kinds.table import kind_of
from resvision.launch import Finished, launch, resume
from resvision.recipes.flags import Flags
from resvision.relocation import data_at, note, relocate, run_at
from resvision.run import DataSettings, Run, read_run
from resvision.training.stopping import GoingOn
from resvision.training_graph import (
    FIT_OPTIONS,
    FitPhase,
    Phase,
    RunPhase,
    checked_phases,
    fit_options,
    folder_name,
    graph_from_json,
    graph_to_json,
    phase_weights,
    with_parents,
)
from resvision.weights.published import is_published


class Outcome(NamedTuple):
    """A finished phase: its folder, and its figures in a line."""

    folder: Path
    summary: str


def launch_phases(phases: Sequence[Phase], *, out: Path | None, console: Console) -> Outcome:
    """Carry out phases in a new folder, and return the last outcome. A single run becomes a run directory.

    Raises what `launch` raises, and SettingsError for several phases under torchrun, whose processes would each make
    the folder.
    """
    if len(phases) == 1 and isinstance(phases[0], RunPhase):
        return _outcome_of_run(launch(phases[0].run, out=out, console=console))
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError("the recipe has several phases, which one process carries out; leave torchrun out")
    phases = [_with_full_paths(phase) for phase in checked_phases(phases)]
    _load_fits(phases)
    was_there = out is not None and out.exists()
    folder = rundir.create(_usual_name(phases)) if out is None else rundir.claim(out)
    rundir.write_json(folder / PHASES, graph_to_json(phases))
    try:
        return _carry_out(phases, folder, console, allow_code=True)  # whoever starts phases has named their code
    except ResVisionError:
        if [*folder.iterdir()] == [folder / PHASES]:  # the first phase was refused, so that nothing can be resumed
            (folder / PHASES).unlink()
            if not was_there:
                folder.rmdir()
        raise


def has_phases(folder: Path) -> bool:
    """Whether a folder holds several phases."""
    return (folder / PHASES).is_file()


def phases_in(folder: Path, *, allow_code: bool = False) -> tuple[Phase, ...]:
    """Read the phases of a folder, as they were asked for; raises as `resume_phases`."""
    path = folder / PHASES
    plain = rundir.read_json(path, limit=files.SETTINGS)
    try:
        return graph_from_json(plain, allow_code=allow_code)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    except ResVisionError as error:
        raise RunError(f"{path}: {error}") from None


def resume_phases(
    folder: Path,
    *,
    data: str | None = None,
    root: Path | None = None,
    allow_code: bool = False,
    console: Console,
) -> Outcome:
    """Go on with a folder of phases where it stopped, and return the last outcome.

    data, root  where their data lie now, if they have moved

    Raises RunError or SettingsError where it is damaged, or where a phase names code of a user's own and `allow_code`
    is not given.
    """
    phases = phases_in(folder, allow_code=allow_code)
    _load_fits(phases)
    if data is not None or root is not None:
        phases = _relocated(phases, folder, data, root, allow_code=allow_code)
    return _carry_out(phases, folder, console, allow_code=allow_code)


def require_same_phases(folder: Path, asked: Sequence[Phase]) -> None:
    """Raise RunError, with the differences, where the phases in a folder are not those asked for."""
    kept = phases_in(folder, allow_code=True)
    names, wanted = [[phase.name for phase in phases] for phases in (kept, asked)]
    listed = [f"the phases are {', '.join(names)}, asked {', '.join(wanted)}"] if names != wanted else []
    for old, new in zip(kept, map(_with_full_paths, asked), strict=False):
        if not listed:
            listed = [f"{path} of {old.name} is {was!r}, asked {now!r}" for path, was, now in differences(old, new)]
    if listed:
        raise RunError(f"{folder}: holds other phases: {'; '.join(listed)}; ask for those, or name a new folder")


def _relocated(
    phases: Sequence[Phase], folder: Path, data: str | None, root: Path | None, *, allow_code: bool
) -> tuple[Phase, ...]:
    """The phases with their data at another place, noted in the folder and in those of runs that have begun."""
    settings = [phase.run.data if isinstance(phase, RunPhase) else phase.data for phase in phases]
    if len({(kept.name, kept.root) for kept in settings if kept is not None}) > 1:
        raise SettingsError(f"{folder}: its phases are of several data sets; name the folder of a phase by --resume")
    for number, phase in enumerate(phases, start=1):
        begun = folder / folder_name(number, phase.name)
        if (begun / rundir.RUN).is_file():
            relocate(begun, data, root, allow_code=allow_code)
    moved: list[Phase] = []
    for phase in phases:
        if isinstance(phase, RunPhase):
            moved.append(replace(phase, run=run_at(phase.run, data, root)))
        else:
            moved.append(replace(phase, data=None if phase.data is None else data_at(phase.data, data, root)))
    rundir.write_json(folder / PHASES, graph_to_json(moved))
    return tuple(moved)


def resume_run(
    folder: Path,
    asked: Sequence[Phase],
    *,
    data: str | None = None,
    root: Path | None = None,
    allow_code: bool = False,
    schedule: Scheduling | None = None,
    flags: Flags | None = None,
    console: Console,
) -> Outcome:
    """Go on with a run directory; `data`, `root`, `schedule` and `flags` are those of `launch.resume`.

    RunError lists the differences where `asked` is another run, SettingsError says so where it is several phases.
    """
    runs = [phase.run for phase in asked if isinstance(phase, RunPhase)]
    if len(asked) > 1 or len(runs) < len(asked):
        raise SettingsError(f"{folder}: is one run, but {len(asked)} phases are asked for; name the folder of phases")
    run = runs[0] if runs else None
    further = {} if flags is None else flags
    return _outcome_of_run(
        resume(
            folder,
            asked=run,
            data=data,
            root=root,
            allow_code=allow_code,
            schedule=schedule,
            console=console,
            **further,
        )
    )


def _usual_name(phases: Sequence[Phase]) -> str:
    """The usual name of the folder: model and data of the last run, or the last phase where there is no run."""
    runs = [phase.run for phase in phases if isinstance(phase, RunPhase)]
    parts = [runs[-1].model.name.replace(":", "."), runs[-1].data.name] if runs else [phases[-1].name]
    return "-".join(Path(part).name for part in parts)


def _with_full_paths(phase: Phase) -> Phase:
    """The phase with full paths of its data and initial weights, which hold in any working directory."""
    if isinstance(phase, FitPhase):
        return phase if phase.data is None else replace(phase, data=_data_with_full_paths(phase.data))
    return replace(phase, run=with_full_paths(phase.run))


def with_full_paths(run: Run) -> Run:
    """The run with full paths of its data and initial weights, which hold in any working directory."""
    model = run.model
    model = replace(model, init_from=_full_source(model.init_from), encoder_from=_full_source(model.encoder_from))
    return replace(run, model=model, data=_data_with_full_paths(run.data))


def _data_with_full_paths(data: DataSettings) -> DataSettings:
    data = data_at(data, data.name, data.root)
    return data if data.proposals is None else replace(data, proposals=str(Path(data.proposals).resolve()))


def _full_source(source: str | None) -> str | None:
    """The source of initial weights: published ones by their name, a file or a run folder by its full path."""
    return source if source is None or is_published(source) else str(Path(source).resolve())


def _load_fits(phases: Sequence[Phase]) -> None:
    """Find the functions of all fits, so that a misspelt name, or option of ours, fails before hours of training."""
    for phase in phases:
        if isinstance(phase, FitPhase):
            references.load(phase.fit, noun="fit")
            if phase.fit in FIT_OPTIONS:
                options_type: type[object] = references.load(FIT_OPTIONS[phase.fit], noun="options")
                try:
                    fit_options(options_type, phase.options, at="options")
                except SettingsError as error:
                    raise SettingsError(f"phase {phase.name}: {error}") from None


def _carry_out(phases: Sequence[Phase], root: Path, console: Console, *, allow_code: bool) -> Outcome:
    with GoingOn.in_folder(root):
        return _carry_out_in_turn(phases, root, console, allow_code=allow_code)


def _carry_out_in_turn(phases: Sequence[Phase], root: Path, console: Console, *, allow_code: bool) -> Outcome:
    folders: dict[str, Path] = {}
    tasks = [task_name(phase.run) for phase in phases if isinstance(phase, RunPhase)]
    kind = kind_of(tasks[0]) if tasks else None
    for number, phase in enumerate(phases, start=1):
        folder = root / folder_name(number, phase.name)
        if folder.is_symlink():  # it would lead out of the folder that was named
            raise RunError(f"{folder}: is a link; put the folder itself in its place")
        console.rule(f"phase {number} of {len(phases)}: {phase.name}")
        parents = {role: folders[name] for role, name in phase.parents.items()}
        if isinstance(phase, FitPhase):
            outcome = Outcome(folder, carry_out_fit(phase, folder, parents, console, kind=kind, allow_code=allow_code))
        elif (folder / rundir.EVALUATION).is_file():
            outcome = Outcome(folder, _kept_summary(phase.run, folder))  # to resume it would score it once more
        else:
            outcome = _carry_out_run(phase, folder, parents, console, allow_code=allow_code)
        if number < len(phases):
            tell(console, f"{folder}: {outcome.summary}")
        folders[phase.name] = folder
    return outcome


def _carry_out_run(
    phase: RunPhase, folder: Path, parents: Mapping[str, Path], console: Console, *, allow_code: bool
) -> Outcome:
    weights = {role: phase_weights(parent) for role, parent in parents.items()}
    if (folder / rundir.RUN).is_file():
        if "proposals" in weights:  # a step reads them, also where the whole was moved since the run began
            begun = read_run(folder, allow_code=allow_code)
            note(folder, replace(begun, data=replace(begun.data, proposals=str(weights["proposals"]))))
        return _outcome_of_run(resume(folder, allow_code=allow_code, console=console))
    run = with_parents(phase, weights)
    return _outcome_of_run(launch(run, out=folder, console=console))


def _kept_summary(run: Run, folder: Path) -> str:
    """The figures of a finished run, from the evaluation in its folder."""
    path = folder / rundir.EVALUATION
    data = rundir.read_json(path)
    try:
        scores: Scores = kind_of(task_name(run)).read_scores(data)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(f"{path}: damaged: {type(error).__name__}: {error}; delete it to score the run anew") from None
    return scores.summary()


def _outcome_of_run(finished: Finished) -> Outcome:
    return Outcome(finished.folder, finished.scores.summary())
