"""The training loop: one step after the other, for any system, on any number of processes.

No code here knows the task. All randomness of step s follows from (seed, s, rank), the learning rate from s / steps,
the batch from s: so a run goes on from a checkpoint as if it had never stopped.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from resvision.contracts import Batch, System, to_device
from resvision.core.draws import key
from resvision.core.errors import NonFiniteLossError, Stopped
from resvision.training.best import BestSoFar
from resvision.training.ema import MovingAverage
from resvision.training.gradients import backward_in_memory, wrap
from resvision.training.machine import Machine, rank_and_world
from resvision.training.optimizers import LR_FACTOR
from resvision.training.schedules import Schedule
from resvision.training.stopping import StopSignals

Line = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The length of a training and its regular events, in optimizer steps.

    last_kept         checkpoint that training starts from, None at the start
    evaluation_due    whether that checkpoint lacks its evaluation, since a signal came first
    accumulate        parts that a process cuts its share of a batch into, their gradients added up
    clip_norm         largest norm of the whole gradient, None to leave it
    evaluate_every    steps between evaluations; the last step is always followed by one
    checkpoint_every  seconds between checkpoints; the last step always leaves one
    schedule_steps    steps that the schedule of the learning rate is laid over: those of the run, or fewer
    """

    lr: float
    steps: int
    steps_per_epoch: int
    first_step: int
    last_kept: Path | None
    evaluation_due: bool
    seed: int
    accumulate: int
    clip_norm: float | None
    evaluate_every: int
    checkpoint_every: float
    schedule_steps: int

    def progress(self, step: int) -> float:
        """The progress of the schedule at a step; beyond its own steps it stays where it ended."""
        return min(step, self.schedule_steps - 1) / self.schedule_steps


class Hooks(NamedTuple):
    """The ways in which a loop is heard from outside.

    observe   is given a line for each step and each evaluation
    enough    whether whoever observes has had enough: then this step is the last
    evaluate  scores the weights, or their average, and gives the fields of a history line: the split and its scores
    keep      writes the checkpoint after so many steps and returns its place
    sample    is given the number of each step, from 0, and this process's batch while the weights hold the gradient of
              the whole batch, before it is clipped
    """

    observe: Callable[[Line], None]
    evaluate: Callable[[StopSignals], Line]
    keep: Callable[[int], Any]
    enough: Callable[[], bool] = lambda: False
    sample: Callable[[int, Batch], None] = lambda step, batch: None


