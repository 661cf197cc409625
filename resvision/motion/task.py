"""The torch half of motion prediction: trajectories of a vehicle with probabilities, judged by their displacements."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from resvision.contracts import Batch, System, arrays, to_device
from resvision.core.errors import DataError, SettingsError, printable
from resvision.core.samples import Reader, Sample
from resvision.core.settings import Scalar
from resvision.core.views import Raster, View
from resvision.data.tracks.cuts import USUAL, span_of
from resvision.data.tracks.track_files import TRACKS, pace_of
from resvision.kinds.graph import PIXELS
from resvision.kinds.kind import Exhibit
from resvision.kinds.motion.kind import KIND
from resvision.kinds.motion.placement import WindowGeometry
from resvision.kinds.motion.results import RawTrajectories
from resvision.kinds.motion.scores import MotionScores
from resvision.kinds.motion.scoring import Tally
from resvision.kinds.motion.windows import Window
from resvision.loading.workers import batches as read_batches
from resvision.motion.augment import MotionAugment
from resvision.motion.batches import MotionEvalBatches, MotionTrainBatches, Undrawn, inputs_of, undrawn
from resvision.motion.exhibits import training_exhibits
from resvision.motion.explaining import best_trajectory
from resvision.motion.forecaster import STATE, Forecaster, ForecastNet, MotionInputs, Trajectories
from resvision.tasks import ExplainedScore, How, Model, Question, Seen, Task
from resvision.tasks.exported_nets import ExportedNet
from resvision.training.evaluation import evaluating, merged, predicted_batches
from resvision.training.machine import Machine, autocast, decoding_workers
from resvision.training.stopping import StopSignals

USUAL_BATCH = 64
"""Windows that a net is shown at a time in an evaluation."""


class MotionTask(Task[Window]):
    """The task whose systems predict where a vehicle will be."""

    kind = KIND
    augment = MotionAugment
    system = ""

    # Questions of a run ----------------------------------------------------------------------------------------------

    def net_options(self, reader: Reader[Window]) -> dict[str, Any]:
        """Steps and history besides the raster's channels; there are no classes."""
        span = reader.target(0).span
        return {**super().net_options(reader), "steps": span.steps, "frames": span.history + 1}

    def fits_classes(self, num_classes: int | None, classes: Sequence[str]) -> bool:
        """Whether neither net nor data have classes."""
        return num_classes is None and not classes

    def require_view(self, view: View) -> None:
        """Ask for a raster."""
        if not isinstance(view, Raster):
            raise SettingsError(f"data.resize: {view.kind} shows images, and rasters of recorded tracks are due")

    def usual_view(
        self, sides: tuple[int, ...], *, mean: tuple[float, ...], std: tuple[float, ...], input_px: int
    ) -> View:
        """A raster of the paper's side or of the one that is named, with the past in its channels where it has many."""
        channels = len(mean)
        past, history = ("fading", 20) if channels == 3 else ("channels", (channels - 5) // 2)
        return Raster(
            channels=channels,
            mean=mean,
            std=std,
            size_px=sides[0] if sides else input_px,
            past="fading" if past == "fading" else "channels",
            history=history,
        )

    def decodes(self, reader: Reader[Window], augment: MotionAugment) -> bool:
        """Whether rasters are drawn anew at every step, which they always are."""
        return True

    def require_judging(self, reader: Reader[Window]) -> None:
        """Ask for a window whose end is known."""
        if not any(reader.target(index).future().present[-1] for index in range(len(reader))):  # up to the first
            raise DataError(
                f"{printable(reader.name)}: no window of {reader.split} is known to its end, so they can judge no"
                " training; ask for a shorter one by data.horizon_seconds"
            )

    def supplied(self, reader: Reader[Window], net: nn.Module, source: str | None) -> Reader[Window]:
        """The reader itself, or one whose rasters are not drawn for a net that looks at none."""
        reader = super().supplied(reader, net, source)
        return reader if sees_rasters(net) else Undrawn(reader)

    def advice(self, system: System, reader: Reader[Window], side_px: int | None) -> dict[str, str]:
        """Let a system say what a person should know of its training data."""
        return _forecaster(system).advice(reader)

    def measure(self, system: System, reader: Reader[Window]) -> None:
        """Let a system measure what it needs of its training data."""
        _forecaster(system).measure(reader)

    def train_batches(
        self,
        reader: Reader[Window],
        *,
        batch_size: int,
        seed: int,
        augment: MotionAugment,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> MotionTrainBatches:
        """Make batches of windows with their rasters."""
        return MotionTrainBatches(reader, batch_size=batch_size, seed=seed, augment=augment, rank=rank, world=world)

    def training_exhibits(self, batch: Batch, classes: Sequence[str]) -> list[Exhibit]:
        """The rasters, in colours."""
        return training_exhibits(batch.inputs, batch.targets)

    def exam_batches(self, reader: Reader[Window], *, batch_size: int, rank: int, world: int) -> MotionEvalBatches:
        """Make batches of windows in their order."""
        return MotionEvalBatches(reader, batch_size=batch_size, rank=rank, world=world)

    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: Reader[Window],
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> MotionScores:
        """Score the trajectories of all windows."""
        tally = Tally(len(reader))
        for batch in predicted_batches(system, batches, machine=machine, stop=stop):
            windows = [reader.target(index) for index in batch.ids.tolist()]
            tally.add(batch.ids, batch.outputs.positions, batch.outputs.probabilities, windows)
        return merged(tally).scores(reader.source)

    # Questions of an evaluation and of a prediction ------------------------------------------------------------------

    def evaluate(self, model: Model, reader: Reader[Window], how: How) -> MotionScores:
        """Score all windows of a reader, whose steps must be those of the net."""
        require_steps(model, reader.target(0).span.steps, reader.name)
        share = MotionEvalBatches(
            self.supplied(reader, model.system.net, None), batch_size=how.batch_size or USUAL_BATCH, view=model.view
        )
        with closing(read_batches(share, 0, len(share), workers=decoding_workers())) as running:
            return self.score(model.system, how.watched(running, len(reader)), reader, machine=model.machine)

    def seen_sample(self, model: Model, sample: Sample[Window], name: str) -> Seen:
        """The raster of a window, and its place in the world."""
        require_steps(model, sample.target.span.steps, name)
        return TRACKS.seen(model, sample, name)

    def explained_score(self, model: Model, seen: Seen, question: Question) -> ExplainedScore:
        """The score of the most probable trajectory."""
        system = _forecaster(model.system)
        if not sees_rasters(system.net):
            raise SettingsError(f"explain: {model.name} looks at no raster, and nothing of one can be shown")
        return best_trajectory(model, system, seen, window_of(seen), question)

    def exported(self, model: Model, size_px: int | None = None) -> ExportedNet:
        """The net to trajectories, from rasters and from what is told beside them."""
        if size_px is not None:
            raise SettingsError("size_px: rasters have the metres of the run; leave it out")
        system, view = _forecaster(model.system), model.view
        assert isinstance(view, Raster), "`require_view` comes first"
        frames = span_of(model.timing, USUAL, pace_of(model)).history + 1
        side_px = view.size_px if sees_rasters(system.net) else 1
        return ExportedNet(
            _OfWindows(system),
            {
                PIXELS: torch.zeros(2, side_px, side_px, view.channels, dtype=torch.uint8),
                "state": torch.zeros(2, STATE),
                "known": torch.zeros(2, STATE),
                "past": torch.zeros(2, frames, 4),
                "present": torch.zeros(2, frames),
                "steady": torch.zeros(2, system.net.steps, 2),
            },
            Trajectories._fields,
            view,
        )

    @torch.no_grad()
    def raw(self, model: Model, seen: Sequence[Seen]) -> list[RawTrajectories]:
        """Predict each window, in its agent's frame."""
        system = _forecaster(model.system)
        windows = [window_of(one) for one in seen]
        if sees_rasters(system.net):
            images = np.stack([one.pixels for one in seen]).transpose(0, 3, 1, 2)
        else:
            images = undrawn(len(windows), model.view)
        inputs = to_device(inputs_of(windows, images), next(system.net.parameters()).device)
        with evaluating(system), autocast(model.machine):
            predicted = arrays(system.predict(inputs))
        return [RawTrajectories(*one) for one in zip(*predicted, strict=True)]


class _OfWindows(nn.Module):
    """A system that is asked about windows as a graph gets them."""

    def __init__(self, system: Forecaster) -> None:
        super().__init__()
        self.system = system

    def forward(
        self, pixels: Tensor, state: Tensor, known: Tensor, past: Tensor, present: Tensor, steady: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Positions and probabilities, of rasters (N, S, S, C) uint8 and the other inputs of MotionInputs."""
        images = pixels.permute(0, 3, 1, 2)
        positions, probabilities = self.system.predict(MotionInputs(images, state, known, past, present, steady))
        return positions, probabilities  # plain, since a program of torch names no types of ours


def window_of(seen: Seen) -> Window:
    """The window that a raster shows."""
    assert isinstance(seen.geometry, WindowGeometry), "rasters of this task are drawn from windows"
    return seen.geometry.window


def sees_rasters(net: nn.Module) -> bool:
    """Whether a net looks at rasters; one of a user's own does unless it says otherwise."""
    return not isinstance(net, ForecastNet) or net.sees_rasters


def require_steps(model: Model, steps: int, name: str) -> None:
    """Raise SettingsError for windows with other steps than the net's."""
    net = model.system.net
    if isinstance(net, ForecastNet) and net.steps != steps:
        raise SettingsError(
            f"{name}: windows have {steps} predicted steps, and {model.name} gives {net.steps}; cut them as the"
            " run does"
        )


def _forecaster(system: System) -> Forecaster:
    assert isinstance(system, Forecaster), "rows of this task name it, or a class made of it"
    return system


TASK = MotionTask()
