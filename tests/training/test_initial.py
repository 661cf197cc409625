import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from support import TINY
from torch import nn

from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.launch import Finished, train
from resvision.training.checkpoints import Checkpoints, result_weights
from resvision.training.initial import initial_state, weights_file


class Net(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4, classes)
        self.fc2 = nn.Linear(4, 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    save_file(Net(5).state_dict(), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_all_weights_come_from_the_file_but_those_that_are_named(file: Path) -> None:
    torch.manual_seed(2)
    net, given = Net(3), load_file(file)
    state = initial_state(net, file, fresh=("fc",))
    assert state.keys() == net.state_dict().keys()
    for name, tensor in state.items():
        source = net.state_dict() if name.startswith("fc.") else given
        assert torch.equal(tensor, source[name]), name


def test_another_head_is_refused_with_the_setting_that_mends_it(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"\(5, 4\), not \(3, 4\).*--set model\.init_except=fc$"):
        initial_state(Net(3), file, fresh=())
    save_file({**load_file(file), "head.weight": torch.zeros(1)}, file)
    with pytest.raises(SettingsError, match=r"unexpected head\.weight; .*model\.init_except=fc,head$"):
        initial_state(Net(3), file, fresh=("fc",))
    initial_state(Net(3), file, fresh=("fc", "head"))


def test_weights_of_another_net_are_called_so(file: Path) -> None:
    with pytest.raises(SettingsError, match="they are of another net"):
        initial_state(nn.Sequential(nn.Linear(2, 2)), file, fresh=())


def test_a_name_that_nothing_has_is_refused(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"has a 'f'; the net has conv, fc, fc2"):
        initial_state(Net(5), file, fresh=("f",))


def test_a_state_dict_of_torch_is_to_be_converted_first(file: Path, tmp_path: Path) -> None:
    torch.save(load_file(file), tmp_path / "it.pth")
    with pytest.raises(RunError, match=r"it\.pth: .*; `resvision convert FILE MODEL` makes safetensors"):
        initial_state(Net(5), tmp_path / "it.pth", fresh=())
    file.rename(tmp_path / "other.bin")
    assert initial_state(Net(5), tmp_path / "other.bin", fresh=()).keys() == Net(5).state_dict().keys()


def test_a_place_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere: no such file or run folder"):
        weights_file(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"no run\.json"):
        weights_file(tmp_path)


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SettingsError, match=f"model.init_from: {place}: neither a regular file nor a run folder"):
            weights_file(place)


def test_a_run_folder_stands_for_its_result(finished: Finished) -> None:
    assert weights_file(finished.folder) == result_weights(finished.folder)


def shirts(folder: Path) -> Path:
    """Sixteen images in two classes."""
    for index in range(16):
        place = folder / ("long", "short")[index % 2] / f"{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((16, 16), 10 * index, np.uint8)).save(place)
    return folder


def test_a_net_for_other_classes_starts_from_a_run_and_says_what_it_did(
    finished: Finished, tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "run"
    data = shirts(tmp_path / "shirts")
    settings = {**TINY, "model.init_from": finished.folder, "model.frozen_stages": 3, "training.ema_decay": "none"}
    words = ["train", "resnet20", "--data", data, "--epochs", "1", "--batch-size", "4", "--out", out]
    words += [f"--set={path}={value}" for path, value in settings.items()]
    code, _, err = cli(*words)
    assert (code, err.count("\n")) == (2, 1)
    assert "fc.weight is (10, 16), not (2, 16); start those parts afresh by --set model.init_except=fc" in err
    code, _, err = cli(*words, "--set", "model.init_except=fc")
    assert code == 0, err
    assert f"from {result_weights(finished.folder)}; kept: conv1, bn1, layer1, layer2, layer3; afresh: fc\n" in err
    assert "34 of 17,118 parameters; frozen: conv1, bn1, relu, layer1, layer2, layer3" in err
    begun, place = load_file(result_weights(finished.folder)), Checkpoints(out).last()
    assert place is not None
    for name, tensor in load_file(place / rundir.WEIGHTS).items():
        assert torch.equal(tensor, begun[name]) != name.startswith("fc."), name


def test_frozen_random_weights_are_called_so(tmp_path: Path, cli: Callable[..., tuple[int, str, str]]) -> None:
    words = [f"--set={path}={value}" for path, value in {**TINY, "model.frozen_stages": 1}.items()]
    data = shirts(tmp_path / "shirts")
    code, _, err = cli(
        "train", "resnet20", "--data", data, "--epochs", "1", "--batch-size", "4", "--out", tmp_path / "run", *words
    )
    assert (code, "with their random weights" in err) == (0, True), err


def test_a_relative_path_is_written_down_whole(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder.parent)
    settings = {**TINY, "model.init_from": finished.folder.name}
    run = train("resnet20", "digits", epochs=1, settings=settings, out=tmp_path / "run", quiet=True).run
    assert run.model.init_from == str(result_weights(finished.folder).resolve())
