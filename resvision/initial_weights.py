"""Initial weights of a run: their sources as a run keeps them, their files, and the parts that start afresh."""

from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from torch import nn

from resvision import catalog
from resvision.core.errors import SettingsError, WeightsError
from resvision.data.sets import IMAGENET
from resvision.run import DataSettings, ModelSettings, Run
from resvision.training.checkpoints import State
from resvision.training.initial import Read, encoder_state, initial_state, read_initial, weights_file
from resvision.weights.convert import modules_that_differ, shapes
from resvision.weights.fetch import obtain, read_published
from resvision.weights.published import Published, find, is_published

YOUR_OWN_ENCODER = "name weights by --set model.encoder_from=RUN or FILE, or start without by --from-scratch"


def settle_sources(model: ModelSettings, published: Published | None, data: DataSettings) -> ModelSettings:
    """Write the sources of the model's initial weights as a run keeps them: full paths, and sums of published files."""
    if published:
        model = replace(model, init_from=published.source, init_except=_fresh_parts(model, published, data))
    elif model.init_from is not None:
        model = replace(model, init_from=str(weights_file(Path(model.init_from))))
    if model.encoder_from is not None:
        model = replace(model, encoder_from=_encoder_source(model))
    return model


def published_weights(run: Run) -> Published | None:
    """Find the published weights that a run starts with, None where it names others; WeightsError for unknown ones."""
    source = run.model.init_from
    return find(run.model.name, source) if source is not None and is_published(source) else None


def initial_file(run: Run, console: Console | None = None) -> Path:
    """Get the file that a run starts with; published weights are fetched unless they are in the cache."""
    assert run.model.init_from is not None, "a run that starts with weights"
    published = published_weights(run)
    return obtain(published, console or Console(quiet=True)) if published else Path(run.model.init_from)


def net_state(net: nn.Module, run: Run, *, file: Path) -> State:
    """The weights that a run's net starts with, from its initial `file`; errors are those of `initial_state`."""
    return initial_state(net, file, fresh=run.model.init_except, read=_reader_of(run.model.init_from))


def net_state_by_encoder(net: nn.Module, run: Run, *, file: Path) -> State:
    """The weights that a run's net starts with, its encoder's from a `file`; errors are those of `encoder_state`."""
    return encoder_state(net, file, read=_reader_of(run.model.encoder_from))


def _reader_of(source: str | None) -> Read:
    """The function that reads a file of initial weights: published ones are of PyTorch, all others safetensors."""
    return read_published if is_published(source) else read_initial


def encoder_file(run: Run, console: Console | None = None) -> Path:
    """Get the file that the encoder of a resolved run starts with, fetched where it is published."""
    source = run.model.encoder_from
    assert source is not None, "a run whose encoder starts with weights"
    if not is_published(source):
        return Path(source)
    try:
        return obtain(_published_encoder(run.model), console or Console(quiet=True))
    except WeightsError as error:
        raise WeightsError(f"model.encoder_from: {error}; {YOUR_OWN_ENCODER}") from None


def _encoder_source(model: ModelSettings) -> str:
    """The source `encoder_from` as a run keeps it: a full path, or a published file with its sum."""
    assert model.encoder_from is not None, "asked for a net that has it"
    if is_published(model.encoder_from):
        return _published_encoder(model).source
    try:
        return str(weights_file(Path(model.encoder_from)))
    except SettingsError as error:
        raise SettingsError(str(error).replace("init_from", "encoder_from")) from None


def _published_encoder(model: ModelSettings) -> Published:
    """Find the published weights of a model's encoder, before they are fetched.

    Raises SettingsError, with the remedy, where there are none, or where they are of another net.
    """
    assert model.encoder_from is not None, "asked for a net that has it"
    row = catalog.find(model.name)
    encoder = {**row.usual, **row.options, **model.options}.get("backbone", row.encoder)
    if not isinstance(encoder, str) or not encoder:
        raise SettingsError(
            f"model.encoder_from: {model.name} has no encoder that weights are published for; {YOUR_OWN_ENCODER}"
        )
    try:
        published = find(encoder, model.encoder_from)
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


def _fresh_parts(model: ModelSettings, published: Published, data: DataSettings) -> tuple[str, ...]:
    """The parts that start afresh: `init_except`, and the head where the published weights have other classes."""
    theirs, ours = published.classes, data.classes or ()
    same = ours == theirs or (data.name == IMAGENET and len(ours) == len(theirs))
    return tuple(dict.fromkeys([*model.init_except, *(() if same else head(model))]))
