"""What goes wrong around a run: signals at bad moments, full disks, two processes on one folder, dead workers."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
import pytest
import torch
import torch.distributed as dist
from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file
from support import TINY

from resvision import catalog
from resvision.classification.classifier import Classifier
from resvision.core import drafts, rundir
from resvision.core.errors import NonFiniteLossError, RunError, Stopped
from resvision.core.history import read
from resvision.core.views import Stretch
from resvision.data.arrays import ArrayReader
from resvision.kinds.classification.scores import ClassificationScores
from resvision.launch import Finished, resume, train
from resvision.loading.batches import EvalBatches
from resvision.loading.workers import batches
from resvision.training import checkpoints as checkpoint_files
from resvision.training import growing_files, stopping
from resvision.training.checkpoints import Checkpoints
from resvision.training.evaluation import predict_all
from resvision.training.history import History
from resvision.training.loop import require_finite
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings, build_optimizer
from resvision.training.stopping import Interruption, StopSignals

QUIET = Console(quiet=True)
SHORT = {**TINY, "training.duration": "2 epochs", "training.batch_size": 350}
"""Eight steps, an evaluation after every fourth."""
Cli = Callable[..., tuple[int, str, str]]

HOLDER = """
import os, sys, time
from pathlib import Path
from resvision.core import drafts, rundir
with rundir.locked(Path(sys.argv[1])):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(600)
"""
"""Holds the lock of a run, as does nobody else: a process that it has forked lives on when it is killed."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kept_step(folder: Path) -> int:
    place = Checkpoints(folder).last()
    return int(place.name.removeprefix("step-")) if place else 0


def untimed(folder: Path) -> list[dict]:
    return [{name: value for name, value in line.items() if name != "seconds"} for line in read_history(folder)]


def read_history(folder: Path) -> list[dict]:
    path = folder / rundir.HISTORY
    return list(read(path)) if path.exists() else []


def assert_same(straight: Path, folder: Path) -> None:
    """Both runs have the same last checkpoint, history and scores, and no file too many."""
    place = Checkpoints(straight).last()
    assert place is not None
    for name in (rundir.WEIGHTS, rundir.OPTIMIZER, rundir.AVERAGED_WEIGHTS, rundir.STATE):
        one, other = (run / rundir.CHECKPOINTS / place.name / name for run in (straight, folder))
        assert one.read_bytes() == other.read_bytes(), name
    assert untimed(folder) == untimed(straight)
    assert (folder / rundir.EVALUATION).read_bytes() == (straight / rundir.EVALUATION).read_bytes()
    assert [path.name for path in folder.rglob(".*")] == []


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT as in the foreground of a terminal, whatever started the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[], object]) -> None:
    """Do something once the history has that step."""
    add = History.add

    def watched(self: History, line: dict) -> None:
        add(self, line)
        if line["step"] == step and "evaluation" not in line:
            act()

    monkeypatch.setattr(History, "add", watched)


def before_call(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, act: Callable[[], object]) -> None:
    """Do something whenever a function is called, before it is."""
    called = getattr(owner, name)

    def watched(*arguments: object, **named: object) -> object:
        act()
        return called(*arguments, **named)

    monkeypatch.setattr(owner, name, watched)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def terminate_twice() -> None:
    terminate()
    terminate()


MOMENTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], int, bool]] = {
    "start-up": (lambda patch: before_call(patch, Checkpoints, "restore", terminate), 0, False),
    "a step": (lambda patch: at_step(patch, 2, terminate), 2, False),
    "an evaluation": (lambda patch: before_call(patch, Classifier, "predict", terminate_twice), 4, False),
    "the last step": (lambda patch: at_step(patch, 8, terminate), 8, False),
    "the last checkpoint": (lambda patch: before_call(patch, checkpoint_files, "save_file", terminate), 8, True),
    "the final scores": (lambda patch: before_call(patch, ClassificationScores, "to_json", terminate), 8, True),
}
"""Where SIGTERM comes, the step of the checkpoint that it leaves, and whether the run is finished all the same."""


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing has happened to."""
    return train_short(tmp_path_factory.mktemp("runs") / "straight")


def train_short(folder: Path) -> Path:
    return train("resnet20", "digits", settings=SHORT, out=folder, quiet=True).folder


def train_until(folder: Path, send: Callable[[pytest.MonkeyPatch], None]) -> Stopped:
    """How the short run ends when a signal is sent on its way."""
    with pytest.MonkeyPatch.context() as patch:
        send(patch)
        with pytest.raises(Stopped) as caught:
            train_short(folder)
    return caught.value


@pytest.mark.parametrize("moment", MOMENTS)
def test_sigterm_leaves_a_run_that_goes_on_as_if_nothing_had_been(moment: str, straight: Path, tmp_path: Path) -> None:
    send, step, is_finished = MOMENTS[moment]
    folder = tmp_path / "run"
    error = train_until(folder, send)
    assert error.exit_code == 143
    assert ("a checkpoint was written" in str(error)) == (step > 0)
    assert kept_step(folder) == step == max((line["step"] for line in read_history(folder)), default=0)
    assert (folder / rundir.EVALUATION).exists() == is_finished
    resume(folder, console=QUIET)
    assert_same(straight, folder)


def test_ctrl_c_leaves_a_checkpoint_and_exit_code_130(finished: Finished, tmp_path: Path) -> None:
    folder, said = tmp_path / "run", tmp_path / "said.txt"
    process = start(folder, said, "--epochs=3")
    wait_for(lambda: len(read_history(folder)) > 3, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130, said.read_text()
    assert 0 < kept_step(folder) == read_history(folder)[-1]["step"] < 63
    resume(folder, console=QUIET)
    assert_same(finished.folder, folder)


def start(folder: Path, said: Path, *words: str) -> subprocess.Popen:
    """A training in a process of its own that hears Ctrl-C, its standard error in a file."""
    settings = [f"--set={path}={value}" for path, value in TINY.items()]
    with said.open("w") as file:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "resvision",
                "train",
                "resnet20",
                "--data=digits",
                f"--out={folder}",
                *settings,
                *words,
            ],
            stderr=file,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("echo_s", "interrupts"), [(60.0, False), (0.0, True)])
def test_a_second_ctrl_c_interrupts_unless_it_is_an_echo(
    echo_s: float, interrupts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_twice(stop: StopSignals) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        stop.leave_if_any()

    monkeypatch.setattr(stopping, "ECHO_S", echo_s)
    said = "nothing after the last checkpoint" if interrupts else "a checkpoint"
    with pytest.raises(Stopped, match=rf"{said} .*; go on with: again"), stopping.GoingOn("again"):
        in_training(ask_twice)


def in_training(act: Callable[[StopSignals], object]) -> None:
    """Do something as if a step had been done."""
    with StopSignals() as stop:
        stop.defer()
        act(stop)


def test_a_signal_while_starting_interrupts_at_once_but_not_as_ctrl_c_does() -> None:
    with pytest.raises(Stopped) as caught, StopSignals():
        terminate()
    assert type(caught.value.__cause__) is Interruption  # a KeyboardInterrupt would decide the exit code


def test_what_goes_wrong_after_a_signal_is_its_doing() -> None:
    def fail(error: Exception) -> None:
        terminate()
        raise error

    with pytest.raises(Stopped) as caught:
        in_training(lambda stop: fail(RuntimeError("the compiler was ended by a signal")))
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(RunError, match="the disk is full"):
        in_training(lambda stop: fail(RunError("the disk is full")))


@pytest.fixture
def held(finished: Finished, tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen]]:
    """A finished run, and a process that says that it trains it."""
    folder = shutil.copytree(finished.folder, tmp_path / "held")
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    yield folder, process
    process.kill()
    process.wait()
    process.stdout.close()
    os.kill(child, signal.SIGKILL)


def test_a_run_in_training_is_left_alone(held: tuple[Path, subprocess.Popen], cli: Cli) -> None:
    folder, process = held
    before = contents(folder)
    said = f"resvision: {folder}: is being trained by process {process.pid}; wait for its end, or stop it first\n"
    assert cli("train", "--resume", folder) == (2, "", said)
    assert cli("train", "resnet20", "--data", "digits", "--out", folder) == (2, "", said)
    assert contents(folder) == before
    assert cli("evaluate", folder)[0] == 0
    process.kill()
    process.wait()
    assert cli("train", "--resume", folder)[0] == 0
    assert not (folder / rundir.LOCK).exists()


def test_all_processes_hear_that_a_run_is_in_training(held: tuple[Path, subprocess.Popen]) -> None:
    folder, process = held
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = ["-m", "resvision", "train", "--resume", str(folder)]
    done = subprocess.run([*launcher, *words], capture_output=True, text=True, timeout=240)
    assert done.returncode != 0
    assert done.stderr.count(f"is being trained by process {process.pid};") == 2


def test_where_nothing_can_be_locked_the_user_is_told(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.lockf", unknown)
    console = Console(record=True, quiet=False, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with console.file:
        resume(finished.folder, console=console)
        assert "cannot be locked here" in console.export_text()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, stopped with a checkpoint after two steps."""
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    train_until(folder, lambda patch: at_step(patch, 2, terminate))
    return folder


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def cut_short(tensors: dict[str, torch.Tensor], path: Path, about: dict[str, str] | None) -> None:
    path.write_bytes(b"half of it")
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def full_for(patch: pytest.MonkeyPatch, name: str) -> None:
    """No space for one file of the run directory."""
    draft_file = drafts.draft_file

    @contextmanager
    def limited(path: Path) -> Iterator[IO[bytes]]:
        with draft_file(path) as file:
            yield file
            if path.name == name:
                no_space()

    for module in (rundir, growing_files):
        patch.setattr(module, "draft_file", limited)


