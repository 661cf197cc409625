"""Initial weights of a run: their sources as a run keeps them, their files, and the parts that start afresh."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from resvision import catalog
from resvision.conversion import UNTOLD
from resvision.core import files, references, rundir
from resvision.core.data_names import IMAGENET
from resvision.core.errors import RunError, SettingsError, WeightsError, nearest, printable
from resvision.core.meanings import as_text
from resvision.core.settings import from_json
from resvision.core.views import View
from resvision.run import DataSettings, ModelSettings, Run
from resvision.training.checkpoints import State
from resvision.training.initial import encoder_state, initial_state, read_initial, weights_file
from resvision.weights.about import About, read_about
from resvision.weights.convert import modules_that_differ, shapes
from resvision.weights.fetch import obtain, read_published
from resvision.weights.published import PublishedWeights, find, is_published, publishes, require_published

SAFETENSORS = ".safetensors"
SIDE_HEADS = "aux"
"""The option of a net that has heads for training alone, of which its results do not depend."""

YOUR_OWN_ENCODER = "name weights by --set model.encoder_from=RUN or FILE, or start without by --from-scratch"


def settle_sources(model: ModelSettings, published: PublishedWeights | None, data: DataSettings) -> ModelSettings:
    """Write the sources of the model's initial weights as a run keeps them: full paths, and sums of published files."""
    if published:
        model = replace(model, init_from=published.source, init_except=_fresh_parts(model, published, data))
        if published.frozen_eps is not None:  # as they were trained, and for small batches
            model = replace(model, frozen_norms=True)
    elif model.init_from is not None:
        file = weights_file(Path(model.init_from))
        _require_same_strides(model, Path(model.init_from), file, setting="init_from")
        model = replace(model, init_from=str(file))
    if model.encoder_from is not None:
        model = replace(model, encoder_from=_encoder_source(model))
    return model


def published_weights(run: Run) -> PublishedWeights | None:
    """Find the published weights that a run starts with, None where it names others; WeightsError for unknown ones."""
    source = run.model.init_from
    if source is None or not is_published(source):
        return None
    return find_published(run.model.name, run.model.options, source)


def brought_view(run: Run, published: PublishedWeights | None) -> View | None:
    """The view that the weights of a run bring in place of its data's: of published ones, or in a file's header."""
    return published.view if published is not None else _view_in(run.model.init_from)


def brings_view(source: str | None) -> bool:
    """Whether weights bring a view with them, as published ones do, and files whose header holds one."""
    return is_published(source) or _view_in(source) is not None


def _view_in(source: str | None) -> View | None:
    """The view in the header of a file, None where it has none or is not there any more."""
    about = None if source is None else _about_file(Path(source))
    return None if about is None else about.view


def _about_file(file: Path) -> About | None:
    """The facts in the header of a safetensors file, None where it says none, is another or not there any more."""
    return read_about(file) if file.suffix == SAFETENSORS and file.is_file() else None


def encoder_normalization(model: ModelSettings) -> View | None:
    """The view of the published weights that an encoder starts with, whose mean and std it needs; None without."""
    return _encoder_weights(model).view if is_published(model.encoder_from) else None


def find_published(model: str, options: Mapping[str, Any], source: str) -> PublishedWeights:
    """Find the published weights of our net of that name with these options.

    Raises WeightsError, with the choices and the options that fit, where torchvision publishes none for the net: by
    another name of the same net it does, and for a net that computes otherwise with weights of the same shapes it does
    not.
    """
    require_published(source)
    name = _torchvisions_name(model, options)
    if name is None:
        ours = [row.name for row in catalog.ROWS if publishes(row.name)]
        similar = nearest(model, ours)
        hint = f"; nearest that have some: {', '.join(similar)}" if similar else ""
        raise WeightsError(f"{model}: torchvision publishes no weights for it{hint}")
    wanted, given = catalog.identity(name), catalog.identity(model, options)
    few = catalog.choices(name).keys() - {SIDE_HEADS}
    if other := {key: wanted[key] for key in sorted(few & wanted.keys()) if given[key] != wanted[key]}:
        fixed = catalog.find(model).options.keys() & other.keys()
        changes = " ".join(f"--set model.options.{key}={as_text(value)}" for key, value in other.items())
        remedy = f"take {name}" if fixed else f"say {changes}"
        has = ", ".join(f"{key}={as_text(given[key])}" for key in other)
        raise WeightsError(
            f"{model} with {has}: is another net than the {name} that torchvision's weights are of; {remedy}"
        )
    return find(name, source)


def _torchvisions_name(model: str, options: Mapping[str, Any]) -> str | None:
    """The name of a model that torchvision publishes weights of: its own, or another of our names for such a net."""
    if publishes(model):
        return model
    if references.is_reference(model):
        return None
    own = catalog.identity(model, options)
    for row in catalog.ROWS:
        fixed = {**row.options, "builder": row.builder}
        if row.options and all(own.get(key) == value for key, value in fixed.items()) and publishes(row.name):
            return row.name
    return None


def initial_file(run: Run, console: Console | None = None) -> Path:
    """Get the file that a run starts with; published weights are fetched unless they are in the cache."""
    assert run.model.init_from is not None, "a run that starts with weights"
    published = published_weights(run)
    return obtain(published, console or Console(quiet=True)) if published else Path(run.model.init_from)


def net_state(net: nn.Module, run: Run, *, file: Path) -> State:
    """The weights that a run's net starts with, from its initial `file`; errors are those of `initial_state`."""
    published = published_weights(run)
    read = partial(read_published, frozen_eps=published.frozen_eps) if published else read_initial
    return initial_state(net, file, fresh=run.model.init_except, read=read)


