"""A segmentation net whose encoder starts with the weights of a classification net, and frozen normalization."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import resvision
from resvision.core.errors import SettingsError
from resvision.training.initial import encoder_state


def narrow(name: str, **options: object) -> nn.Module:
    return resvision.build(name, num_classes=3, width=4, **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    save_file(narrow("resnet18").state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_the_backbone_takes_the_file_and_the_rest_keeps_its_own(file: Path) -> None:
    torch.manual_seed(2)
    net = narrow("deeplabv3plus", backbone="resnet18")
    own = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    torch.manual_seed(1)
    given = narrow("resnet18").state_dict()
    state = encoder_state(net, file)
    assert state.keys() == own.keys()
    for name, tensor in state.items():
        inside = name.startswith("backbone.")
        assert torch.equal(tensor, given[name.removeprefix("backbone.")] if inside else own[name]), name


def test_weights_of_another_net_are_refused(file: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"encoder_from: .*weights of another net: .* \d+ tensors, such as backbone\."
    ):
        encoder_state(narrow("deeplabv3plus", backbone="resnet50"), file)
    with pytest.raises(SettingsError, match="weights of another net"):
        encoder_state(nn.Linear(3, 2), file)


def test_the_linear_layers_of_vgg_become_convolutions(tmp_path: Path) -> None:
    torch.manual_seed(1)
    vgg = resvision.build("vgg16", num_classes=3, width=2)
    save_file(vgg.state_dict(), tmp_path / "vgg.safetensors")
    state = encoder_state(resvision.build("fcn32s", num_classes=3, width=2), tmp_path / "vgg.safetensors")
    given = vgg.state_dict()
    assert state["classifier.0.weight"].shape[2:] == (7, 7)
    assert torch.equal(state["classifier.0.weight"].flatten(1), given["classifier.0.weight"])
    assert torch.equal(state["features.0.weight"], given["features.0.weight"])
