"""A fifth task from outside the package: the angle by which a handwritten digit is turned, with an error in degrees.

It brings what a user's own task brings, and nothing else: scores, result and kind without torch; data, system and task
with torch; a recipe. The nets are those of the catalog with one output.
"""

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from resvision.contracts import Batch, Images, Losses, PixelSystem, System, Term
from resvision.core.draws import uniform
from resvision.core.samples import Reader, Sample
from resvision.core.settings import Scalar
from resvision.core.view_geometry import Geometry
from resvision.core.views import Stretch
from resvision.data import digits
from resvision.data.splits import Splits
from resvision.kinds.kind import Column, Curve, Kind, ListedProtocol, Table
from resvision.loading.augment import ImageAugment
from resvision.loading.batches import EvalBatches, TrainBatches
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.tasks import How, Model, Task
from resvision.training.evaluation import predict_all
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule
from resvision.training.stopping import StopSignals

LARGEST_DEG = 60.0
IMAGES = {"train": 200, "test": 60}
STOP_AT = "DIGIT_ANGLE_STOP_AT"
"""Environment variable: the step at which a stop signal comes, for the test of resuming."""


@dataclass(frozen=True)
class AngleScores:
    images: int
    loss: float
    error_deg: float
    classes: tuple[str, ...] = ()

    def figures(self) -> dict[str, float]:
        return {"loss": self.loss, "error_deg": self.error_deg}

    def summary(self) -> str:
        return f"{self.error_deg:.1f} degrees off on {self.images} test images"

    def to_json(self) -> dict[str, Any]:
        return {"images": self.images, "loss": self.loss, "error_deg": self.error_deg}


@dataclass(frozen=True)
class Angle:
    source: str
    deg: float

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, "deg": self.deg}


class Angles(Kind[AngleScores, Angle, float]):
    name = "angles"
    judged_by = ("error_deg", "loss")
    figures = ("loss", "error_deg")
    metrics = ("off_deg",)
    columns = (
        Column("train error, deg", "training", "off_deg", "lower", "figure"),
        Column("best validation error, deg", "validation", "error_deg", "lower", "figure"),
        Column("error, deg", "test", "error_deg", "lower", "figure"),
    )
    curves = (
        Curve("angular error", "falling", lambda figures: figures["error_deg"], trained="off_deg", unit="deg"),
        Curve("loss", "logarithmic", trained="loss", unit=""),
    )
    footnote = "Angles are between what is seen and what is said."
    options = frozenset({"csv"})
    refused: ClassVar[dict[str, str]] = {"top": "an angle is one number; leave it out"}
    compared: ClassVar[dict[str, str]] = {"error_deg": "error, deg"}
    protocols = (ListedProtocol("upright", "the image as it is", "ours"),)
    csv_header = ("source", "deg")

    def target_fault(self, target: Any, classes: Sequence[str]) -> str:
        return "" if isinstance(target, float) else f"a {type(target).__name__} where an angle is due"

    def decode(self, raw: NDArray[Any], geometry: Geometry, *, source: str, classes: tuple[str, ...]) -> Angle:
        return Angle(source, float(raw))

    def read_scores(self, data: Any) -> AngleScores:
        return AngleScores(**data)

    def write(self, name: str, value: float) -> str:
        return f"{value:.1f} deg" if name.endswith("deg") else super().write(name, value)

    def sentence(self, scores: AngleScores, data: str) -> str:
        return f"is {scores.error_deg:.1f} deg off on {scores.images} test images{data}"

    def lines(self, scores: AngleScores) -> list[tuple[str, str]]:
        return [("error", f"{scores.error_deg:.1f} deg"), ("images", str(scores.images))]

    def tables(self, scores: AngleScores) -> list[Table]:
        return []

    def line(self, result: Angle) -> str:
        return f"{result.source}: turned by {result.deg:.1f} deg"

    def csv_rows(self, result: Angle) -> list[tuple[Any, ...]]:
        return [(result.source, f"{result.deg:.3f}")]