def net_state_by_encoder(net: nn.Module, run: Run, *, file: Path) -> State:
    """The weights that a run's net starts with, its encoder's from a `file`; errors are those of `encoder_state`."""
    # Published weights are files of PyTorch, all others safetensors.
    return encoder_state(net, file, read=read_published if is_published(run.model.encoder_from) else read_initial)


def encoder_file(run: Run, console: Console | None = None) -> Path:
    """Get the file that the encoder of a resolved run starts with, fetched where it is published."""
    source = run.model.encoder_from
    assert source is not None, "a run whose encoder starts with weights"
    if not is_published(source):
        return Path(source)
    try:
        return obtain(_encoder_weights(run.model), console or Console(quiet=True))
    except WeightsError as error:
        raise WeightsError(f"model.encoder_from: {error}; {YOUR_OWN_ENCODER}") from None


def _encoder_source(model: ModelSettings) -> str:
    """The source `encoder_from` as a run keeps it: a full path, or a published file with its sum."""
    assert model.encoder_from is not None, "asked for a net that has it"
    if is_published(model.encoder_from):
        return _encoder_weights(model).source
    try:
        file = weights_file(Path(model.encoder_from))
    except SettingsError as error:
        raise SettingsError(str(error).replace("init_from", "encoder_from")) from None
    _require_same_strides(model, Path(model.encoder_from), file, setting="encoder_from")
    return str(file)


def _require_same_strides(model: ModelSettings, source: Path, file: Path, *, setting: str) -> None:
    """Raise SettingsError for weights known to be of a net that strides elsewhere, which their shapes do not show."""
    about = _about_run(source) if source.is_dir() else _about_file(file)
    if about is None or references.is_reference(about.model) or references.is_reference(model.name):
        return
    theirs, ours = catalog.identity(about.model, about.options), catalog.identity(model.name, model.options)
    for key in UNTOLD:
        if key in theirs and key in ours and theirs[key] != ours[key]:
            raise SettingsError(
                f"model.{setting}: {source}: holds weights of {about.model} with {key}={theirs[key]}, which would"
                f" make another net with {key}={ours[key]}; say --set model.options.{key}={theirs[key]}"
            )


def _about_run(folder: Path) -> About:
    """The name and the options of a run's net. RunError where the run is damaged."""
    path = folder / rundir.RUN
    run = rundir.read_json(path, limit=files.SETTINGS)
    model = run.get("model") if isinstance(run, dict) else None
    if not isinstance(model, dict) or "name" not in model:
        raise RunError(f"{printable(path)}: damaged: it names no model")
    try:
        plain = {"model": model["name"], "options": model.get("options", {})}
        return from_json(About, {**plain, "view": None, "classes": None, "settled": []})
    except SettingsError as error:
        raise RunError(f"{printable(path)}: damaged: {error}") from None


def _encoder_weights(model: ModelSettings) -> PublishedWeights:
    """Find the published weights of a model's encoder, for the options that the model passes on to it.

    Raises SettingsError, with the remedy, where there are none, or where they are of another net.
    """
    assert model.encoder_from is not None, "asked for a net whose encoder starts with weights"
    row = catalog.find(model.name)
    encoder = {**row.usual, **row.options, **model.options}.get("backbone", row.encoder)
    if not isinstance(encoder, str) or not encoder:
        raise SettingsError(
            f"model.encoder_from: {model.name} has no encoder that weights are published for; {YOUR_OWN_ENCODER}"
        )
    own, of_encoder = catalog.identity(model.name, model.options), catalog.options(encoder)
    try:
        published = find_published(
            encoder, {key: own[key] for key in own.keys() & of_encoder.keys()}, model.encoder_from
        )
    except WeightsError as error:
        raise SettingsError(f"model.encoder_from: {error}; {YOUR_OWN_ENCODER}") from None
    with torch.device("meta"):
        theirs = catalog.build(encoder, num_classes=len(published.classes))
        ours = catalog.build(model.name, num_classes=2, **model.options)
    try:
        encoder_state(ours, Path(str(published)), read=lambda _: theirs.state_dict())
    except SettingsError as error:
        grey = model.options.get("in_channels", 3) != 3
        remedy = "show it colours by --set data.channels=3" if grey else YOUR_OWN_ENCODER
        raise SettingsError(f"{error}; {remedy}") from None
    return published


def head(model: ModelSettings) -> tuple[str, ...]:
    """The modules of a net that depend on the number of classes, such as `fc`."""
    with torch.device("meta"):
        two, three = (catalog.build(model.name, num_classes=count, **model.options).state_dict() for count in (2, 3))
    return modules_that_differ(shapes(two), shapes(three))


def _fresh_parts(model: ModelSettings, published: PublishedWeights, data: DataSettings) -> tuple[str, ...]:
    """The parts that start afresh: `init_except`, and the head where the published weights have other classes."""
    theirs, ours = published.classes, data.classes or ()
    same = ours == theirs or (data.name == IMAGENET and len(ours) == len(theirs))
    fresh = () if same else _untrained(model, published.parts) if published.parts else head(model)
    return tuple(dict.fromkeys([*model.init_except, *fresh]))


def _untrained(model: ModelSettings, trained: tuple[str, ...]) -> tuple[str, ...]:
    """The children of a net that have weights and are not among the parts that were trained."""
    with torch.device("meta"):
        net = catalog.build(model.name, num_classes=model.num_classes, **model.options)
    return tuple(name for name, child in net.named_children() if name not in trained and child.state_dict())
