"""From a Run to a finished run directory: start one, or go on with one."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import torch.distributed as dist
from rich.console import Console

from resvision.assembly import (
    Assembly,
    Exam,
    Prepared,
    assemble,
    initial_file,
    optimizer_for,
    prepare,
    reopen,
    resolve,
    steps_per_epoch,
    task_name,
)
from resvision.core import rundir
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.core.history import read as read_history
from resvision.core.settings import checked, differences, to_json
from resvision.introduction import introduce
from resvision.kinds.kind import Scores
from resvision.kinds.table import kind_of
from resvision.loading.workers import batches, dead_workers_named
from resvision.recipes import compose
from resvision.recipes.flags import Flags, changes_of
from resvision.run import Run, read_run
from resvision.training import machine as machines
from resvision.training.best import BestSoFar
from resvision.training.checkpoints import Checkpoints, load_weights, result_weights
from resvision.training.ema import MovingAverage
from resvision.training.history import History
from resvision.training.loop import Line, Plan, fit
from resvision.training.progress import ProgressBar
from resvision.training.stopping import StopSignals


@dataclass(frozen=True)
class Finished:
    """A run that has come to its end: where it lies, what it was, and the scores of its final weights."""

    folder: Path
    run: Run
    scores: Scores


def train(
    model: str | Run,
    data: str | None = None,
    *,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
    **flags: Unpack[Flags],
) -> Finished:
    """Train a model of the catalog on a named data set or a folder of images, or a Run, which says all of it.

    recipe    a recipe's name; the model's own when left out
    settings  further leaves of the Run by path, such as {"optimizer.weight_decay": 1e-4}
    out       run directory, new or empty; runs/<model>-<data>-<date>-<n> when left out
    quiet     print nothing
    flags     the settings that people change most, as `resvision train --help` explains them: epochs, batch_size, lr,
              seed, validation, patience, device and precision. None leaves one to the recipe. With `validation`, a
              share of the training images, the best weights are the result; `patience` needs it

    Raises a ResVisionError that says what is wrong with the input.
    """
    changes = {**changes_of(flags), **(settings or {})}
    if isinstance(model, Run):
        given = {"data": data, "recipe": recipe, "settings": settings, **flags}
        if extra := [name for name, value in given.items() if value is not None]:
            raise SettingsError(f"a Run holds all its settings: leave out {', '.join(extra)}, or change the Run")
        run = checked(model)
    elif data is None:
        raise SettingsError("which data? name a data set of `resvision data list` or a folder of images")
    else:
        run = compose(model, data, recipe_name=recipe, changes=changes)
    return launch(run, out=Path(out) if out is not None else None, console=Console(stderr=True, quiet=quiet))


def launch(run: Run, *, out: Path | None, console: Console) -> Finished:
    """Start a run in a new directory and train it to its end. Under torchrun, process 0 writes and speaks."""
    with dead_workers_named(), StopSignals() as stop, ExitStack() as stack:
        if out is not None:
            rundir.require_free(out)
        machines.join_processes(run.machine)
        console = _only_first(console)
        prepared = prepare(run, initial=lambda closed: _shared(lambda: initial_file(closed, console)))
        introduce(prepared, console)
        folder = _shared(lambda: _new_folder(prepared.run, out, stack, console))
        console.print(f"run directory: {folder}", highlight=False, soft_wrap=True, markup=False)
        return _go_on(folder, prepared, stop, console)


def resume(folder: Path, *, asked: Run | None = None, allow_code: bool = False, console: Console) -> Finished:
    """Go on with the run in `folder` from its last checkpoint.

    RunError lists the differences when `asked` is given and is not the same run.
    """
    with dead_workers_named(), StopSignals() as stop, ExitStack() as stack:
        run = read_run(folder, allow_code=allow_code)
        if asked is not None:
            require_same(folder, asked)
        machines.join_processes(run.machine)
        console = _only_first(console)
        _shared(lambda: _lock(folder, stack, console))
        prepared = reopen(run)
        introduce(prepared, console)
        return _go_on(folder, prepared, stop, console)


def require_same(folder: Path, asked: Run) -> None:
    """RunError, with the differences, where the run in `folder` is not the one asked for."""
    run = read_run(folder, allow_code=True)  # what is asked for was named by the caller
    asked = resolve(replace(asked, machine=machines.adopt(asked.machine, run.machine)))
    if differing := differences(run, asked):
        listed = "; ".join(f"{path} is {there!r}, asked {here!r}" for path, there, here in differing)
        raise RunError(f"{folder}: is another run: {listed}; resume it without these, or start a new one")


def _new_folder(run: Run, out: Path | None, stack: ExitStack, console: Console) -> Path:
    if out is None:
        model, data = (Path(name.replace(":", ".")).name for name in (run.model.name, run.data.name))
        folder = rundir.create(f"{model}-{data}")
    else:
        folder = rundir.claim(out)
    _lock(folder, stack, console)
    rundir.require_free(folder)  # another process may have come first
    rundir.write_json(folder / rundir.RUN, to_json(run))
    return folder


def _lock(folder: Path, stack: ExitStack, console: Console) -> Path:
    """Keep other processes out of the run directory until the stack is left."""
    if not stack.enter_context(rundir.locked(folder)):
        console.print(f"{folder}: cannot be locked here, so see to it that one process at a time trains in it")
    return folder


def _go_on(folder: Path, prepared: Prepared, stop: StopSignals, console: Console) -> Finished:
    """Train from the last checkpoint in `folder`, or from the start where there is none, and score the result."""
    run = prepared.run
    device, checkpoints = machines.prepare(run.machine), Checkpoints(folder)
    built = assemble(prepared, device=device, begun=checkpoints.last() is not None)
    net, epoch = built.system.net, steps_per_epoch(run)
    optimizer = optimizer_for(net, run.optimizer)
    average = MovingAverage(net, run.training.ema_decay) if run.training.ema_decay else None
    first_step = checkpoints.restore(net=net, optimizer=optimizer, average=average)
    if first_step:
        console.print(f"going on after step {first_step} of {built.steps}", highlight=False)
    lines = _lines_until(first_step, folder / rundir.HISTORY)
    best = _best(run, lines)
    every = run.training.evaluate_every * epoch
    evaluator = Evaluator(run, built, average)
    plan = Plan(
        lr=run.optimizer.lr,
        steps=built.steps,
        steps_per_epoch=epoch,
        first_step=first_step,
        last_kept=checkpoints.last(),
        evaluation_due=_evaluation_due(first_step, every, built.steps, lines),
        seed=run.training.seed,
        accumulate=run.training.accumulate,
        clip_norm=run.training.clip_norm,
        evaluate_every=every,
        checkpoint_every=run.training.checkpoint_seconds,
    )
    first = machines.rank_and_world()[0] == 0
    with ExitStack() as stack:
        observers = []
        if first:
            checkpoints.name_best(best.step)
            if first_step < built.steps and not best.waited_enough:
                rundir.write_json(folder / rundir.ENVIRONMENT, machines.environment())
            history = History(folder, step=first_step)
            stack.callback(history.close)
            kind = kind_of(task_name(run))
            bar = ProgressBar(
                console,
                steps=built.steps,
                first_step=first_step,
                steps_per_epoch=epoch,
                metrics=kind.metrics,
                write=kind.write,
            )
            observers = [history.add, stack.enter_context(bar).show]

        def observe(line: Line) -> None:
            for observer in observers:
                observer(line)

        def keep(step: int) -> Path:
            if first:
                history.sync()
                checkpoints.save(step, net=net, optimizer=optimizer, average=average, best=best.step)
            return checkpoints.place(step)

        made = batches(built.train, first_step, built.steps, workers=run.machine.workers or 0)
        share = stack.enter_context(closing(made))  # ends the workers, whatever ends the loop
        if not best.waited_enough:
            fit(
                built.system,
                share,
                optimizer=optimizer,
                schedule=run.schedule,
                average=average,
                best=best,
                machine=run.machine,
                plan=plan,
                stop=stop,
                observe=observe,
                evaluate=evaluator.summary,
                keep=keep,
            )
    if best.step:
        _tell_best(best, run, console)
    scores = evaluator.final(_shared(lambda: result_weights(folder)), stop)
    if first:
        rundir.write_json(folder / rundir.EVALUATION, scores.to_json())
    return Finished(folder, run, scores)


def _lines_until(step: int, path: Path) -> list[Line]:
    """What the history says of the first `step` steps."""
    return [line for line in read_history(path) if line["step"] <= step] if step and path.exists() else []


def _evaluation_due(step: int, every: int, steps: int, lines: Sequence[Line]) -> bool:
    """Whether the evaluation after `step` steps, by now the last, is missing: a signal can come before it is made."""
    made = any("evaluation" in line and line["step"] == step for line in lines)
    return step > 0 and (step % every == 0 or step == steps) and not made


def _best(run: Run, lines: Sequence[Line]) -> BestSoFar:
    """What the history says of the best validation; of one on test images, nothing."""
    lines = lines if run.data.validation_images else ()
    return BestSoFar(kind_of(task_name(run)).judged_by, patience=run.training.patience, lines=lines)


def _tell_best(best: BestSoFar, run: Run, console: Console) -> None:
    """Say which weights are the result, and why the run ended where that was before its full length."""
    said = f"best validation at step {best.step}, whose weights are the result"
    if best.waited_enough:
        waited = f"no better validation in {run.training.patience} evaluations"
        said = f"stopped early after step {best.seen}: {waited}; best is step {best.step}, whose weights are the result"
    console.print(said, highlight=False, soft_wrap=True)


class Evaluator:
    """Scores of a run on its way, of its weights as they are or of their average, and at its end."""

    def __init__(self, run: Run, built: Assembly, average: MovingAverage | None) -> None:
        self._run, self._built, self._average = run, built, average
        self._latest: Scores | None = None

    def summary(self, stop: StopSignals) -> Line:
        """What the history says of the weights as they are now: the split that was scored, and its figures."""
        exam = self._built.on_the_way
        with self._average.in_place_of_weights() if self._average else nullcontext():
            self._latest = scores = self._scores(exam, stop)
        return {"split": exam.split, "evaluation": scores.figures()}

    def final(self, weights: Path, stop: StopSignals) -> Scores:
        """The scores of the run's result on the test images, which may be those of the latest evaluation."""
        if self._latest is not None and self._built.on_the_way is self._built.at_the_end:
            return self._latest
        load_weights(self._built.system.net, weights)
        return self._scores(self._built.at_the_end, stop)

    def _scores(self, exam: Exam, stop: StopSignals) -> Scores:
        return exam.score(self._built.system, machine=self._run.machine, stop=stop)


def _only_first(console: Console) -> Console:
    """The console in process 0, a silent one in the others."""
    return console if machines.rank_and_world()[0] == 0 else Console(quiet=True)


def _shared(make: Callable[[], Path]) -> Path:
    """What process 0 makes, known to all; its ResVisionError is raised in all of them."""
    if not dist.is_initialized():
        return make()
    made: list[Path | ResVisionError] = []
    if dist.get_rank() == 0:
        try:
            made = [make()]
        except ResVisionError as error:
            made = [error]
    made = made or [Path()]
    dist.broadcast_object_list(made)
    if isinstance(made[0], ResVisionError):
        raise made[0]
    return made[0]
