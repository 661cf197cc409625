"""Everything that a GPU may do otherwise, as one table: at most eight minutes.

    python benchmarks/cuda_check.py                       # on a GPU
    python benchmarks/cuda_check.py --device cpu --quick  # proves the script where there is none

Trainings of each task in both precisions, compiled and eager; `deterministic` twice and after a stop; evaluation beside
the CPU's; two runs at a time; the speed of ResNet-50 beside torchvision's net in the usual loop; a batch too large.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
import torchvision
from harness import best_time, machine, table
from torch import nn

import resvision
from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Images
from resvision.core import rundir
from resvision.core.errors import ResVisionError
from resvision.probes.count import count
from resvision.training import machine as machines
from resvision.training.checkpoints import result_weights
from resvision.training.gradients import backward, wrap

LIMIT_S = 8 * 60
STEPS = {False: 40, True: 3}


class Sample(NamedTuple):
    """A net and an embedded data set of a task, with settings that make them small."""

    model: str
    data: str
    quick: dict[str, Any]


TASKS = {
    "classification": Sample("resnet20", "digits", {"model.options.width": 4}),
    "segmentation": Sample("deeplabv3plus_resnet18", "digit-scenes-composed", {"model.options.width": 4}),
}
"""One row a task; those to come join here."""


@dataclass(frozen=True)
class Check:
    """Where the checks run, and how much they do."""

    device: str
    quick: bool
    folder: Path

    def settings(self, sample: Sample, **machine_settings: Any) -> dict[str, Any]:
        """The settings of a training of a few steps."""
        own = {f"machine.{name}": value for name, value in machine_settings.items()}
        length = {"training.duration": f"{STEPS[self.quick]} steps", "training.batch_size": 16}
        small = sample.quick if self.quick else {}
        return (
            {"machine.device": self.device, "machine.precision": "fp32", "machine.compile": False}
            | length
            | small
            | own
        )

    def train(self, name: str, sample: Sample, **machine_settings: Any) -> Path:
        """Train in this process, and return the run's folder."""
        settings, out = self.settings(sample, **machine_settings), self.folder / name
        return resvision.train(sample.model, sample.data, settings=settings, out=out, quiet=True).folder

    def start(self, name: str, sample: Sample, **machine_settings: Any) -> subprocess.Popen[bytes]:
        """Start a training in a process of its own."""
        words = [
            f"--set={path}={json.dumps(value)}" for path, value in self.settings(sample, **machine_settings).items()
        ]
        words = [word.replace('"', "") for word in words]
        command = [sys.executable, "-m", "resvision", "train", sample.model, "--data", sample.data, *words]
        return subprocess.Popen([*command, "--out", str(self.folder / name)], stderr=subprocess.DEVNULL)


def trainings(check: Check) -> Iterator[tuple[str, str]]:
    """Each task in both precisions, compiled and eager: the final scores and the seconds."""
    for task, sample in TASKS.items():
        for precision in ("fp32", "bf16"):
            for compiled in (False, True):
                name = f"{task}, {precision}, {'compiled' if compiled else 'eager'}"
                started = time.monotonic()
                try:
                    folder = check.train(name.replace(", ", "-"), sample, precision=precision, compile=compiled)
                    scores = json.loads((folder / rundir.EVALUATION).read_text())
                    yield name, f"loss {scores['loss']:.4f}, {time.monotonic() - started:.0f} s"
                except (ResVisionError, RuntimeError, OSError) as error:
                    yield name, _failed(error)


