from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from support import TINY
from torch import nn

from resvision.catalog import build
from resvision.classification.classifier import Classifier
from resvision.classification.stages import first_stages
from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.launch import Finished, resume, train
from resvision.training.checkpoints import Checkpoints
from resvision.training.freezing import freeze, trainable

FROZEN = {**TINY, "model.frozen_stages": 1, "training.ema_decay": 0.9, "training.accumulate": 2}


def under_frozen(name: str) -> bool:
    return name.startswith(("conv1.", "bn1.", "layer1."))


def weights(folder: Path, file: str) -> dict[str, torch.Tensor]:
    place = Checkpoints(folder).last()
    assert place is not None
    return load_file(place / file)


@pytest.fixture(scope="module")
def tuned(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Two epochs from the weights of another run, of which the first stage is frozen; evaluated after each."""
    settings = {**FROZEN, "model.init_from": str(finished.folder)}
    out = tmp_path_factory.mktemp("runs") / "tuned"
    return train("resnet20", "digits", epochs=2, lr=0.01, settings=settings, out=out, quiet=True)


@pytest.mark.parametrize(
    ("model", "count", "names"),
    [
        ("resnet18", 1, ["conv1", "bn1", "relu"]),
        ("resnet18", 2, ["conv1", "bn1", "relu", "maxpool", "layer1"]),
        ("resnet18", 5, ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]),
        ("resnet20", 1, ["conv1", "bn1", "relu", "layer1"]),
        ("preresnet110", 3, ["conv1", "stem", "layer1", "layer2", "layer3", "head"]),
    ],
)
def test_the_first_stages_are_all_modules_up_to_the_map(model: str, count: int, names: list[str]) -> None:
    with torch.device("meta"):
        net = build(model, num_classes=10)
    found = first_stages(net, count)
    assert [*found] == names
    assert all(found[name] is net.get_submodule(name) for name in names)


def test_what_is_frozen_stays_in_evaluation_mode_and_gets_no_gradients() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Flatten())
    system = Classifier(net, mean=[0.5], std=[0.5])
    freeze(system, [net[0], net[1]])
    for changed in (system, deepcopy(system)):
        changed.eval().train()
        assert [module.training for module in changed.net] == [False, False, True, True, True]
        changed.net(torch.randn(2, 1, 3, 3)).square().sum().backward()
        assert [p.grad is None for p in changed.net.parameters()] == [True] * 4 + [False] * 4
        assert changed.net[1].num_batches_tracked == 0
        assert changed.net[3].num_batches_tracked == 1
    assert trainable(net) == (4 * 4 + 4 + 8, 4 * 9 + 4 + 8 + 4 * 4 + 4 + 8)
    with pytest.raises(SettingsError, match="nothing is left to train"):
        freeze(system, [net])


def test_frozen_stages_end_as_they_began_and_the_rest_is_trained(tuned: Finished, finished: Finished) -> None:
    start = weights(finished.folder, rundir.AVERAGED_WEIGHTS)  # the result of the other run
    for file in (rundir.WEIGHTS, rundir.AVERAGED_WEIGHTS):
        end = weights(tuned.folder, file)
        changed = {name for name in end if not torch.equal(end[name], start[name])}
        assert changed == {name for name in end if not under_frozen(name)}


def test_the_optimizer_has_no_state_for_frozen_weights(tuned: Finished) -> None:
    state = weights(tuned.folder, rundir.OPTIMIZER)
    net = build("resnet20", num_classes=10, in_channels=1, width=4)
    moving = [tuple(p.shape) for name, p in net.named_parameters() if not under_frozen(name)]
    assert sorted(tuple(tensor.shape) for tensor in state.values()) == sorted(moving)


def test_a_run_with_frozen_stages_goes_on_bit_for_bit_without_the_file_it_began_from(
    tuned: Finished, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, out = tmp_path / "origin.safetensors", tmp_path / "run"
    place = Checkpoints(finished.folder).last()
    assert place is not None
    origin.write_bytes((place / rundir.AVERAGED_WEIGHTS).read_bytes())
    settings = {**FROZEN, "model.init_from": str(origin), "training.checkpoint_seconds": 1e-9}
    save, saved = Checkpoints.save, []

    def killed_after_30(self: Checkpoints, step: int, **state: object) -> Path:
        if step == 30:
            raise KeyboardInterrupt
        saved.append(step)
        return save(self, step, **state)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", killed_after_30)
        with pytest.raises(KeyboardInterrupt):
            train("resnet20", "digits", epochs=2, lr=0.01, settings=settings, out=out, quiet=True)
    assert saved[-1] == 29
    origin.unlink()
    resume(out, console=Console(quiet=True))
    for file in (rundir.WEIGHTS, rundir.AVERAGED_WEIGHTS, rundir.OPTIMIZER):
        straight, resumed = weights(tuned.folder, file), weights(out, file)
        assert straight.keys() == resumed.keys()
        assert [name for name in straight if not torch.equal(straight[name], resumed[name])] == []


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        ("resmlp", ["model.frozen_stages=1"], "model.frozen_stages: Perceptron has no stages; convolutional nets of"),
        ("resnet20", ["model.frozen_stages=4"], "has 3, which end at layer1, layer2, layer3"),
        ("resnet20", ["model.frozen_stages=6"], "model.frozen_stages: expected a whole number <= 5"),
    ],
)
def test_stages_that_are_not_there_cannot_be_frozen(
    model: str, settings: list[str], said: str, cli: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    words = [f"--set={setting}" for setting in settings]
    code, _, err = cli("train", model, "--data", "digits", "--out", tmp_path / "run", *words)
    assert (code, said in err, err.count("\n")) == (2, True, 1), err
    assert not (tmp_path / "run").exists()
