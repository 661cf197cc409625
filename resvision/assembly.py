"""A Run made real: `resolve` closes its open choices, `assemble` builds what the loop trains.

What depends on the task is asked of the task.
"""

from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from torch import nn

from resvision import catalog
from resvision.classification.stages import distances_to_head, first_stages
from resvision.contracts import Batches, CountedBatches, System
from resvision.core import references
from resvision.core.errors import RunError, SettingsError
from resvision.core.history import TEST, VALIDATION
from resvision.core.images import Preprocess
from resvision.core.settings import Scalar, from_options
from resvision.data.sets import IMAGENET, Splits, names
from resvision.data.validation import hold_out
from resvision.loading.loader import batches
from resvision.probes.count import count
from resvision.probes.padding import taps_in_padding
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.tasks import Scores, Task
from resvision.training.freezing import freeze
from resvision.training.initial import encoder_state, initial_state, weights_file
from resvision.training.machine import Machine, decide, place, rank_and_world
from resvision.training.optimizers import OptimizerSettings, build_optimizer
from resvision.training.stopping import StopSignals
from resvision.weights.convert import modules_that_differ, shapes
from resvision.weights.fetch import obtain
from resvision.weights.published import Published, find, is_published


class Exam(NamedTuple):
    """Images that weights are scored on: `split` as the history names it, and this process's share of the batches."""

    split: str
    images: Any
    batches: CountedBatches
    task: Task

    def score(self, system: System, *, machine: Machine, stop: StopSignals | None = None) -> Scores:
        """Scores of a system on all of its images. Raises Stopped after a stop signal."""
        with closing(batches(self.batches, 0, len(self.batches), workers=machine.workers or 0)) as share:
            return self.task.score(system, share, self.images, machine=machine, stop=stop)


class Assembly(NamedTuple):
    """What a resolved Run stands for.

    on_the_way  what is evaluated during training: validation where the run has it, otherwise the test split
    at_the_end  the test split
    """

    system: System
    splits: Splits
    train: Batches
    on_the_way: Exam
    at_the_end: Exam
    steps: int


def resolve(run: Run, *, initial: Callable[[Run], Path] | None = None) -> Run:
    """The same run with every open choice made: classes and pixels from the data, speed from the machine.

    Reads names and headers of the data, and the weights that the run starts with, no more. `initial` gives the file of
    these, `initial_file` if left out. Raises DataError, SettingsError or WeightsError.
    """
    if run.data.name not in names() and Path(run.data.name).exists():  # found again from another working directory
        run = replace(run, data=replace(run.data, name=str(Path(run.data.name).resolve())))
    published = published_weights(run)
    task = task_of(run)
    channels = run.data.channels or _whole(run.model.options.get("in_channels"))
    splits = _open(run.data, task, channels=channels, rule=published.preprocess if published else None)
    reader, rule = splits.train, splits.train.preprocess
    task.require(run.augment, run.loss, reader)
    known = catalog.options(run.model.name, run.model.options)
    found = {"in_channels": rule.channels, "input_size": rule.crop_px}
    options = {**{name: value for name, value in found.items() if name in known}, **run.model.options}
    if run.model.num_classes not in {None, len(reader.classes)}:
        raise SettingsError(
            f"model.num_classes: {run.model.num_classes}, but {run.data.name} has {len(reader.classes)} classes"
        )
    if run.augment.shift_px >= rule.crop_px:
        raise SettingsError(f"augment.shift_px: {run.augment.shift_px} moves images of {rule.crop_px} px out of sight")
    if run.training.patience is not None and splits.validation is None:
        raise SettingsError("training.patience: needs validation images; hold some out, such as --validation 0.1")
    model = replace(run.model, task=task.name, num_classes=len(reader.classes), options=options)
    if published:
        model = replace(model, init_from=published.source, init_except=_afresh(model, published, run.data, reader))
    elif model.init_from is not None:
        model = replace(model, init_from=str(weights_file(Path(model.init_from))))
    if model.encoder_from is not None:
        model = replace(model, encoder_from=_encoder_source(model))
    data = replace(
        run.data,
        channels=rule.channels,
        image_size=rule.crop_px,
        classes=reader.classes,
        train_images=len(splits.train),
        validation_images=len(splits.validation or ()),
        test_images=len(splits.test),
        split_rule=splits.split_rule,
        fingerprint=splits.fingerprint(),
        preprocess=rule,
    )
    closed = replace(run, model=model, data=data, loss=_weighted(run.loss, task, reader))
    with torch.device("meta"):
        net = build_system(closed).net  # tells wrong options of model and loss before anything is written
    fitting = task.crop_px(net, rule.crop_px)
    if run.data.image_size is None and fitting != rule.crop_px:
        return resolve(replace(run, data=replace(run.data, image_size=fitting)), initial=initial)
    _distances(net, closed.optimizer)
    if model.init_from is not None:
        initial_state(net, (initial or initial_file)(closed), fresh=model.init_except)
    if model.encoder_from is not None:
        encoder_state(net, encoder_file(closed))
    if references.is_reference(run.model.name):
        _require_results(net, task, closed)
    _require_batches_for_norms(net, run.training)
    macs = count(net, (rule.channels, rule.crop_px, rule.crop_px)).macs
    images = total_steps(closed) * run.training.batch_size
    machine = decide(
        run.machine,
        training_macs=3.0 * macs * images,
        image_px=rule.crop_px,
        decodes_files=task.decodes(reader, rule, run.augment),
        too_small_for=taps_in_padding(net, (rule.channels, rule.crop_px, rule.crop_px)),
    )
    return replace(closed, machine=machine)


