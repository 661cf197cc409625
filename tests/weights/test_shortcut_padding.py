"""Option A nets that pad on both sides are ours with their channels in another order."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision import catalog
from resvision.core.errors import SettingsError, WeightsError
from resvision.layers.shortcuts import PaddedShortcut
from resvision.weights.shortcut_padding import padded_at_end, pads_channels, require_padding


class PaddedOnBothSides(nn.Module):
    """The shortcut of the other nets: half of the new channels before those that go on, half behind."""

    def __init__(self, ours: PaddedShortcut) -> None:
        super().__init__()
        self.side, self.stride = ours.extra_channels // 2, ours.stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.side, self.side))


def pad_on_both_sides(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, PaddedShortcut):
            setattr(module, name, PaddedOnBothSides(child))
        else:
            pad_on_both_sides(child)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("resnet20", {"width": 4}),
        ("resnet18_a", {"width": 4}),
        ("resnet50", {"width": 4, "shortcut": "A"}),
        ("preresnet110", {"width": 4, "placement": "e"}),
        ("preresnet110", {"width": 4, "placement": "b"}),
    ],
)
def test_reordered_weights_of_a_net_padded_on_both_sides_give_the_same_logits(
    model: str, options: dict[str, object], float64: None
) -> None:
    torch.manual_seed(0)
    theirs, ours = (catalog.build(model, num_classes=5, **options).eval() for _ in range(2))
    for norm in theirs.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                tensor.data.uniform_(0.5, 1.5)
    state = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
    pad_on_both_sides(theirs)
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        wanted = theirs(images)
        ours.load_state_dict(state)
        assert (ours(images) - wanted).abs().max() > 1e-2 * wanted.abs().max()  # it loads without a word
        ours.load_state_dict(padded_at_end(ours, state))
        torch.testing.assert_close(ours(images), wanted, rtol=1e-10, atol=1e-10)


def test_nets_whose_channels_cannot_be_reordered_are_refused() -> None:
    with torch.device("meta"):
        projecting, odd = catalog.build("resnet20_b", num_classes=2), catalog.build("resnet20", num_classes=2, width=3)
        above = catalog.build("fcn", num_classes=2, backbone="resnet18_a")
    assert not pads_channels(projecting)
    for net, said in ((projecting, "no shortcut"), (odd, "adds 3 channels"), (above, "reads maps")):
        with pytest.raises(WeightsError, match=said):
            padded_at_end(net, net.state_dict())
    with pytest.raises(SettingsError, match="choices are end, both-sides"):
        require_padding("front")