class TurnedDigits(Reader[float]):
    """Digits enlarged to 20 pixels and turned by an angle drawn for each."""

    def __init__(self, split: str) -> None:
        opened = digits.open_splits()
        self.name, self.split, self.classes = "digit_angle:turned", split, ()
        self.view = Stretch(channels=1, resize_px=16, crop_px=16, mean=(0.2,), std=(0.3,))
        self._digits = opened.train if split == "train" else opened.test

    def __len__(self) -> int:
        return IMAGES[self.split]

    def __getitem__(self, index: int) -> Sample[float]:
        large = Image.fromarray(self._digits[index].image).resize((20, 20), Image.Resampling.BICUBIC)
        turned = large.rotate(self.target(index), Image.Resampling.BICUBIC)
        return Sample(np.asarray(turned), self.target(index))

    def target(self, index: int) -> float:
        draw = uniform(0, list(IMAGES).index(self.split), np.array([index]), 1)[0, 0]
        return float(LARGEST_DEG * (2 * draw - 1))

    def source(self, index: int) -> str:
        return f"{self.name}/{self.split}[{index}]"


def turned(root: Path | None) -> Splits:
    return Splits(TurnedDigits("train"), TurnedDigits("test"), "200 train / 60 test digits, each turned by a draw")


@dataclass(frozen=True, kw_only=True)
class AngleLoss:
    """The options of the loss: there are none."""


class AngleSystem(PixelSystem):
    """A net with one output, trained with the squared error of the angle as a share of the largest."""

    loss_options: ClassVar[type] = AngleLoss

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], options: AngleLoss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        self._steps = 0

    def predict(self, inputs: Images) -> Tensor:
        """Angles in degrees, (N,)."""
        return LARGEST_DEG * self.net(self.normalized(inputs.images)).float().flatten()

    def losses(self, batch: Batch) -> Losses:
        """The squared error, and the error in degrees."""
        self._steps += 1
        if self._steps == int(os.environ.get(STOP_AT, "0")):
            signal.raise_signal(signal.SIGTERM)
        off = self.predict(batch.inputs) - batch.targets
        images = off.new_tensor(len(off))
        return Losses(
            terms={"squared": Term(((off / LARGEST_DEG) ** 2).sum(), images)},
            metrics={"off_deg": Term(off.detach().abs().sum(), images)},
        )

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Images."""
        return {"squared": torch.tensor(float(len(batch.ids)))}


def as_angles(targets: Sequence[Any]) -> Tensor:
    return torch.tensor(targets, dtype=torch.float32)


class AngleTask(Task[float]):
    kind = Angles()
    augment = ImageAugment
    system = "digit_angle:AngleSystem"

    def net_options(self, reader: Reader[float]) -> dict[str, Any]:
        return {**super().net_options(reader), "num_classes": 1}

    def fits_classes(self, num_classes: int | None, classes: Sequence[str]) -> bool:
        return num_classes == 1 and not classes

    def result_shape(self, side_px: int, num_classes: int | None) -> tuple[int, ...]:
        return (1,)

    def decodes(self, reader: Reader[float], augment: ImageAugment) -> bool:
        return False

    def train_batches(
        self,
        reader: Reader[float],
        *,
        batch_size: int,
        seed: int,
        augment: ImageAugment,
        loss: Mapping[str, Scalar],
        rank: int,
        world: int,
    ) -> TrainBatches:
        return TrainBatches(
            reader, batch_size=batch_size, seed=seed, augment=augment, rank=rank, world=world, encode=as_angles
        )

    def exam_batches(self, reader: Reader[float], *, batch_size: int, rank: int, world: int) -> EvalBatches:
        return EvalBatches(reader, batch_size=batch_size, rank=rank, world=world, encode=as_angles)

    def score(
        self,
        system: System,
        batches: Iterable[Batch],
        reader: Reader[float],
        *,
        machine: Machine,
        stop: StopSignals | None = None,
    ) -> AngleScores:
        outputs, targets = predict_all(system, batches, machine=machine, stop=stop)
        off = outputs - targets
        return AngleScores(len(off), float(((off / LARGEST_DEG) ** 2).mean()), float(np.abs(off).mean()))

    def evaluate(self, model: Model, reader: Reader[float], how: How) -> AngleScores:
        share = self.exam_batches(reader, batch_size=how.batch_size or 64, rank=0, world=1)
        return self.score(model.system, (share[n] for n in range(len(share))), reader, machine=model.machine)


TASK = AngleTask()


def short(model: str, data: str) -> Run:
    """Two epochs of SGD on a narrow net."""
    return Run(
        recipe="digit_angle:short",
        model=ModelSettings(name=model, task="digit_angle:TASK", options={"width": 4}),
        data=DataSettings(name=data),
        training=TrainingSettings(duration="2 epochs", batch_size=20),
        augment=ImageAugment(),
        optimizer=OptimizerSettings(lr=0.05),
        schedule=Schedule(kind="one-cycle", warmup=0.2),
        machine=Machine(precision="fp32", threads=1, workers=0),
    )
