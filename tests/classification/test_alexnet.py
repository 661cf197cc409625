from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from resvision import catalog
from resvision.classification.alexnet import alexnet, alexnet_2012
from resvision.classification.stages import stages
from resvision.core.errors import SettingsError
from resvision.launch import train
from resvision.layers.lrn import local_response_norm
from resvision.probes.count import count
from resvision.recipes import compose

# layer, output, parameters, MACs of one image of 227 px
PAPER_TABLE = [
    ("conv1", (96, 55, 55), 34_944, 105_415_200),
    ("conv2", (256, 27, 27), 307_456, 223_948_800),
    ("conv3", (384, 13, 13), 885_120, 149_520_384),
    ("conv4", (384, 13, 13), 663_936, 112_140_288),
    ("conv5", (256, 13, 13), 442_624, 74_760_192),
    ("fc6", (4096,), 37_752_832, 37_748_736),
    ("fc7", (4096,), 16_781_312, 16_777_216),
    ("fc8", (1000,), 4_097_000, 4_096_000),
]
UNITS = [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]


def narrow(input_size: int = 99, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return alexnet_2012(num_classes=5, width=4, input_size=input_size, **options).eval()


def lively(net: nn.Module) -> nn.Module:
    """Weights large enough that the logits depend on the images."""
    torch.manual_seed(0)
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
    return net.eval()


def test_counts_of_2012_are_the_papers_layer_by_layer() -> None:
    with torch.device("meta"):
        counted = count(alexnet_2012(num_classes=1000), (3, 227, 227))
    weighted = [row for row in counted.layers if row.macs]
    found = [(row.name.rpartition(".")[2], row.shape, row.params, row.macs) for row in weighted]
    assert found == PAPER_TABLE
    assert (counted.params, counted.macs, counted.depth) == (60_965_224, 724_406_816, 8)
    assert [torch.Size(row.shape).numel() for row in weighted] == UNITS
    assert sum(UNITS) == 659_272


@pytest.mark.parametrize("name", ["alexnet", "alexnet_2012"])
def test_receptive_fields_are_known(name: str) -> None:
    with torch.device("meta"):
        rows = count(catalog.build(name, num_classes=1000), catalog.find(name).input).layers
    maps = [row for row in rows if row.name.startswith("features")]
    assert [row.receptive_field for row in maps if row.kind.startswith("Conv2d")][-1] == 163
    assert maps[-1].receptive_field == 195


def test_poolings_overlap_and_maps_shrink_as_in_the_paper() -> None:
    with torch.device("meta"):
        rows = {row.name: row.shape for row in count(alexnet_2012(num_classes=1000), (3, 227, 227)).layers}
    found = [rows[f"features.{name}"] for name in ("norm1", "pool1", "norm2", "pool2", "pool5")]
    assert found == [(96, 55, 55), (96, 27, 27), (256, 27, 27), (256, 13, 13), (256, 6, 6)]


def test_counts_of_the_single_column_are_torchvisions() -> None:
    with torch.device("meta"):
        counted = count(alexnet(num_classes=1000), (3, 224, 224))
    assert (counted.params, counted.macs, counted.depth) == (61_100_840, 714_188_480, 8)


@pytest.mark.usefixtures("float64")
def test_torchvision_gives_the_same_logits_and_weights_go_both_ways() -> None:
    torch.manual_seed(0)
    ours = alexnet(num_classes=1000).eval()
    with torch.device("meta"):
        theirs, back = torchvision.models.alexnet(), alexnet(num_classes=1000)
    theirs, back = theirs.eval(), back.eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(ours.state_dict()) == 16
    theirs.load_state_dict(ours.state_dict(), strict=True, assign=True)
    back.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    images = torch.randn(2, 3, 96, 80)
    with torch.no_grad():
        expected = theirs(images)
        for net in (ours, back):
            assert (net(images) - expected).abs().max() <= 1e-10 * expected.abs().max()


def test_local_response_norm_has_the_papers_constants() -> None:
    tens = torch.full((1, 5, 1, 1), 10.0)
    normalized = local_response_norm()(tens)[0, :, 0, 0]
    assert normalized[2].item() == pytest.approx(10 / 2.05**0.75)
    assert normalized[2].item() == pytest.approx(5.83693, abs=1e-5)
    assert normalized[0].item() == pytest.approx(10 / 2.03**0.75)  # two neighbours are missing
    x = 30 * torch.randn(2, 9, 3, 4)
    squares = F.pad(x.square(), (0, 0, 0, 0, 2, 2)).unfold(1, 5, 1).sum(dim=-1)
    torch.testing.assert_close(local_response_norm()(x), x / (2 + 1e-4 * squares) ** 0.75)


@pytest.mark.usefixtures("float64")
def test_a_grouped_convolution_is_two_convolutions_side_by_side() -> None:
    conv2: nn.Conv2d = narrow().features.conv2
    x = torch.randn(2, conv2.in_channels, 9, 9)
    half, inputs = conv2.out_channels // 2, conv2.in_channels // 2
    assert conv2.weight.shape == (2 * half, inputs, 5, 5)
    parts = [
        F.conv2d(x[:, group * inputs : (group + 1) * inputs], weight, bias, padding=2)
        for group, (weight, bias) in enumerate(
            zip(conv2.weight.split(half), conv2.bias.split(half), strict=True),
        )
    ]
    torch.testing.assert_close(conv2(x), torch.cat(parts, dim=1))


@pytest.mark.parametrize(("init", "bias", "hidden_std"), [("paper", 1.0, 0.01), ("caffe", 0.1, 0.005)])
def test_initial_weights_are_the_papers(init: str, bias: float, hidden_std: float) -> None:
    net = narrow(init=init)
    layers = dict(net.features.named_children()) | dict(net.classifier.named_children())
    for name in ("conv2", "conv4", "conv5", "fc6", "fc7"):
        assert (layers[name].bias == bias).all(), name
    for name in ("conv1", "conv3", "fc8"):
        assert (layers[name].bias == 0).all(), name
    assert layers["fc6"].weight.std().item() == pytest.approx(hidden_std, rel=0.05)
    assert layers["conv3"].weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("name", ["alexnet", "alexnet_2012"])
def test_the_short_recipe_draws_by_hes_rule(name: str) -> None:
    assert compose(name, "digits").model.options == {"init": "he"}
    net = catalog.build(name, num_classes=50, width=16, init="he")
    convolutions = [module for module in net.features if isinstance(module, nn.Conv2d)]
    fan_in = convolutions[2].weight[0].numel()
    assert convolutions[2].weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
    assert net.classifier[-1].weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not any(parameter.any() for path, parameter in net.named_parameters() if path.endswith("bias"))


def test_glorot_draws_by_both_fans() -> None:
    net = narrow(init="glorot")
    conv3 = net.features.conv3
    fans = 9 * (conv3.in_channels + conv3.out_channels)
    assert conv3.weight.std().item() == pytest.approx((2 / fans) ** 0.5, rel=0.05)
    assert not any(parameter.any() for name, parameter in net.named_parameters() if name.endswith("bias"))


def test_training_and_evaluation_differ_by_dropout_alone() -> None:
    net, images = lively(narrow()), torch.randn(2, 3, 99, 99)
    with torch.no_grad():
        expected = net(images)
        assert not torch.equal(net.train()(images), expected)
        for module in net.modules():
            if isinstance(module, nn.Dropout):
                assert module.p == 0.5
                module.p = 0.0
        assert torch.equal(net(images), expected)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("make", [lambda: alexnet(num_classes=5, width=4), lambda: narrow(227)], ids=["2014", "2012"])
def test_the_class_map_at_its_own_size_is_the_logits_and_larger_on_larger_images(make: object) -> None:
    net: nn.Module = lively(make())
    size = 227
    images = torch.randn(1, 3, size + 64, size + 32)
    with torch.no_grad():
        logits = net(images[:, :, :size, :size])
        torch.testing.assert_close(net.class_map(images[:, :, :size, :size]), logits[:, :, None, None])
        assert net.class_map(images).shape == (1, 5, 3, 2)


@pytest.mark.usefixtures("float64")
def test_without_padding_the_class_map_holds_the_logits_of_every_window() -> None:
    """Convolutions stripped of their padding see no border, so that a window alone and inside a map are the same."""
    net = lively(narrow(227))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.padding = (0, 0)
    net.window = 2  # what is left of 227 px
    net.classifier.fc6 = nn.Linear(net.widths[-1] * 4, 512)
    images = torch.randn(1, 3, 259, 259)
    with torch.no_grad():
        logits = net.class_map(images)
        assert logits.shape == (1, 5, 2, 2)
        for row in range(2):
            for column in range(2):
                window = images[:, :, 32 * row : 32 * row + 227, 32 * column : 32 * column + 227]
                torch.testing.assert_close(logits[:, :, row, column], net(window))


def assert_cut_into_maps(net: nn.Module, channels: list[int]) -> None:
    """Maps C2..C5 by stride, and the uncut ones again at smaller output strides, subsampled."""
    images = torch.randn(1, 3, 131, 163)
    with torch.no_grad():
        reference = stages(net)(images)
        assert [*stages(net).stride.items()] == [("C2", 4), ("C3", 8), ("C4", 16), ("C5", 32)]
        assert [map_.shape[1] for map_ in reference.values()] == [*stages(net).channels.values()] == channels
        assert torch.equal(reference["C5"], net.features(images))
        for output_stride in (16, 8):
            cut = stages(net, output_stride)
            assert cut.stride == {name: min(stride, output_stride) for name, stride in stages(net).stride.items()}
            for name, map_ in cut(images).items():
                step = 2 ** int(name[1:]) // cut.stride[name]
                torch.testing.assert_close(map_[:, :, ::step, ::step], reference[name])


@pytest.mark.usefixtures("float64")
def test_stages_cut_both_nets() -> None:
    assert_cut_into_maps(lively(alexnet(num_classes=5, width=4)), [4, 12, 16, 16])
    assert_cut_into_maps(lively(narrow()), [12, 32, 32, 32])


@pytest.mark.parametrize("name", ["alexnet", "alexnet_2012"])
def test_eight_images_are_learned_by_heart(name: str) -> None:
    torch.manual_seed(0)
    given = {"input_size": 67} if name == "alexnet_2012" else {}
    net = lively(catalog.build(name, num_classes=4, width=4, **given))
    images, targets = torch.randn(8, 3, 67, 67), torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss: Tensor = F.cross_entropy(net(images), targets)
        loss.backward()
        optimizer.step()
    assert loss < 0.3  # ln 4 at first; at most 0.03 over 8 seeds


@pytest.mark.parametrize("name", ["alexnet", "alexnet_2012"])
def test_both_train_on_small_images_by_their_default_recipe(name: str, tmp_path: Path) -> None:
    settings = {"training.duration": "2 steps", "training.batch_size": 8, "model.options.width": 4}
    settings |= {"machine.precision": "fp32", "machine.threads": 1}
    run = train(name, "digits", settings=settings, out=tmp_path / "run", quiet=True).run
    assert (run.recipe, run.data.image_size) == ("alexnet-short", 67)
    assert run.model.options.get("input_size", 67) == 67


def test_images_that_are_too_small_are_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match=r"32x64, AlexNet's poolings need 63 px.*data\.image_size=63"):
        alexnet(num_classes=5, width=4)(torch.zeros(1, 3, 32, 64))
    with pytest.raises(SettingsError, match=r"input_size 66.*67 px or more"):
        alexnet_2012(num_classes=5, width=4, input_size=66)
    with pytest.raises(SettingsError, match=r"227x224, this AlexNet is for 99x99"):
        narrow()(torch.zeros(1, 3, 227, 224))
    with pytest.raises(SettingsError, match=r"last map is 1x1.*6x6"):
        alexnet(num_classes=5, width=4).class_map(torch.zeros(1, 3, 64, 64))
    with pytest.raises(SettingsError, match=r"poolings need 67 px"):
        narrow().class_map(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize(
    ("options", "message"), [({"width": 3}, "even width"), ({"init": "xavier"}, "paper, caffe, glorot, he")]
)
def test_a_wrong_option_is_answered_with_the_choices(options: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        alexnet_2012(num_classes=5, **options)
    with pytest.raises(SettingsError, match=r"init 'xavier': choices are pytorch, he"):
        alexnet(num_classes=5, width=4, init="xavier")