def assemble(run: Run, *, device: torch.device, begun: bool = False) -> Assembly:
    """Build what a resolved run trains: seeded net in its system on `device`, and the batches of this process.

    A run that has `begun` has its weights in a checkpoint, and `init_from` is not looked for.
    """
    rank, world = rank_and_world()
    if run.training.batch_size % (world * run.training.accumulate):
        raise SettingsError(
            f"training.batch_size: {run.training.batch_size} cannot be shared by {world} processes"
            f" times accumulate={run.training.accumulate}; choose a multiple of {world * run.training.accumulate}"
        )
    rule = run.data.preprocess if is_published(run.model.init_from) else None
    task = task_of(run)
    splits = _open(run.data, task, channels=run.data.channels, rule=rule)
    _same_data(run.data, splits)
    train = task.train_batches(
        splits.train,
        batch_size=run.training.batch_size,
        seed=run.training.seed,
        augment=run.augment,
        loss=run.loss,
        rank=rank,
        world=world,
    )
    torch.manual_seed(run.training.seed)
    system = build_system(run)
    place(system, run.machine, device)
    if run.model.init_from is not None and not begun:
        system.net.load_state_dict(initial_state(system.net, initial_file(run), fresh=run.model.init_except))
    if run.model.encoder_from is not None and not begun:
        system.net.load_state_dict(encoder_state(system.net, encoder_file(run)))

    def exam(split: str, images: Any) -> Exam:
        share = task.exam_batches(images, batch_size=2 * run.training.batch_size, rank=rank, world=world)
        return Exam(split, images, share, task)

    test = exam(TEST, splits.test)
    on_the_way = test if splits.validation is None else exam(VALIDATION, splits.validation)
    return Assembly(system, splits, train, on_the_way, test, total_steps(run))


def task_of(run: Run) -> Task:
    """The task of a run: the one that it names, or that of its model in the catalog."""
    name = run.model.task or catalog.find(run.model.name).task
    task: Task = references.load(catalog.TASKS[name], kind="task")()
    return task


def build_net(run: Run) -> nn.Module:
    """The net of a resolved run, with fresh weights."""
    assert run.model.num_classes is not None, "resolve() comes first"
    return catalog.build(run.model.name, num_classes=run.model.num_classes, **run.model.options)