def deterministic(check: Check) -> Iterator[tuple[str, str]]:
    """Two deterministic trainings, and one that is stopped on its way, against each other."""
    for task, sample in TASKS.items():
        name = f"{task}, deterministic"
        try:
            one, two = (check.train(f"{task}-same-{i}", sample, deterministic=True) for i in (1, 2))
            stopped = check.folder / f"{task}-stopped"
            process = check.start(stopped.name, sample, deterministic=True)
            _stop_after_a_step(process, stopped / rundir.HISTORY)
            command = [sys.executable, "-m", "resvision", "train", "--resume", str(stopped)]
            subprocess.run(command, check=True, capture_output=True)
            weights = [result_weights(folder).read_bytes() for folder in (one, two, stopped)]
            yield f"{name}, twice", _verdict(weights[0] == weights[1])
            how = "stopped" if process.returncode else "was already done"
            yield f"{name}, after a stop", f"{_verdict(weights[0] == weights[2])} ({how})"
        except (ResVisionError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
            yield name, _failed(error)


def evaluation(check: Check) -> Iterator[tuple[str, str]]:
    """Probabilities in fp32 against those of the CPU."""
    for task, sample in TASKS.items():
        try:
            folder = check.train(f"{task}-evaluated", sample)
            here, there = (resvision.load(folder, device=device) for device in (check.device, "cpu"))
            side = here.side_px or 96
            pixels = torch.randint(0, 256, (4, len(here.view.mean), side, side), dtype=torch.uint8)
            with torch.no_grad():
                ours = here.system.predict(Images(pixels.to(check.device))).cpu()
                difference = float((ours - there.system.predict(Images(pixels))).abs().max())
            yield f"{task}, fp32 beside the CPU", f"{_verdict(difference < 1e-4)}, largest difference {difference:.1e}"
        except (ResVisionError, RuntimeError, OSError) as error:
            yield f"{task}, fp32 beside the CPU", _failed(error)


def beside_each_other(check: Check) -> Iterator[tuple[str, str]]:
    """Two trainings at a time."""
    sample = TASKS["classification"]
    started = [check.start(f"beside-{i}", sample, deterministic=True) for i in (1, 2)]
    codes = [process.wait() for process in started]
    same = codes == [0, 0] and len({result_weights(check.folder / f"beside-{i}").read_bytes() for i in (1, 2)}) == 1
    yield "two runs beside each other", f"{_verdict(same)}, exit codes {codes}"


def speed(check: Check) -> Iterator[tuple[str, str]]:
    """ResNet-50 at 224 px: images a second, and the share of the best rate of a product of matrices."""
    side, images = (64, 4) if check.quick else (224, 256)
    macs = count(resvision.build("resnet50", num_classes=1000), (3, side, side)).macs
    peak = _peak(check)
    for name, step in (
        ("torchvision, eager", _usual_step(check, side, images, compiled=False)),
        ("torchvision, compiled", _usual_step(check, side, images, compiled=True)),
        ("ours, eager", _our_step(check, side, images, compiled=False)),
        ("ours, compiled", _our_step(check, side, images, compiled=True)),
    ):
        title = f"resnet50, {side} px, batch {images}, bf16: {name}"
        try:
            rate = images / best_time(lambda step=step: _synchronized(step, check), seconds=1 if check.quick else 8)
            yield title, f"{rate:.0f} images/s, {6 * macs * rate / peak:.0%} of a product of matrices"
        except (RuntimeError, OSError) as error:
            yield title, _failed(error)


def too_large(check: Check) -> Iterator[tuple[str, str]]:
    """A batch that does not fit: the line that says so."""
    images = 1120  # all that are in the training split, or nearly so
    model, width, side = ("resnet20", 4, 256) if check.quick else ("resnet50", 64, 448)
    settings = [f"--set=model.options.width={width}", f"--set=data.image_size={side}", f"--batch-size={images}"]
    settings += [f"--set=machine.device={check.device}", "--set=machine.compile=false", "--epochs=1"]
    command = [sys.executable, "-m", "resvision", "train", model, "--data", "digits", *settings]
    if check.device == "cpu":  # where the system would take memory from others
        command = ["bash", "-c", 'ulimit -v 7000000; exec "$@"', "limited", *command]
    done = subprocess.run([*command, "--out", str(check.folder / "large")], capture_output=True, text=True)
    lines = done.stderr.strip().splitlines() or ["nothing was said"]
    yield f"a batch of {images} at {side} px", f"exit code {done.returncode}: {lines[-1]}"


def _our_step(check: Check, side: int, images: int, *, compiled: bool) -> Callable[[], object]:
    settings = machines.Machine(
        device=check.device, precision="bf16", channels_last=True, compile=compiled, threads=torch.get_num_threads()
    )
    device = machines.prepare(settings)
    system = Classifier(resvision.build("resnet50", num_classes=1000), mean=[0.5] * 3, std=[0.25] * 3)
    machines.place(system, settings, device)
    module = wrap(system, settings)
    optimizer = torch.optim.SGD(system.parameters(), lr=0.01, momentum=0.9)
    pixels = torch.randint(0, 256, (images, 3, side, side), dtype=torch.uint8, device=device)
    batch = Batch(Images(pixels), torch.arange(images, device=device), torch.arange(images))

    def step() -> None:
        backward(module, batch, system=system, machine=settings, accumulate=1)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _usual_step(check: Check, side: int, images: int, *, compiled: bool) -> Callable[[], object]:
    """The step of the loop that people write: autocast, channels_last, compile."""
    net: nn.Module = torchvision.models.resnet50().to(check.device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    pixels = torch.randn(images, 3, side, side, device=check.device).to(memory_format=torch.channels_last)
    targets = torch.arange(images, device=check.device)
    if compiled:
        net.compile()

    def step() -> None:
        with torch.autocast(check.device, dtype=torch.bfloat16):
            loss = F.cross_entropy(net(pixels), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _peak(check: Check) -> float:
    """Floating-point operations a second of a large product of matrices in bf16."""
    side = 512 if check.quick else 8192
    a, b = (torch.randn(side, side, device=check.device).bfloat16() for _ in range(2))
    return 2 * side**3 / best_time(lambda: _synchronized(lambda: a @ b, check), seconds=1)


def _synchronized(step: Callable[[], object], check: Check) -> None:
    step()
    if check.device == "cuda":
        torch.cuda.synchronize()


def _stop_after_a_step(process: subprocess.Popen[bytes], history: Path) -> None:
    while process.poll() is None and not (history.exists() and history.read_text().count("\n") >= 1):
        time.sleep(0.02)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait()


def _verdict(good: bool) -> str:
    return "equal" if good else "DIFFERENT"


def _failed(error: Exception) -> str:
    return f"FAILED: {type(error).__name__}: {str(error).partition(chr(10))[0]:.150}"


def main() -> None:
    """Run every check, as far as the time goes, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, which prove the script and measure nothing")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no GPU is at hand; --device cpu --quick proves the script without one")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS looks once, when it is first used
    started, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        check = Check(asked.device, asked.quick, Path(folder))
        # The most telling checks come first, should the time run out.
        for part in (deterministic, evaluation, too_large, beside_each_other, trainings, speed):
            if time.monotonic() - started > LIMIT_S - 60:
                rows.append([part.__name__, "left out: eight minutes are over"])
                continue
            torch.use_deterministic_algorithms(False)
            for row in part(check):
                print(f"  {time.monotonic() - started:4.0f} s  {': '.join(row)}", file=sys.stderr, flush=True)
                rows.append([*row])
    card = torch.cuda.get_device_name() if asked.device == "cuda" else machine()
    print(f"{card}, torch {torch.__version__}, {time.monotonic() - started:.0f} s\n")
    print(table(["check", "result"], rows))


if __name__ == "__main__":
    main()
