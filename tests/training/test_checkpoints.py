from pathlib import Path

import pytest
import torch
from torch import nn

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.training.checkpoints import Checkpoints, load_weights, result_weights
from resvision.training.ema import MovingAverage
from resvision.training.optimizers import OptimizerSettings, build_optimizer


class Made:
    """A small net in channels_last with an optimizer that has state."""

    def __init__(self, name: str = "sgd", *, seed: int = 0, depth_decay: float = 1.0) -> None:
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).to(memory_format=torch.channels_last)
        distances = {"0.weight": 1, "0.bias": 1, "1.weight": 0, "1.bias": 0}
        settings = OptimizerSettings(name=name, depth_decay=depth_decay)
        self.optimizer = build_optimizer(self.net, settings, distances)
        self.average = MovingAverage(self.net, 0.9)

    def step(self, steps: int) -> None:
        for step in range(steps):
            torch.manual_seed(step)
            self.optimizer.zero_grad()
            self.net(torch.randn(2, 3, 5, 5)).square().sum().backward()
            self.optimizer.step()
            self.average.update(step)

    def save(self, checkpoints: Checkpoints, step: int, *, best: int = 0) -> Path:
        return checkpoints.save(step, net=self.net, optimizer=self.optimizer, average=self.average, best=best)

    def restore(self, checkpoints: Checkpoints) -> int:
        return checkpoints.restore(net=self.net, optimizer=self.optimizer, average=self.average)


@pytest.mark.parametrize("depth_decay", [1.0, 0.1])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_restored_state_goes_on_bit_for_bit(name: str, depth_decay: float, tmp_path: Path) -> None:
    straight, resumed = Made(name, depth_decay=depth_decay), Made(name, seed=1, depth_decay=depth_decay)
    straight.step(4)
    straight.save(Checkpoints(tmp_path), 4)
    assert resumed.restore(Checkpoints(tmp_path)) == 4
    straight.step(3)
    resumed.step(3)
    for key, tensor in straight.net.state_dict().items():
        assert torch.equal(tensor, resumed.net.state_dict()[key]), key
        assert torch.equal(straight.average.state[key], resumed.average.state[key]), key


def test_without_a_checkpoint_a_run_starts_at_step_zero(tmp_path: Path) -> None:
    assert Made().restore(Checkpoints(tmp_path)) == 0


def test_the_newest_two_checkpoints_are_kept(tmp_path: Path) -> None:
    made, checkpoints = Made(), Checkpoints(tmp_path)
    made.step(1)
    for step in (1, 5, 20, 100):
        made.save(checkpoints, step)
    folders = sorted(path.name for path in (tmp_path / rundir.CHECKPOINTS).iterdir())
    assert folders == [rundir.LAST, "step-100", "step-20"]


def test_the_best_checkpoint_outlives_newer_ones_until_another_is_best(tmp_path: Path) -> None:
    made, checkpoints = Made(), Checkpoints(tmp_path)
    made.step(1)
    found = []
    for step, best in ((1, 1), (5, 5), (20, 5), (100, 5), (400, 400)):
        made.save(checkpoints, step, best=best)
        assert checkpoints.best() == checkpoints.place(best)
        found.append(sorted(int(path.name[5:]) for path in (tmp_path / rundir.CHECKPOINTS).glob("step-*")))
    assert found == [[1], [1, 5], [5, 20], [5, 20, 100], [100, 400]]
    assert result_weights(tmp_path).parent == checkpoints.place(400)


def test_a_checkpoint_that_no_pointer_names_is_written_anew(tmp_path: Path) -> None:
    made, checkpoints = Made(), Checkpoints(tmp_path)
    made.step(1)
    made.save(checkpoints, 1)
    made.save(checkpoints, 2)
    (tmp_path / rundir.CHECKPOINTS / rundir.LAST).write_text("step-1\n")  # as if killed before the pointer moved
    made.step(2)
    made.save(checkpoints, 2)
    fresh = Made(seed=1)
    assert fresh.restore(checkpoints) == 2
    assert torch.equal(fresh.net[0].weight, made.net[0].weight)


def test_a_failed_write_leaves_the_last_checkpoint_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, checkpoints = Made(), Checkpoints(tmp_path)
    made.step(1)
    made.save(checkpoints, 1)

    def full_disk(path: Path, data: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rundir, "write_json", full_disk)
    with pytest.raises(RunError, match=r"No space left.*still good"):
        made.save(checkpoints, 2)
    assert Made(seed=1).restore(checkpoints) == 1


def test_the_averaged_weights_are_the_result(tmp_path: Path) -> None:
    made = Made()
    made.step(3)
    made.save(Checkpoints(tmp_path), 3)
    fresh = Made(seed=1)
    load_weights(fresh.net, result_weights(tmp_path))
    assert torch.equal(fresh.net[0].weight, made.average.state["0.weight"])


