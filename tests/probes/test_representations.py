import pytest
import torch
from torch import Tensor, nn

from resvision import catalog
from resvision.core.errors import SettingsError, UnknownNameError
from resvision.probes.representations import feature_maps, first_filters, units


class Parts(nn.Module):
    """A part that gives several maps, one that runs twice, and one that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.many = nn.ModuleDict({"a": nn.Conv2d(1, 2, 1), "b": nn.Conv2d(1, 2, 1)})
        self.twice = nn.Linear(2, 2)
        self.never = nn.Linear(2, 2)
        self.last = nn.Linear(2, 3)

    def forward(self, images: Tensor) -> Tensor:
        pooled = (self.many["a"](images) + self.many["b"](images)).mean(dim=(2, 3))
        return self.last(self.twice(self.twice(pooled)))


def test_units_are_what_runs_once_and_holds_weights() -> None:
    assert [*units(Parts(), torch.randn(3, 1, 4, 4))] == ["many.a", "many.b", "last"]
    with pytest.raises(SettingsError, match="no layer with weights"):
        units(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4).eval()), torch.randn(2, 1, 2, 2))


@pytest.mark.parametrize(
    ("model", "size", "first", "count"),
    [
        ("resnet18", 32, "conv1", 10),
        ("vgg11", 32, "features.0", 11),
        ("plainmlp", 32, "fc1", 11),
        ("googlenet", 32, "conv1", 13),
    ],
)
def test_units_of_nets_of_the_catalog(model: str, size: int, first: str, count: int) -> None:
    channels = catalog.find(model).input[0]
    options = {"width": 4} if "width" in catalog.options(model, {}) else {}
    net = catalog.build(model, num_classes=3, **options).eval()
    found = [*units(net, torch.randn(2, channels, size, size))]
    assert len(found) == count
    assert found[0] == first


def test_feature_maps_are_those_of_the_layer_before_a_relu_in_place() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(2))
    images = torch.randn(2, 1, 5, 5)
    maps = feature_maps(net, images, "0")
    torch.testing.assert_close(maps, net[0](images).detach())
    assert (maps < 0).any()
    torch.testing.assert_close(feature_maps(net, images, "1"), maps.relu())
    with pytest.raises(UnknownNameError, match="layer 'conv9'"):
        feature_maps(net, images, "conv9")
    with pytest.raises(SettingsError, match="no single map"):
        feature_maps(net, images, "3")


def test_first_filters_are_those_of_the_first_convolution() -> None:
    net = catalog.build("resnet20", num_classes=3, width=4)
    name, filters = first_filters(net)
    assert (name, filters.shape) == ("conv1", (4, 3, 3, 3))
    assert torch.equal(filters, net.conv1.weight)
    with pytest.raises(SettingsError, match="no convolution"):
        first_filters(nn.Linear(2, 2))
