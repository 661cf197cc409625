"""A Run: everything that decides what a training gives, as one frozen tree that goes to JSON and back.

A recipe makes a Run with open choices (None, `auto`); `resolve` looks at the data and the machine and closes them all;
`assemble` builds what the loop trains. Nothing on a lower floor sees a Run.
"""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from msgspec import Meta
from rich.console import Console
from torch import nn

from resvision import catalog
from resvision.classification import scoring
from resvision.classification.classifier import balanced_weights
from resvision.classification.stages import distances_to_head, first_stages
from resvision.contracts import Reader, System
from resvision.core import references, rundir
from resvision.core.errors import RunError, SettingsError, printable
from resvision.core.history import TEST, VALIDATION
from resvision.core.images import Preprocess
from resvision.core.results import ClassificationScores
from resvision.core.settings import Scalar, from_json
from resvision.data.augment import Augment
from resvision.data.loader import EvalBatches, TrainBatches, fits_memory
from resvision.data.sets import IMAGENET, Splits, names, open_splits
from resvision.data.validation import hold_out
from resvision.probes.count import count
from resvision.probes.padding import taps_in_padding
from resvision.training.evaluation import Predictions
from resvision.training.freezing import freeze
from resvision.training.initial import initial_state, weights_file
from resvision.training.machine import Machine, decide, place, rank_and_world
from resvision.training.optimizers import OptimizerSettings, build_optimizer
from resvision.training.schedules import Schedule
from resvision.weights.convert import modules_that_differ, shapes
from resvision.weights.fetch import obtain
from resvision.weights.published import Published, find, is_published

FORMAT = rundir.RUN_FORMAT

Count = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Which net: a name of the catalog or `package.module:function`, with its options.

    init_from      weights to start with: a safetensors file, a run folder, whose result is meant, or published ones,
                   `torchvision` or `torchvision:NAME`, whose preprocessing the run then takes over
    init_except    parts that start afresh all the same, such as `fc` for other classes; with published weights the head
                   is among them where the classes are others
    frozen_stages  stages from the input on that are not trained: of a ResNet for ImageNet, 2 are C1 and C2
    """

    name: str
    num_classes: Count | None = None
    options: dict[str, Scalar] = field(default_factory=dict)
    init_from: str | None = None
    init_except: tuple[str, ...] = ()
    frozen_stages: Annotated[int, Meta(ge=0, le=5)] = 0


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Which data: a name or a folder, and where it lies; the rest is read off it by `resolve`.

    `validation` is the share of the training images, of each class alike, that is held out to judge the run by on its
    way; the test images are then looked at once, at the end. `train_images` are those that are left. `fingerprint` is
    that of file names and classes, so that a run goes on with the same data or not at all.
    """

    name: str
    root: str | None = None
    channels: Annotated[int, Meta(ge=1, le=3)] | None = None
    image_size: Count | None = None
    validation: Annotated[float, Meta(gt=0, lt=0.5)] | None = None
    classes: tuple[str, ...] | None = None
    train_images: int | None = None
    validation_images: int | None = None
    test_images: int | None = None
    split_rule: str | None = None
    fingerprint: str | None = None
    preprocess: Preprocess | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How long and in what portions.

    duration            `20 epochs` or `64000 steps`
    batch_size          images of one optimizer step, over all processes
    accumulate          parts that a batch is cut into to save memory
    clip_norm           largest norm of the whole gradient
    ema_decay           of the moving average of weights that is evaluated in their place
    evaluate_every      epochs between evaluations
    patience            validations in a row without a better one that end the run early; None for never
    checkpoint_seconds  between checkpoints; the end always leaves one
    """

    duration: Annotated[str, Meta(pattern=rf"^{rundir.DURATION}\Z", description="`20 epochs` or `64000 steps`")]
    batch_size: Count = 128
    accumulate: Count = 1
    clip_norm: Annotated[float, Meta(gt=0)] | None = None
    ema_decay: Annotated[float, Meta(gt=0, lt=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    evaluate_every: Count = 1
    patience: Count | None = None
    checkpoint_seconds: Annotated[float, Meta(gt=0)] = 60.0

    def __post_init__(self) -> None:
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate={self.accumulate} must divide batch_size={self.batch_size}")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training, whole. `loss` holds options of the system, such as `label_smoothing`."""

    recipe: str
    model: ModelSettings
    data: DataSettings
    training: TrainingSettings
    augment: Augment = field(default_factory=Augment)
    loss: dict[str, Scalar] = field(default_factory=dict)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: Schedule = field(default_factory=Schedule)
    machine: Machine = field(default_factory=Machine)
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"run format {self.format}, this version reads {FORMAT}")


