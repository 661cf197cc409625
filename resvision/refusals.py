"""Runs that cannot be trained, refused before anything is written: by what their nets give, and by their batches."""

from copy import deepcopy
from typing import Any

import torch
from torch import nn

from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.run import Run
from resvision.tasks import Task
from resvision.training.machine import rank_and_world


def require_results(net: nn.Module, task: Task[Any], run: Run) -> None:
    """Raise SettingsError where a user's net gives results of another shape than the task's."""
    side = run.data.image_size
    asked_shape = None if side is None else task.result_shape(side, run.model.num_classes)
    if asked_shape is None or side is None:
        return
    assert run.data.view is not None, "the data was read"
    images = torch.empty(2, run.data.view.channels, side, side, device="meta")
    with torch.no_grad(), references.own_code(run.model.name):
        results = deepcopy(net).eval()(images)
    result = tuple(getattr(results, "shape", [type(results).__name__]))
    asked = (2, *asked_shape)
    if result != asked:
        words = task.result_words(run.model.num_classes)
        due = f"{asked}: {words}" if words else str(asked)
        raise SettingsError(f"{run.model.name}: gives {result} for 2 images of {tuple(images.shape[1:])}, not {due}")


def require_sides(net: nn.Module, run: Run) -> None:
    """Raise SettingsError where the net does not take images of all sides that it would be shown, one after another."""
    sides = run.augment.further_sides
    assert run.data.view is not None, "the data was read"
    shown = deepcopy(net).eval() if sides else net
    for side in sides:
        try:
            with torch.no_grad(), references.own_code(run.model.name):
                shown(torch.empty(2, run.data.view.channels, side, side, device="meta"))
        except SettingsError as error:
            raise SettingsError(f"augment.sides_px: {side}: {error}") from None


def require_shares(net: nn.Module, run: Run) -> None:
    """Raise SettingsError where the processes cannot share a batch, or where a share is too small for the run."""
    training, (_, world) = run.training, rank_and_world()
    if training.batch_size % (world * training.accumulate):
        raise SettingsError(
            f"training.batch_size: {training.batch_size} cannot be shared by {world} processes"
            f" times accumulate={training.accumulate}; choose a multiple of {world * training.accumulate}"
        )
    if run.augment.mixes and training.batch_size // world < 2:
        raise SettingsError(
            f"training.batch_size: {training.batch_size} over {world} processes leaves mixup and cutmix no second"
            f" image; choose {2 * world} or more"
        )
    pieces = training.accumulate * (1 if training.sync_norms else world)
    if normalizes(net) and training.batch_size // pieces < 2:
        cut = (
            f"in {training.accumulate} parts" if world == 1 else f"in {training.accumulate} parts on {world} processes"
        )
        remedy = "" if world == 1 or training.sync_norms else ", or training.sync_norms=true"
        raise SettingsError(
            f"training.batch_size: {training.batch_size} {cut} gives batch normalization one image at a time; it needs"
            f" 2 or more{remedy}"
        )


def normalizes(net: nn.Module) -> bool:
    """Whether statistics of the batch pass through the net in training; a frozen normalization does not look at it."""
    norms = [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    return any(norm.training for norm in norms)
