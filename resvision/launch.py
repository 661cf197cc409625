"""From a Run to a finished run directory: start one, or go on with one."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.core.images import Preprocess, printable
from resvision.core.results import ClassificationScores
from resvision.core.settings import checked, differences, to_json
from resvision.data.loader import batches
from resvision.probes.count import count
from resvision.recipes import compose, usual_changes
from resvision.run import Assembly, Run, assemble, build_net, read_run, resolve, steps_per_epoch
from resvision.training import machine as machines
from resvision.training.checkpoints import Checkpoints
from resvision.training.ema import MovingAverage
from resvision.training.evaluation import predict_all
from resvision.training.history import History
from resvision.training.loop import Line, Plan, fit
from resvision.training.optimizers import build_optimizer
from resvision.training.progress import ProgressBar


@dataclass(frozen=True)
class Finished:
    """A run that has come to its end: where it lies, what it was, and the scores of its final weights."""

    folder: Path
    run: Run
    scores: ClassificationScores


def train(
    model: str | Run,
    data: str | None = None,
    *,
    recipe: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: str | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
) -> Finished:
    """Train a model of the catalog on a named data set or a folder of images, or a Run, which says all of it.

    settings  further leaves of the Run by path, such as {"optimizer.weight_decay": 1e-4}
    out       run directory, new or empty; runs/<model>-<data>-<date>-<n> when left out
    quiet     print nothing

    Raises a ResVisionError that says what is wrong with the input.
    """
    if isinstance(model, Run):
        given: dict[str, Any] = {
            "data": data,
            "recipe": recipe,
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "seed": seed,
        }
        given |= {"device": device, "precision": precision, "settings": settings}
        if extra := [name for name, value in given.items() if value is not None]:
            raise SettingsError(f"a Run holds all its settings: leave out {', '.join(extra)}, or change the Run")
        run = checked(model)
    elif data is None:
        raise SettingsError("which data? name a data set of `resvision data list` or a folder of images")
    else:
        usual = usual_changes(
            epochs=epochs, batch_size=batch_size, lr=lr, seed=seed, device=device, precision=precision
        )
        run = compose(model, data, recipe_name=recipe, changes={**usual, **(settings or {})})
    return launch(run, out=Path(out) if out is not None else None, console=Console(stderr=True, quiet=quiet))


def launch(run: Run, *, out: Path | None, console: Console) -> Finished:
    """Start a run in a new directory and train it to its end. Under torchrun, process 0 writes and speaks."""
    if out is not None:
        rundir.require_free(out)
    machines.join_processes(run.machine)
    run = resolve(run)
    console = _only_first(console)
    _introduce(run, console)
    folder = _shared(lambda: _new_folder(run, out))
    console.print(f"run directory: {folder}", highlight=False, soft_wrap=True, markup=False)
    return _go_on(folder, run, console)


def resume(folder: Path, *, asked: Run | None = None, allow_code: bool = False, console: Console) -> Finished:
    """Go on with the run in `folder` from its last checkpoint.

    RunError lists the differences when `asked` is given and is not the same run.
    """
    run = read_run(folder, allow_code=allow_code)
    if asked is not None:
        require_same(folder, asked)
    machines.join_processes(run.machine)
    console = _only_first(console)
    _introduce(run, console)
    return _go_on(folder, run, console)


def require_same(folder: Path, asked: Run) -> None:
    """RunError, with the differences, where the run in `folder` is not the one asked for."""
    run = read_run(folder, allow_code=True)  # what is asked for was named by the caller
    asked = resolve(replace(asked, machine=machines.adopt(asked.machine, run.machine)))
    if differing := differences(run, asked):
        listed = "; ".join(f"{path} is {there!r}, asked {here!r}" for path, there, here in differing)
        raise RunError(f"{folder}: is another run: {listed}; resume it without these, or start a new one")


def _new_folder(run: Run, out: Path | None) -> Path:
    if out is None:
        model, data = (Path(name.replace(":", ".")).name for name in (run.model.name, run.data.name))
        folder = rundir.create(f"{model}-{data}")
    else:
        folder = rundir.claim(out)
    rundir.write_json(folder / rundir.RUN, to_json(run))
    return folder


def _go_on(folder: Path, run: Run, console: Console) -> Finished:
    """Train from the last checkpoint in `folder`, or from the start where there is none, and score the result."""
    device = machines.prepare(run.machine)
    built = assemble(run, device=device)
    net, epoch = built.system.net, steps_per_epoch(run)
    optimizer = build_optimizer(net, run.optimizer)
    average = MovingAverage(net, run.training.ema_decay) if run.training.ema_decay else None
    checkpoints = Checkpoints(folder)
    first_step = checkpoints.restore(net=net, optimizer=optimizer, average=average)
    if first_step:
        console.print(f"going on after step {first_step} of {built.steps}", highlight=False)
    evaluator = Evaluator(run, built, average)
    plan = Plan(
        lr=run.optimizer.lr,
        steps=built.steps,
        steps_per_epoch=epoch,
        first_step=first_step,
        last_kept=checkpoints.last(),
        seed=run.training.seed,
        accumulate=run.training.accumulate,
        clip_norm=run.training.clip_norm,
        evaluate_every=run.training.evaluate_every * epoch,
        checkpoint_every=run.training.checkpoint_seconds,
    )
    first = machines.rank_and_world()[0] == 0
    with ExitStack() as stack:
        observers = []
        if first:
            if first_step < built.steps:
                rundir.write_json(folder / rundir.ENVIRONMENT, machines.environment())
            history = History(folder, step=first_step)
            stack.callback(history.close)
            bar = ProgressBar(console, steps=built.steps, first_step=first_step, steps_per_epoch=epoch)
            observers = [history.add, stack.enter_context(bar).show]

        def observe(line: Line) -> None:
            for observer in observers:
                observer(line)

        def keep(step: int) -> Path | None:
            if not first:
                return None
            history.sync()
            return checkpoints.save(step, net=net, optimizer=optimizer, average=average)

        made = batches(built.train, first_step, built.steps, workers=run.machine.workers or 0)
        share = stack.enter_context(closing(made))  # ends the workers, whatever ends the loop
        fit(
            built.system,
            share,
            optimizer=optimizer,
            schedule=run.schedule,
            average=average,
            machine=run.machine,
            plan=plan,
            observe=observe,
            evaluate=evaluator.summary,
            keep=keep,
        )
    scores = evaluator.scores()
    if first:
        rundir.write_json(folder / rundir.EVALUATION, scores.to_json())
    return Finished(folder, run, scores)


class Evaluator:
    """Scores of a run's weights as they are now, averaged where the run keeps an average."""

    def __init__(self, run: Run, built: Assembly, average: MovingAverage | None) -> None:
        self._run, self._built, self._average = run, built, average
        self._last: ClassificationScores | None = None

    def summary(self) -> dict[str, float]:
        """Loss and errors over the test split, for the history."""
        test, system = self._built.test, self._built.system
        share = batches(test, 0, len(test), workers=self._run.machine.workers or 0)
        with self._average.in_place_of_weights() if self._average else nullcontext():
            predictions = predict_all(system, share, machine=self._run.machine)
        self._last = scores = self._built.score(predictions)
        return {"loss": scores.loss, "top1_error": scores.top1_error, "top5_error": scores.top5_error}

    def scores(self) -> ClassificationScores:
        """The whole scores of the last evaluation, made now if there was none."""
        if self._last is None:
            self.summary()
        assert self._last is not None
        return self._last


