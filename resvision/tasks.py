"""The torch half of a task: its answers to a run, an evaluation and a prediction.

The loop knows no task; `assembly`, `launch` and `inference` ask the one that the run names. `kinds.table` has the table
of both halves; a task of a user's own is an object `package.module:TASK`, an instance of a class that inherits `Task`.

Glossary
    T    the target of a sample
    view     the net's pixels of an image: `core.views`
    side_px  side of the square that a net is trained on
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from resvision.contracts import Batch, Batches, CountedBatches, Images, System, apart, arrays
from resvision.core import references
from resvision.core.chosen_views import usual_squares
from resvision.core.errors import DataError, SettingsError
from resvision.core.images import Pixels
from resvision.core.samples import Reader, Sample, Timing
from resvision.core.settings import Scalar
from resvision.core.view_geometry import Geometry
from resvision.core.views import View
from resvision.data.sets import IMAGENET
from resvision.kinds.forms import Showing
from resvision.kinds.kind import Exhibit, Kind, Scores
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.table import TASKS, kind_of, require
from resvision.loading.augment import Augmentation
from resvision.training.machine import Machine, autocast
from resvision.training.stopping import StopSignals

T = TypeVar("T")
Trained = TypeVar("Trained", bound="Model")


@dataclass(frozen=True)
class Model:
    """A trained system, ready for use; `system` is in evaluation mode on the device of `machine`.

    name     of the net
    title    the run's folder or the weights' file, for errors
    data     the name of the data set that it was trained on
    view     how images are shown to it
    side_px  side of the square that it was trained on, None where there was none
    timing   how its samples were cut out of recordings, all open where they were not
    """

    system: System
    name: str
    title: str
    data: str
    classes: tuple[str, ...]
    view: View
    side_px: int | None
    machine: Machine
    timing: Timing = field(default=Timing(), kw_only=True)

    @property
    def net(self) -> nn.Module:
        """The net, made of torch's own layers, from normalized images (N, C, H, W) to logits, to export or train on."""
        return self.system.net

    def indices_of(self, classes: Sequence[str], *, data: str) -> list[int]:
        """The model's index of each class of a data set, matched by name.

        ImageNet's thousand, and a thousand WordNet ids, are matched by their order, which is the same everywhere, while
        their English names are not. Raises DataError for a class that it does not know.
        """
        wordnet = data == IMAGENET or all(name[:1] == "n" and name[1:].isdecimal() for name in classes)
        if self.data == IMAGENET and wordnet and len(classes) == len(self.classes):
            return [*range(len(classes))]
        foreign = [name for name in classes if name not in self.classes]
        if foreign:
            raise DataError(
                f"{data}: has classes that the run was not trained on: {', '.join(foreign[:5])};"
                f" the run knows {', '.join(self.classes[:10])}"
            )
        return [self.classes.index(name) for name in classes]


def unwatched(images: int, total: int) -> None:
    """Take in how many images were scored, and do nothing."""


class How(NamedTuple):
    """The options of an evaluation; None leaves one to the task.

    batch_size  images, or views of them, at a time
    grey        turn colour into grey for a net that takes grey
    compiled    compile the net first
    protocol    a name of the kind's protocols
    scales      shorter sides of the resized images in pixels, in place of the protocol's
    watch       called with the number of images that were scored since the last call, and of all that are to be
    prediction  what counts as found, for a task that finds things
    """

    batch_size: int | None = None
    grey: bool = False
    compiled: bool | None = None
    protocol: str | None = None
    scales: tuple[int, ...] | None = None
    watch: Callable[[int, int], None] = unwatched
    prediction: PredictionOptions = PredictionOptions()

    def watched(self, batches: Iterable[Batch], total: int) -> Iterator[Batch]:
        """Yield the batches, and tell `watch` of each once it was scored."""
        for batch in batches:
            yield batch
            self.watch(len(batch.ids), total)


class Described(NamedTuple):
    """A protocol described for one model: in a line, in further lines, and as plain data for `--json`."""

    title: str
    lines: tuple[str, ...]
    json: Any


