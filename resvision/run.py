"""A Run: every setting of a training, as one frozen tree that goes to JSON and back.

A recipe makes a Run with open choices (None, `auto`); `preparation.resolve` closes all by data and machine.
Nothing on a lower floor sees a Run.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from resvision import catalog
from resvision.core import files, notebooks, references, rundir
from resvision.core.chosen_views import Resize
from resvision.core.errors import ResVisionError, RunError, SettingsError, UnknownNameError
from resvision.core.plurals import length_in_words
from resvision.core.samples import Drawing, Timing
from resvision.core.settings import Scalar, from_json, to_json
from resvision.core.terminal import visible
from resvision.core.views import View
from resvision.kinds.table import USUAL
from resvision.loading.augment import Augmentation, ImageAugment
from resvision.older_runs import in_present_form, leaf_at
from resvision.tasks import task_of
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

FORMAT = rundir.RUN_FORMAT

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The settings of the net: a name of the catalog or `package.module:function`, with its options.

    task           a task such as classification, or `package.module:TASK`; left out, that of the name in the catalog,
                   and classification for a function of your own
    init_from      weights to start with: a safetensors file, the result of a run folder, or published ones,
                   `torchvision` or `torchvision:NAME`, whose preprocessing the run then takes over
    init_except    parts that start afresh all the same, such as `fc` for other classes; with published weights the head
                   is among them where the classes are others
    encoder_from   weights of a classification net for the encoder of this one, named as for init_from;
                   `torchvision` means those published for the net's backbone
    frozen_norms   batch normalization keeps the statistics and weights that it starts with
    norm_momentum  share of a batch's statistics in the running ones of batch normalization, one minus what papers call
                   its decay; None: the net's own, mostly 0.1
    frozen_stages  stages from the input on that are not trained: of a ResNet for ImageNet, 2 are C1 and C2
    """

    name: str
    task: str | None = None
    num_classes: Positive | None = None
    options: dict[str, Scalar] = field(default_factory=dict)
    init_from: str | None = None
    init_except: tuple[str, ...] = ()
    encoder_from: str | None = None
    frozen_norms: bool = False
    norm_momentum: Annotated[float, Meta(gt=0, le=1)] | None = None
    frozen_stages: Annotated[int, Meta(ge=0, le=5)] = 0


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """The settings of the data: a name or a folder, and its root; `resolve` reads the rest off the data.

    root        folder in which a named data set lies
    columns     those of a table of images by what they say, `path=file,label=breed`; left out, found by their contents
    allow       kinds of faults, such as `outside-boxes`, that the data may have; what they concern is left out
    channels    3 for colour, 1 for grey; left out, those of the images
    image_size  side of the square that a net is trained on; none where images keep different sizes
    proposals   file of regions for a net that looks at given ones; left out, they are searched for
    validation  share of the training images, of each class alike, that is held out to judge the run by on its way; the
                test images are then scored once, at the end
    train_limit  number of training images that the run sees, drawn by its seed, of each class alike; validation and
                 test images stay as they are
    folds       parts that the images are divided into, of which one is the test (`data.folds`)
    fold        number of the part that is the test, from 1

    Nine are of sets whose samples are cut out of recordings and drawn; left out, the set decides.

    frame_seconds    between two frames, where a recording does not say
    history_seconds  that are seen before the last frame
    horizon_seconds  that are predicted
    step_seconds     between two predicted steps
    start_seconds    between the samples of one thing
    metres_per_px    length of a pixel's side
    ahead            share of the drawing that lies ahead, 0..1
    drawn_past       earlier frames are drawn in one picture, fading with age, or in a channel each: fading, channels
    drawn_seconds    of the history that are drawn; at 0 the present alone

    `train_images` counts those that are left. `fingerprint` is that of file names and classes, `proposals_sum` that of
    the file of regions, so that a run goes on with the same data or not at all.

    `view` is how images are shown to the net, and follows from the data, or from published weights that a run starts
    with. Four leaves change it.

    mean, std   of the normalization in units of 0..1, one number for all channels or one for each
    resize      the way in which images become of the net's size
    resize_px   the side that images are resized to
    """

    name: str
    root: str | None = None
    channels: Positive | None = None
    image_size: Positive | None = None
    columns: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    proposals: str | None = None
    proposals_sum: str | None = None
    validation: Annotated[float, Meta(gt=0, lt=0.5)] | None = None
    classes: tuple[str, ...] | None = None
    train_images: int | None = None
    validation_images: int | None = None
    test_images: int | None = None
    split_rule: str | None = None
    fingerprint: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: Resize | None = None
    resize_px: Positive | None = None
    view: View | None = None
    folds: Annotated[int, Meta(ge=2, le=1000)] | None = None
    fold: Positive | None = None
    train_limit: Positive | None = None
    frame_seconds: Seconds | None = None
    history_seconds: Annotated[float, Meta(ge=0)] | None = None
    horizon_seconds: Seconds | None = None
    step_seconds: Seconds | None = None
    start_seconds: Seconds | None = None
    metres_per_px: Annotated[float, Meta(gt=0)] | None = None
    ahead: Annotated[float, Meta(ge=0, le=1)] | None = None
    drawn_past: Literal["fading", "channels"] | None = None
    drawn_seconds: Annotated[float, Meta(ge=0)] | None = None

    @property
    def timing(self) -> Timing:
        """What is asked of the cuts of recordings."""
        return Timing(*(getattr(self, name) for name in Timing._fields))

    @property
    def drawing(self) -> Drawing:
        """What is asked of their drawings."""
        return Drawing(*(getattr(self, name) for name in Drawing._fields))


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The settings of the training: its length, its batches, its evaluations.

    duration            length of the run, `20 epochs` or `64000 steps`; of `0 steps`, the weights that it starts with
                        are scored
    batch_size          images of one optimizer step, over all processes
    accumulate          parts that each process cuts its share of a batch into to save memory
    clip_norm           largest norm of the whole gradient
    sync_norms          batch normalization over the images of all processes, not of each alone
    ema_decay           decay of the moving average of weights, which is evaluated in their place
    seed                of the first weights, the order of images and their augmentation
    evaluate_every      epochs between evaluations
    patience            validations in a row without a better one that end the run early; none for never
    checkpoint_seconds  seconds between checkpoints; the end always leaves one
    gradients_every     steps between samples of the gradient, the first step's among them: its norm in every layer is
                        kept in `gradients.jsonl`; 0 for none
    schedule_over       the length that the schedule is laid over, where that is not `duration`: afterwards the learning
                        rate stays
    extended            the lengths that a run had before it was given another, each with the step at which it was
    """

    duration: Annotated[str, Meta(pattern=rf"^{rundir.DURATION}\Z", description="`20 epochs` or `64000 steps`")]
    batch_size: Positive = 128
    accumulate: Positive = 1
    sync_norms: bool = False
    clip_norm: Annotated[float, Meta(gt=0)] | None = None
    ema_decay: Annotated[float, Meta(gt=0, lt=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    evaluate_every: Positive = 1
    patience: Positive | None = None
    checkpoint_seconds: Annotated[float, Meta(gt=0)] = 60.0
    gradients_every: Annotated[int, Meta(ge=0)] = 0
    schedule_over: Annotated[str, Meta(pattern=rf"^{rundir.LENGTH}\Z")] | None = None
    extended: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate={self.accumulate} must divide batch_size={self.batch_size}")


@dataclass(frozen=True, kw_only=True)
class Run:
    """All settings of one training.

    augment  the settings of the task's own type
    loss     options of the system's `loss_options`, such as `label_smoothing`
    """

    recipe: str
    model: ModelSettings
    data: DataSettings
    training: TrainingSettings
    augment: Augmentation = field(default_factory=ImageAugment)
    loss: dict[str, Scalar] = field(default_factory=dict)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: Schedule = field(default_factory=Schedule)
    machine: Machine = field(default_factory=Machine)
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"run format {self.format}, this version reads {FORMAT}")

    def __repr__(self) -> str:
        length = f"{length_in_words(self.training.duration)} of batches of {self.training.batch_size}"
        return visible(f"Run({self.model.name} on {self.data.name}, recipe {self.recipe}, {length})")

    def _repr_html_(self) -> str:
        return notebooks.folded(repr(self), json.dumps(to_json(self), indent=2, ensure_ascii=False))

    @classmethod
    def __from_json__(cls, data: Any, *, at: str) -> "Run":
        return run_from_json(data, allow_code=True, at=at)


def read_run(folder: Path, *, allow_code: bool = False) -> Run:
    """Read the Run that `folder` was started with.

    Raises RunError or SettingsError where it is missing or damaged, or where it names code of a user's own as
    `package.module:function`, which would be imported, and `allow_code` is not given.
    """
    path = rundir.require(folder) / rundir.RUN
    data = rundir.read_json(path, limit=files.SETTINGS)
    if isinstance(data, dict) and data.get("format", FORMAT) != FORMAT:
        raise RunError(f"{path}: format {data['format']!r:.60}, this version of resvision reads {FORMAT}")
    try:
        run = run_from_json(data, allow_code=allow_code)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    except ResVisionError as error:
        raise RunError(f"{path}: {error}") from None
    if not is_resolved(run):
        raise RunError(f"{path}: not a run as training writes it: what data and machine decide is missing or disagrees")
    return run


def run_from_json(data: Any, *, allow_code: bool = False, at: str = "") -> Run:
    """Read the Run in plain data of this version or an older one.

    Raises SettingsError on an unknown task and on an unknown, missing or ill-typed key, and RunError where the data
    name code of a user's own and `allow_code` is not given.
    """
    if not allow_code:
        refuse_code(code_in_run(data))  # before all else: to know the types of its settings is to import its task
    name = _task_in(data)
    try:
        augment = task_of(name).augment
    except UnknownNameError as error:
        raise SettingsError(f"{at + '.' if at else ''}model.task: {error}") from None
    return from_json(Run, in_present_form(data, augment), at=at, types={"augment": augment})


_NO_CODE = {
    "recipe",
    "model.init_from",
    "model.init_except",
    "model.encoder_from",
    "data.root",
    "data.columns",
    "data.allow",
    "data.proposals",
    "data.proposals_sum",
    "data.classes",
    "data.split_rule",
    "data.fingerprint",
}
"""The leaves of a Run that are shown, compared or opened as files; nothing looks for code under their names."""


def code_in_run(data: Any) -> list[str]:
    """The user's own code, as `package.module:function`, that the plain data of a Run name, at any depth.

    A leaf counts unless it is known never to be code, so that a setting to come is covered.
    """
    code: list[str] = []
    pending = [("", data)]
    while pending:
        path, value = pending.pop()
        if path in _NO_CODE:
            continue
        if isinstance(value, dict):
            pending += [(f"{path}.{key}".removeprefix("."), part) for key, part in reversed(value.items())]
        elif isinstance(value, list | tuple):
            pending += [(path, part) for part in reversed(value) if isinstance(part, str | dict | list | tuple)]
        elif isinstance(value, str) and references.is_reference(value):
            code.append(value)
    return code


def require_same_code(folder: Path, asked: Run) -> None:
    """Raise RunError where the run in `folder` names code that `asked`, which a person has named, does not."""
    known = code_in_run(to_json(asked))
    path = rundir.require(folder) / rundir.RUN
    try:
        refuse_code(name for name in code_in_run(rundir.read_json(path, limit=files.SETTINGS)) if name not in known)
    except RunError as error:
        raise RunError(f"{path}: {error}") from None


def refuse_code(code: Iterable[str]) -> None:
    """Raise RunError where code would be imported."""
    if named := list(dict.fromkeys(code)):
        raise RunError(f"would import {' and '.join(named)}; if you trust it, say --allow-code")


_MAY_BE_NONE = {
    *("root", "proposals", "proposals_sum", "validation", "folds", "fold", "train_limit", "image_size"),
    *("mean", "std", "resize", "resize_px"),
    *Timing._fields,
    *Drawing._fields,
}
"""The settings of the data that need no value."""


def is_resolved(run: Run) -> bool:
    """Whether every choice of a run is made, and its classes and counts fit each other."""
    decided = vars(run.data) | vars(run.machine)
    missing = [name for name, value in decided.items() if value in (None, "auto") and name not in _MAY_BE_NONE]
    if missing or run.model.task is None:
        return False
    classes = run.data.classes or ()
    return len(set(classes)) == len(classes) and task_of(run.model.task).fits_classes(run.model.num_classes, classes)


def _task_in(data: Any) -> str:
    """The task of a run by its plain data: the one that it names, or that of its model in the catalog."""
    task, model = leaf_at(data, "model.task"), leaf_at(data, "model.name")
    if isinstance(task, str):
        return task
    return catalog.find(model).task if isinstance(model, str) else USUAL
