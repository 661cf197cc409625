import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resvision import catalog
from resvision.assembly import build_system
from resvision.classification.classifier import Classifier
from resvision.classification.lenet import (
    C3_TABLE,
    EuclideanRbf,
    LeNetClassifier,
    LeNetLoss,
    ScaledTanh,
    Subsampling,
    TableConv2d,
    connections,
    digit_codes,
    lenet5,
    lenet5_modern,
)
from resvision.contracts import Batch, Images
from resvision.core.errors import SettingsError
from resvision.launch import train
from resvision.preparation import resolve
from resvision.probes.count import count
from resvision.recipes import compose

PARAMS = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164, "rbf": 0}
CONNECTIONS = {"c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164, "rbf": 840}
FIELDS = {"c1": 5, "s2": 6, "c3": 14, "s4": 16, "c5": 32}


def batch(count: int = 4) -> Batch:
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 1, 32, 32), dtype=torch.uint8, generator=draw)
    return Batch(Images(pixels), torch.arange(count), torch.arange(count))


class FixedDistances(nn.Module):
    """A net that gives the same distances for every image."""

    def __init__(self, distances: list[float]) -> None:
        super().__init__()
        self.distances = nn.Parameter(torch.tensor(distances))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return -self.distances.expand(len(images), -1)


def test_parameters_and_connections_are_the_papers_layer_by_layer() -> None:
    with torch.device("meta"):
        net = lenet5(num_classes=10)
    counted = count(net, (1, 32, 32))
    params = dict.fromkeys(PARAMS, 0)
    for row in counted.layers:
        if row.name != "squash":
            params[row.name.partition(".")[0]] += row.params
    assert params == PARAMS
    assert counted.params == 60_000
    assert connections(net) == CONNECTIONS
    assert sum(connections(net).values()) == 340_908
    assert counted.macs == 325_680


def test_receptive_fields_are_the_papers() -> None:
    with torch.device("meta"):
        rows = count(lenet5(num_classes=10), (1, 32, 32)).layers
    found = {row.name.partition(".")[0]: row.receptive_field for row in rows if row.name != "squash"}
    assert found | FIELDS == found


def test_a_map_of_c3_sees_the_maps_of_its_row_and_no_others() -> None:
    assert [len(row) for row in C3_TABLE] == [3] * 6 + [4] * 9 + [6]
    assert len(set(C3_TABLE)) == 16
    conv = TableConv2d(C3_TABLE, window=5)
    x = torch.randn(1, 6, 5, 5, requires_grad=True)
    seen = []
    for made in conv(x)[0, :, 0, 0]:
        (gradient,) = torch.autograd.grad(made, x, retain_graph=True)
        seen.append(tuple(gradient.abs().sum(dim=(0, 2, 3)).nonzero()[:, 0].tolist()))
    assert tuple(seen) == C3_TABLE


@pytest.mark.usefixtures("float64")
def test_the_table_convolution_is_a_convolution_with_the_missing_weights_at_zero() -> None:
    conv, dense = TableConv2d(C3_TABLE, window=5), nn.Conv2d(6, 16, 5)
    nn.init.zeros_(dense.weight)
    kernels = [kernel for group in conv.convs for kernel in group.weight]
    with torch.no_grad():
        for out, (sources, kernel) in enumerate(zip(C3_TABLE, kernels, strict=True)):
            dense.weight[out, list(sources)] = kernel
        dense.bias.copy_(torch.cat([group.bias for group in conv.convs]))
        x = torch.randn(2, 6, 14, 14)
        torch.testing.assert_close(conv(x), dense(x))


def test_subsampling_by_a_quarter_is_average_pooling() -> None:
    layer, x = Subsampling(6), torch.randn(2, 6, 28, 28)
    nn.init.constant_(layer.weight, 0.25)
    torch.testing.assert_close(layer(x), F.avg_pool2d(x, 2))
    nn.init.constant_(layer.weight, -1.0)
    nn.init.constant_(layer.bias, 3.0)
    torch.testing.assert_close(layer(x), 3 - 4 * F.avg_pool2d(x, 2))


def test_the_squash_keeps_one_and_minus_one_and_saturates_at_its_amplitude() -> None:
    squashed = ScaledTanh()(torch.tensor([-100.0, -1.0, 0.0, 1.0, 100.0]))
    torch.testing.assert_close(squashed, torch.tensor([-1.7159, -1.0, 0.0, 1.0, 1.7159]), atol=1e-4, rtol=0)


def test_the_codes_are_ten_different_pictures_of_plus_and_minus_one() -> None:
    codes = digit_codes()
    assert codes.shape == (10, 7 * 12)
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    apart = (codes[:, None] != codes).sum(dim=2)[~torch.eye(10, dtype=torch.bool)]
    assert apart.min() >= 10


def test_a_code_is_at_distance_zero_from_itself_and_nearest_to_its_class() -> None:
    codes = digit_codes()
    distances = EuclideanRbf(codes)(codes)
    assert torch.equal(distances.diagonal(), torch.zeros(10))
    assert torch.equal(distances.argmin(dim=1), torch.arange(10))
    torch.testing.assert_close(distances, torch.cdist(codes, codes).square(), atol=1e-3, rtol=0)


def test_codes_are_no_parameters_and_initial_weights_lie_within_the_papers_bounds() -> None:
    net = lenet5(num_classes=10)
    assert "rbf.codes" in net.state_dict()
    assert "rbf.codes" not in dict(net.named_parameters())
    for weight, fan_in in ((net.c1.weight, 25), (net.s2.weight, 4), (net.c5.weight, 400), (net.f6.weight, 120)):
        assert 0.8 * 2.4 / fan_in < weight.abs().max() <= 2.4 / fan_in or weight.numel() < 10
    assert net.s4.weight.abs().max() <= 0.6