class Exam(NamedTuple):
    """Images that weights are scored on: `split` as the history names it, and this process's share of the batches."""

    split: str
    images: Reader
    batches: EvalBatches

    def score(self, predictions: Predictions) -> ClassificationScores:
        """Scores of predictions for all of its images."""
        return scoring.score(
            *predictions,
            classes=self.images.classes,
            source=lambda index: printable(self.images.source(index)),
        )


class Assembly(NamedTuple):
    """What a resolved Run stands for.

    on_the_way  what is evaluated during training: validation where the run has it, otherwise the test split
    at_the_end  the test split
    """

    system: System
    splits: Splits
    train: TrainBatches
    on_the_way: Exam
    at_the_end: Exam
    steps: int


def read_run(folder: Path, *, allow_code: bool = False) -> Run:
    """The Run that `folder` was started with.

    Raises RunError or SettingsError where it is missing or damaged, or where it names code of a user's own as
    `package.module:function`, which would be imported, and `allow_code` is not given.
    """
    path = rundir.require(folder) / rundir.RUN
    data = rundir.read_json(path)
    if isinstance(data, dict) and data.get("format", FORMAT) != FORMAT:
        raise RunError(f"{path}: format {data['format']!r:.60}, this version of resvision reads {FORMAT}")
    try:
        run = from_json(Run, _with_what_came_later(data))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    if not is_resolved(run):
        raise RunError(f"{path}: not a run as training writes it: what data and machine decide is missing or disagrees")
    code = [name for name in (run.model.name, run.data.name) if references.is_reference(name)]
    if code and not allow_code:
        raise RunError(f"{path}: would import {' and '.join(code)}; if you trust it, say --allow-code")
    return run


_CAME_LATER = {"optimizer.depth_decay": 1.0}
"""Leaves that older runs do not have, and what they did."""

_MAY_BE_NONE = {"root", "validation"}


def is_resolved(run: Run) -> bool:
    """Whether every choice is made, and classes and counts fit each other."""
    decided = vars(run.data) | vars(run.machine)
    missing = [name for name, value in decided.items() if value in (None, "auto") and name not in _MAY_BE_NONE]
    classes = run.data.classes or ()
    return not missing and len(set(classes)) == len(classes) == run.model.num_classes


