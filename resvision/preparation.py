"""From a Run to a resolved one: `prepare` closes its open choices, and refuses what cannot be trained.

The task answers for all that depends on it. `prepare` goes in steps, each a function below it:

1. open the data, by names and headers alone;
2. settle the choices that the data decide: view, classes, options of the net, weights of classes;
3. build the net on the meta device, which finds wrong options before anything is written; where the net does not take
   images of the data's size, settle and build once more at a size that it takes;
4. check the weights that it starts with;
5. choose device, precision and speed by the work of the training.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

import torch
from torch import nn

from resvision.assembly import (
    LARGE_PX,
    Prepared,
    accepted_options,
    build_system,
    distances,
    task_name,
    total_steps,
)
from resvision.core import references
from resvision.core.chosen_views import changed_view
from resvision.core.errors import DataError, RunError, SettingsError, printable
from resvision.core.files import open_regular
from resvision.core.samples import side_of
from resvision.core.settings import Scalar
from resvision.core.views import View
from resvision.data.folds import fold_out, open_whole
from resvision.data.sets import full_name, open_splits
from resvision.data.splits import Splits
from resvision.data.train_limit import limit_training
from resvision.data.validation import hold_out
from resvision.initial_weights import (
    brings_view,
    brought_view,
    encoder_file,
    encoder_normalization,
    initial_file,
    net_state,
    net_state_by_encoder,
    published_weights,
    settle_sources,
)
from resvision.probes.count import count
from resvision.probes.padding import taps_in_padding
from resvision.refusals import require_results, require_shares, require_sides
from resvision.run import DataSettings, Run
from resvision.tasks import Task, task_of
from resvision.training.machine import Machine, decide, rank_and_world
from resvision.weights.published import PublishedWeights


def resolve(run: Run, *, initial: Callable[[Run], Path] | None = None) -> Run:
    """Make every open choice of a run; arguments and errors are those of `prepare`."""
    return prepare(run, initial=initial).run


def prepare(
    run: Run, *, initial: Callable[[Run], Path] | None = None, encoder: Callable[[Run], Path] | None = None
) -> Prepared:
    """Make every open choice of a run: classes and views from the data, speed from the machine.

    It reads names and headers of the data, the targets where a loss is balanced by them, and the weights that the run
    starts with, no more. `initial` gives the file of the weights, `initial_file` if left out, and `encoder` that of the
    encoder's, likewise.
    Raises DataError, SettingsError or WeightsError.
    """
    proposals = None if run.data.proposals is None else str(Path(run.data.proposals).resolve())
    run = replace(run, data=replace(run.data, name=full_name(run.data.name), proposals=proposals))
    published = published_weights(run)  # before the data: the view that the weights were trained with replaces theirs
    run = _with_task(run)
    task = task_of(task_name(run))
    if published:  # a net that has all parts of the file, unless the user wants another
        options = {**published.options, **run.model.options}
        run = replace(run, model=replace(run.model, options=options))
    channels = run.data.channels or _integer(run.model.options.get("in_channels"))
    splits = _open_as_asked(run, channels=channels, view=brought_view(run, published))
    for judging in filter(None, (splits.test, splits.validation)):
        task.require_judging(judging)
    run = replace(run, loss=task.settled_loss(run.loss, splits.train))
    # Hashing the names of a large set takes long, and no view changes them, so it is done once.
    asked_px, fingerprint = run.data.image_size or task.asked_side(run.augment), splits.fingerprint()
    closed = _settle(run, task, splits, published, fingerprint, side_px=asked_px or side_of(splits.train))
    net = _build_on_meta(closed)
    side_px = closed.data.image_size
    # Only the built net knows the sides that it takes, and a side that the user asked for is never changed: the net's
    # own error about it names the nearest one.
    if asked_px is None and side_px is not None and (fitting := task.fitting_side(net, side_px)) != side_px:
        splits = splits.seen_as(image_size=fitting)
        closed = _settle(run, task, splits, published, fingerprint, side_px=fitting)
        net = _build_on_meta(closed)
    if proposals is not None:
        for reader in splits.readers:
            task.require_source(reader, net, proposals)
    _require_trainable(net, closed, initial or initial_file, encoder or encoder_file)
    # Tests hold the nets of the catalog to their shapes; a user's net shows its own only when it is run.
    if references.is_reference(run.model.name):
        require_results(net, task, closed)
    shape = task.example_shape(splits.train.view, closed.data.image_size)
    counted = count(net, shape)
    # A backward pass takes about twice the multiply-adds of a forward pass, so a step takes three times those.
    machine = decide(
        _eager_where_processes_talk(run),
        training_macs=3.0 * counted.macs * total_steps(closed) * run.training.batch_size,
        image_px=closed.data.image_size or LARGE_PX,
        decodes_files=task.decodes(splits.train, closed.augment),
        too_small_for=taps_in_padding(net, shape),
    )
    return Prepared(replace(closed, machine=machine), splits, net, counted)


def _with_task(run: Run) -> Run:
    """The run with its task named, so that a later version with another catalog still reads it as the same task.

    Raises SettingsError for the augmentation of another task.
    """
    task = task_of(task_name(run))
    if not isinstance(run.augment, task.augment):
        raise SettingsError(
            f"{run.recipe}: augments with {type(run.augment).__name__}, but {run.model.name} is for {task.kind.name},"
            f" which takes {task.augment.__name__}; choose another --recipe"
        )
    return replace(run, model=replace(run.model, task=task_name(run)))


def reopen(run: Run) -> Prepared:
    """Prepare a run that was resolved before; its data must be the same.

    Raises RunError where names, classes, split or view of the data have changed.
    """
    splits = open_data(run, channels=run.data.channels, view=None if _sees_as_data(run) else run.data.view)
    _require_same_data(run.data, splits)
    require_same_proposals(run.data)
    net = _build_on_meta(run)
    require_shares(net, run)
    shape = task_of(task_name(run)).example_shape(splits.train.view, run.data.image_size)
    return Prepared(run, splits, net, count(net, shape))


def open_data(run: Run, *, channels: int | None, view: View | None = None) -> Splits:
    """Open the data of a run by its settings, without the images held out for validation, and cut to its limit."""
    data = run.data
    root = Path(data.root) if data.root else None
    splits = open_splits(
        data.name,
        root=root,
        image_size=data.image_size,
        task=task_name(run),
        columns=data.columns,
        allow=data.allow,
        timing=data.timing,
        drawing=data.drawing,
    )
    splits = in_folds(run, splits).seen_as(channels=channels, image_size=data.image_size, view=view)
    # First held out, then cut: runs of other limits are judged by the same images.
    splits = splits if data.validation is None else hold_out(splits, data.validation)
    if data.train_limit is None:
        return splits
    return limit_training(splits, data.train_limit, seed=run.training.seed)


def in_folds(run: Run, splits: Splits) -> Splits:
    """The splits of a run's set with its fold as the test, where it has one."""
    folds, fold = run.data.folds, run.data.fold
    data = run.data
    cutting = data.timing, data.drawing
    whole = None if folds is None else open_whole(data.name, task_name(run), data.columns, data.allow, *cutting)
    reader = None if whole is None else whole.reader
    return fold_out(splits, folds=folds, fold=fold, seed=run.training.seed, whole=reader)


