"""Loading of a trained run from its directory, or of published weights, ready for use."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from resvision.assembly import build_system, published_run, task_name
from resvision.core import notebooks, rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.plurals import counted
from resvision.core.terminal import Terminal, visible
from resvision.kinds.kind import Kind
from resvision.run import Run, read_run
from resvision.tasks import Model, Task, task_of
from resvision.training import machine as machines
from resvision.training.checkpoints import State, load_weights, read_weights, result_weights
from resvision.weights.fetch import obtain, read_published
from resvision.weights.published import find

if TYPE_CHECKING:
    from resvision.inference.sources import Picture


@dataclass(frozen=True)
class Trained(Model):
    """A finished run ready for use.

    For published weights, `folder` is their file in the cache, and `run` names the net, ImageNet and the machine.
    """

    folder: Path
    run: Run

    def __repr__(self) -> str:
        classes = counted(len(self.classes), "class")
        return visible(f"Trained({self.name} on {self.data}, {classes}, {self.title})")

    def _repr_html_(self) -> str:
        return notebooks.table(repr(self), ("classes",), [(name,) for name in self.classes]) + self.run._repr_html_()

    def __call__(
        self, images: "Picture | Iterable[Picture]", *, top: int | None = None, grey: bool = False
    ) -> list[Any]:
        """Predict images, as `resvision.predict(model, images)` does, which explains the arguments."""
        from resvision.inference.predict import predict  # which stands on this file

        return predict(self, images, top=top, grey=grey)

    def inputs(self, images: "Picture | Iterable[Picture]", *, grey: bool = False) -> Tensor:
        """The inputs of `net` for images that `predict` takes, (N, C, H, W) float32: resized, cropped, normalized.

        Raises DataError for images that do not fit, or become of different sizes.
        """
        from resvision.inference.predict import inputs_of

        return inputs_of(self, images, grey=grey)

    @property
    def task(self) -> Task[Any]:
        """The torch half of the run's task."""
        return task_of(task_name(self.run))

    @property
    def kind(self) -> Kind[Any, Any, Any]:
        """The torch-free half of the run's task."""
        return self.task.kind


def load(
    folder: str | Path, *, weights: str | None = None, device: str | None = None, allow_code: bool = False
) -> Trained:
    """Load the run in `folder` with the weights of its result, averaged ones where it kept an average.

    They are those that validation chose, or those of the last checkpoint where the run holds no images out.

    weights     published ones, `torchvision` or `torchvision:NAME`; `folder` is then the name of a model, and they are
                fetched unless they were before
    device      cpu or cuda; the run's own when it is there, the CPU otherwise
    allow_code  import a model or data set of a user's own that the run names

    Raises RunError where the directory is missing, damaged, or names code of a user's own; WeightsError where there are
    no such weights or they cannot be had.
    """
    if weights is not None:
        published = find(str(folder), weights)
        run = published_run(published, machines.Machine(device=_device(device or "cuda"), precision="fp32"))
        return _build_trained(run, obtain(published, Terminal(stderr=True)), folder=None, read=read_published)
    folder = Path(folder)
    run = read_run(folder, allow_code=allow_code)
    if run.data.classes is None or run.data.view is None:
        raise RunError(f"{folder / rundir.RUN}: was never started, its classes are not known")
    run = replace(run, machine=replace(run.machine, device=_device(device or run.machine.device)))
    return _build_trained(run, result_weights(folder), folder=folder)


def _build_trained(
    run: Run, weights: Path, *, folder: Path | None, read: Callable[[Path], State] = read_weights
) -> Trained:
    """Build the system of a resolved run with weights from a file, in evaluation mode on the run's device."""
    system = build_system(run)
    load_weights(system.net, weights, read=read)
    machines.move(system, run.machine, torch.device(run.machine.device))
    assert run.data.view is not None, "a resolved run"
    return Trained(
        system=system.eval(),
        name=run.model.name,
        title=str(folder or weights),
        data=run.data.name,
        classes=run.data.classes or (),
        view=run.data.view,
        side_px=run.data.image_size,
        machine=run.machine,
        folder=folder or weights,
        run=run,
    )


def _device(wanted: str) -> Literal["cpu", "cuda"]:
    if wanted not in {"cpu", "cuda"}:
        raise SettingsError(f"device {wanted!r}: choices are cpu and cuda")
    return "cuda" if wanted == "cuda" and torch.cuda.is_available() else "cpu"
