"""The lines that a person reads before a run is trained: data, net, source of its weights, recipe, machine."""

import os
from collections.abc import Sequence

import torch
from rich.console import Console
from torch import nn

from resvision.assembly import Prepared, build_system, task_name, total_steps
from resvision.contracts import System
from resvision.core.cores import usable_cores
from resvision.core.errors import printable
from resvision.core.plurals import article, counted, length_in_words, plural
from resvision.core.terminal import tell
from resvision.core.views import described
from resvision.refusals import normalizes
from resvision.run import Run
from resvision.tasks import task_of
from resvision.training import contention
from resvision.training import machine as machines
from resvision.training.contention import CpuTimes
from resvision.training.freezing import trainable
from resvision.training.initial import modules_of, under

ENOUGH = 0.95
"""The share of the batches in the running statistics below which a run is told that they are not its own."""


def introduce(prepared: Prepared, console: Console, *, since: CpuTimes | None) -> None:
    """Print the introduction of a training: data with class order, counts and split; net; recipe; machine; its load.

    `since` are the times of the CPU at the start, by which other work is seen. Raises SettingsError or DataError where
    the task sees that nothing can be learned.
    """
    run, counts = prepared.run, prepared.counted
    data, view = run.data, run.data.view
    assert view is not None, "prepare() comes first"
    task = task_of(task_name(run))
    with torch.device("meta"):
        system = build_system(run)
        advice = task.advice(system, prepared.splits.train, data.image_size)
    size = "x".join(map(str, counts.input))
    notes = {"note": "; ".join(prepared.splits.notes)} if prepared.splits.notes else {}
    classes = {counted(len(data.classes), "class"): f"in this order: {_some(data.classes, 20)}"} if data.classes else {}
    noun = task.kind.sample_noun
    size_of_net = f"{counted(counts.params, 'parameter')}, {counts.macs:,} MACs {article(noun)} {noun}"
    lines = {
        "data": f"{data.name}: {data.split_rule}",
        **classes,
        **notes,
        plural(noun): f"{size}, {described(view)}, mean {_numbers(view.mean)}, std {_numbers(view.std)}",
        "model": f"{run.model.name}, {size_of_net}",
        **_origin(run, system),
        "recipe": f"{run.recipe}, {_length(run)}",
        **_ending(run),
        **({} if data.proposals is None else {"proposals": data.proposals}),
        **advice,
        "machine": machines.described(run.machine),
        **_load(run.machine, since),
    }
    width = max(map(len, lines))
    for name, text in lines.items():
        tell(console, f"{name:<{width}}  {text}", indent=width + 2)


def _origin(run: Run, system: System) -> dict[str, str]:
    """The lines about weights that are not from a seed, and about weights that are not trained."""
    model, net, lines = run.model, system.net, dict[str, str]()
    if model.init_from is not None:
        lines["weights"] = f"from {model.init_from}{_kept_and_fresh([*net.state_dict()], model.init_except)}"
    if model.encoder_from is not None:
        lines["encoder"] = f"from {model.encoder_from}, the rest afresh"
    if model.frozen_norms:
        lines["normalization"] = "frozen: statistics and weights stay as they are"
    elif slow := _slow_statistics(run, net):
        lines["normalization"] = slow
    processes = machines.rank_and_world()[1]
    if processes > 1 and normalizes(net):
        share = run.training.batch_size // (processes * run.training.accumulate)
        lines["statistics"] = (
            "of batch normalization: over all processes"
            if run.training.sync_norms
            else f"of batch normalization: those of one process alone, {counted(share, 'image')} at a time;"
            " training.sync_norms=true takes all processes'"
        )
    if frozen := _frozen(run, system):
        trained_numbers, all_numbers = trainable(net)
        lines["trained"] = f"{trained_numbers:,} of {all_numbers:,} parameters; frozen: {', '.join(frozen)}"
        if model.frozen_stages and model.init_from is None and model.encoder_from is None:
            lines["trained"] += ", with their random weights, since there is no model.init_from"
    return lines


def _frozen(run: Run, system: System) -> list[str]:
    """The names of the modules that are not trained, but for normalizations that are frozen everywhere."""
    modules = [*system.frozen]
    if run.model.frozen_norms:
        modules = [module for module in modules if not isinstance(module, nn.modules.batchnorm._BatchNorm)]
    names = {id(module): name for name, module in system.net.named_modules()}
    return [names[id(module)] for module in modules]


def _length(run: Run) -> str:
    """The length of a run, and how it trains."""
    if not total_steps(run):
        return "no steps: the weights that it starts with are scored"
    training, optimizer = run.training, run.optimizer
    return (
        f"{length_in_words(training.duration)}, batch {training.batch_size}, {optimizer.name} lr {optimizer.lr:g},"
        f" {run.schedule.kind}, seed {training.seed}"
    )


def _kept_and_fresh(names: Sequence[str], parts: Sequence[str]) -> str:
    """`; kept: backbone, rpn; afresh: roi_heads` of the weights of a net, "" where none of them start afresh."""
    fresh = {name for name in names if under(parts, name)}
    kept, renewed = modules_of({*names} - fresh, names), modules_of(fresh, names)
    return f"; kept: {_some(kept, 8)}; afresh: {_some(renewed, 8)}" if fresh else ""


def _slow_statistics(run: Run, net: nn.Module) -> str:
    """A line about running statistics that a training from random weights is too short for, "" where it is not."""
    model = run.model
    if model.norm_momentum is None or model.init_from or model.encoder_from or not normalizes(net):
        return ""
    share = 1 - (1 - model.norm_momentum) ** total_steps(run)
    if share > ENOUGH:
        return ""
    return (
        f"statistics keep {100 * (1 - share):.0f} % of their first values at the end, by a momentum of"
        f" {model.norm_momentum:g}, which spoils evaluation; model.norm_momentum=0.1 follows faster"
    )


def _ending(run: Run) -> dict[str, str]:
    """The line about an early end of the run, where there may be one."""
    if run.training.patience is None:
        return {}
    waited = counted(run.training.patience, "evaluation")
    return {
        "ends": f"early after {waited} without a better validation; the schedule is that"
        f" of {length_in_words(run.training.duration)}"
    }


def _load(machine: machines.Machine, since: CpuTimes | None) -> dict[str, str]:
    """The line about other work on the CPU, where it leaves less cores than the run has threads."""
    if machine.device != "cpu" or (machine.threads or 1) < 2:  # a thread alone waits for no other
        return {}
    processes = machines.rank_and_world()[1]
    busy = max(0.0, contention.busy_cores(since) - (processes - 1))  # the others of the run are no other work
    text = contention.warning(machine.threads or 1, cores=os.cpu_count() or 1, usable=usable_cores(), busy=busy)
    return {} if text is None else {"load": text}


def _some(names: Sequence[str], limit: int) -> str:
    return ", ".join(map(printable, names[:limit])) + (", ..." if len(names) > limit else "")


def _numbers(values: Sequence[float]) -> str:
    """The numbers of all channels; once where there are many alike, as of a raster."""
    if len(values) > 4 and len({*values}) == 1:
        return f"{values[0]:.3f} in each channel"
    return " ".join(f"{value:.3f}" for value in values)
