"""A loaded net is torch's own layers before and after our verbs, and a model is called with images of any kind."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import resvision
from resvision.catalog import build
from resvision.core.errors import DataError
from resvision.data import sets
from resvision.inference.explain import explained
from resvision.inference.load import Trained
from resvision.launch import Finished
from resvision.layers.on_cpu import convolutions


@pytest.fixture
def model(finished: Finished) -> Trained:
    return resvision.load(finished.folder)


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    return sets.open_splits("digits").test[0].image


def computed_on_cpu(net: nn.Module) -> list[str]:
    return [name for name, module in net.named_modules() if ".on_cpu." in type(module).__module__]


def test_a_net_is_plain_before_and_after_it_predicts_and_is_evaluated(model: Trained, digit: np.ndarray) -> None:
    model = replace(model, machine=replace(model.machine, precision="bf16", matrix_units=True))
    seen: list[list[str]] = []
    model.net.register_forward_hook(lambda net, inputs, logits: seen.append(computed_on_cpu(net)))
    before = [(type(module), module.extra_repr()) for module in model.net.modules()]
    model(digit)
    resvision.evaluate(model)
    assert [(type(module), module.extra_repr()) for module in model.net.modules()] == before
    assert computed_on_cpu(model.net) == []
    assert seen[0] == seen[-1] != []


def test_a_net_is_plain_again_after_an_error(model: Trained) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("of a hook")

    model.net.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="of a hook"):
        model(np.zeros((8, 8), np.uint8))
    assert computed_on_cpu(model.net) == []


def test_gradients_of_an_explanation_pass_narrow_shortcuts_as_a_cpu_survives(model: Trained, digit: np.ndarray) -> None:
    model.system.net = build("resnet20", num_classes=10, in_channels=1, width=4, shortcut="B").eval()
    seen: list[type[nn.Module]] = []
    for module in (module for module in model.net.modules() if isinstance(module, nn.Conv2d)):
        module.register_forward_hook(lambda layer, inputs, result: seen.append(type(layer)))
    next(explained(model, [digit], stage="layer1"))
    assert seen.count(convolutions.SubsampledConv2d) == 2 * len(seen) // 21 > 0
    assert computed_on_cpu(model.net) == []


def test_what_a_person_changes_in_a_net_is_what_is_predicted_with(model: Trained, digit: np.ndarray) -> None:
    bias = torch.zeros(10)
    bias[7] = 1000
    model.net.get_submodule("fc").bias = nn.Parameter(bias)
    assert model(digit)[0].label == "7"


def test_convolutions_are_used_inside_the_block_alone() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 4, 4, stride=2, bias=False))
    weights = [*net.parameters()]
    with convolutions.used(net):
        assert computed_on_cpu(net) == ["0", "1"]
    assert computed_on_cpu(net) == []
    assert all(one is other for one, other in zip(weights, net.parameters(), strict=True))


FORMS: dict[str, Callable[[np.ndarray], object]] = {
    "array": lambda image: image,
    "array of batch": lambda image: image[None, :, :, None],
    "floats": lambda image: image / 255,
    "Pillow": Image.fromarray,
    "Pillow in colour": lambda image: Image.fromarray(image).convert("RGBA"),
    "tensor": torch.from_numpy,
    "tensor with channels": lambda image: torch.from_numpy(image)[None],
    "batch": lambda image: torch.from_numpy(image)[None, None],
    "float tensor": lambda image: torch.from_numpy(image)[None].float() / 255,
    "several": lambda image: [Image.fromarray(image)],
    "iterator": lambda image: iter([torch.from_numpy(image)]),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_image_is_predicted_alike_in_every_form(form: str, model: Trained, digit: np.ndarray) -> None:
    (expected,) = resvision.predict(model, digit, top=3)
    (result,) = model(FORMS[form](digit.copy()), top=3)
    assert (result.labels, result.scores) == (expected.labels, expected.scores)


def test_a_net_gives_the_logits_of_its_inputs(model: Trained, digit: np.ndarray) -> None:
    inputs = model.inputs([digit, Image.fromarray(digit)])
    assert (inputs.shape, inputs.dtype) == ((2, 1, 16, 16), torch.float32)
    with torch.no_grad():
        probabilities = model.net(inputs).softmax(dim=1)
    assert probabilities.amax(dim=1).tolist() == pytest.approx([model(digit)[0].score] * 2, rel=1e-5)


def test_images_of_different_sizes_are_no_batch_of_inputs(segmented: Finished) -> None:
    model = resvision.load(segmented.folder)
    with pytest.raises(DataError, match="inputs of one size are needed, not 32x32, 40x32"):
        model.inputs([np.zeros((32, 32, 3), np.uint8), np.zeros((40, 32, 3), np.uint8)])


REFUSED: dict[str, tuple[object, str]] = {
    "0..255 as floats": (torch.full((8, 8), 255.0), "tensor 0: floats of an image are 0..1, not 255..255; give uint8"),
    "normalized": (torch.full((1, 8, 8), -1.0), "tensor 0: floats of an image are 0..1, not -1..-1"),
    "no number": (np.full((8, 8), np.nan), "array 0: floats of an image are 0..1, not nan..nan"),
    "int64": (torch.zeros(8, 8, dtype=torch.long), "tensor 0: an image is uint8, or floats 0..1, not int64"),
    "a last dimension of channels": (torch.rand(9, 9, 3), "tensor 0: .* 9x9x3, whose channels stand at the other end"),
    "a first dimension of channels": (np.zeros((3, 9, 9)), "array 0: .* 3x9x9, whose channels stand at the other end"),
    "five dimensions": (torch.rand(1, 1, 1, 8, 8), "tensor 0: expected a tensor .*, got 1x1x1x8x8"),
    "no pixels": (np.zeros((0, 8), np.uint8), "array 0: expected an array .*, got 0x8"),
    "a list of lists": ([[0]], r"image 0: expected paths, Pillow images, .*, got list"),
    "nothing": (None, "images: expected paths, Pillow images, .*, got NoneType"),
    "Pillow's floats": (Image.new("F", (8, 8)), "image 0: pixels of kind F"),
    "Pillow's 32 bits": (Image.new("I", (8, 8), 70_000), "image 0: grey values beyond 16 bits; convert it to mode L"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_is_refused_by_its_name(name: str, model: Trained) -> None:
    images, told = REFUSED[name]
    with pytest.raises(DataError, match=told):
        model(images)
