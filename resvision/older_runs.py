"""Runs as older versions wrote them, brought into the form of this version: plain data in, plain data out.

The format never changed its number. Leaves came one by one, and views took the place of `data.preprocess`.
"""

from dataclasses import fields
from typing import Any

from resvision import catalog
from resvision.core import references
from resvision.core.samples import Drawing, Timing
from resvision.kinds.table import USUAL
from resvision.loading.augment import Augmentation

_LATER_LEAVES: dict[str, Any] = {
    "model.task": USUAL,
    "model.encoder_from": None,
    "model.frozen_norms": False,
    "model.norm_momentum": None,
    "data.columns": [],
    "data.allow": [],
    "data.proposals": None,
    "data.proposals_sum": None,
    "data.mean": None,
    "data.std": None,
    "data.resize": None,
    "data.resize_px": None,
    "data.folds": None,
    "data.fold": None,
    "data.train_limit": None,
    **{f"data.{name}": None for name in (*Timing._fields, *Drawing._fields)},
    "training.sync_norms": False,
    "training.schedule_over": None,
    "training.extended": [],
    "training.gradients_every": 0,
    "augment.brightness": 0.0,
    "augment.rotation_degrees": 0.0,
    "augment.sides_px": [],
    "optimizer.depth_decay": 1.0,
    "optimizer.bias_factor": 1.0,
    "optimizer.head_factor": 1.0,
}
"""The leaves that older runs lack, with the values that those runs stood for."""

_SHARED_AUGMENT = {
    "crop_scale", "crop_ratio", "scale_range", "shift_px", "elastic_px", "policy", "policy_magnitude", "policy_ops",
    "erase", "mixup_alpha", "cutmix_alpha",
}  # fmt: skip
"""Settings that were in all runs while augmentation had one type; a task without one of them had it off."""

_KIND_OF_RESIZE = {"stretch": "stretch", "shorter-side": "centre-crop", "none": "whole"}
"""The kind of view that took the place of each `data.preprocess.resize`."""


def in_present_form(data: Any, augment: type[Augmentation]) -> Any:
    """Bring the JSON of an older run into the form of this version; damaged data pass, for the reader to refuse.

    `augment` is the type of its task's augmentation.
    """
    data = _with_matrix_units(_with_first_blocks(data))
    # A leaf that came later is told by its absence, and only where its group is there.
    for path, value in _LATER_LEAVES.items():
        group, _, key = path.partition(".")
        taken = group != "augment" or key in {field.name for field in fields(augment)}
        if taken and isinstance(data, dict) and isinstance(data.get(group), dict) and key not in data[group]:
            data = {**data, group: {**data[group], key: value}}
    # Views took the place of `data.preprocess`, when augmentation became a type for each task.
    settings = leaf_at(data, "data")
    if not isinstance(settings, dict) or "preprocess" not in settings or not isinstance(leaf_at(data, "augment"), dict):
        return data
    rest = {key: value for key, value in settings.items() if key != "preprocess"}
    preprocess = settings["preprocess"]  # None in phases that have not begun
    view = view_of_preprocess(preprocess) if isinstance(preprocess, dict) else preprocess
    data = {**data, "data": {**rest, "view": view}}
    return {**data, "augment": _augment_of_task(data, augment)}


def leaf_at(data: Any, path: str) -> Any:
    """The value at `a.b` of plain data, None where there is none."""
    for key in path.split("."):
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _with_first_blocks(data: Any) -> Any:
    """Name the atrous rates of an older run's net, which was built before there was a choice."""
    model = leaf_at(data, "model")
    if not isinstance(model, dict) or "norm_momentum" in model or not isinstance(model.get("options"), dict):
        return data  # the leaf `norm_momentum` came together with the choice
    row = next((row for row in catalog.ROWS if row.name == model.get("name")), None)  # code of a user's own has none
    if row is None or not catalog.takes(references.load(row.builder, noun="model"), "first_blocks"):
        return data
    return {**data, "model": {**model, "options": {"first_blocks": "former", **model["options"]}}}


def _with_matrix_units(data: Any) -> Any:
    """Say that an older run computes as on matrix units, as all did; one that has not begun leaves that open."""
    machine = leaf_at(data, "machine")
    if not isinstance(machine, dict) or "matrix_units" in machine:
        return data
    has_begun = machine.get("channels_last") is not None
    return {**data, "machine": {**machine, "matrix_units": True if has_begun else None}}


def _augment_of_task(data: dict[str, Any], augment: type[Augmentation]) -> dict[str, Any]:
    """The settings of an older run's augmentation, without those of other tasks."""
    own = {field.name for field in fields(augment)}
    settings = {key: value for key, value in data["augment"].items() if key in own or key not in _SHARED_AUGMENT}
    # The side of crops was `data.image_size` before it became a setting of augmentation.
    return {**settings, "crop_px": data["data"].get("image_size")} if "crop_px" in own else settings


def view_of_preprocess(data: dict[str, Any]) -> dict[str, Any]:
    """The view, as plain data, that does what an older run's `data.preprocess` did."""
    shared: dict[str, Any] = {key: data[key] for key in ("channels", "interpolation", "mean", "std") if key in data}
    kind = _KIND_OF_RESIZE.get(str(data.get("resize")), str(data.get("resize")))
    sides: dict[str, Any] = {key: data[key] for key in ("resize_px", "crop_px") if key in data and kind != "whole"}
    return {**shared, **sides, "kind": kind}
