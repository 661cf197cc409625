import pytest
import torch

from resvision import catalog
from resvision.classification.mlp import mlp
from resvision.core.errors import SettingsError
from resvision.probes.count import count


@pytest.mark.parametrize("depth", [4, 20, 56])
def test_residual_and_plain_perceptrons_have_equal_state_and_counts(depth: int) -> None:
    with torch.device("meta"):
        nets = [catalog.build(name, num_classes=10, depth=depth) for name in ("resmlp", "plainmlp")]
    residual, plain = ({key: value.shape for key, value in net.state_dict().items()} for net in nets)
    assert residual == plain
    a, b = (count(net, (3, 32, 32)) for net in nets)
    assert (a.params, a.macs, a.depth) == (b.params, b.macs, b.depth)
    assert a.depth == depth


def test_counts_are_those_of_the_layers_written_out() -> None:
    n, width, pixels, classes = 3, 16, 2 * 5 * 5, 7
    weights = pixels * width + 2 * n * width**2 + width * classes
    counted = count(mlp(2 * n + 2, num_classes=classes, in_channels=2, input_size=5, width=width), (2, 5, 5))
    assert counted.macs == weights
    assert counted.params == weights + classes + (2 * n + 1) * 2 * width
    assert counted.receptive_field is None


def test_with_zeroed_branches_the_residual_perceptron_passes_its_features_on() -> None:
    for shortcut, passes in (("identity", True), ("none", False)):
        net = mlp(12, num_classes=5, input_size=4, width=8, shortcut=shortcut).eval()
        for block in net.blocks:
            torch.nn.init.zeros_(block.bn2.weight)
        features = torch.rand(3, 8)
        assert torch.equal(net.blocks(features), features) is passes


def test_images_of_another_shape_are_refused_with_both_shapes() -> None:
    net = mlp(4, num_classes=5, in_channels=3, input_size=32, width=8)
    with pytest.raises(SettingsError, match="1x28x28, this perceptron is for 3x32x32"):
        net(torch.zeros(2, 1, 28, 28))


@pytest.mark.parametrize(
    ("depth", "options", "message"),
    [(21, {}, "nearest: 20, 22"), (2, {}, "nearest: 4"), (20, {"shortcut": "A"}, "identity, none")],
)
def test_a_wrong_choice_is_answered_with_the_choices(depth: int, options: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        mlp(depth, num_classes=10, **options)
