"""The parts of a resolved Run: its system, its optimizer, the batches and the exams of the loop; and its length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import nn

from resvision import catalog
from resvision.classification.stages import distances_to_head, first_stages
from resvision.contracts import Batch, Batches, CountedBatches, System
from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.core.history import TEST, VALIDATION
from resvision.core.samples import Reader
from resvision.core.settings import Scalar, from_options
from resvision.core.views import View
from resvision.data.splits import Splits
from resvision.initial_weights import encoder_file, initial_file, net_state, net_state_by_encoder
from resvision.kinds.kind import Scores
from resvision.kinds.table import TASKS
from resvision.layers import sync_norm
from resvision.loading.workers import batches
from resvision.probes.count import Count
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.tasks import Task, task_of
from resvision.training.freezing import freeze
from resvision.training.machine import Machine, decide, place, rank_and_world
from resvision.training.optimizers import OptimizerSettings, build_optimizer
from resvision.training.stopping import StopSignals

LARGE_PX = 224
"""The side of images, by which a machine is chosen, where they have different sizes."""

UNKNOWN_DATA = "data that their file does not name"
"""The name of the set that weights without a run were trained on, where nothing says it."""


NO_BATCHES: list[Batch] = []
"""The batches of a run of no steps, whose training images are not opened."""


class Prepared(NamedTuple):
    """A Run with every choice made, its data, its net on the meta device, and that net's counts."""

    run: Run
    splits: Splits
    net: nn.Module
    counted: Count


class Exam(NamedTuple):
    """A set of images to score weights on: its `split` in the history, and this process's share of the batches."""

    split: str
    images: Reader[Any]
    batches: CountedBatches
    task: Task[Any]

    def score(
        self,
        system: System,
        *,
        machine: Machine,
        stop: StopSignals | None = None,
        watch: Callable[[int], None] = lambda images: None,
    ) -> Scores:
        """Score a system on all of the images. Raises Stopped after a stop signal.

        watch  called with the number of images that all processes together have scored since the last call
        """
        waiting = stop.leave_waiting if stop else lambda: None
        made = batches(self.batches, 0, len(self.batches), workers=machine.workers or 0, waiting=waiting)
        with closing(made) as share:
            return self.task.score(system, _watched(share, watch), self.images, machine=machine, stop=stop)


class Assembly(NamedTuple):
    """The parts of a resolved Run.

    on_the_way  the exam during training: validation where the run has it, otherwise the test split
    at_the_end  the exam of the result, on the test split
    """

    system: System
    splits: Splits
    train: Batches
    on_the_way: Exam
    at_the_end: Exam
    steps: int


def _watched(share: Iterable[Batch], watch: Callable[[int], None]) -> Iterator[Batch]:
    """Yield this process's batches, and tell `watch` after each; the other processes are as far as this one."""
    for batch in share:
        yield batch
        watch(len(batch.ids) * rank_and_world()[1])


def accepted_options(model: ModelSettings, candidates: dict[str, Any]) -> dict[str, Any]:
    """Keep the options that the net takes and the data decide; None leaves one to its default."""
    accepted = catalog.options(model.name, model.options)
    return {name: value for name, value in candidates.items() if name in accepted and value is not None}


# Building what a resolved run trains ---------------------------------------------------------------------------------


def assemble(prepared: Prepared, *, device: torch.device, begun: bool = False) -> Assembly:
    """Build the parts of a run: the seeded net in its system on `device`, and the batches of this process.

    A run that has `begun` has its weights in a checkpoint, so that the files of initial weights need not be there.
    """
    run, splits = prepared.run, prepared.splits
    rank, world = rank_and_world()
    task = task_of(task_name(run))

    def supplied(images: Reader[Any]) -> Reader[Any]:
        return task.supplied(images, prepared.net, run.data.proposals)

    to_train_on = supplied(splits.train)
    trains = total_steps(run) > 0
    train: Batches = NO_BATCHES
    if trains:
        train = task.train_batches(
            to_train_on,
            batch_size=run.training.batch_size,
            seed=run.training.seed,
            augment=run.augment,
            loss=run.loss,
            rank=rank,
            world=world,
        )
    # After the batches, which draw nothing, and right before the net: its weights follow from the seed alone.
    torch.manual_seed(run.training.seed)
    system = build_system(run)
    if run.training.sync_norms:
        sync_norm.use(system.net)
    place(system, run.machine, device)
    if run.model.init_from is not None and not begun:
        system.net.load_state_dict(net_state(system.net, run, file=initial_file(run)))
    if run.model.encoder_from is not None and not begun:
        system.net.load_state_dict(net_state_by_encoder(system.net, run, file=encoder_file(run)))
    # A net of no steps that starts with weights has what was measured for them.
    if (trains or run.model.init_from is None) and not begun:
        task.measure(system, to_train_on)

    def exam(split: str, images: Reader[Any]) -> Exam:
        # without gradients, twice as many images take no more memory than in training
        share = task.exam_batches(supplied(images), batch_size=2 * run.training.batch_size, rank=rank, world=world)
        return Exam(split, images, share, task)

    test = exam(TEST, splits.test)
    on_the_way = test if splits.validation is None else exam(VALIDATION, splits.validation)
    return Assembly(system, splits, train, on_the_way, test, total_steps(run))


def task_name(run: Run) -> str:
    """The name of a run's task: the one that the run names, or that of its model in the catalog."""
    return run.model.task or catalog.find(run.model.name).task