def _open_as_asked(run: Run, *, channels: int | None, view: View | None) -> Splits:
    """Open the data of a run that is new, seen as the user says, or else as the weights need it that it starts with."""
    splits = open_data(run, channels=channels, view=view)
    data, own = run.data, splits.train.view
    encoder = encoder_normalization(run.model)
    encoders = encoder is not None and encoder.channels == own.channels
    mean, std = (encoder.mean, encoder.std) if encoders and encoder is not None else (None, None)
    try:
        changed = changed_view(
            own, mean=data.mean or mean, std=data.std or std, resize=data.resize, resize_px=data.resize_px
        )
    except ValueError as error:
        raise SettingsError(f"data.mean, data.std, data.resize, data.resize_px: {error}") from None
    if changed == own:
        return splits
    task_of(task_name(run)).require_view(changed)
    return splits.seen_as(view=changed)


def _sees_as_data(run: Run) -> bool:
    """Whether the view of a run is that of its data, and not asked for or brought by weights."""
    data, weights = run.data, (run.model.init_from, run.model.encoder_from)
    asked = (data.mean, data.std, data.resize, data.resize_px)
    return asked == (None,) * len(asked) and not any(map(brings_view, weights))


def _settle(
    run: Run,
    task: Task[Any],
    splits: Splits,
    published: PublishedWeights | None,
    fingerprint: str,
    *,
    side_px: int | None,
) -> Run:
    """Make all choices of a run that follow from its data and from the source of its weights."""
    reader = splits.train
    data_options = {**task.net_options(reader), "input_size": side_px}
    num_classes = data_options.pop("num_classes", None)
    if run.model.num_classes not in {None, num_classes}:
        raise SettingsError(
            f"model.num_classes: {run.model.num_classes}, but {run.data.name} has {num_classes} classes"
        )
    task.require(run.augment, run.loss, reader, side_px=side_px)
    if run.training.patience is not None and splits.validation is None:
        raise SettingsError("training.patience: needs validation images; hold some out, such as --validation 0.1")
    options = {**accepted_options(run.model, data_options), **run.model.options}
    model = replace(run.model, num_classes=num_classes, options=options)
    timing, drawing = reader.cut()
    data = replace(
        run.data,
        **timing._asdict(),
        **drawing._asdict(),
        channels=reader.view.channels,
        image_size=side_px,
        classes=reader.classes,
        train_images=len(splits.train),
        validation_images=len(splits.validation or ()),
        test_images=len(splits.test),
        split_rule=splits.split_rule,
        fingerprint=fingerprint,
        proposals_sum=sum_of_proposals(run.data),
        view=reader.view,
    )
    return replace(
        run,
        model=settle_sources(model, published, data),
        data=data,
        augment=task.settled_augment(run.augment, side_px=side_px),
    )