@dataclass(kw_only=True)
class Loop:
    """A training under way: the parts that its steps change, and the way from one step to the next.

    best  the best validation so far, which ends the training where it has waited enough
    stop  heard after each step, and after each batch of an evaluation, which is made anew when the run goes on
    """

    system: System
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    average: MovingAverage | None
    best: BestSoFar
    machine: Machine
    plan: Plan
    stop: StopSignals
    hooks: Hooks

    def __post_init__(self) -> None:
        self._last_kept = self.plan.last_kept

    def fit(self, batches: Iterable[Batch]) -> None:
        """Train the system in place from plan.first_step to plan.steps, or until `best` or an observer has had enough.

        `batches` are this process's share of step first_step, first_step + 1, ... Raises NonFiniteLossError, or
        Stopped after a stop signal once a checkpoint is written.
        """
        plan, best, keep = self.plan, self.best, self.hooks.keep
        module = wrap(self.system, self.machine)
        kept_at, clock = time.monotonic(), time.monotonic()
        # A signal can stop a run between a step and the evaluation it calls for: make that first, as if never stopped.
        if plan.evaluation_due:
            self._evaluate_and_judge(plan.first_step)
            keep(plan.first_step)
            if best.waited_enough or self.hooks.enough():
                return
        if not plan.steps:  # the weights that the run starts with are its result
            require_finite(self.system, self.optimizer, 0, self._last_kept)
            keep(0)
            return
        for step, batch in awaited(batches, plan, self.stop, keep):
            line, done = self._make_step(module, step, batch), step + 1
            self.hooks.observe({"step": done, **line, "seconds": time.monotonic() - clock})
            self._evaluate_where_due(done)
            is_last = done == plan.steps or best.waited_enough or self.hooks.enough()
            # the best weights need a checkpoint of their own, or the next steps would lose them
            if is_last or best.step == done or time.monotonic() - kept_at > plan.checkpoint_every:
                require_finite(self.system, self.optimizer, done, self._last_kept)
                self._last_kept, kept_at = keep(done), time.monotonic()
            if is_last:
                break
            clock = time.monotonic()  # seconds of a step include loading, not evaluation or checkpoints

    def _make_step(self, module: nn.Module, step: int, batch: Batch) -> Line:
        """Make one optimizer step, and return its line of the history but for step number and seconds."""
        plan, (rank, world) = self.plan, rank_and_world()
        device = next(self.system.net.parameters()).device
        torch.manual_seed(key(plan.seed, step, rank))  # dropout and samplers inside the net
        lr = set_lr(self.optimizer, plan.lr * self.schedule.factor(plan.progress(step)))
        batch = to_device(batch, device)
        values = backward_in_memory(module, batch, system=self.system, machine=self.machine, accumulate=plan.accumulate)
        if not all(math.isfinite(value) for value in values.values()):
            raise non_finite(step + 1, values, self._last_kept)
        self.hooks.sample(step, batch)
        self.stop.defer()  # from here a step is half done, and an interruption would leave weights that no step made
        update(self.system, self.optimizer, self.average, step=step, clip_norm=plan.clip_norm)
        return {"epoch": step // plan.steps_per_epoch, "lr": lr, **values, "images": world * len(batch.ids)}

    def _evaluate_where_due(self, done: int) -> None:
        """Evaluate after the last step and every so many; a stop signal keeps the steps so far and raises Stopped."""
        try:
            self.stop.leave_if_any()
            if done % self.plan.evaluate_every == 0 or done == self.plan.steps or self.hooks.enough():
                self._evaluate_and_judge(done)
        except Stopped:
            # the step is done, so that it is kept, unless its weights are no numbers
            require_finite(self.system, self.optimizer, done, self._last_kept)
            self.hooks.keep(done)
            raise Stopped(self.stop.signal) from None

    def _evaluate_and_judge(self, done: int) -> None:
        # the weights of the last step are judged too: after a NaN no score means anything
        require_finite(self.system, self.optimizer, done, self._last_kept)
        epoch = (done - 1) // self.plan.steps_per_epoch
        line = {"step": done, "epoch": epoch, **self.hooks.evaluate(self.stop)}
        self.best.see(line)
        self.hooks.observe(line)


def awaited(
    batches: Iterable[Batch], plan: Plan, stop: StopSignals, keep: Callable[[int], Any]
) -> Iterator[tuple[int, Batch]]:
    """Yield each step of the plan with its batch.

    Where a signal comes and no batch does, the steps so far are kept before Stopped is raised.
    """
    done = plan.first_step
    try:
        for step, batch in zip(range(plan.first_step, plan.steps), batches, strict=True):
            yield step, batch
            done = step + 1
    except Stopped:
        if done == plan.first_step:
            raise
        keep(done)
        raise Stopped(stop.signal) from None


def update(
    system: System,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None,
    *,
    step: int,
    clip_norm: float | None,
) -> None:
    """Move the weights by their gradients, which are cleared, and the average towards them."""
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(system.net.parameters(), clip_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if average is not None:
        average.update(step)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> float:
    """Set the learning rate of every parameter group, its own share of `lr`, and give `lr` back."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group[LR_FACTOR]
    return lr


def require_finite(system: System, optimizer: torch.optim.Optimizer, step: int, checkpoint: Path | None) -> None:
    """Raise NonFiniteLossError where a weight, a running statistic or a moment of the optimizer is not a number."""
    values = dict(system.net.state_dict())
    for name, parameter in system.net.named_parameters():
        moments = optimizer.state.get(parameter, {})
        values |= {f"the optimizer's {moment} of {name}": value for moment, value in moments.items()}
    for name, value in values.items():
        if isinstance(value, Tensor) and not torch.isfinite(value).all():
            raise NonFiniteLossError(
                f"{name} is not finite after step {step}; {_last_good(checkpoint)}; try a lower --lr"
            )


def non_finite(step: int, values: dict[str, float], checkpoint: Path | None) -> NonFiniteLossError:
    """The error of a loss that is not a number: step, terms, and the last good checkpoint."""
    terms = ", ".join(f"{name} = {value}" for name, value in values.items())
    return NonFiniteLossError(
        f"the loss is not finite at step {step}: {terms}; {_last_good(checkpoint)}; try a lower --lr"
    )


def _last_good(checkpoint: Path | None) -> str:
    return f"the last good checkpoint is {checkpoint}" if checkpoint else "no checkpoint was written yet"