def build_net(run: Run) -> nn.Module:
    """Build the net of a resolved run, with fresh weights."""
    return catalog.build(run.model.name, num_classes=run.model.num_classes, **run.model.options)


def build_system(run: Run) -> System:
    """Build the system of a resolved run around a fresh net, on the CPU in fp32, frozen as far as the run says."""
    view = run.data.view
    assert view is not None, "prepare() comes first"
    row, usual = catalog.find(run.model.name), task_of(task_name(run)).system
    if task_name(run) in TASKS and not references.is_reference(run.model.name) and row.task != task_name(run):
        raise SettingsError(f"model.task: {task_name(run)}, but {run.model.name} is a net for {row.task}")
    row_decides = bool(row.system) and row.task == task_name(run)
    named = row.system if row_decides else usual
    if not named:
        raise SettingsError(
            f"model.task: {task_name(run)} has no system that trains every net, and {run.model.name} brings none;"
            " choose a net of `resvision list`"
        )
    system: Any = references.load(named, noun="system")
    options = from_options(system.loss_options, run.loss, at="loss")
    net = build_net(run)
    try:
        built: System = system(net, mean=view.mean, std=view.std, options=options)
    except ValueError as error:  # a loss that the net is not made for
        raise SettingsError(f"loss: {error}") from None
    weights, classes = run.loss.get("class_weights"), run.model.num_classes
    if isinstance(weights, str) and len(weights.split(",")) != classes:
        raise SettingsError(f"loss.class_weights: {weights!r}; give a number for each of {classes} classes")
    if run.augment.mixes and not built.takes_mixed_targets:
        raise SettingsError(
            f"augment: {run.model.name} does not take images made of two; leave out mixup_alpha and cutmix_alpha"
        )
    if run.model.norm_momentum is not None:
        for norm in _batch_norms(built.net):
            norm.momentum = run.model.norm_momentum
    freeze(built, [*frozen_modules(built.net, run.model).values(), *_frozen_norms(built.net, run.model)])
    return built


class NetWeights(NamedTuple):
    """Weights that are used without a run, with the view and the classes that go with them.

    source   as a run keeps it: a file, or the name of published ones
    data     the set whose images they were trained on, UNKNOWN_DATA where that is not known
    options  of the net
    """

    model: str
    source: str
    data: str
    view: View
    classes: tuple[str, ...]
    options: dict[str, Scalar]


def weights_run(weights: NetWeights, machine: Machine) -> Run:
    """Make the resolved run of a net whose weights were trained elsewhere."""
    view, classes = weights.view, weights.classes
    options = {key: value for key, value in weights.options.items() if key != "num_classes"}
    model = ModelSettings(
        name=weights.model,
        task=catalog.find(weights.model).task,
        num_classes=len(classes),
        options=options,
        init_from=weights.source,
    )
    from_view = accepted_options(model, {"in_channels": view.channels, "input_size": view.side_px})
    return Run(
        recipe="published",
        model=replace(model, options={**from_view, **options}),
        data=DataSettings(
            name=weights.data, channels=view.channels, image_size=view.side_px, classes=classes, view=view
        ),
        training=TrainingSettings(duration="1 epochs"),
        machine=decide(machine, training_macs=0, image_px=view.side_px or LARGE_PX, decodes_files=True),
    )


# Optimizer, frozen parts, length -------------------------------------------------------------------------------------


def optimizer_for(net: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Build the optimizer over a net; SettingsError for a decay by depth over a net without stages."""
    return build_optimizer(net, settings, distances(net, settings))


def frozen_modules(net: nn.Module, model: ModelSettings) -> dict[str, nn.Module]:
    """The modules that `frozen_stages` names, by dotted names; SettingsError where the net has no such stages."""
    if not model.frozen_stages:
        return {}
    try:
        return first_stages(net, model.frozen_stages)
    except SettingsError as error:
        raise SettingsError(f"model.frozen_stages: {error}") from None


def _frozen_norms(net: nn.Module, model: ModelSettings) -> Sequence[nn.Module]:
    """The batch normalizations of the net that the run keeps as they are."""
    return _batch_norms(net) if model.frozen_norms else []


def _batch_norms(net: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def steps_per_epoch(run: Run) -> int:
    """The number of full batches in the training split of a resolved run, at least 1."""
    assert run.data.train_images is not None, "prepare() comes first"
    if run.data.train_images < run.training.batch_size:
        raise SettingsError(
            f"training.batch_size: {run.training.batch_size} is more than the {run.data.train_images} training"
            f" images of {run.data.name}; choose a smaller --batch-size"
        )
    return run.data.train_images // run.training.batch_size


def total_steps(run: Run) -> int:
    """The number of optimizer steps of a resolved run."""
    return _steps_of(run.training.duration, run)


def schedule_steps(run: Run) -> int:
    """The number of steps of a resolved run that its schedule is laid over."""
    return _steps_of(run.training.schedule_over or run.training.duration, run)


def _steps_of(duration: str, run: Run) -> int:
    length, _, unit = duration.partition(" ")
    return int(length) * (steps_per_epoch(run) if unit == "epochs" else 1)


def distances(net: nn.Module, settings: OptimizerSettings) -> dict[str, int] | None:
    """The number of stages from each parameter to the head; None where the learning rate does not go by them."""
    if not settings.by_depth:
        return None
    try:
        return distances_to_head(net)
    except SettingsError as error:
        leaf = "depth_decay" if settings.depth_decay != 1 else "head_factor"
        raise SettingsError(f"optimizer.{leaf}: {error}") from None
