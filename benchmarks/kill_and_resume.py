"""Kill a training again and again, go on each time, and compare with the run that was never killed.

    python benchmarks/kill_and_resume.py [--kills 20] [--seed 0] [--only WORD] [--scratch FOLDER]

Two trainings of a small net with dropout: digits in memory with SGD, Mixup and erasing; a folder of JPEG files with
AdamW, random crops, TrivialAugment and CutMix. Both average their weights, cut each batch in two parts, and write a
checkpoint every 0.2 seconds. A signal comes at moments drawn from the seed: while starting up or resuming, after any
step, in an evaluation, in the middle of a checkpoint. The run goes on at once after each; one that comes to its end
before all signals are spent is followed by another. At every moment each checkpoint that a pointer names must be whole;
after SIGTERM and SIGINT the exit code must be 143 and 130, and the checkpoint that of the last step in the history. At
the end weights, averages, optimizer, history (but for `seconds`), TensorBoard curves and scores must be those of the
straight run, bit for bit, and no other file may lie in the folder.

The second table is about workers and processes. Exit code 1 where anything differs. Of several processes, SIGKILL
ends one, and their launcher the others; SIGTERM and SIGINT go to the launcher.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 3600
PACE_S = 0.0005

USUAL: dict[str, Any] = {
    "model.options.width": 4,
    "training.ema_decay": 0.99,
    "training.accumulate": 2,
    "training.checkpoint_seconds": 0.2,
    "training.gradients_every": 3,
    "machine.threads": 1,
    "machine.workers": 2,
}
DIGITS: dict[str, Any] = {
    **USUAL,
    "data.image_size": 16,
    "augment.mixup_alpha": 0.4,
    "augment.erase": 0.25,
    "machine.precision": "fp32",
    "training.duration": "25 epochs",
    "training.batch_size": 64,
    "training.evaluate_every": 1,
}
FOLDER: dict[str, Any] = {
    **USUAL,
    "data.image_size": 24,
    "augment.crop": "random-resized",
    "augment.policy": "trivial-augment",
    "augment.cutmix_alpha": 1.0,
    "optimizer.name": "adamw",
    "optimizer.lr": 0.002,
    "training.duration": "80 epochs",
    "training.batch_size": 16,
    "training.evaluate_every": 4,
}
JUDGED: dict[str, Any] = DIGITS | {"data.validation": 0.15, "training.patience": 8, "machine.workers": 1}
DIGITS_STEPS, FOLDER_STEPS, JUDGED_STEPS = 1400 // 64, 96 // 16, 1190 // 64
SECOND_TABLE = "the same by workers and processes"
FEW = (1, 2, 3, 5, 9, 17, 397)
FEW_SETTINGS = USUAL | {"data.image_size": 16, "training.duration": "3 steps", "training.batch_size": 4}


def noisy_net(*, num_classes: int, in_channels: int, width: int) -> Any:
    """A ResNet-8 with dropout before its classifier."""
    from torch import nn

    from resvision.classification.resnet_cifar import resnet_cifar

    net: Any = resnet_cifar(8, num_classes=num_classes, in_channels=in_channels, width=width)
    net.fc = nn.Sequential(nn.Dropout(0.2), net.fc)
    return net


def few_digits(images: Path) -> Any:
    """Digits, tested on so many images as the path says."""
    from resvision.data.digits import open_splits

    whole = open_splits()
    test: Any = whole.test
    few = int(images.name)
    return whole._replace(test=replace(test, images=test.images[:few], targets=test.targets[:few]))


def write_images(folder: Path) -> Path:
    """120 JPEG files in two classes, of which 96 are trained on."""
    draws = np.random.default_rng(0)
    for number in range(120):
        place = folder / ("rough", "smooth")[number % 2] / f"{number:03}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        shape = (40, 50, 3) if number % 2 == 0 else (4, 5, 3)
        Image.fromarray(draws.integers(0, 256, shape, dtype=np.uint8)).resize((50, 40)).save(place, quality=90)
    return folder


@dataclass(frozen=True)
class Training:
    """What is trained, and by how many processes."""

    name: str
    data: str
    settings: dict[str, Any]
    steps_per_epoch: int
    processes: int = 1
    signals: tuple[signal.Signals, ...] = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        """Begin the run, or go on with it where it has begun; what it says goes to a file beside the folder."""
        words = ["train", "--resume", str(folder), "--allow-code"]
        if not (folder / "run.json").exists():
            words = ["train", "kill_and_resume:noisy_net", "--data", self.data, "--out", str(folder)]
            words += [f"--set={path}={value}" for path, value in self.settings.items()]
        launcher = [sys.executable]
        if self.processes > 1:
            launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={self.processes}"]
        with said_in(folder).open("wb") as file:
            return subprocess.Popen(
                [*launcher, "-m", "resvision", *words],
                stdout=file,
                stderr=file,
                env=os.environ | {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )

    def finish(self, folder: Path) -> Path:
        """The folder, trained to the end from wherever it was."""
        code = self.start(folder).wait(TIMEOUT_S)
        if code:
            raise SystemExit(f"{folder}: exit code {code}\n{said_in(folder).read_text()[-3000:]}")
        return folder

    def is_evaluating(self, line: dict[str, Any]) -> bool:
        """Whether an evaluation follows the newest line."""
        every = int(self.settings["training.evaluate_every"]) * self.steps_per_epoch
        return "evaluation" not in line and line["step"] % every == 0


class Moment(NamedTuple):
    """When to send a signal: at which kind of moment, and where in it, 0..1."""

    kind: str
    place: float


@dataclass
class Torment:
    """A training that is stopped by one signal again and again: a row of the first table."""

    training: Training
    number: signal.Signals
    straight: Path
    start_up_s: float
    draws: random.Random
    hit: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def carry_out(self, signals: int) -> None:
        """Send all signals, in as many runs as that takes, and compare each run with the straight one."""
        kinds = (["step", "start", "step", "evaluation", "checkpoint"] * signals)[:signals]
        self.draws.shuffle(kinds)
        plan = [Moment(kind, self.draws.random()) for kind in kinds]
        number = 0
        while plan:
            number += 1
            folder = self.straight.with_name(f"{self.straight.name}-{self.number.name}-{number}")
            while plan and self._strike(folder, plan[0]):
                plan.pop(0)
            self.training.finish(folder)
            self.faults += [f"{folder.name}: {each}" for each in differences(self.straight, folder)]
            print(f"{self.training.name} {self.number.name}: {' '.join(self.hit)} {self.faults}", file=sys.stderr)

    def _strike(self, folder: Path, moment: Moment) -> bool:
        """Start or go on, send the signal at its moment, look at what is left; False where the run ended before."""
        before = kept_step(folder)
        process = self.training.start(folder)
        if moment.kind == "start":
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment.place * self.start_up_s)
        else:
            wait(process, lambda: self._has_come(folder, moment, before))
            time.sleep(self.draws.random() * 0.02)
        if process.poll() is not None:
            return False
        hit = self._send(folder, process, before)
        code = process.wait(TIMEOUT_S)
        if code == 0:  # it had nothing left to do
            return False
        self.hit.append(hit)
        self.faults += [f"{hit}: {each}" for each in self._wrong(folder, code)]
        return True

    def _has_come(self, folder: Path, moment: Moment, before: int) -> bool:
        line = last_line(folder)
        if line is None or line["step"] <= before:
            return False
        if moment.kind == "evaluation":
            return self.training.is_evaluating(line)
        far_enough = line["step"] > before + 40 * moment.place
        return bool(far_enough and (moment.kind == "step" or is_writing(folder)))

    def _send(self, folder: Path, process: subprocess.Popen[bytes], before: int) -> str:
        """Halt the process, see where it is, and send the signal."""
        if self.training.processes > 1:
            where = self._where(folder, before)
            os.kill(self._target(process.pid), self.number)
            return where
        os.kill(process.pid, signal.SIGSTOP)
        where = self._where(folder, before)
        os.kill(process.pid, self.number)
        os.kill(process.pid, signal.SIGCONT)
        return where

    def _target(self, launcher: int) -> int:
        """The launcher of several processes, or one of them for SIGKILL, by which the launcher could not end them."""
        children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
        return int(self.draws.choice(children)) if self.number == signal.SIGKILL and children else launcher

    def _where(self, folder: Path, before: int) -> str:
        """The last step, with s, e or c for starting, evaluating, writing a checkpoint."""
        line = last_line(folder)
        if line is None or line["step"] <= before:
            return f"s{before}"
        if is_writing(folder):
            return f"c{line['step']}"
        return f"{'e' if self.training.is_evaluating(line) else ''}{line['step']}"

    def _wrong(self, folder: Path, code: int) -> Iterator[str]:
        """What is not as it must be after the signal."""
        yield from unreadable(folder)
        if self.number == signal.SIGKILL:
            return
        if kept_step(folder) != history_step(folder):
            yield f"the checkpoint is of step {kept_step(folder)}, the history ends at {history_step(folder)}"
        if self.training.processes == 1:
            said = said_in(folder).read_text()
            if (code if code > 0 else 128 - code) != 128 + self.number:  # as a shell shows it
                yield f"exit code {code}: {said[-300:]}"
            if "Traceback" in said:
                yield said[said.index("Traceback") :]


def said_in(folder: Path) -> Path:
    """Where the output of a run's newest process is."""
    return folder.with_suffix(".txt")


