"""The torch half of a task: its answers to a run, an evaluation, a prediction and an explanation.

The loop knows no task; `assembly`, `launch` and `inference` ask the one that the run names. `kinds.table` has the table
of both halves; a task of a user's own is an object `package.module:TASK`, an instance of a class that inherits `Task`.

Glossary
    T        the target of a sample
    view     the net's pixels of an image: `core.views`
    side_px  side of the square that a net is trained on
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from resvision.contracts import Batch, Batches, CountedBatches, Images, System, apart, arrays
from resvision.core import references
from resvision.core.chosen_views import usual_squares
from resvision.core.errors import SettingsError
from resvision.core.samples import Reader, Sample
from resvision.core.settings import Scalar
from resvision.core.views import View
from resvision.kinds.forms import Showing
from resvision.kinds.kind import Exhibit, Kind, Scores
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.table import TASKS, kind_of, require
from resvision.loading.augment import Augmentation
from resvision.tasks.evaluation_options import Described, How
from resvision.tasks.explained_scores import ExplainedScore, Question
from resvision.tasks.seen_samples import SampleFile, Seen
from resvision.tasks.trained_model import Model, Trained
from resvision.training.machine import Machine, autocast
from resvision.training.stopping import StopSignals

T = TypeVar("T")


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
