"""A prepared run, carried out in its directory: from the last checkpoint, or the start, to the scores of its result."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console

from resvision.assembly import Assembly, Prepared, assemble, optimizer_for, schedule_steps, steps_per_epoch, task_name
from resvision.contracts import Batch
from resvision.core import notebooks, rundir
from resvision.core.history import read as read_history
from resvision.core.plurals import counted
from resvision.core.terminal import tell, visible
from resvision.data import identities
from resvision.evaluator import Evaluator
from resvision.kinds.table import kind_of
from resvision.loading.workers import batches
from resvision.probes.gradients import GradientSampler
from resvision.run import Run
from resvision.training import machine as machines
from resvision.training import processes
from resvision.training.best import BestSoFar
from resvision.training.callbacks import Callback, Callbacks
from resvision.training.checkpoints import Checkpoints, result_weights
from resvision.training.contention import StepClock
from resvision.training.ema import MovingAverage
from resvision.training.gradient_file import GradientFile
from resvision.training.history import History
from resvision.training.loop import Hooks, Line, Loop, Plan
from resvision.training.progress import ProgressBar
from resvision.training.stopping import StopSignals

SOON_NOTED = 100_000
"""The most training images whose identities are noted without a word: it takes some ten seconds."""


@dataclass(frozen=True)
class Finished:
    """A finished run: its folder, its settings, and the scores of its final weights, of its task's own type."""

    folder: Path
    run: Run
    scores: Any

    def __repr__(self) -> str:
        return visible(f"Finished({self.folder}: {self.scores.summary()})")

    def _repr_html_(self) -> str:
        shown = getattr(self.scores, "_repr_html_", lambda: "")()
        return notebooks.heading(repr(self)) + shown + self.run._repr_html_()


class _Training(NamedTuple):
    """A run under way: the parts that its steps change, as the last checkpoint left them, and the plan of the rest."""

    built: Assembly
    optimizer: torch.optim.Optimizer
    average: MovingAverage | None
    best: BestSoFar
    plan: Plan


class _Records(NamedTuple):
    """The records that process 0 keeps of a run: its history, the progress bar, and the times of its steps.

    gradients  norms of the gradient, None where none are sampled
    going_on   the command that goes on with the run on fewer threads, "" where fewer do not help
    """

    history: History
    bar: ProgressBar
    clock: StepClock
    gradients: GradientFile | None
    going_on: str

    def add(self, line: Line) -> None:
        """Add one line of the history; say it where steps have become much slower."""
        self.history.add(line)
        self.bar.show(line)
        if "evaluation" not in line and (times := self.clock.slower(line["images"], line["seconds"])):
            self.bar.say(f"for a minute steps have taken {times:.1f} times as long as this run's best; {self.going_on}")

    def sync(self) -> None:
        """Force the records of all steps so far to disk."""
        self.history.sync()
        if self.gradients is not None:
            self.gradients.sync()


def carry_out(
    folder: Path, prepared: Prepared, stop: StopSignals, console: Console, callbacks: Sequence[Callback] = ()
) -> Finished:
    """Train from the last checkpoint in `folder`, or from the start where there is none, and score the result."""
    run = prepared.run
    _keep_identities(folder, prepared, console)
    training = _restored(folder, prepared)
    if training.plan.first_step:
        tell(console, f"going on after step {training.plan.first_step} of {training.plan.steps}")
    evaluator = Evaluator(run, training.built, training.average, console=console)
    _train(training, run, folder, evaluator, stop, console, Callbacks(callbacks))
    if training.best.step:
        _print_best(training, run, console)
    # Process 0 alone reads the pointers to checkpoints: another might read them before its writes are visible.
    scores = evaluator.final(processes.shared(lambda: result_weights(folder)), stop)
    if processes.is_first():
        rundir.write_json(folder / rundir.EVALUATION, scores.to_json())
    return Finished(folder, run, scores)


def _keep_identities(folder: Path, prepared: Prepared, console: Console) -> None:
    """Note in the run directory which images it is trained on; a run that goes on did so before."""
    if not processes.is_first() or (folder / rundir.IMAGES).exists():
        return
    images = len(prepared.splits.train)
    if images > SOON_NOTED:
        tell(
            console, f"noting names and contents of {counted(images, 'training image')}, by which evaluations tell them"
        )
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
        schedule_steps=schedule_steps(run),
    )


