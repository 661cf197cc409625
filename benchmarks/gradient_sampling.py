"""Time of a training step with and without samples of the gradient, `training.gradients_every`, side by side.

    python benchmarks/gradient_sampling.py
    python benchmarks/gradient_sampling.py --compile --nets resnet20 resnet18

Steps are the loop's own: gradients over all parts, the sample with its line in a file, the update. Blocks of as many
steps take turns in one process on one batch that is there already, so that no loading hides the cost; the first block
of each side is not counted. A sample costs about as much as `training.clip_norm` does.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import torch
from harness import machine, table, write
from torch import nn

from resvision import catalog
from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Images
from resvision.probes.gradients import GradientSampler
from resvision.training.gradient_file import GradientFile
from resvision.training.gradients import backward, wrap
from resvision.training.loop import update
from resvision.training.machine import Machine

NETS: Mapping[str, tuple[int, int]] = {"resnet20": (32, 128), "resnet56": (32, 128), "resnet18": (224, 32)}
"""Side of the images and batch size."""

EVERY = {"off": 0, "every 10 steps": 10, "every step": 1}
BLOCK = 10
"""Steps of a block: as many as lie between samples, so that each block of that side holds one."""


def main() -> None:
    """Measure each net that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", nargs="+", choices=NETS, default=["resnet20", "resnet56"])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="steps are compiled")
    parser.add_argument("--out", type=Path, help="file for the page")
    asked = parser.parse_args()
    rows = [row for net in asked.nets for row in rows_of(net, asked.rounds, compiled=asked.compile)]
    heading = f"Machine: {machine()}. Steps are {'compiled' if asked.compile else 'eager'}."
    write(f"{heading}\n\n{table(['net', 'samples', 'ms a step', 'of the step without'], rows)}", asked.out)


def rows_of(name: str, rounds: int, *, compiled: bool) -> list[list[str]]:
    """The rows of a net: the median time of a step, and the median over rounds of its quotient with that without."""
    with tempfile.TemporaryDirectory() as folder, closing(GradientFile(Path(folder), step=0)) as file:
        step = step_of(name, compiled=compiled)
        times = measured(step, file, rounds)
    return [
        [
            name,
            side,
            f"{1000 * median(seconds):.2f}",
            f"{median(own / off for own, off in zip(seconds, times['off'], strict=True)):.3f}",
        ]
        for side, seconds in times.items()
    ]


def measured(step: "Step", file: GradientFile, rounds: int) -> dict[str, list[float]]:
    """Seconds of a step in each round, by side."""
    samplers: dict[str, Callable[[int, Batch], None]] = {
        side: GradientSampler(step.system, every=every, write=file.add) if every else lambda number, batch: None
        for side, every in EVERY.items()
    }
    times: dict[str, list[float]] = {side: [] for side in EVERY}
    for number in range(rounds + 1):
        for side, sampler in samplers.items():
            began = time.monotonic()
            for step_number in range(BLOCK):
                step.make(step_number, sampler)
            if number:
                times[side].append((time.monotonic() - began) / BLOCK)
    return times


class Step:
    """A step of a net on one batch."""

    def __init__(self, system: Classifier, batch: Batch, settings: Machine) -> None:
        self.system, self._batch, self._settings = system, batch, settings
        self._module: nn.Module = wrap(system, settings)
        self._optimizer = torch.optim.SGD(system.net.parameters(), lr=1e-4, momentum=0.9)

    def make(self, number: int, sampler: Callable[[int, Batch], None]) -> None:
        """Make the step, with the sample where one is due."""
        backward(self._module, self._batch, system=self.system, machine=self._settings, accumulate=1)
        sampler(number, self._batch)
        update(self.system, self._optimizer, None, step=number, clip_norm=None)


def step_of(name: str, *, compiled: bool) -> Step:
    """The step of a net of the catalog."""
    side_px, batch_size = NETS[name]
    torch.manual_seed(0)
    system = Classifier(catalog.build(name, num_classes=10), mean=(0.5,) * 3, std=(0.25,) * 3)
    images = torch.randint(0, 256, (batch_size, 3, side_px, side_px), dtype=torch.uint8)
    batch = Batch(Images(images), torch.arange(batch_size) % 10, torch.arange(batch_size))
    settings: Any = Machine(device="cpu", precision="fp32", compile=compiled)
    return Step(system, batch, settings)


if __name__ == "__main__":
    main()