def build_system(run: Run) -> System:
    """The system of a resolved run around a fresh net, on the CPU in fp32, its first stages frozen as the run says."""
    assert run.data.preprocess is not None, "resolve() comes first"
    system: Any = catalog.system(run.model.name, run.model.task)
    options = from_options(system.loss_options, run.loss, at="loss")
    rule = run.data.preprocess
    try:
        built: System = system(build_net(run), mean=rule.mean, std=rule.std, options=options)
    except ValueError as error:  # a loss that the net is not made for
        raise SettingsError(f"loss: {error}") from None
    weights, classes = run.loss.get("class_weights"), run.model.num_classes
    if isinstance(weights, str) and len(weights.split(",")) != classes:
        raise SettingsError(f"loss.class_weights: {weights!r}; give a number for each of {classes} classes")
    if run.augment.mixes and not built.takes_mixed_targets:
        raise SettingsError(
            f"augment: {run.model.name} does not take images made of two; leave out mixup_alpha and cutmix_alpha"
        )
    freeze(built, [*frozen_modules(built.net, run.model).values(), *_frozen_norms(built.net, run.model)])
    return built


def published_weights(run: Run) -> Published | None:
    """The published weights that a run starts with, None where it starts with others; WeightsError for unknown ones."""
    source = run.model.init_from
    return find(run.model.name, source) if source is not None and is_published(source) else None


def initial_file(run: Run, console: Console | None = None) -> Path:
    """The safetensors file that a run starts with; published weights are fetched unless they are in the cache."""
    assert run.model.init_from is not None, "a run that starts with weights"
    published = published_weights(run)
    return obtain(published, console or Console(quiet=True)) if published else Path(run.model.init_from)


def encoder_file(run: Run, console: Console | None = None) -> Path:
    """The safetensors file that the encoder of a resolved run starts with, fetched where it is published."""
    source = run.model.encoder_from
    assert source is not None, "a run whose encoder starts with weights"
    if not is_published(source):
        return Path(source)
    return obtain(find(_backbone(run.model), source), console or Console(quiet=True))


def _encoder_source(model: ModelSettings) -> str:
    """`encoder_from` as a run keeps it."""
    assert model.encoder_from is not None, "asked for a net that has it"
    if is_published(model.encoder_from):
        return find(_backbone(model), model.encoder_from).source
    try:
        return str(weights_file(Path(model.encoder_from)))
    except SettingsError as error:
        raise SettingsError(str(error).replace("init_from", "encoder_from")) from None


def _backbone(model: ModelSettings) -> str:
    """The name of the net that a model stands on; SettingsError for one that stands on none."""
    row = catalog.find(model.name)
    name = {**row.usual, **row.options, **model.options}.get("backbone")
    if not isinstance(name, str):
        raise SettingsError(f"model.encoder_from: {model.name} has no backbone that weights are published for")
    return name