def _train(
    training: _Training,
    run: Run,
    folder: Path,
    evaluator: Evaluator,
    stop: StopSignals,
    console: Console,
    callbacks: Callbacks,
) -> None:
    """Carry out the plan of a training, with records and checkpoints written by process 0."""
    built, optimizer, average, best, plan = training
    checkpoints = Checkpoints(folder)
    with ExitStack() as stack:
        records = None
        if processes.is_first():
            # A kill between checkpoint and pointer leaves `best` behind the history, which is the judge.
            checkpoints.name_best(best.step)
            records = stack.enter_context(_recording(folder, run, plan, best, console))

        def observe(line: Line) -> None:
            if records is not None:
                records.add(line)
            callbacks.hear(line)

        def keep(step: int) -> Path:
            if records is not None:
                records.sync()  # first: a checkpoint must not know of steps that the records lack
                checkpoints.save(step, net=built.system.net, optimizer=optimizer, average=average, best=best.step)
            return checkpoints.place(step)

        workers = run.machine.workers or 0
        running = batches(built.train, plan.first_step, plan.steps, workers=workers, waiting=stop.leave_waiting)
        share = stack.enter_context(closing(running))  # ends the workers, whatever ends the loop
        # Patience may have ended the run already, and only its scores are missing.
        if not best.waited_enough:
            loop = Loop(
                system=built.system,
                optimizer=optimizer,
                schedule=run.schedule,
                average=average,
                best=best,
                machine=run.machine,
                plan=plan,
                stop=stop,
                hooks=Hooks(observe, evaluator.summary, keep, lambda: callbacks.enough, _sampler(records, built, run)),
            )
            loop.fit(share)


@contextmanager
def _recording(folder: Path, run: Run, plan: Plan, best: BestSoFar, console: Console) -> Iterator[_Records]:
    """Open the records of a run, cut back to the steps that its checkpoint knows, and close them after the block."""
    # A run that only lacks its scores is not trained on this machine, which may be another.
    trains = plan.first_step < plan.steps and not best.waited_enough
    if trains or not (folder / rundir.ENVIRONMENT).exists():
        rundir.write_json(folder / rundir.ENVIRONMENT, machines.environment())
    kind = kind_of(task_name(run))
    with ExitStack() as stack:
        history = stack.enter_context(closing(History(folder, step=plan.first_step)))
        gradients = None
        if run.training.gradients_every:
            gradients = stack.enter_context(closing(GradientFile(folder, step=plan.first_step)))
        bar = ProgressBar(
            console,
            steps=plan.steps,
            first_step=plan.first_step,
            steps_per_epoch=plan.steps_per_epoch,
            kind=kind,
            classes=len(run.data.classes or ()),
        )
        with bar:
            yield _Records(history, bar, StepClock(), gradients, going_on_faster(run.machine, folder))


def _sampler(records: _Records | None, built: Assembly, run: Run) -> Callable[[int, Batch], None]:
    """The hook that samples gradients: nothing where none are kept, and in processes that keep no records.

    Once processes have shared their gradients, those of the first are those of all.
    """
    if records is None or records.gradients is None:
        return lambda step, batch: None
    return GradientSampler(built.system, every=run.training.gradients_every, write=records.gradients.add)


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


def going_on_faster(machine: machines.Machine, folder: Path) -> str:
    """The remedy against steps that other work has made slow."""
    threads = machine.threads or 1
    if machine.device != "cpu" or threads == 1:
        return "see to what else runs on this machine"
    return (
        "other work seems to share the CPU: stop it, or stop this run (Ctrl-C) and go on with"
        f" `resvision train --resume {shlex.quote(str(folder))} --threads {max(1, threads // 2)}`"
    )


def _print_best(training: _Training, run: Run, console: Console) -> None:
    """Print which weights are the result, and the reason of an early end."""
    best = training.best
    message = f"best validation at step {best.step}, whose weights are the result"
    if best.waited_enough and best.seen < training.plan.steps:
        waited = f"no better validation in {counted(run.training.patience or 0, 'evaluation')}"
        message = (
            f"stopped early after step {best.seen}: {waited}; best is step {best.step}, whose weights are the result"
        )
    tell(console, message)
