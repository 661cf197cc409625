"""What a person is told before a run is trained: data, net, where its weights come from, recipe, machine."""

from collections.abc import Sequence

import torch
from rich.console import Console
from torch import nn

from resvision.assembly import build_system, frozen_modules
from resvision.core.errors import printable
from resvision.core.images import Preprocess
from resvision.probes.count import count
from resvision.probes.padding import centre_alone
from resvision.run import Run
from resvision.training import machine as machines
from resvision.training.freezing import trainable
from resvision.training.initial import under


def introduce(run: Run, console: Console) -> None:
    """Say what is about to be trained: data with class order, counts and split; net; recipe; machine."""
    data, rule, optimizer = run.data, run.data.preprocess, run.optimizer
    assert rule is not None, "resolve() comes first"
    assert data.classes is not None, "resolve() comes first"
    shape = (rule.channels, rule.crop_px, rule.crop_px)
    with torch.device("meta"):
        net = build_system(run).net
    counted = count(net, shape)
    size = "x".join(map(str, shape))
    lines = {
        "data": f"{data.name}: {data.split_rule}",
        f"{len(data.classes)} classes": f"in this order: {_some(data.classes, 20)}",
        "images": f"{size}, {_resizing(rule)}, mean {_numbers(rule.mean)}, std {_numbers(rule.std)}",
        "model": f"{run.model.name}, {counted.params:,} parameters, {counted.macs:,} MACs an image",
        **_origin(run, net),
        "recipe": f"{run.recipe}, {run.training.duration}, batch {run.training.batch_size}, {optimizer.name}"
        f" lr {optimizer.lr:g}, {run.schedule.kind}, seed {run.training.seed}",
        **_ending(run),
        **(_unmet(rule, net) if run.model.task == "segmentation" else {}),
        "machine": machines.described(run.machine),
    }
    width = max(map(len, lines))
    for name, text in lines.items():
        console.print(f"{name:<{width}}  {text}", highlight=False, soft_wrap=True, markup=False)


def _origin(run: Run, net: nn.Module) -> dict[str, str]:
    """Where the weights come from, and which of them are not trained, where that is not all of them from a seed."""
    model, lines = run.model, {}
    if model.init_from is not None:
        fresh = [name for name in net.state_dict() if under(model.init_except, name)]
        lines["weights"] = f"from {model.init_from}" + (f", but afresh: {_some(fresh, 6)}" if fresh else "")
    if model.encoder_from is not None:
        lines["encoder"] = f"from {model.encoder_from}, the rest afresh"
    if model.frozen_norms:
        lines["normalization"] = "frozen: statistics and weights stay as they are"
    if frozen := [*frozen_modules(net, model)]:
        moves, whole = trainable(net)
        lines["trained"] = f"{moves:,} of {whole:,} parameters; frozen: {', '.join(frozen)}"
        if model.init_from is None:
            lines["trained"] += ", with their random weights, since there is no model.init_from"
    return lines


def _ending(run: Run) -> dict[str, str]:
    """What ends the run before its length is over, if anything may."""
    if run.training.patience is None:
        return {}
    return {
        "ends": f"early after {run.training.patience} evaluations without a better validation; the schedule is"
        f" that of {run.training.duration}"
    }


def _unmet(rule: Preprocess, net: nn.Module) -> dict[str, str]:
    """Atrous kernels that crops do not reach, where evaluation shows whole images, which may be larger."""
    unmet = centre_alone(net, (rule.channels, rule.crop_px, rule.crop_px))
    if not unmet:
        return {}
    widest = sorted(unmet, key=unmet.__getitem__, reverse=True)
    return {
        "atrous": f"in crops of {rule.crop_px} px only the centre taps of {_some(widest, 3)} meet the map; larger"
        f" images meet the others, which stay untrained. data.image_size={max(unmet.values())} or more trains them;"
        " `evaluate --protocol sliding-window` shows windows of the crops' size"
    }


def _some(names: Sequence[str], most: int) -> str:
    return ", ".join(map(printable, names[:most])) + (", ..." if len(names) > most else "")


def _resizing(rule: Preprocess) -> str:
    if rule.resize == "none":
        return "not resized"
    if rule.resize == "stretch":
        return f"stretched to {rule.resize_px} px"
    return f"shorter side resized to {rule.resize_px} px, centre crop of {rule.crop_px} px"


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)