def test_weights_of_another_net_are_refused_by_key(tmp_path: Path) -> None:
    made = Made()
    made.step(1)
    made.save(Checkpoints(tmp_path), 1)
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(2, 2))
    with pytest.raises(RunError, match=r"0\.weight is \(8, 3, 3, 3\), not \(4, 3, 3, 3\)"):
        load_weights(other, result_weights(tmp_path))


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    made = Made()
    made.step(1)
    weights = made.save(Checkpoints(tmp_path), 1) / rundir.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(RunError, match="safetensors"):
        Made().restore(Checkpoints(tmp_path))


def test_a_pointer_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / rundir.CHECKPOINTS).mkdir()
    (tmp_path / rundir.CHECKPOINTS / rundir.LAST).write_text("step-7\n")
    with pytest.raises(RunError, match="step-7"):
        Checkpoints(tmp_path).last()


def test_a_checkpoint_in_force_is_not_written_again(tmp_path: Path) -> None:
    made, checkpoints = Made(), Checkpoints(tmp_path)
    made.step(1)
    place = made.save(checkpoints, 1)
    written = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    assert made.save(checkpoints, 1) == place
    assert {path.name: path.stat().st_mtime_ns for path in place.iterdir()} == written


def test_what_a_kill_cut_short_is_removed(tmp_path: Path) -> None:
    made, checkpoints = Made(), Checkpoints(tmp_path)
    made.step(1)
    (tmp_path / rundir.CHECKPOINTS / ".step-7.new").mkdir(parents=True)
    made.save(checkpoints, 9)
    assert sorted(path.name for path in (tmp_path / rundir.CHECKPOINTS).iterdir()) == [rundir.LAST, "step-9"]


def test_checkpoints_that_lead_to_another_run_are_left_alone(tmp_path: Path) -> None:
    made, run = Made(), tmp_path / "run"
    made.step(1)
    (tmp_path / "other").mkdir()
    for step in (1, 2, 3):
        made.save(Checkpoints(tmp_path / "other"), step)
    others = sorted((tmp_path / "other" / rundir.CHECKPOINTS).iterdir())
    run.mkdir()
    (run / rundir.CHECKPOINTS).symlink_to(tmp_path / "other" / rundir.CHECKPOINTS)
    with pytest.raises(RunError, match="checkpoints: a link, which is not followed; put a folder in its place"):
        made.save(Checkpoints(run), 9)
    assert sorted((tmp_path / "other" / rundir.CHECKPOINTS).iterdir()) == others


def test_links_among_checkpoints_are_replaced_or_dropped_and_never_followed(tmp_path: Path) -> None:
    made, checkpoints, precious = Made(), Checkpoints(tmp_path / "run"), tmp_path / "precious"
    made.step(1)
    for folder in (tmp_path / "run", precious):
        folder.mkdir()
    (precious / "photo").write_text("mine")
    root = made.save(checkpoints, 1).parent
    for name in ("step-0", "step-3"):
        (root / name).symlink_to(precious)
    (root / rundir.LAST).unlink()
    (root / rundir.LAST).symlink_to(precious / "pointer")
    (precious / "pointer").write_text("step-1")
    for step in (3, 4, 5):
        made.save(checkpoints, step, best=4 if step >= 4 else 0)
    assert sorted(path.name for path in root.iterdir()) == [rundir.BEST, rundir.LAST, "step-4", "step-5"]
    assert {path.name: path.read_text() for path in precious.iterdir()} == {"photo": "mine", "pointer": "step-1"}


@pytest.mark.parametrize("text", ["step-1" * 50_000, "step-\0", "../other", "..", ""])
def test_a_pointer_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    made = Made()
    made.step(1)
    (made.save(Checkpoints(tmp_path), 1).parent / rundir.LAST).write_text(text)
    with pytest.raises(RunError, match=r"last: (cannot be read: more than 100 bytes|names '.*', which is not)"):
        Checkpoints(tmp_path).last()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_parameter_without_gradient_has_no_state_to_restore(name: str, tmp_path: Path) -> None:
    made, fresh = Made(name), Made(name, seed=1)
    made.net[1].bias.requires_grad_(False)
    made.step(2)
    made.save(Checkpoints(tmp_path), 2)
    assert fresh.restore(Checkpoints(tmp_path)) == 2
    assert fresh.net[1].bias not in fresh.optimizer.state
    weight = made.net[0].weight
    for key, value in made.optimizer.state[weight].items():
        assert torch.equal(fresh.optimizer.state[fresh.net[0].weight][key], value), key