def _build_on_meta(run: Run) -> nn.Module:
    """Build the net of a resolved run without weights; SettingsError for wrong options of model and loss."""
    with torch.device("meta"):
        return build_system(run).net


def _require_trainable(
    net: nn.Module, run: Run, initial: Callable[[Run], Path], encoder: Callable[[Run], Path]
) -> None:
    """Raise SettingsError or WeightsError where optimizer, initial weights or batches do not suit the net."""
    distances(net, run.optimizer)
    if run.model.init_from is not None:
        net_state(net, run, file=initial(run))
    if run.model.encoder_from is not None:
        net_state_by_encoder(net, run, file=encoder(run))
    require_sides(net, run)
    require_shares(net, run)


def _require_same_data(data: DataSettings, splits: Splits) -> None:
    """Raise RunError where names, classes, split or view have changed since the run was resolved."""
    counts = (len(splits.train), len(splits.validation or ()), len(splits.test))
    current = (splits.fingerprint(), splits.train.view, *counts)
    if current != (data.fingerprint, data.view, data.train_images, data.validation_images, data.test_images):
        raise RunError(
            f"{data.name}: has changed since the run began: it had {data.train_images} training and"
            f" {data.test_images} test images in {len(data.classes or ())} classes, now it has {len(splits.train)},"
            f" {len(splits.test)} and {len(splits.train.classes)}, or other names or sizes; start a new run"
        )


def sum_of_proposals(data: DataSettings) -> str | None:
    """The hash of a run's file of proposals, None where it has none; DataError where the file cannot be read."""
    if data.proposals is None:
        return None
    try:
        with open_regular(Path(data.proposals)) as file:
            return file_digest(file, "blake2b").hexdigest()[:32]
    except OSError as error:
        raise DataError(f"{printable(data.proposals)}: the proposals cannot be read ({error.strerror})") from None


def require_same_proposals(data: DataSettings) -> None:
    """Raise RunError where the file of proposals has gone or changed since the run was resolved."""
    remedy = "name a copy of what it was by --proposals FILE, or start a new run"
    try:
        current = sum_of_proposals(data)
    except DataError as error:
        raise RunError(f"{error}; {remedy}") from None
    if current != data.proposals_sum:
        raise RunError(f"{printable(data.proposals or '')}: has changed since the run began; {remedy}")


def _eager_where_processes_talk(run: Run) -> Machine:
    """The machine of a run, not compiled where normalizations sum over processes, which no graph holds."""
    if not run.training.sync_norms or rank_and_world()[1] == 1:
        return run.machine
    if run.machine.compile:
        raise SettingsError("training.sync_norms: is not compiled; leave out machine.compile=true")
    return replace(run.machine, compile=False)


def _integer(value: Scalar) -> int | None:
    return value if isinstance(value, int) else None
