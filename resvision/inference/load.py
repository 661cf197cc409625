"""Loading of a trained run from its directory, or of weights without a run, ready for use."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import torch
from torch import Tensor

from resvision.assembly import NetWeights, build_system, task_name, weights_run
from resvision.core import notebooks, rundir
from resvision.core.errors import RunError, SettingsError, WeightsError, printable
from resvision.core.plurals import counted
from resvision.core.samples import Sample
from resvision.core.settings import Scalar
from resvision.core.terminal import Terminal, visible
from resvision.core.views import View
from resvision.inference.weights_file import Known, Normalization, read_file
from resvision.initial_weights import find_published
from resvision.kinds.kind import Kind
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.seen_samples import SampleFile, Seen
from resvision.run import Run, read_run
from resvision.tasks import Model, Task, task_of
from resvision.training import machine as machines
from resvision.training.checkpoints import State, load_state, read_weights, result_weights
from resvision.weights.fetch import obtain, read_published
from resvision.weights.published import is_published


class UnsettledWeightsWarning(UserWarning):
    """Weights of a file may be of another net than the one that they were read as."""


if TYPE_CHECKING:
    from resvision.prediction.sources import Picture


@dataclass(frozen=True)
class Trained(Model):
    """A finished run ready for use.

    For weights without a run, `folder` is their file, and `run` names the net, their data, view and classes, and the
    machine. `doubt` says what the weights cannot tell and nobody has said; "" where there is nothing.
    """

    folder: Path
    run: Run
    doubt: str = ""

    def __repr__(self) -> str:
        classes = [counted(len(self.classes), "class")] if self.classes else []
        return visible(f"Trained({', '.join([f'{self.name} on {self.data}', *classes, self.title])})")

    def _repr_html_(self) -> str:
        names = [(name,) for name in self.classes]
        return (
            notebooks.table(repr(self), ("classes",), names) if names else notebooks.heading(repr(self))
        ) + self.run._repr_html_()

    def __call__(
        self,
        images: "Picture | Iterable[Picture]",
        *,
        top: int | None = None,
        grey: bool = False,
        score: float | None = None,
        iou: float | None = None,
        suppress: str | None = None,
        most: int | None = None,
        only: str | Sequence[str] = (),
    ) -> list[Any]:
        """Predict images, as `resvision.predict(model, images)` does, which explains the arguments."""
        from resvision.inference.predict import predict  # which stands on this file

        return predict(self, images, top=top, grey=grey, score=score, iou=iou, suppress=suppress, most=most, only=only)

    def inputs(self, images: "Picture | Iterable[Picture]", *, grey: bool = False) -> Tensor:
        """The inputs of `net` for images that `predict` takes, (N, C, H, W) float32: resized, cropped, normalized.

        Raises DataError for images that do not fit, or become of different sizes.
        """
        from resvision.inference.predict import inputs_of

        return inputs_of(self, images, grey=grey)

    at_a_time = 64
    lanes = 1
    sees_views_alone = False  # tasks of a user's own may look at images

    def configured(self, options: PredictionOptions) -> "Trained":
        """The run with what a person asks of its predictions."""
        return self.task.configured(self, options)

    def opened(self, file: Path) -> SampleFile | None:
        """Open a file that holds several samples, as the run's task does."""
        return self.task.opened(self, file, self.columns)

    def seen_sample(self, sample: Sample[Any], name: str) -> Seen | None:
        """One labelled sample as the net sees it, as the run's task says."""
        return self.task.seen_sample(self, sample, name)

    def beside(self, seen: Seen) -> Any:
        """What the net takes beside the pixels of a view."""
        return self.task.beside(self, seen)

    def raw(self, seen: Sequence[Seen]) -> list[Any]:
        """The raw results for views of one size, computed as suits the machine."""
        with machines.at_work(self.system, self.machine):
            return self.task.raw(self, seen)

    @property
    def task(self) -> Task[Any]:
        """The torch half of the run's task."""
        return task_of(task_name(self.run))

    @property
    def kind(self) -> Kind[Any, Any, Any]:
        """The torch-free half of the run's task."""
        return self.task.kind


@overload
def load(folder: str | Path, *, device: str | None = None, allow_code: bool = False) -> Trained: ...


@overload
def load(
    folder: str | Path,
    *,
    weights: str | Path | None,
    view: View | None = None,
    normalize: Normalization | None = None,
    image_size: int | Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    options: Mapping[str, Scalar] | None = None,
    device: str | None = None,
    allow_code: bool = False,
) -> Trained: ...