def test_both_losses_are_the_papers_sums() -> None:
    distances, j = [3.0, 0.5, 4.0, 7.0], 1.5
    for criterion in ("map", "mse"):
        system = LeNetClassifier(
            FixedDistances(distances), mean=[0], std=[1], options=LeNetLoss(criterion=criterion, j=j)
        )
        terms, metrics = system.losses(batch())
        rubbish = math.log(math.exp(-j) + sum(math.exp(-y) for y in distances)) if criterion == "map" else 0.0
        assert terms.keys() == {criterion}
        assert terms[criterion].mean().item() == pytest.approx(sum(y + rubbish for y in distances) / 4)
        assert metrics["error"].mean().item() == 0.75


def test_only_the_discriminative_loss_pushes_wrong_classes_away_and_near_ones_most() -> None:
    gradients = {}
    for criterion in ("map", "mse"):
        net = FixedDistances([0.5, 1.0, 6.0, 60.0])
        system = LeNetClassifier(net, mean=[0], std=[1], options=LeNetLoss(criterion=criterion))
        system.losses(batch(1)).terms[criterion].mean().backward()
        gradients[criterion] = net.distances.grad.tolist()
    assert gradients["mse"] == [1.0, 0.0, 0.0, 0.0]
    true, near, far, further = gradients["map"]
    assert true > 0 > far > near
    assert abs(further) < 1e-12


def test_scores_are_the_softmax_of_minus_the_distances() -> None:
    system = LeNetClassifier(FixedDistances([3.0, 0.5, 4.0]), mean=[0], std=[1])
    expected = torch.softmax(torch.tensor([-3.0, -0.5, -4.0]), dim=0).expand(2, -1)
    torch.testing.assert_close(system.predict(batch(2).inputs), expected)


def test_the_modern_net_has_61706_parameters_and_takes_other_sizes() -> None:
    with torch.device("meta"):
        assert count(lenet5_modern(num_classes=10), (1, 32, 32)).params == 61_706
        assert count(lenet5_modern(num_classes=10, input_size=28), (1, 28, 28)).params == 44_426


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["lenet5", "lenet5_modern"])
def test_the_class_map_holds_the_logits_of_every_window(name: str) -> None:
    torch.manual_seed(0)
    net = catalog.build(name, num_classes=10)
    images = torch.randn(2, 1, 36, 40)
    with torch.no_grad():
        logits = net.class_map(images)
        assert logits.shape == (2, 10, 2, 3)
        for row in range(2):
            for column in range(3):
                window = images[:, :, 4 * row : 4 * row + 32, 4 * column : 4 * column + 32]
                torch.testing.assert_close(logits[:, :, row, column], net(window))


@pytest.mark.parametrize(("name", "its_system"), [("lenet5", LeNetClassifier), ("lenet5_modern", Classifier)])
def test_eight_images_are_learned_by_heart(name: str, its_system: type[Classifier | LeNetClassifier]) -> None:
    torch.manual_seed(0)
    net = catalog.build(name, num_classes=10)
    system = its_system(net, mean=[0.5], std=[0.29])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        terms, metrics = system.losses(batch(8))
        loss = sum(term.mean() for term in terms.values())
        loss.backward()
        optimizer.step()
    assert metrics["error"].total == 0
    assert loss < 1.0


def test_lenet5_trains_by_the_command_with_its_own_loss_at_32_px(tmp_path: Path) -> None:
    settings = {"training.duration": "3 steps", "machine.precision": "fp32", "machine.threads": 1}
    run = train("lenet5", "digits", settings=settings, out=tmp_path / "run", quiet=True).run
    assert (run.recipe, run.data.image_size, run.data.channels) == ("lenet-short", 32, 1)
    assert isinstance(build_system(run), LeNetClassifier)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"criterion": "hinge"}, "map, mse"),
        ({"j": 0.0}, "j must be above 0"),
        ({"label_smoothing": 0.1}, "label_smoothing"),
    ],
)
def test_a_wrong_loss_option_is_one_clear_error(loss: dict, message: str) -> None:
    run = compose("lenet5", "digits", changes={f"loss.{key}": value for key, value in loss.items()})
    with pytest.raises(SettingsError, match=message):
        resolve(run)


@pytest.mark.parametrize("classes", [9, 11, 1000])
def test_other_than_ten_classes_are_refused(classes: int) -> None:
    with pytest.raises(SettingsError, match=rf"{classes} classes.*lenet5_modern"):
        catalog.build("lenet5", num_classes=classes)


def test_other_sizes_are_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match=r"28x28, LeNet-5 is for 32x32.*data\.image_size=32"):
        lenet5(num_classes=10)(torch.zeros(1, 1, 28, 28))
    with pytest.raises(SettingsError, match="16x40"):
        lenet5(num_classes=10).class_map(torch.zeros(1, 1, 16, 40))
    with pytest.raises(SettingsError, match=r"30x32.*input_size"):
        lenet5_modern(num_classes=10)(torch.zeros(1, 1, 30, 32))
    with pytest.raises(SettingsError, match="last map is 4x4"):
        lenet5_modern(num_classes=10).class_map(torch.zeros(1, 1, 28, 28))
    with pytest.raises(SettingsError, match="16 px or more"):
        lenet5_modern(num_classes=10, input_size=15)
