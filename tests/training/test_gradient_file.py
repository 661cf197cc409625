"""Gradient norms of a run: those of torch, before clipping; training is the same with them, and nothing comes twice."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from support import TINY

from resvision.assembly import assemble, optimizer_for
from resvision.core import rundir
from resvision.core.errors import Stopped
from resvision.core.gradient_norms import read
from resvision.launch import resume, train
from resvision.preparation import prepare
from resvision.probes.gradients import accumulated_norms, in_forward_order
from resvision.recipes import compose
from resvision.training.gradient_file import GradientFile
from resvision.training.gradients import backward, wrap
from resvision.training.loop import set_lr

SAMPLED = {**TINY, "training.duration": "9 steps", "training.gradients_every": 4, "training.clip_norm": 1e-3}
SAMPLED |= {"training.batch_size": 16, "training.accumulate": 2, "training.checkpoint_seconds": 1e-3}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "sampled"
    return train("resnet20", "digits", settings=SAMPLED, out=out, quiet=True).folder


def test_the_first_step_and_every_so_many_after_it_are_kept(sampled: Path) -> None:
    samples = [*read(sampled / rundir.GRADIENTS)]
    assert [sample.step for sample in samples] == [1, 5, 9]
    names = [*samples[0].norms]
    assert (len(names), names[0], names[1], names[-1]) == (20, "conv1", "layer1.0.conv1", "fc")
    assert all(norm > 0 for sample in samples for norm in sample.norms.values())


def test_norms_are_those_of_the_whole_batch_before_it_is_clipped(sampled: Path) -> None:
    prepared = prepare(compose("resnet20", "digits", changes=SAMPLED))
    run, built = prepared.run, assemble(prepared, device=torch.device("cpu"))
    optimizer = optimizer_for(built.system.net, run.optimizer)
    set_lr(optimizer, run.optimizer.lr)
    batch = built.train[0]
    module = wrap(built.system, run.machine)
    backward(module, batch, system=built.system, machine=run.machine, accumulate=2)
    expected = accumulated_norms(in_forward_order(built.system, batch))
    first = next(read(sampled / rundir.GRADIENTS)).norms
    assert [*first] == [*expected]
    assert [*first.values()] == pytest.approx([*expected.values()], rel=1e-6)
    assert sum(norm**2 for norm in first.values()) > 1e-6  # which clipping would have left


def test_a_run_is_the_same_with_and_without_samples(sampled: Path, tmp_path: Path) -> None:
    off = {**SAMPLED, "training.gradients_every": 0}
    plain = train("resnet20", "digits", settings=off, out=tmp_path / "plain", quiet=True).folder
    assert not (plain / rundir.GRADIENTS).exists()
    weights = [load_file(folder / f"checkpoints/step-9/{rundir.WEIGHTS}") for folder in (sampled, plain)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_run_that_goes_on_has_no_gap_and_no_step_twice(sampled: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    heard: list[dict[str, Any]] = []

    def stop_after_six(line: dict[str, Any]) -> None:
        heard.append(line)
        if len(heard) == 6:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, Stopped)):
        train("resnet20", "digits", settings=SAMPLED, out=out, quiet=True, callbacks=[stop_after_six])
    assert (out / "checkpoints/step-5").is_dir()
    # lines of steps after the last checkpoint are there, as a kill leaves them, the last one cut short
    path = out / rundir.GRADIENTS
    path.write_text(path.read_text() + '{"step": 9, "norms": {}}\n{"step": 13, "no')
    resume(out, console=Console(quiet=True))
    assert [*read(path)] == [*read(sampled / rundir.GRADIENTS)]


def test_a_norm_that_is_no_number_is_kept_as_such(tmp_path: Path) -> None:
    file = GradientFile(tmp_path, step=0)
    file.add(1, {"conv1": math.inf, "fc": 1.0})
    file.close()
    [sample] = read(tmp_path / rundir.GRADIENTS)
    assert math.isnan(sample.norms["conv1"])
    assert sample.norms["fc"] == 1.0
