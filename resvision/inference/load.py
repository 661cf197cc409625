"""A trained run, loaded from its directory, or published weights: the net, and all it takes to use it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console

from resvision import catalog
from resvision.assembly import build_system
from resvision.contracts import System
from resvision.core import rundir
from resvision.core.errors import DataError, RunError, SettingsError
from resvision.core.images import Preprocess
from resvision.data.sets import IMAGENET
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings, read_run
from resvision.training import machine as machines
from resvision.training.checkpoints import load_weights, result_weights
from resvision.weights.fetch import obtain
from resvision.weights.published import Published, find


@dataclass(frozen=True)
class Trained:
    """A finished run ready for use; `system` is in evaluation mode on the device of `run.machine`.

    Of published weights, `folder` is the file that they are kept in, and `run` says the net, ImageNet and the machine.
    """

    folder: Path
    run: Run
    system: System
    classes: tuple[str, ...]
    preprocess: Preprocess

    def indices_of(self, classes: Sequence[str], *, data: str) -> list[int]:
        """Its index of each of the classes of a data set, matched by name.

        ImageNet's thousand, and a thousand WordNet ids, are matched by their order, which is the same everywhere, while
        their English names are not. Raises DataError for a class that it does not know.
        """
        wordnet = data == IMAGENET or all(re.fullmatch(r"n\d{8}", name) for name in classes)
        if self.run.data.name == IMAGENET and wordnet and len(classes) == len(self.classes):
            return [*range(len(classes))]
        foreign = [each for each in classes if each not in self.classes]
        if foreign:
            raise DataError(
                f"{data}: has classes that the run was not trained on: {', '.join(foreign[:5])};"
                f" the run knows {', '.join(self.classes[:10])}"
            )
        return [self.classes.index(each) for each in classes]


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
        return _load_published(find(str(folder), weights), device)
    folder = Path(folder)
    run = read_run(folder, allow_code=allow_code)
    classes, preprocess = run.data.classes, run.data.preprocess
    if classes is None or preprocess is None:
        raise RunError(f"{folder / rundir.RUN}: was never started, its classes are not known")
    machine = replace(run.machine, device=_device(device or run.machine.device))
    run = replace(run, machine=machine)
    system = build_system(run)
    load_weights(system.net, result_weights(folder))
    machines.place(system, machine, torch.device(machine.device))
    return Trained(folder, run, system.eval(), classes, preprocess)


def _load_published(published: Published, device: str | None) -> Trained:
    """The net with published weights, in fp32, as a run on ImageNet would give it."""
    rule, classes = published.preprocess, published.classes
    found = {"in_channels": rule.channels, "input_size": rule.crop_px}
    known = catalog.options(published.model)
    machine = machines.Machine(device=_device(device or "cuda"), precision="fp32")
    run = Run(
        recipe="published",
        model=ModelSettings(
            name=published.model,
            num_classes=len(classes),
            options={name: value for name, value in found.items() if name in known},
            init_from=published.source,
        ),
        data=DataSettings(
            name=IMAGENET, channels=rule.channels, image_size=rule.crop_px, classes=classes, preprocess=rule
        ),
        training=TrainingSettings(duration="1 epochs"),
        machine=machines.decide(machine, training_macs=0, image_px=rule.crop_px, decodes_files=True),
    )
    system = build_system(run)
    file = obtain(published, Console(stderr=True))
    load_weights(system.net, file)
    machines.place(system, run.machine, torch.device(run.machine.device))
    return Trained(file, run, system.eval(), classes, rule)


def _device(wanted: str) -> Literal["cpu", "cuda"]:
    if wanted not in {"cpu", "cuda"}:
        raise SettingsError(f"device {wanted!r}: choices are cpu and cuda")
    return "cuda" if wanted == "cuda" and torch.cuda.is_available() else "cpu"