def last_line(folder: Path) -> dict[str, Any] | None:
    """The newest whole line of the history."""
    with suppress(FileNotFoundError), (folder / "history.jsonl").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().split(b"\n")[:-1]
        if lines:
            found: dict[str, Any] = json.loads(lines[-1])
            return found
    return None


def history_step(folder: Path) -> int:
    line = last_line(folder)
    return int(line["step"]) if line else 0


def kept_step(folder: Path) -> int:
    """The step of the checkpoint in force, 0 where there is none."""
    pointer = folder / "checkpoints/last"
    return int(pointer.read_text().strip().removeprefix("step-")) if pointer.exists() else 0


def is_writing(folder: Path) -> bool:
    """Whether a checkpoint is being written."""
    with suppress(FileNotFoundError):
        return any(name.endswith(".new") for name in os.listdir(folder / "checkpoints"))  # noqa: PTH208 - the fastest
    return False


def wait(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    """Until the condition holds or the process has ended."""
    until = time.monotonic() + TIMEOUT_S
    while process.poll() is None and not condition():
        if time.monotonic() > until:
            raise SystemExit("waited in vain")
        time.sleep(PACE_S)


def start_up_seconds(training: Training, folder: Path) -> float:
    """From the command to the first line of history."""
    began, process = time.monotonic(), training.start(folder)
    wait(process, lambda: last_line(folder) is not None)
    took = time.monotonic() - began
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(TIMEOUT_S)
    shutil.rmtree(folder)
    return took


def pointers(folder: Path) -> list[Path]:
    return [path for name in ("last", "best") if (path := folder / "checkpoints" / name).exists()]


def unreadable(folder: Path) -> Iterator[str]:
    """What is wrong with the checkpoints that pointers name."""
    from safetensors.torch import load_file

    for pointer in pointers(folder):
        place = pointer.parent / pointer.read_text().strip()
        try:
            state = json.loads((place / "state.json").read_text())
            tensors = [load_file(place / f"{name}.safetensors") for name in ("weights", "ema", "optimizer")]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
            yield f"{place} cannot be read: {error}"
            continue
        if place.name != f"step-{state['step']}" or not all(tensors):
            yield f"{place} is not what its name says"


def differences(one: Path, other: Path) -> Iterator[str]:
    """Where two finished runs are not the same."""
    wanted, found = (set(lasting(folder)) for folder in (one, other))
    yield from (f"{path} is only in one of them" for path in sorted(wanted ^ found))
    yield from (
        f"{path} differs" for path in sorted(wanted & found) if (one / path).read_bytes() != (other / path).read_bytes()
    )
    steps = [line["step"] for line in history(other) if "evaluation" not in line]
    if steps != list(range(1, len(steps) + 1)):
        yield "history.jsonl has a gap or a step twice"
    if history(one) != history(other):
        yield "history.jsonl differs"
    if curves(one) != curves(other):
        yield "the TensorBoard curves differ"


def lasting(folder: Path) -> Iterator[Path]:
    """Files that do not depend on when a run was made: neither times nor checkpoints that no pointer names."""
    named = {pointer.read_text().strip() for pointer in pointers(folder)}
    for path in folder.rglob("*"):
        timed = path.name in {"run.json", "history.jsonl", "environment.json"} or "tfevents" in path.name
        older = path.parent.name.startswith("step-") and path.parent.name not in named
        if path.is_file() and not timed and not older:
            yield path.relative_to(folder)


def history(folder: Path) -> list[dict[str, Any]]:
    """All lines of the history, without their times."""
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every point that TensorBoard draws, of all event files, without the curve of times."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "events"), size_guidance={"scalars": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if tag != "train/seconds"]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def kill_rows(trainings: Sequence[Training], scratch: Path, kills: int, seed: int) -> list[list[str]]:
    """The first table: every training under every signal."""
    rows = []
    for place, training in enumerate(trainings):
        straight = training.finish(scratch / f"kills-{place}")
        start_up_s = start_up_seconds(training, scratch / f"start-{place}")
        for number in training.signals:
            draws = random.Random(f"{seed} {training.name} {number.name}")
            torment = Torment(training, number, straight, start_up_s, draws)
            torment.carry_out(kills)
            equal = "; ".join(torment.faults) or "equal"
            rows.append([training.name, number.name, str(len(torment.hit)), " ".join(torment.hit), equal])
            print(table_row(rows[-1]), flush=True)
    return rows


def worker_rows(scratch: Path) -> Iterator[list[str]]:
    """The second table: results must not depend on workers, nor evaluations on processes."""
    images = str(write_images(scratch / "images"))
    for name, data, settings in (("digits in memory", "digits", DIGITS), ("a folder of JPEG files", images, FOLDER)):
        runs = [
            Training("", data, settings | {"machine.workers": workers}, 1).finish(
                scratch / f"{len(settings)}-{workers}"
            )
            for workers in (0, 1, 2)
        ]
        faults = [each for run in runs[1:] for each in differences(runs[0], run)]
        yield [f"{name}: trained by 0, 1, 2 workers", "; ".join(faults) or "equal"]
    two = Training("", "digits", DIGITS, 1, processes=2)
    faults = [*differences(two.finish(scratch / "two"), two.finish(scratch / "two-again"))]
    yield ["digits in memory: trained by 2 processes, twice", "; ".join(faults) or "equal"]
    for few in FEW:
        alone = Training("", "kill_and_resume:few_digits", FEW_SETTINGS | {"data.root": few}, 1)
        folder = alone.finish(scratch / f"few-{few}")
        scores = folder / "evaluation.json"
        by_one = scores.read_bytes()
        scores.unlink()
        replace(alone, processes=2).finish(folder)
        equal = "equal" if scores.read_bytes() == by_one else "differs"
        yield [f"{few} images in batches of 8: scored by 2 gloo processes and by 1", equal]


def table_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="signals for each training and kind of signal")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", default="", help=f"trainings whose name holds this, or {SECOND_TABLE!r}")
    parser.add_argument("--scratch", type=Path, help="an empty folder to work in; a temporary one when left out")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else what a script starts in the background ignores it
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        scratch = Path(name)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(scratch / "inductor")
        images = str(write_images(scratch / "pictures"))
        killed = (signal.SIGKILL,)
        eager = Training("eager, digits, 2 workers", "digits", DIGITS, DIGITS_STEPS)
        trainings = [
            eager,
            Training("eager, JPEG folder, 2 workers", images, FOLDER, FOLDER_STEPS),
            Training("eager, digits, best of validation", "digits", JUDGED, JUDGED_STEPS),
            Training("compiled, digits, 2 workers", "digits", DIGITS | {"machine.compile": True}, DIGITS_STEPS),
            replace(eager, name="eager, digits, 0 workers", settings=DIGITS | {"machine.workers": 0}, signals=killed),
            replace(eager, name="eager, digits, 1 worker", settings=DIGITS | {"machine.workers": 1}, signals=killed),
            replace(
                eager, name="eager, digits, 2 processes of 2 workers", processes=2, signals=(*killed, signal.SIGTERM)
            ),
        ]
        chosen = [training for training in trainings if asked.only in training.name]
        print("s starting or resuming, e evaluating, c writing a checkpoint, each with the last step done\n")
        print(table_row(["training", "signal", "times", "moments", "against the straight run"]))
        print(table_row(["---"] * 5), flush=True)
        equal = [row[-1] == "equal" for row in kill_rows(chosen, scratch, asked.kills, asked.seed)]
        if asked.only in SECOND_TABLE:
            print("\n" + table_row([SECOND_TABLE, "bit for bit"]))
            print(table_row(["---"] * 2))
            for row in worker_rows(scratch):
                print(table_row(row), flush=True)
                equal.append(row[-1] == "equal")
    sys.exit(not all(equal))


if __name__ == "__main__":
    main()