def optimizer_for(net: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimizer of a run over its net; SettingsError for a decay by depth over a net without stages."""
    return build_optimizer(net, settings, _distances(net, settings))


def head(model: ModelSettings) -> tuple[str, ...]:
    """The modules of a net that depend on the number of classes, such as `fc`."""
    with torch.device("meta"):
        two, three = (catalog.build(model.name, num_classes=count, **model.options).state_dict() for count in (2, 3))
    return modules_that_differ(shapes(two), shapes(three))


def frozen_modules(net: nn.Module, model: ModelSettings) -> dict[str, nn.Module]:
    """What `frozen_stages` names in the net, by dotted names; SettingsError where the net has no such stages."""
    if not model.frozen_stages:
        return {}
    try:
        return first_stages(net, model.frozen_stages)
    except SettingsError as error:
        raise SettingsError(f"model.frozen_stages: {error}") from None


def _frozen_norms(net: nn.Module, model: ModelSettings) -> list[nn.Module]:
    """The batch normalizations of the net, where the run keeps them as they are."""
    if not model.frozen_norms:
        return []
    return [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def steps_per_epoch(run: Run) -> int:
    """Full batches in the training split of a resolved run, at least 1."""
    assert run.data.train_images is not None, "resolve() comes first"
    if run.data.train_images < run.training.batch_size:
        raise SettingsError(
            f"training.batch_size: {run.training.batch_size} is more than the {run.data.train_images} training"
            f" images of {run.data.name}; choose a smaller --batch-size"
        )
    return run.data.train_images // run.training.batch_size


def total_steps(run: Run) -> int:
    """Optimizer steps of a resolved run."""
    length, _, unit = run.training.duration.partition(" ")
    return int(length) * (steps_per_epoch(run) if unit == "epochs" else 1)


def _require_results(net: nn.Module, task: Task, run: Run) -> None:
    """SettingsError where a net of the user's own does not give what the task asks for."""
    assert run.data.preprocess is not None, "the data was read"
    assert run.model.num_classes is not None, "the data was read"
    side = run.data.preprocess.crop_px
    images = torch.empty(2, run.data.preprocess.channels, side, side, device="meta")
    with torch.no_grad(), references.own_code(run.model.name):
        results = deepcopy(net).eval()(images)
    found = tuple(getattr(results, "shape", [type(results).__name__]))
    asked = (2, *task.result_shape(side, run.model.num_classes))
    if found != asked:
        pixel = " and each pixel" if len(asked) > 2 else ""
        raise SettingsError(
            f"{run.model.name}: gives {found} for 2 images of {tuple(images.shape[1:])}, not {asked}: a logit for each"
            f" of {run.model.num_classes} classes{pixel}"
        )


def _require_batches_for_norms(net: nn.Module, training: TrainingSettings) -> None:
    """SettingsError where batch normalization would see a single image."""
    norms = [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    normalizes = any(norm.training for norm in norms)  # a frozen one does not look at the batch
    if normalizes and training.batch_size // training.accumulate < 2:
        raise SettingsError(
            f"training.batch_size: {training.batch_size} in {training.accumulate} parts gives batch normalization one"
            " image at a time; it needs 2 or more"
        )


def _weighted(loss: dict[str, Scalar], task: Task, reader: Any) -> dict[str, Scalar]:
    """The same options, with balanced `class_weights` written out as numbers, from the labels of the training split."""
    power = {"balanced": 1.0, "balanced-root": 0.5}.get(str(loss.get("class_weights")))
    return loss if power is None else {**loss, "class_weights": task.balanced_weights(reader, power=power)}


def _distances(net: nn.Module, settings: OptimizerSettings) -> dict[str, int] | None:
    """Stages from each parameter to the head, where the learning rate decays by them."""
    if settings.depth_decay == 1:
        return None
    try:
        return distances_to_head(net)
    except SettingsError as error:
        raise SettingsError(f"optimizer.depth_decay: {error}") from None


def _afresh(model: ModelSettings, published: Published, data: DataSettings, reader: Any) -> tuple[str, ...]:
    """`init_except`, and the head where the classes are not those of the published weights."""
    theirs = published.classes
    same = reader.classes == theirs or (data.name == IMAGENET and len(reader.classes) == len(theirs))
    return tuple(dict.fromkeys([*model.init_except, *(() if same else head(model))]))


def _open(data: DataSettings, task: Task, *, channels: int | None, rule: Preprocess | None = None) -> Splits:
    root = Path(data.root) if data.root else None
    splits = task.open_splits(data.name, root=root).seen_as(channels=channels, image_size=data.image_size, rule=rule)
    return splits if data.validation is None else hold_out(splits, data.validation)


def _whole(value: Scalar) -> int | None:
    return value if isinstance(value, int) else None


def _same_data(data: DataSettings, splits: Splits) -> None:
    """RunError when names, classes, split or preprocessing are not what the run was resolved with."""
    counts = (len(splits.train), len(splits.validation or ()), len(splits.test))
    found = (splits.fingerprint(), splits.train.preprocess, *counts)
    if found != (data.fingerprint, data.preprocess, data.train_images, data.validation_images, data.test_images):
        raise RunError(
            f"{data.name}: has changed since the run began: it had {data.train_images} training and"
            f" {data.test_images} test images in {len(data.classes or ())} classes, now it has {len(splits.train)},"
            f" {len(splits.test)} and {len(splits.train.classes)}, or other names or sizes; start a new run"
        )