def _introduce(run: Run, console: Console) -> None:
    """Say what is about to be trained: data with class order, counts and split; net; recipe; machine."""
    data, rule, optimizer = run.data, run.data.preprocess, run.optimizer
    assert rule is not None, "resolve() comes first"
    assert data.classes is not None, "resolve() comes first"
    shape = (rule.channels, rule.crop_px, rule.crop_px)
    with torch.device("meta"):
        counted = count(build_net(run), shape)
    size = "x".join(map(str, shape))
    lines = {
        "data": f"{data.name}: {data.split_rule}",
        f"{len(data.classes)} classes": f"in this order: {_some(data.classes, 20)}",
        "images": f"{size}, {_resizing(rule)}, mean {_numbers(rule.mean)}, std {_numbers(rule.std)}",
        "model": f"{run.model.name}, {counted.params:,} parameters, {counted.macs:,} MACs an image",
        "recipe": f"{run.recipe}, {run.training.duration}, batch {run.training.batch_size}, {optimizer.name}"
        f" lr {optimizer.lr:g}, {run.schedule.kind}, seed {run.training.seed}",
        "machine": machines.described(run.machine),
    }
    width = max(map(len, lines))
    for name, text in lines.items():
        console.print(f"{name:<{width}}  {text}", highlight=False, soft_wrap=True, markup=False)


def _some(names: Sequence[str], most: int) -> str:
    return ", ".join(map(printable, names[:most])) + (", ..." if len(names) > most else "")


def _resizing(rule: Preprocess) -> str:
    if rule.resize == "stretch":
        return f"stretched to {rule.resize_px} px"
    return f"shorter side resized to {rule.resize_px} px, centre crop of {rule.crop_px} px"


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


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
