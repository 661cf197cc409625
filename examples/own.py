"""A net, a data set, a recipe and a fit of one's own, in one file. docs/own-code.md walks through it."""

from pathlib import Path

import numpy as np
from torch import Tensor, nn

from resvision.core.samples import Reader, Sample
from resvision.core.views import Stretch
from resvision.data.splits import Splits
from resvision.fits.features import features
from resvision.loading.augment import ImageAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule
from resvision.training_graph import FitInputs, FitPhase, Fitted, RunPhase


class Residual(nn.Module):
    """Two 3x3 convolutions and the shortcut around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        return (x + self.branch(x)).relu()


def net(*, num_classes: int, in_channels: int = 1, width: int = 16) -> nn.Module:
    """Images (N, C, H, W) to logits (N, K)."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, stride=2, padding=1),
        Residual(width),
        nn.MaxPool2d(2),
        Residual(width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
    )


class Shapes(Reader[int]):
    """Discs, squares and triangles with noise, 24x24 grey, drawn when they are asked for."""

    name = "shapes"
    classes = ("disc", "square", "triangle")
    view = Stretch(channels=1, resize_px=24, crop_px=24, mean=(0.4,), std=(0.16,))

    def __init__(self, split: str, images: int, *, seed: int) -> None:
        self.split, self.images, self.seed = split, images, seed

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index: int) -> Sample[int]:
        draw = np.random.default_rng((self.seed, index))
        x, y = np.meshgrid(np.linspace(-1, 1, 24), np.linspace(-1, 1, 24)) + draw.uniform(-0.3, 0.3, (2, 1, 1))
        size = draw.uniform(0.35, 0.65)
        inside = (
            x**2 + y**2 < size**2,
            np.maximum(abs(x), abs(y)) < size,
            (abs(x) < (y + size) / 2) & (y < size),
        )[self.target(index)]
        pixels = 90 + 70 * inside + draw.normal(0, 30, (24, 24))
        return Sample(pixels.clip(0, 255).astype(np.uint8), self.target(index))

    def target(self, index: int) -> int:
        """The classes take turns."""
        return index % len(self.classes)

    def source(self, index: int) -> str:
        """The images have no files, so a number has to do."""
        return f"{self.name}/{self.split}[{index}]"

    def stratum(self, index: int) -> int:
        """The class: a validation split takes an equal share of each."""
        return self.target(index)


def shapes(root: Path | None) -> Splits:
    """A thousand images to train on and three hundred to test on; they lie nowhere, so `root` is not needed."""
    train, test = Shapes("train", 1000, seed=0), Shapes("test", 300, seed=1)
    return Splits(train, test, "1,000 train / 300 test images, drawn apart")


def recipe(model: str, data: str) -> Run:
    """Eight epochs of AdamW on a cosine, with shifts; a tenth of the training images chooses the best weights."""
    return Run(
        recipe="own:recipe",
        model=ModelSettings(name=model),
        data=DataSettings(name=data, validation=0.1),
        training=TrainingSettings(duration="8 epochs", batch_size=50),
        augment=ImageAugment(shift_px=2, fill="mean"),
        optimizer=OptimizerSettings(name="adamw", lr=0.01, weight_decay=0.02),
        schedule=Schedule(kind="cosine", warmup=0.1),
    )


def class_means(inputs: FitInputs) -> Fitted:
    """The mean features of every class; an image is taken to be of the class whose mean is nearest."""
    train, test = features(inputs, "train"), features(inputs, "test")
    means = np.stack([train.values[train.labels == k].mean(axis=0) for k in range(len(Shapes.classes))])
    distances = np.linalg.norm(test.values[:, None] - means, axis=2)
    error = float(np.mean(distances.argmin(axis=1) != test.labels))
    return Fitted(tensors={"means": means}, evaluation={"top1_error": error})


def phases(model: str, data: str) -> tuple[RunPhase | FitPhase, ...]:
    """The run of `recipe`, then two classifiers of its features: a linear SVM, and the nearest class mean."""
    svm = "resvision.fits.features:linear_svm"
    return (
        RunPhase(name="net", run=recipe(model, data)),
        FitPhase(name="svm", fit=svm, parents={"net": "net"}, options={"cost": 0.1}),
        FitPhase(name="means", fit="own:class_means", parents={"net": "net"}),
    )