class Question(NamedTuple):
    """A question about a net's answer for one image.

    label   the index of a class; None asks about the net's own answer
    points  (M, 2), x and y in pixels of the view, where the answer is asked about; None asks about all of it
    """

    label: int | None = None
    points: NDArray[np.float64] | None = None


class ExplainedScore(NamedTuple):
    """The score of one image whose grounds are looked for.

    images     (1, C, H, W) float32, 0..255: the input of `net`, which may reach beyond the view
    border_px  rows above the view in it, and columns to its left
    net        from such images to an output with N first
    score      from the output to the score of each image, (N,)
    label      the name of the class that the score speaks for
    words      the score in words, such as "logit of cat"
    share      the share 0..1 that the net gives to the label: its probability, or that of the image's pixels
    box        (4,), x1 y1 x2 y2 in pixels of the view, of the object that it is about; None where it is about no one
    """

    images: Tensor
    border_px: int
    net: Callable[[Tensor], Tensor]
    score: Callable[[Tensor], Tensor]
    label: str
    words: str
    share: float
    box: NDArray[np.float64] | None = None


class Seen(NamedTuple):
    """One image as a net sees it.

    pixels    (h, w, C) uint8, its view
    geometry  the place of the view in the image
    name      of the image, for errors and for what is known of it by name
    image     (H, W) or (H, W, C) uint8, upright, as it is stored
    beside    what the net takes beside the pixels, which `Task.beside` brings; None where that was not asked for
    """

    pixels: Pixels
    geometry: Geometry
    name: str
    image: Pixels
    beside: Any = None


class SampleFile(ABC):
    """An opened file that holds several samples, such as recorded tracks. Abstract."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The samples that a person may ask for, none twice."""

    @property
    def usual(self) -> Sequence[str]:
        """The samples that are shown where a person names none: all of them, unless the file knows better."""
        return self.names

    @abstractmethod
    def seen(self, name: str) -> Seen:
        """One of the samples as the net sees it; DataError, with its name, where that cannot be."""


