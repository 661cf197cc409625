"""Start of a run in a new directory, and going on with one after a stop, up to its finished directory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import torch
import torch.distributed as dist
from rich.console import Console

from resvision.assembly import Assembly, Exam, Prepared, assemble, optimizer_for, steps_per_epoch, task_name
from resvision.core import rundir
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.core.history import read as read_history
from resvision.core.settings import checked, differences, to_json
from resvision.core.terminal import Terminal
from resvision.data import identities
from resvision.initial_weights import initial_file
from resvision.introduction import introduce
from resvision.kinds.kind import Scores
from resvision.kinds.table import kind_of
from resvision.loading.workers import batches, dead_workers_named
from resvision.preparation import prepare, reopen, resolve
from resvision.recipes import compose
from resvision.recipes.flags import Flags, changes_of
from resvision.run import Run, read_run, require_same_code
from resvision.training import machine as machines
from resvision.training import processes
from resvision.training.best import BestSoFar
from resvision.training.checkpoints import Checkpoints, load_weights, result_weights
from resvision.training.ema import MovingAverage
from resvision.training.evaluation import gathered
from resvision.training.history import History
from resvision.training.loop import Line, Plan, fit
from resvision.training.progress import ProgressBar
from resvision.training.stopping import StopSignals

SOON_NOTED = 100_000
"""The most training images whose identities are noted without a word: it takes some ten seconds."""

OF_ONE_MACHINE = {"data.root", "machine.threads", "machine.workers"}
"""Settings in which processes on several machines may differ."""


@dataclass(frozen=True)
class Finished:
    """A finished run: its folder, its settings, and the scores of its final weights."""

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
              from_scratch, seed, validation, patience, device and precision. None leaves one to the recipe. With
              `validation`, a share of the training images, the best weights are the result; `patience` needs it

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
    return launch(run, out=Path(out) if out is not None else None, console=Terminal(stderr=True, quiet=quiet))


def launch(run: Run, *, out: Path | None, console: Console) -> Finished:
    """Start a run in a new directory and train it to its end. Under torchrun, process 0 writes and speaks."""
    with dead_workers_named(), processes.stragglers_named(), StopSignals() as stop, ExitStack() as stack:
        if out is not None:
            rundir.require_free(out)
        processes.join(run.machine.device)
        console = _only_first(console)
        prepared = prepare(run, initial=lambda closed: _shared(lambda: initial_file(closed, console)))
        _require_agreement(prepared.run)
        introduce(prepared, console)
        folder = _shared(lambda: _new_folder(prepared.run, out, stack, console))
        console.print(f"run directory: {folder}", highlight=False, soft_wrap=True, markup=False)
        return _go_on(folder, prepared, stop, console)


def resume(folder: Path, *, asked: Run | None = None, allow_code: bool = False, console: Console) -> Finished:
    """Go on with the run in `folder` from its last checkpoint.

    RunError lists the differences when `asked` is given and is not the same run.
    """
    with dead_workers_named(), processes.stragglers_named(), StopSignals() as stop, ExitStack() as stack:
        run = read_run(folder, allow_code=allow_code)
        if asked is not None:
            require_same(folder, asked)
        processes.join(run.machine.device)
        console = _only_first(console)
        _shared(lambda: _lock(folder, stack, console))
        prepared = reopen(run)
        _require_agreement(prepared.run)
        introduce(prepared, console)
        return _go_on(folder, prepared, stop, console)


def require_same(folder: Path, asked: Run) -> None:
    """Raise RunError, with the differences, where the run in `folder` is not the one asked for."""
    require_same_code(folder, asked)
    run = read_run(folder, allow_code=True)  # what is asked for was named by the caller
    asked = resolve(replace(asked, machine=machines.adopt(asked.machine, run.machine)))
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
        console.print(f"{folder}: cannot be locked here, so see to it that one process at a time trains in it")
    return folder


class _Training(NamedTuple):
    """A run under way: the parts that its steps change, as the last checkpoint left them, and the plan of the rest."""

    built: Assembly
    optimizer: torch.optim.Optimizer
    average: MovingAverage | None
    best: BestSoFar
    plan: Plan


class _Records(NamedTuple):
    """The records that process 0 keeps of a run: its history, and the progress bar."""

    history: History
    bar: ProgressBar

    def add(self, line: Line) -> None:
        """Add one line of the history to both."""
        self.history.add(line)
        self.bar.show(line)


def _go_on(folder: Path, prepared: Prepared, stop: StopSignals, console: Console) -> Finished:
    """Train from the last checkpoint in `folder`, or from the start where there is none, and score the result."""
    run = prepared.run
    _keep_identities(folder, prepared, console)
    training = _restored(folder, prepared)
    if training.plan.first_step:
        console.print(f"going on after step {training.plan.first_step} of {training.plan.steps}", highlight=False)
    evaluator = Evaluator(run, training.built, training.average)
    _train(training, run, folder, evaluator, stop, console)
    if training.best.step:
        _print_best(training.best, run, console)
    # Process 0 alone reads the pointers to checkpoints: another might read them before its writes are visible.
    scores = evaluator.final(_shared(lambda: result_weights(folder)), stop)
    if _is_first_process():
        rundir.write_json(folder / rundir.EVALUATION, scores.to_json())
    return Finished(folder, run, scores)


def _keep_identities(folder: Path, prepared: Prepared, console: Console) -> None:
    """Note in the run directory which images it is trained on; a run that goes on did so before."""
    if not _is_first_process() or (folder / rundir.IMAGES).exists():
        return
    images = len(prepared.splits.train)
    if images > SOON_NOTED:
        console.print(f"noting names and contents of {images:,} training images, by which evaluations tell them")
    identities.write(folder, identities.identify(prepared.splits))


def _restored(folder: Path, prepared: Prepared) -> _Training:
    """Build the parts of a run, and load its last checkpoint into them where there is one."""
    run, checkpoints = prepared.run, Checkpoints(folder)
    device = machines.prepare(run.machine)
    # A run with a checkpoint has its weights there, and the files of its initial weights may be gone.
    built = assemble(prepared, device=device, begun=checkpoints.last() is not None)
    net = built.system.net
    optimizer = optimizer_for(net, run.optimizer)
    average = MovingAverage(net, run.training.ema_decay) if run.training.ema_decay else None
    first_step = checkpoints.restore(net=net, optimizer=optimizer, average=average)
    # Lines after the checkpoint are of steps that are done anew, so the best validation is judged without them.
    lines = _evaluations_until(first_step, folder / rundir.HISTORY)
    plan = _plan(run, built.steps, first_step=first_step, last_kept=checkpoints.last(), lines=lines)
    return _Training(built, optimizer, average, _best(run, lines), plan)


def _plan(run: Run, steps: int, *, first_step: int, last_kept: Path | None, lines: Sequence[Line]) -> Plan:
    """The plan of a run from `first_step` on; `lines` are those of its history up to there."""
    epoch = steps_per_epoch(run)
    evaluate_every = run.training.evaluate_every * epoch
    return Plan(
        lr=run.optimizer.lr,
        steps=steps,
        steps_per_epoch=epoch,
        first_step=first_step,
        last_kept=last_kept,
        evaluation_due=_evaluation_due(first_step, evaluate_every, steps, lines),
        seed=run.training.seed,
        accumulate=run.training.accumulate,
        clip_norm=run.training.clip_norm,
        evaluate_every=evaluate_every,
        checkpoint_every=run.training.checkpoint_seconds,
    )


def _train(
    training: _Training, run: Run, folder: Path, evaluator: "Evaluator", stop: StopSignals, console: Console
) -> None:
    """Carry out the plan of a training, with records and checkpoints written by process 0."""
    built, optimizer, average, best, plan = training
    checkpoints = Checkpoints(folder)
    with ExitStack() as stack:
        records = None
        if _is_first_process():
            # A kill between checkpoint and pointer leaves `best` behind the history, which is the judge.
            checkpoints.name_best(best.step)
            records = stack.enter_context(_recording(folder, run, plan, best, console))

        def observe(line: Line) -> None:
            if records is not None:
                records.add(line)

        def keep(step: int) -> Path:
            if records is not None:
                records.history.sync()  # first: a checkpoint must not know of steps that the history lacks
                checkpoints.save(step, net=built.system.net, optimizer=optimizer, average=average, best=best.step)
            return checkpoints.place(step)

        workers = run.machine.workers or 0
        running = batches(built.train, plan.first_step, plan.steps, workers=workers, waiting=stop.leave_waiting)
        share = stack.enter_context(closing(running))  # ends the workers, whatever ends the loop
        # Patience may have ended the run already, and only its scores are missing.
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


@contextmanager
def _recording(folder: Path, run: Run, plan: Plan, best: BestSoFar, console: Console) -> Iterator[_Records]:
    """Open the records of a run, cut back to the steps that its checkpoint knows, and close them after the block."""
    # A run that only lacks its scores is not trained on this machine, which may be another.
    if plan.first_step < plan.steps and not best.waited_enough:
        rundir.write_json(folder / rundir.ENVIRONMENT, machines.environment())
    kind = kind_of(task_name(run))
    with closing(History(folder, step=plan.first_step)) as history:
        bar = ProgressBar(
            console,
            steps=plan.steps,
            first_step=plan.first_step,
            steps_per_epoch=plan.steps_per_epoch,
            metrics=kind.metrics,
            write=kind.write,
        )
        with bar:
            yield _Records(history, bar)


def _evaluations_until(step: int, path: Path) -> list[Line]:
    """The evaluations in the history of the first `step` steps; lines of steps may be too many to hold."""
    if not step or not path.exists():
        return []
    return [line for line in read_history(path) if "evaluation" in line and line["step"] <= step]


def _evaluation_due(step: int, every: int, steps: int, lines: Sequence[Line]) -> bool:
    """Whether the evaluation after `step` steps, the last ones done, is missing: a signal can come before it."""
    evaluated = any("evaluation" in line and line["step"] == step for line in lines)
    return step > 0 and (step % every == 0 or step == steps) and not evaluated


def _best(run: Run, lines: Sequence[Line]) -> BestSoFar:
    """The best validation by the history; evaluations on test images judge nothing."""
    lines = lines if run.data.validation_images else ()
    return BestSoFar(kind_of(task_name(run)).judged_by, patience=run.training.patience, lines=lines)


def _print_best(best: BestSoFar, run: Run, console: Console) -> None:
    """Print which weights are the result, and the reason of an early end."""
    message = f"best validation at step {best.step}, whose weights are the result"
    if best.waited_enough:
        waited = f"no better validation in {run.training.patience} evaluations"
        message = (
            f"stopped early after step {best.seen}: {waited}; best is step {best.step}, whose weights are the result"
        )
    console.print(message, highlight=False, soft_wrap=True)


class Evaluator:
    """The scorer of a run: of its weights, or their average, during training, and of its result at the end."""

    def __init__(self, run: Run, built: Assembly, average: MovingAverage | None) -> None:
        self._run, self._built, self._average = run, built, average
        self._latest: Scores | None = None

    def summary(self, stop: StopSignals) -> Line:
        """Score the current weights, and return the fields of a history line: the split and its figures."""
        exam = self._built.on_the_way
        with self._average.in_place_of_weights() if self._average else nullcontext():
            self._latest = scores = self._scores(exam, stop)
        return {"split": exam.split, "evaluation": scores.figures()}

    def final(self, weights: Path, stop: StopSignals) -> Scores:
        """Score the run's result on the test images; the latest evaluation serves where it scored the same."""
        if self._latest is not None and self._built.on_the_way is self._built.at_the_end:
            return self._latest
        load_weights(self._built.system.net, weights)
        return self._scores(self._built.at_the_end, stop)

    def _scores(self, exam: Exam, stop: StopSignals) -> Scores:
        return exam.score(self._built.system, machine=self._run.machine, stop=stop)


def _only_first(console: Console) -> Console:
    """The console in process 0, a silent one in the others."""
    return console if _is_first_process() else Console(quiet=True)


def _is_first_process() -> bool:
    return machines.rank_and_world()[0] == 0


def _shared(make: Callable[[], Path]) -> Path:
    """Call `make` in process 0 and share the path with all; its ResVisionError is raised in all of them."""
    if not dist.is_initialized():
        return make()
    result: list[Path | ResVisionError] = []
    if dist.get_rank() == 0:
        try:
            result = [make()]
        except ResVisionError as error:
            result = [error]
    result = result or [Path()]
    dist.broadcast_object_list(result)
    if isinstance(result[0], ResVisionError):
        raise result[0]
    return result[0]
