"""Start of a run in a new directory, and going on with one after a stop, up to its finished directory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack, overload

from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.settings import checked, differences, to_json
from resvision.core.terminal import Terminal, tell
from resvision.execution import Finished as Finished
from resvision.execution import carry_out
from resvision.extension import Scheduling, extended
from resvision.initial_weights import encoder_file, initial_file
from resvision.introduction import introduce
from resvision.loading.workers import dead_workers_named
from resvision.preparation import prepare, resolve
from resvision.recipes import compose
from resvision.recipes.flags import Flags, changes_of
from resvision.relocation import note, reopen_at, run_at
from resvision.run import Run, read_run, require_same_code
from resvision.training import machine as machines
from resvision.training import processes
from resvision.training.callbacks import Callback
from resvision.training.contention import CpuTimes
from resvision.training.evaluation import gathered
from resvision.training.stopping import GoingOn, StopSignals

OF_ONE_MACHINE = {"data.root", "machine.threads", "machine.workers"}
"""Settings in which processes on several machines may differ."""


@overload
def train(
    model: str,
    data: str | Path,
    *,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    root: str | Path | None = None,
    weights: str | Path | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
    **flags: Unpack[Flags],
) -> Finished: ...


@overload
def train(
    model: Run, *, out: str | Path | None = None, quiet: bool = False, callbacks: Sequence[Callback] = ()
) -> Finished: ...


@overload
def train(
    *,
    resume: str | Path,
    data: str | Path | None = None,
    root: str | Path | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
    **flags: Unpack[Flags],
) -> Finished: ...


def train(
    model: str | Run | None = None,
    data: str | Path | None = None,
    *,
    resume: str | Path | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    root: str | Path | None = None,
    weights: str | Path | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
    **flags: Unpack[Flags],
) -> Finished:
    """Train a model of the catalog on a named data set or a folder of images, or a Run, or go on with a run's folder.

    recipe     a recipe's name; the model's own when left out
    settings   further leaves of the Run by path, such as {"optimizer.weight_decay": 1e-4}
    root       where a named data set lies
    weights    to start with: published ones, `torchvision` or `torchvision:NAME`, a file, or a run's folder
    out        run directory, new or empty; runs/<model>-<data>-<date>-<n> when left out
    quiet      print nothing
    resume     the folder of a run to go on with, in the place of a model: as `resvision.resume`, which takes more
    callbacks  functions that are given each line of the history, and end the training by True; then the last step is
               evaluated and kept, and the run finished as it is. They are no part of the run: a run that goes on does
               not know them. An error in one is raised, and the run goes on from its last checkpoint
    flags      the settings that people change most, as `resvision train --help` explains them: epochs, batch_size, lr,
               from_scratch, seed, columns, allow, proposals, validation, train_images, patience, device, threads and
               precision. None leaves one to the recipe. With `validation`, a share of the training images, the best
               weights are the result; `patience` needs it

    Raises a ResVisionError that says what is wrong with the input.
    """
    console = Terminal(stderr=True, quiet=quiet)
    begun = {"model": model, "recipe": recipe, "settings": settings, "weights": weights, "out": out}
    if resume is not None:
        if extra := [name for name, value in begun.items() if value is not None]:
            raise SettingsError(f"resume: the run in {resume} has its settings: leave out {', '.join(extra)}")
        return go_on(Path(resume), data=data, root=root, callbacks=callbacks, console=console, **flags)
    run = asked_run(model, data, recipe=recipe, settings=settings, root=root, weights=weights, flags=flags)
    return launch(run, out=None if out is None else Path(out), console=console, callbacks=callbacks)


def asked_run(
    model: str | Run | None,
    data: str | Path | None,
    *,
    recipe: str | None,
    settings: Mapping[str, Any] | None,
    root: str | Path | None = None,
    weights: str | Path | None = None,
    flags: Flags,
) -> Run:
    """The Run that arguments of `train` ask for; SettingsError where they name none, or say more beside a Run."""
    if isinstance(model, Run):
        given = {"data": data, "recipe": recipe, "settings": settings, "root": root, "weights": weights, **flags}
        if extra := [name for name, value in given.items() if value is not None]:
            raise SettingsError(f"a Run holds all its settings: leave out {', '.join(extra)}, or change the Run")
        return checked(model)
    if model is None:
        raise SettingsError("which model? name one of `resvision list`, or a run's folder as `resume`")
    if data is None:
        raise SettingsError("which data? name a data set of `resvision data list` or a folder of images")
    changes = {**changes_of(flags), **(settings or {})}
    if root is not None:
        changes["data.root"] = str(Path(root).resolve())
    if weights is not None:
        changes["model.init_from"] = str(weights)
    return compose(model, str(data), recipe_name=recipe, changes=changes)


def launch(run: Run, *, out: Path | None, console: Console, callbacks: Sequence[Callback] = ()) -> Finished:
    """Start a run in a new directory and train it to its end. Under torchrun, process 0 writes and speaks."""
    started = CpuTimes.now()
    with GoingOn() as going_on, _guarded() as stop, ExitStack() as stack:
        if out is not None:
            rundir.require_free(out)
        processes.join(run.machine.device)
        console = processes.only_first(console)
        prepared = prepare(
            run,
            initial=lambda closed: processes.shared(lambda: initial_file(closed, console)),
            encoder=lambda closed: processes.shared(lambda: encoder_file(closed, console)),
        )
        _require_agreement(prepared.run)
        introduce(prepared, console, since=started)
        folder = processes.shared(lambda: _new_folder(prepared.run, out, stack, console))
        going_on.command = GoingOn.in_folder(folder).command
        tell(console, f"run directory: {folder}")
        return carry_out(folder, prepared, stop, console, callbacks)


def resume(
    folder: str | Path,
    *,
    asked: Run | None = None,
    data: str | Path | None = None,
    root: str | Path | None = None,
    allow_code: bool = False,
    schedule: Scheduling | None = None,
    callbacks: Sequence[Callback] = (),
    console: Console | None = None,
    **flags: Unpack[Flags],
) -> Finished:
    """Go on with the run in `folder` from its last checkpoint, or train a finished one further.

    asked       the run that it must be: RunError lists the differences
    data, root  where its data lie now, if they have moved; the run keeps that, and RunError says so where the data are
                not those that it began with
    flags       `epochs`, the new length of the whole run, `patience`, `threads`, and `proposals`, the place of its file
                of regions; they are written into the run
    schedule    with `epochs`: laid `anew` over the whole length, the default, or `as-it-ended`, at the last learning
                rate
    callbacks   as those of `train`
    """
    folder = Path(folder)
    console, started = console or Terminal(stderr=True), CpuTimes.now()
    with GoingOn.in_folder(folder), _guarded() as stop, ExitStack() as stack:
        run = read_run(folder, allow_code=allow_code)
        if asked is not None:
            require_same(folder, asked)
            data, root = asked.data.name, asked.data.root
        processes.join(run.machine.device)
        console = processes.only_first(console)
        processes.shared(lambda: _lock(folder, stack, console))
        further = extended(run, folder, flags, schedule=schedule, console=console)
        prepared = reopen_at(folder, further, data, root)
        _require_agreement(prepared.run)
        if prepared.run != run and processes.is_first():
            note(folder, prepared.run)
            if further != run:
                (folder / rundir.EVALUATION).unlink(missing_ok=True)  # last: without it the run is unfinished
        introduce(prepared, console, since=started)
        return carry_out(folder, prepared, stop, console, callbacks)


go_on = resume
"""The same under a name that the argument `resume` of `train` does not hide."""


@contextmanager
def _guarded() -> Iterator[StopSignals]:
    """Hear stop signals, and name workers and processes that are gone."""
    with dead_workers_named(), processes.stragglers_named(), StopSignals() as stop:
        yield stop


def require_same(folder: Path, asked: Run) -> None:
    """Raise RunError, with the differences, where the run in `folder` is not the one asked for."""
    require_same_code(folder, asked)
    run = read_run(folder, allow_code=True)  # what is asked for was named by the caller
    asked = resolve(replace(asked, machine=machines.adopt(asked.machine, run.machine)))
    if asked.data.fingerprint == run.data.fingerprint:  # the same data, perhaps at another place
        run = run_at(run, asked.data.name, asked.data.root)
    if asked.data.proposals_sum == run.data.proposals_sum:
        run = replace(run, data=replace(run.data, proposals=asked.data.proposals))
    if differing := differences(run, asked):
        listed = "; ".join(f"{path} is {kept!r}, asked {wanted!r}" for path, kept, wanted in differing)
        raise RunError(f"{folder}: is another run: {listed}; resume it without these, or start a new one")


def _require_agreement(run: Run) -> None:
    """Raise SettingsError, in every process, where settings or data of one are not those of process 0."""
    runs: list[Run] = gathered([run])
    for rank, other in enumerate(runs):
        for path, first, own in differences(runs[0], other):
            if path not in OF_ONE_MACHINE:
                raise SettingsError(
                    f"{path}: {own!r:.60} in process {rank}, {first!r:.60} in process 0; start all processes with the"
                    " same command, over the same data"
                )


def _new_folder(run: Run, out: Path | None, stack: ExitStack, console: Console) -> Path:
    if out is None:
        model, data = (Path(name.replace(":", ".")).name for name in (run.model.name, run.data.name))
        folder = rundir.create(f"{model}-{data}")
    else:
        folder = rundir.claim(out)
    _lock(folder, stack, console)
    rundir.require_free(folder)  # once more under the lock: another process may have come first
    rundir.write_json(folder / rundir.RUN, to_json(run))
    return folder


def _lock(folder: Path, stack: ExitStack, console: Console) -> Path:
    """Keep other processes out of the run directory until the stack is left."""
    if not stack.enter_context(rundir.locked(folder)):
        tell(console, f"{folder}: cannot be locked here, so see to it that one process at a time trains in it")
    return folder