def device_full(patch: pytest.MonkeyPatch, which: str) -> None:
    """The history, or its TensorBoard form, goes to a device that is always full."""
    start = History.__init__

    def started(self: History, folder: Path, *, step: int) -> None:
        start(self, folder, step=step)
        getattr(self, which).close()
        setattr(self, which, growing_files.GrowingFile(Path("/dev/full")))

    patch.setattr(History, "__init__", started)


FULL: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "weights": lambda patch: patch.setattr(checkpoint_files, "save_file", cut_short),
    "flushing weights": lambda patch: patch.setattr(checkpoint_files.os, "fsync", no_space),
    "the pointer": lambda patch: full_for(patch, rundir.LAST),
    "the history's rewriting": lambda patch: full_for(patch, rundir.HISTORY),
    "history": lambda patch: device_full(patch, "_lines"),
    "events": lambda patch: device_full(patch, "_events"),
    "environment": lambda patch: full_for(patch, rundir.ENVIRONMENT),
    "scores": lambda patch: full_for(patch, rundir.EVALUATION),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("place", FULL)
def test_a_full_disk_is_one_line_and_the_run_goes_on_once_there_is_room(
    place: str, straight: Path, stopped: Path, tmp_path: Path, cli: Cli
) -> None:
    folder = shutil.copytree(stopped, tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        FULL[place](patch)
        code, out, err = cli("train", "--resume", folder)
    line = err.rstrip().rpartition("\n")[2]
    assert (code, out) == (2, "")
    assert line.startswith("resvision: /")
    assert "No space left on device" in line
    assert err.count("No space left") == 1
    assert [path for path in folder.rglob("*") if path.name.endswith(".new")] == []
    kept = 8 if place == "scores" else 2
    assert kept_step(folder) == kept
    load_file(folder / f"checkpoints/step-{kept}" / rundir.WEIGHTS)
    assert cli("train", "--resume", folder)[0] == 0
    assert_same(straight, folder)


def test_a_run_that_could_not_be_written_down_starts_anew_in_the_same_place(tmp_path: Path, cli: Cli) -> None:
    settings = [f"--set={path}={value}" for path, value in SHORT.items()]
    words = ["train", "resnet20", "--data", "digits", "--out", tmp_path / "run", *settings]
    with pytest.MonkeyPatch.context() as patch:
        full_for(patch, rundir.RUN)
        code, _, err = cli(*words)
    assert code == 2
    assert err.rstrip().endswith(
        "run.json: cannot be written: No space left on device; make room and try again, with --resume where the run"
        " had begun"
    )
    assert list((tmp_path / "run").iterdir()) == []
    assert cli(*words)[0] == 0


def test_a_folder_without_permission_is_one_line(
    finished: Finished, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(finished.folder)

    def read_only(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    open_file = os.open

    def open_to_read(path: Path, flags: int, *mode: int) -> int:
        return read_only() if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else open_file(path, flags, *mode)

    monkeypatch.setattr(Path, "mkdir", read_only)
    monkeypatch.setattr(os, "open", open_to_read)
    code, _, err = cli("train", "resnet20", "--data", "digits", "--out", tmp_path / "run")
    assert code == 2
    assert f"{tmp_path / 'run'}: cannot be written: Read-only file system; get the right" in err
    code, _, err = cli("train", "--resume", finished.folder)
    assert code == 2
    assert f"{finished.folder / rundir.LOCK}: cannot be written: Read-only file system" in err
    assert contents(finished.folder) == before


def test_the_folder_of_another_run_stays_as_it_is(finished: Finished, cli: Cli) -> None:
    before = contents(finished.folder)
    settings = [f"--set={path}={value}" for path, value in TINY.items()]
    words = ["resnet20", "--data", "digits", "--epochs", "3", "--seed", "5", *settings]
    code, _, err = cli("train", *words, "--resume", finished.folder)
    assert (code, err.count("\n")) == (2, 1)
    assert "is another run: training.seed is 0, asked 5" in err
    code, _, err = cli("train", *words, "--out", finished.folder)
    assert (code, err.count("\n")) == (2, 1)
    assert "holds a run already" in err
    assert contents(finished.folder) == before


def test_a_run_that_diverges_names_a_good_checkpoint_each_time(tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "run"
    wild = {**TINY, "schedule.kind": "constant", "schedule.warmup": 0, "training.checkpoint_seconds": 1e-9}
    settings = [f"--set={path}={value}" for path, value in wild.items()]
    said = []
    for words in (["plain20", "--data", "digits", "--lr", "1e30", "--out", folder, *settings], ["--resume", folder]):
        code, out, err = cli("train", *words)
        assert (code, out) == (1, "")
        said.append(err.rstrip().rpartition("\n")[2])
    assert said[0] == said[1]
    assert said[0].startswith("resvision: the loss is not finite at step 2: loss = ")
    place = folder / "checkpoints/step-1"
    assert f"the last good checkpoint is {place};" in said[0]
    for name in (rundir.WEIGHTS, rundir.OPTIMIZER):
        assert all(torch.isfinite(tensor).all() for tensor in load_file(place / name).values())


def test_moments_of_the_optimizer_must_be_finite_too() -> None:
    system = Classifier(torch.nn.Linear(2, 2), mean=[0.5], std=[0.5])
    optimizer = build_optimizer(system.net, OptimizerSettings(name="adamw"))
    system.net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    require_finite(system, optimizer, 1, None)
    optimizer.state[system.net.weight]["exp_avg_sq"][0, 0] = float("inf")
    with pytest.raises(NonFiniteLossError, match=r"the optimizer's exp_avg_sq of weight is not finite after step 7"):
        require_finite(system, optimizer, 7, None)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for child processes as Linux shows them")
def test_a_worker_that_the_system_ends_is_one_line(tmp_path: Path) -> None:
    folder, said = tmp_path / "run", tmp_path / "said.txt"
    process = start(folder, said, "--epochs=200", "--set=machine.workers=1")
    wait_for(lambda: len(read_history(folder)) > 3, process)
    for worker in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(worker), signal.SIGKILL)
    assert process.wait(60) == 2, said.read_text()
    line = said.read_text().rstrip().rpartition("\n")[2]
    assert line.startswith("resvision: DataLoader worker")
    assert line.endswith("free some, and --resume the run")


SIZES = (1, 2, 3, 5, 13)


def few(images: int) -> ArrayReader:
    draws = np.random.default_rng(images)
    return ArrayReader(
        name="few",
        split="test",
        classes=("a", "b", "c"),
        view=Stretch(channels=1, resize_px=20, crop_px=20, mean=(0.5,), std=(0.25,)),
        images=draws.integers(0, 256, (images, 20, 20), dtype=np.uint8),
        targets=draws.integers(0, 3, images),
    )


def outputs(*, rank: int = 0, world: int = 1) -> list[np.ndarray]:
    """What an untrained net says of each set, in batches of four."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = catalog.build("resnet20", num_classes=3, in_channels=1)
    system = Classifier(net.to(memory_format=torch.channels_last), mean=[0.5], std=[0.25])
    shares = [EvalBatches(few(images), batch_size=4, rank=rank, world=world) for images in SIZES]
    machine = Machine(device="cpu", precision="fp32")
    found = [predict_all(system, batches(share, 0, len(share), workers=0), machine=machine) for share in shares]
    return [predictions.outputs for predictions in found]


def as_one_of_two(rank: int, meeting: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    np.savez(meeting.with_name(f"{rank}.npz"), *outputs(rank=rank, world=2))
    dist.destroy_process_group()


def test_two_processes_evaluate_to_the_bits_of_one(tmp_path: Path) -> None:
    calls = [f"import test_faults; test_faults.as_one_of_two({rank}, Path({str(tmp_path / 'm')!r}))" for rank in (0, 1)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    processes = [
        subprocess.Popen([sys.executable, "-c", f"from pathlib import Path; {call}"], env=environment) for call in calls
    ]
    alone = outputs()
    assert [process.wait(120) for process in processes] == [0, 0]
    for rank in (0, 1):
        with np.load(tmp_path / f"{rank}.npz") as found:
            for images, here in zip(SIZES, alone, strict=True):
                there = found[f"arr_{SIZES.index(images)}"]
                assert here.shape == (images, 3)
                assert here.tobytes() == there.tobytes(), images