def load(
    folder: str | Path,
    *,
    weights: str | Path | None = None,
    view: View | None = None,
    normalize: Normalization | None = None,
    image_size: int | Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    options: Mapping[str, Scalar] | None = None,
    device: str | None = None,
    allow_code: bool = False,
) -> Trained:
    """Load the run in `folder` with the weights of its result, averaged ones where it kept an average.

    They are those that validation chose, or those of the last checkpoint where the run holds no images out.

    weights     published ones, `torchvision` or `torchvision:NAME`, fetched unless they were before, or a safetensors
                file; `folder` is then the name of a model
    view        of the images of weights in a file, as are the four that follow; the file's header says what is left out
    normalize   mean and standard deviation in units of 0..1, with which `image_size` makes the model's usual view
    image_size  side of the squares that the net sees, or sides as `--image-size` takes them
    classes     names in the order of the logits
    options     of the net
    device      cpu or cuda; the run's own when it is there, the CPU otherwise
    allow_code  import a model or data set of a user's own that the run names

    Raises RunError where the directory is missing, damaged, or names code of a user's own; WeightsError where there are
    no such weights, they cannot be had or are of another net; SettingsError where too little is known of them.
    UnsettledWeightsWarning where the weights in a file may be of another net just as well.
    """
    sides = (image_size,) if isinstance(image_size, int) else tuple(image_size or ())
    known = Known(view=view, normalize=normalize, image_size=sides, classes=classes, options=options or {})
    trained = load_quietly(folder, weights=weights, known=known, device=device, allow_code=allow_code)
    if trained.doubt:
        warnings.warn(trained.doubt, UnsettledWeightsWarning, stacklevel=2)
    return trained


def load_quietly(
    folder: str | Path,
    *,
    weights: str | Path | None = None,
    known: Known | None = None,
    device: str | None = None,
    allow_code: bool = False,
) -> Trained:
    """Load a run or weights as `load` does; what is doubtful of them stands in the result, and nobody is warned."""
    known = known or Known()
    if weights is not None and not is_published(str(weights)):
        return _load_file(str(folder), Path(weights), known, device)
    if known.says_something:
        owner = "the published weights" if weights is not None else "its run"
        raise SettingsError(
            f"{printable(folder)}: view, classes and options are those of {owner}; leave --normalize, --image-size,"
            " --classes and --option out"
        )
    if weights is not None:
        return _load_published(str(folder), str(weights), device)
    folder = Path(folder)
    run = read_run(folder, allow_code=allow_code)
    if run.data.classes is None or run.data.view is None:
        raise RunError(f"{folder / rundir.RUN}: was never started, its classes are not known")
    run = replace(run, machine=replace(run.machine, device=_device(device or run.machine.device)))
    file = result_weights(folder)
    return build_trained(run, read_weights(file), file=file, folder=folder)


def _load_published(model: str, source: str, device: str | None) -> Trained:
    """Build a net with the weights that torchvision publishes for it."""
    published = find_published(model, {}, source)
    if not published.classes:
        raise WeightsError(
            f"{published}: are of {' and '.join(published.parts)} alone, with no classifier that was trained; start a"
            f" training with them: train {model} --weights {source}"
        )
    weights = NetWeights(
        model, published.source, published.data, published.view, published.classes, options=published.options
    )
    file = obtain(published, Terminal(stderr=True))
    state = read_published(file, frozen_eps=published.frozen_eps)
    return build_trained(weights_run(weights, _fp32(device)), state, file=file)


def _load_file(model: str, file: Path, known: Known, device: str | None) -> Trained:
    """Build a net with the weights in a file of our names."""
    weights, state, doubt = read_file(model, file, known)
    trained = build_trained(weights_run(weights, _fp32(device)), state, file=file)
    return replace(trained, doubt=f"{printable(file)}: {doubt}" if doubt else "")


def build_trained(run: Run, state: State, *, file: Path, folder: Path | None = None) -> Trained:
    """Build the system of a resolved run with the weights of a file, in evaluation mode on the run's device."""
    system = build_system(run)
    load_state(system.net, state, name=str(file))
    machines.move(system, run.machine, torch.device(run.machine.device))
    assert run.data.view is not None, "a resolved run"
    return Trained(
        system=system.eval(),
        name=run.model.name,
        title=str(folder or file),
        data=run.data.name,
        classes=run.data.classes or (),
        view=run.data.view,
        side_px=run.data.image_size,
        machine=run.machine,
        folder=folder or file,
        run=run,
        timing=run.data.timing,
        columns=run.data.columns or (),
    )


def _fp32(device: str | None) -> machines.Machine:
    return machines.Machine(device=_device(device or "cuda"), precision="fp32")


def _device(wanted: str) -> Literal["cpu", "cuda"]:
    if wanted not in {"cpu", "cuda"}:
        raise SettingsError(f"device {wanted!r}: choices are cpu and cuda")
    return "cuda" if wanted == "cuda" and torch.cuda.is_available() else "cpu"
