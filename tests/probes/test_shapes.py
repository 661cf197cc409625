import pytest
import torch
from torch import nn

from resvision.classification.resnet_cifar import resnet_cifar
from resvision.core.errors import SettingsError
from resvision.probes.count import count
from resvision.probes.memory import kept_bytes
from resvision.probes.shapes import WithoutDrawing, on_meta


def test_a_net_built_without_drawing_has_the_same_weights_shapes() -> None:
    with torch.device("meta"):
        drawn = resnet_cifar(8, num_classes=5)
        with WithoutDrawing():
            bare = resnet_cifar(8, num_classes=5)
    assert {k: v.shape for k, v in bare.state_dict().items()} == {k: v.shape for k, v in drawn.state_dict().items()}


def test_without_drawing_leaves_real_weights_alone() -> None:
    with WithoutDrawing():
        assert nn.init.constant_(torch.zeros(2), 3.0).tolist() == [3.0, 3.0]
        assert torch.zeros(2).fill_(2.0).tolist() == [2.0, 2.0]


def test_a_bare_net_is_lent_in_evaluation_mode_and_comes_back_as_it_was() -> None:
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(2, 2), nn.Dropout().eval())
    with on_meta(net) as lent:
        assert lent is net
        assert not net.training
    assert [module.training for module in net.modules()] == [True, True, False]


def test_a_net_with_weights_or_hooks_is_copied() -> None:
    with torch.device("meta"):
        hooked = nn.Linear(2, 2)
    hooked.register_forward_hook(lambda *_: None)
    for net in (nn.Linear(2, 2), hooked):
        with on_meta(net) as copy:
            assert copy is not net
            assert not copy._forward_hooks
        assert net.training


class Counting(nn.Module):
    """Sizes worked out with real tensors, as own code may."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        sides = [int((torch.tensor(side) // 2).item()) for side in images.shape[2:]]
        kept = images[:, :, : sides[0], : sides[1]]
        return kept + torch.tensor(1.0) + torch.zeros(1, device=images.device)


def test_real_numbers_are_worked_out_each_time() -> None:
    assert count(Counting(), (3, 8, 6)).outputs[""] == (3, 4, 3)


class Small(nn.Module):
    """Convolution 3 to 4, ReLU, pooling to a quarter, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(4 * 16, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.pool(self.conv(images).relu()).flatten(1))


def test_what_autograd_keeps_of_a_small_net() -> None:
    image, activated, pooled = 3 * 64 * 4, 4 * 64 * 4, 4 * 16 * 4
    indices = 4 * 16 * 8  # where each maximum came from, int64
    assert kept_bytes(Small(), (3, 8, 8)) == image + activated + indices + pooled


def test_half_the_bytes_in_half_precision_but_for_the_indices() -> None:
    indices = 4 * 16 * 8
    assert 2 * (kept_bytes(Small().bfloat16(), (3, 8, 8)) - indices) == kept_bytes(Small(), (3, 8, 8)) - indices


def test_as_much_is_kept_as_with_real_tensors() -> None:
    net = resnet_cifar(8, num_classes=5, width=4).train()
    weights = {tensor.data_ptr() for tensor in (*net.parameters(), *net.buffers())}
    kept: dict[int, torch.Tensor] = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.setdefault(t.data_ptr(), t), lambda t: t):
        net(torch.randn(1, 3, 16, 16))
    real = sum(tensor.untyped_storage().nbytes() for pointer, tensor in kept.items() if pointer not in weights | {0})
    assert kept_bytes(net, (3, 16, 16)) == real


def test_an_image_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match="3x20x20 does not go through Small"):
        kept_bytes(Small(), (3, 20, 20))
