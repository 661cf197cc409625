"""Two processes: normalization over both, settings that differ, one that stands still, batches they cannot share."""

import json
import os
import socket
import subprocess
import sys
import time
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from resvision import launch, preparation, refusals
from resvision.classification.classifier import Classifier
from resvision.contracts import Batch, Images, split
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.layers import sync_norm
from resvision.recipes import compose
from resvision.run import Run
from resvision.training import processes
from resvision.training.gradients import backward, wrap
from resvision.training.machine import Machine

FP32 = Machine(device="cpu", precision="fp32")


def normalized_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 5),
        nn.BatchNorm1d(5, momentum=None),
    )


def batch() -> Batch:
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 1, 6, 6), dtype=torch.uint8, generator=draw)
    images[4:] //= 8  # so that the statistics of one half are not those of the other
    return Batch(Images(images), torch.arange(8) % 5, torch.arange(8))


def step(share: Batch, *, synchronized: bool) -> dict[str, Tensor]:
    """The gradients of one step, and the buffers that it leaves."""
    torch.manual_seed(0)
    system = Classifier(normalized_net(), mean=[0.5], std=[0.25]).double()
    if synchronized:
        sync_norm.use(system.net)
    backward(wrap(system, FP32), share, system=system, machine=FP32, accumulate=1)
    gradients = {name: weight.grad for name, weight in system.net.named_parameters() if weight.grad is not None}
    return {**gradients, **dict(system.net.named_buffers())}


def small_run() -> Run:
    return compose("resnet20", "digits", recipe_name=None, changes={"model.options.width": 4})


def message_of(raises: Any) -> str:
    try:
        raises()
    except ResVisionError as error:
        return str(error)
    return "nothing was wrong"


def wait_for_the_other(group: Any) -> None:
    with processes.stragglers_named():
        dist.all_reduce(torch.ones(1), group=group)


def as_one_of_two(rank: int, folder: Path) -> None:
    """Write what this process finds."""
    torch.set_num_threads(1)
    processes.LATECOMERS_S = 0.3
    processes.join("cpu")
    impatient = dist.new_group(timeout=timedelta(seconds=2))
    found = {str(sync): step(split(batch(), 2)[rank], synchronized=sync) for sync in (True, False)}
    torch.save(found, folder / f"{rank}.pt")
    run = small_run()
    other = replace(run, training=replace(run.training, seed=rank), machine=replace(run.machine, threads=1 + rank))
    messages = {
        "same": message_of(lambda: launch._require_agreement(run)),
        "other": message_of(lambda: launch._require_agreement(other)),
        "batch 8": message_of(lambda: shares(8)),
        "batch 9": message_of(lambda: shares(9)),
        "batch 2": message_of(lambda: shares(2)),
        "batch 2, synchronized": message_of(lambda: shares(2, sync_norms=True)),
        "mixed": message_of(lambda: shares(2, sync_norms=True, mixup=True)),
    }
    messages["unused"] = message_of(unused)
    if rank == 0:
        messages["still"] = message_of(lambda: wait_for_the_other(impatient))
        (folder / "messages.json").write_text(json.dumps(messages))
    else:
        time.sleep(4)
    os._exit(0)  # a group of which one stands still is not left in peace


def shares(batch_size: int, *, sync_norms: bool = False, mixup: bool = False) -> None:
    run = small_run()
    run = replace(
        run,
        training=replace(run.training, batch_size=batch_size, sync_norms=sync_norms),
        augment=replace(run.augment, mixup_alpha=0.2 if mixup else 0.0),  # type: ignore[type-var]
    )
    refusals.require_shares(normalized_net(), run)


def unused() -> None:
    """A step of a net that has a layer too many."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 5))
    net[1].register_parameter("idle", nn.Parameter(torch.zeros(3)))
    system = Classifier(net, mean=[0.5], std=[0.25])
    backward(wrap(system, FP32), batch(), system=system, machine=FP32, accumulate=1)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes wrote what they found."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    places = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    call = f"import test_processes; from pathlib import Path; test_processes.as_one_of_two({{}}, Path({str(folder)!r}))"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", call.format(rank)],
            env=os.environ | meeting | {"PYTHONPATH": places, "RANK": str(rank)},
        )
        for rank in (0, 1)
    ]
    assert [process.wait(240) for process in started] == [0, 0]
    return folder


def messages(folder: Path) -> dict[str, str]:
    read: dict[str, str] = json.loads((folder / "messages.json").read_text())
    return read


def test_synchronized_normalization_over_two_processes_is_that_of_one(two_processes: Path) -> None:
    whole = step(batch(), synchronized=False)
    for rank in (0, 1):
        halves = torch.load(two_processes / f"{rank}.pt")
        assert halves["True"].keys() == whole.keys()
        for name, expected in whole.items():
            torch.testing.assert_close(halves["True"][name], expected, rtol=1e-9, atol=1e-12)
        assert not torch.allclose(halves["False"]["0.weight"], whole["0.weight"], rtol=1e-2)


def test_in_evaluation_and_in_one_process_it_is_torchs_own() -> None:
    net, images = normalized_net(), torch.randn(4, 1, 6, 6)
    synchronized = sync_norm.use(deepcopy(net))
    assert synchronized.state_dict().keys() == net.state_dict().keys()
    assert torch.equal(synchronized(images), net(images))
    assert torch.equal(synchronized.eval()(images), net.eval()(images))


def test_processes_whose_settings_differ_are_refused(two_processes: Path) -> None:
    said = messages(two_processes)
    assert said["same"] == "nothing was wrong"
    assert said["other"].startswith("training.seed: 1 in process 1, 0 in process 0; start all processes with the same")


def test_a_parameter_without_a_part_in_the_loss_is_refused(two_processes: Path) -> None:
    assert messages(two_processes)["unused"].startswith("1.idle: 1 parameters take no part in the loss")


def test_a_process_that_stands_still_is_named(two_processes: Path) -> None:
    assert messages(two_processes)["still"].startswith("process 1 of 2 stands still or has ended, the others waited")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("batch 8", "nothing was wrong"),
        (
            "batch 9",
            "training.batch_size: 9 cannot be shared by 2 processes times accumulate=1; choose a multiple of 2",
        ),
        ("batch 2", "gives batch normalization one image at a time; it needs 2 or more, or training.sync_norms=true"),
        ("batch 2, synchronized", "nothing was wrong"),
        ("mixed", "over 2 processes leaves mixup and cutmix no second image; choose 4 or more"),
    ],
)
def test_a_batch_that_processes_cannot_share_is_refused(case: str, expected: str, two_processes: Path) -> None:
    assert expected in messages(two_processes)[case]


def test_a_batch_that_does_not_divide_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "rank_and_world", lambda: (0, 3))
    out = tmp_path / "run"
    with pytest.raises(SettingsError, match="64 cannot be shared by 3 processes"):
        launch.train("resnet20", "digits", epochs=1, batch_size=64, out=out, quiet=True)
    assert not out.exists()


def test_synchronized_normalizations_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "rank_and_world", lambda: (0, 2))
    changes = {"training.sync_norms": True, "machine.compile": True}
    with pytest.raises(SettingsError, match=r"sync_norms: is not compiled; leave out machine\.compile=true"):
        preparation.resolve(compose("resnet20", "digits", recipe_name=None, changes=changes))


def test_an_error_of_another_kind_passes() -> None:
    with pytest.raises(RuntimeError, match="a net of"), processes.stragglers_named():
        raise RuntimeError("a net of its own")
    with pytest.raises(RunError), processes.stragglers_named():
        raise RunError("ours")