def resolve(run: Run, *, initial: Callable[[Run], Path] | None = None) -> Run:
    """The same run with every open choice made: classes and pixels from the data, speed from the machine.

    Reads names and headers of the data, and the weights that the run starts with, no more. `initial` gives the file of
    these, `initial_file` if left out. Raises DataError, SettingsError or WeightsError.
    """
    if run.data.name not in names() and Path(run.data.name).exists():  # found again from another working directory
        run = replace(run, data=replace(run.data, name=str(Path(run.data.name).resolve())))
    published = published_weights(run)
    channels = run.data.channels or _whole(run.model.options.get("in_channels"))
    splits = _open(run.data, channels=channels, rule=published.preprocess if published else None)
    reader, rule = splits.train, splits.train.preprocess
    known = catalog.options(run.model.name)
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
    model = replace(run.model, num_classes=len(reader.classes), options=options)
    if published:
        model = replace(model, init_from=published.source, init_except=_afresh(model, published, run.data, reader))
    elif model.init_from is not None:
        model = replace(model, init_from=str(weights_file(Path(model.init_from))))
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
    closed = replace(run, model=model, data=data, loss=_weighted(run.loss, reader))
    with torch.device("meta"):
        net = build_system(closed).net  # tells wrong options of model and loss before anything is written
    _distances(net, closed.optimizer)
    if model.init_from is not None:
        initial_state(net, (initial or initial_file)(closed), fresh=model.init_except)
    if references.is_reference(run.model.name):
        _require_logits(net, closed)
    _require_batches_for_norms(net, run.training)
    macs = count(net, (rule.channels, rule.crop_px, rule.crop_px)).macs
    images = total_steps(closed) * run.training.batch_size
    decodes = run.augment.crop != "none" or run.augment.policy != "none" or not fits_memory(reader, rule)
    machine = decide(
        run.machine,
        training_macs=3.0 * macs * images,
        image_px=rule.crop_px,
        decodes_files=decodes,
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
    splits = _open(run.data, channels=run.data.channels, rule=rule)
    _same_data(run.data, splits)
    train = TrainBatches(
        splits.train,
        batch_size=run.training.batch_size,
        seed=run.training.seed,
        augment=run.augment,
        rank=rank,
        world=world,
        grey=True,  # one channel was asked for, or the images are grey
    )
    torch.manual_seed(run.training.seed)
    system = build_system(run)
    place(system, run.machine, device)
    if run.model.init_from is not None and not begun:
        system.net.load_state_dict(initial_state(system.net, initial_file(run), fresh=run.model.init_except))

    def exam(split: str, images: Reader) -> Exam:
        batches = EvalBatches(images, batch_size=2 * run.training.batch_size, rank=rank, world=world, grey=True)
        return Exam(split, images, batches)

    test = exam(TEST, splits.test)
    on_the_way = test if splits.validation is None else exam(VALIDATION, splits.validation)
    return Assembly(system, splits, train, on_the_way, test, total_steps(run))


def build_net(run: Run) -> nn.Module:
    """The net of a resolved run, with fresh weights."""
    assert run.model.num_classes is not None, "resolve() comes first"
    return catalog.build(run.model.name, num_classes=run.model.num_classes, **run.model.options)


def build_system(run: Run) -> System:
    """The system of a resolved run around a fresh net, on the CPU in fp32, its first stages frozen as the run says."""
    assert run.data.preprocess is not None, "resolve() comes first"
    system = catalog.system(run.model.name)
    fixed = {"net": build_net(run), "mean": run.data.preprocess.mean, "std": run.data.preprocess.std}
    options = catalog.known_options(system, run.loss, kind="loss option", fixed=fixed)
    try:
        built: System = system(**fixed, **options)
    except ValueError as error:
        raise SettingsError(f"loss: {error}") from None
    weights, classes = run.loss.get("class_weights"), run.model.num_classes
    if isinstance(weights, str) and len(weights.split(",")) != classes:
        raise SettingsError(f"loss.class_weights: {weights!r}; give a number for each of {classes} classes")
    if run.augment.mixes and not built.takes_mixed_targets:
        raise SettingsError(
            f"augment: {run.model.name} does not take images made of two; leave out mixup_alpha and cutmix_alpha"
        )
    freeze(built, [*frozen_modules(built.net, run.model).values()])
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


def _require_logits(net: nn.Module, run: Run) -> None:
    """SettingsError where a net of the user's own does not give a logit a class."""
    assert run.data.preprocess is not None, "the data was read"
    side = run.data.preprocess.crop_px
    images = torch.empty(2, run.data.preprocess.channels, side, side, device="meta")
    with torch.no_grad(), references.own_code(run.model.name):
        logits = deepcopy(net).eval()(images)
    found = tuple(getattr(logits, "shape", [type(logits).__name__]))
    if found != (2, run.model.num_classes):
        raise SettingsError(
            f"{run.model.name}: gives {found} for 2 images of {tuple(images.shape[1:])}, not"
            f" (2, {run.model.num_classes}): a logit for each of {run.model.num_classes} classes"
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


def _weighted(loss: dict[str, Scalar], reader: Reader) -> dict[str, Scalar]:
    """The same options, with `class_weights=balanced` written out as numbers, from the labels of the training split."""
    if loss.get("class_weights") != "balanced":
        return loss
    images = Counter(reader.target(index) for index in range(len(reader)))
    counts = [images[k] for k in range(len(reader.classes))]
    if 0 in counts:
        name = printable(reader.classes[counts.index(0)])
        raise SettingsError(f"loss.class_weights: balanced, but {reader.name} has no training image of {name}")
    return {**loss, "class_weights": balanced_weights(counts)}


def _distances(net: nn.Module, settings: OptimizerSettings) -> dict[str, int] | None:
    """Stages from each parameter to the head, where the learning rate decays by them."""
    if settings.depth_decay == 1:
        return None
    try:
        return distances_to_head(net)
    except SettingsError as error:
        raise SettingsError(f"optimizer.depth_decay: {error}") from None


def _afresh(model: ModelSettings, published: Published, data: DataSettings, reader: Reader) -> tuple[str, ...]:
    """`init_except`, and the head where the classes are not those of the published weights."""
    theirs = published.classes
    same = reader.classes == theirs or (data.name == IMAGENET and len(reader.classes) == len(theirs))
    return tuple(dict.fromkeys([*model.init_except, *(() if same else head(model))]))


def _with_what_came_later(data: Any) -> Any:
    """The JSON of an older run with the leaves that this version knows beside its own."""
    for path, value in _CAME_LATER.items():
        group, _, key = path.partition(".")
        if isinstance(data, dict) and isinstance(data.get(group), dict) and key not in data[group]:
            data = {**data, group: {**data[group], key: value}}
    return data


def _open(data: DataSettings, *, channels: int | None, rule: Preprocess | None = None) -> Splits:
    root = Path(data.root) if data.root else None
    splits = open_splits(data.name, root=root).seen_as(channels=channels, image_size=data.image_size, rule=rule)
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