class Task(ABC, Generic[T]):
    """The torch half of a task. Abstract.

    kind     the torch-free half
    augment  the type of its augmentation settings, all of which have defaults
    system   "module:class" of the system that trains a net, where the net's row in the catalog names none; "" where
             there is none that trains any net
    """

    kind: ClassVar[Kind[Any, Any, Any]]
    augment: ClassVar[type[Augmentation]]
    system: ClassVar[str]

    # Questions of a run ----------------------------------------------------------------------------------------------

    def net_options(self, reader: Reader[T]) -> dict[str, Any]:
        """The options of a net that follow from the data; the net gets those that it takes."""
        side = reader.view.side_px or reader.crop_px
        classes = {"num_classes": len(reader.classes)} if reader.classes else {}
        return {**classes, "in_channels": reader.view.channels, **({"input_size": side} if side else {})}

    def require(self, augment: Any, loss: Mapping[str, Scalar], reader: Reader[T], *, side_px: int | None) -> None:
        """Raise SettingsError for augmentation and losses that the data do not allow."""

    def fitting_side(self, net: nn.Module, side_px: int) -> int:
        """The side nearest to `side_px` of images that the net can be trained on."""
        return side_px

    def result_shape(self, side_px: int, num_classes: int | None) -> tuple[int, ...] | None:
        """The shape of a net's result for one square image, without the batch; None where it is not one tensor."""
        return None

    def fits_classes(self, num_classes: int | None, classes: Sequence[str]) -> bool:
        """Whether a net of `num_classes` goes with data of these classes."""
        return num_classes == len(classes)

    def require_view(self, view: View) -> None:
        """Raise SettingsError for a view that the net cannot be trained and tested with."""
        if view.side_px is None:
            raise SettingsError(
                f"data.resize: {view.kind} makes images of different sizes, and this task needs squares"
            )

    def usual_view(
        self, sides: tuple[int, ...], *, mean: tuple[float, ...], std: tuple[float, ...], input_px: int
    ) -> View:
        """The view for weights of which a person says no more than normalization and sides; ValueError for odd ones.

        sides     in pixels, as a person names them: of the squares alone, or after that of the resized image; none
                  where the net's paper decides, whose images have `input_px`
        """
        return usual_squares(sides or (input_px,), mean=mean, std=std)

    def result_words(self, num_classes: int | None) -> str:
        """The result of a net in words, for the error about another one; "" where its shape says all."""
        return ""

    @abstractmethod
    def decodes(self, reader: Reader[T], augment: Any) -> bool:
        """Whether every step of training reads image files again."""

    def asked_side(self, augment: Any) -> int | None:
        """The side of the square that the augmentation settings ask for, None where they ask for none."""
        return None

    def settled_augment(self, augment: Any, *, side_px: int | None) -> Any:
        """Make the choices of augmentation that follow from the data."""
        return augment

    def settled_loss(self, loss: Mapping[str, Scalar], reader: Reader[T]) -> dict[str, Scalar]:
        """Make the choices of the loss that follow from the targets of the training split."""
        return dict(loss)

    def require_judging(self, reader: Reader[T]) -> None:
        """Raise DataError for images that a training is to be scored on, but that leave nothing to score."""

    def advice(self, system: System, reader: Reader[T], side_px: int | None) -> dict[str, str]:
        """Advice to a person before the run is trained: lines by their heading.

        system  of the run, on the meta device
        reader  of the training split

        Raises SettingsError where nothing can be learned.
        """
        return {}

    def require_source(self, reader: Reader[T], net: nn.Module, source: str) -> None:
        """Ask that a file which a person named, `data.proposals`, suits net and images, of which none is decoded.

        Raises SettingsError for a net that has no use for it, DataError for a file that does not suit the images.
        """
        raise SettingsError(f"data.proposals: nets for {self.kind.name} have no use for it; leave it out")

    def looks_at_source(self, net: nn.Module) -> bool:
        """Whether a net that was trained with a file of `data.proposals` needs one in predictions as well."""
        return False

    def supplied(self, reader: Reader[T], net: nn.Module, source: str | None) -> Reader[T]:
        """The reader with what the net takes beside images; the reader itself for a net that takes no more.

        source  the file that a person named for it, `data.proposals`; None leaves it to the task

        Raises as `require_source`, at the latest when an image is read.
        """
        if source is not None:
            self.require_source(reader, net, source)
        return reader

    def measure(self, system: System, reader: Reader[T]) -> None:
        """Set the buffers of a new net that are measured on its training data, `reader`, before the first step."""

    @abstractmethod
    def train_batches(
        self,
        reader: Reader[T],
        *,
        batch_size: int,
        seed: int,
        augment: Any,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> Batches:
        """Make the training batches of this process; `batch_size` is that over all processes."""

    def training_exhibits(self, batch: Batch, classes: Sequence[str]) -> list[Exhibit]:
        """The images of a training batch as the net sees them, with their targets; none where nothing can be shown."""
        return []

    def anchors_shown(self, system: System, seen: Seen) -> Showing:
        """Show the boxes that a net refers its answers to, over an image as it sees it.

        Raises SettingsError for a net that has none.
        """
        raise SettingsError(f"--anchors: nets for {self.kind.name} have no anchors")

    def unmatched_shown(self, system: System, reader: Reader[T]) -> Showing:
        """Show which targets of a set, as its view shows them, no anchor would be trained to find.

        Raises SettingsError for a net without anchors.
        """
        raise SettingsError(f"--anchors: nets for {self.kind.name} have no anchors")

    @abstractmethod
    def exam_batches(self, reader: Reader[T], *, batch_size: int, rank: int, world: int) -> CountedBatches:
        """Make the evaluation batches of this process; `batch_size` is its own."""

    @abstractmethod
    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: Reader[T],
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> Scores:
        """Score a system on all images of the reader, on every process, from this one's share of the batches.

        Raises Stopped after a stop signal.
        """

    def example_shape(self, view: View, side_px: int | None) -> tuple[int, int, int]:
        """The shape of the image by which the net is counted, (C, H, W)."""
        assert side_px is not None, "a task whose views give no squares says its own shape"
        return view.channels, side_px, side_px

    # Questions of an evaluation----------------------------------------------------------------------------------------

    @abstractmethod
    def evaluate(self, model: Model, reader: Reader[T], how: How) -> Scores:
        """Score a trained model on all images of a reader.

        Raises DataError for classes that it does not know, SettingsError and UnknownNameError for a wrong `how`.
        """

    def evaluate_together(
        self, models: Sequence[Model], reader: Reader[T], how: How
    ) -> tuple[Sequence[Scores], Scores]:
        """Score several models, each alone and all averaged; SettingsError where there is no such average."""
        raise SettingsError(f"--ensemble: predictions of {self.kind.name} are not averaged; leave it out")

    def describe(self, model: Model, how: How) -> Described | None:
        """Describe the protocol of an evaluation to a person; None where there is nothing to say."""
        return None

    def published_as(self, model: Model, how: How, *, input_px: int) -> tuple[str, tuple[int, ...]] | None:
        """The protocol, by name and scales, of published scores for images of `input_px` that can be compared."""
        return None

    # Questions of a prediction ----------------------------------------------------------------------------------------

    def configured(self, model: Trained, options: PredictionOptions) -> Trained:
        """The model with what a person asks of its predictions; the one that is given stays as it is.

        The options are among those that the kind takes. Raises SettingsError for values that cannot be.
        """
        return model

    def opened(self, model: Model, file: Path, columns: Sequence[str] = ()) -> SampleFile | None:
        """Open a file that holds several samples; None for a task whose files are images, one sample each.

        columns  the names of a table's columns, as `role=column`

        Raises DataError, which names the file, for one that holds no samples that the model can be shown. A file that
        belongs to others, such as the map of several recordings, has no names.
        """
        return None

    def seen_sample(self, model: Model, sample: Sample[T], name: str) -> Seen | None:
        """One labelled sample as the net sees it; None for a task whose nets see the sample's image by their view."""
        return None

    def beside(self, model: Model, seen: Seen) -> Any:
        """What the net takes beside the pixels of one view; None for a net that takes no more.

        Raises DataError, with the image's name, where that is not to be had.
        """
        return None

    @torch.no_grad()
    def raw(self, model: Model, seen: Sequence[Seen]) -> list[Any]:
        """Predict each view, and return raw results without the batch, for the kind's `decode`.

        All views have one size. Results are arrays, or trees of them where the system's predictions are trees.
        """
        device = next(model.system.net.parameters()).device
        images = torch.from_numpy(np.stack([one.pixels for one in seen])).permute(0, 3, 1, 2)
        with autocast(model.machine):
            predicted = model.system.predict(Images(images.to(device)))
        return apart(arrays(predicted), len(seen))

    # Questions of an explanation --------------------------------------------------------------------------------------

    def explained_score(self, model: Model, seen: Seen, question: Question) -> ExplainedScore:
        """The score that answers a question about one view; computed in fp32, whatever the run's precision.

        Raises SettingsError for a question that the task does not know, or for a task that has no such score, and
        DataError for a view that is too large.
        """
        raise SettingsError(f"explain: {self.kind.name} names no score to explain; its Task needs `explained_score`")


def images_of(model: Model, pixels: Pixels) -> Tensor:
    """The view of one image as float32 (1, C, h, w), 0..255, on the model's device."""
    device = next(model.system.net.parameters()).device
    return torch.from_numpy(np.require(pixels, requirements="W")).permute(2, 0, 1)[None].float().to(device)


def pictures_of(images: Tensor) -> list[Image.Image]:
    """Images (N, C, H, W) uint8 as pictures; of other numbers of channels than 3, the first in grey."""
    pixels = images.permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0]) for image in pixels]


def task_of(name: str) -> Task[Any]:
    """The torch half of a task, ours or `package.module:TASK`.

    Raises UnknownNameError for a task that there is not, SettingsError for an object that is none.
    """
    if require(name) in TASKS:
        builtin: Task[Any] = references.find(TASKS[name].task, noun="task")
        return builtin
    own = references.find(name, noun="task")
    if not isinstance(own, Task) or kind_of(name) is not own.kind:
        raise SettingsError(f"task {name}: a {type(own).__name__}, not an instance of resvision.tasks.Task")
    return own
