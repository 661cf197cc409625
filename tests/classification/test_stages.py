from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.catalog import build
from resvision.classification.mlp import mlp
from resvision.classification.preresnet import preresnet
from resvision.classification.resnet import ResNet, resnet
from resvision.classification.resnet_cifar import resnet_cifar
from resvision.classification.stages import distances_to_head, first_centres, first_stages, stages
from resvision.core.errors import SettingsError

WIDTH = 4
IMAGENET = [
    (depth, stride_in, shortcut)
    for depth, stride_in in ((18, "3x3"), (50, "1x1"), (50, "3x3"))
    for shortcut in ("none", "A", "B", "C")
]


def lively(net: nn.Module) -> nn.Module:
    """Evaluation mode with statistics that keep maps away from zero and from each other."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


def imagenet_net(depth: int = 18, stride_in: str = "3x3", shortcut: str = "B") -> ResNet:
    return lively(resnet(depth, num_classes=5, width=WIDTH, stride_in=stride_in, shortcut=shortcut))


def assert_equal_when_subsampled(net: nn.Module, size: int, strides: list[int]) -> None:
    """Every map of every output stride, subsampled to the uncut stride, is the map of the uncut net."""
    images = torch.randn(1, 3, size, size)
    with torch.no_grad():
        reference = stages(net, strides[0])(images)
        for output_stride in strides[1:]:
            cut = stages(net, output_stride)
            for name, map_ in cut(images).items():
                uncut_stride = 2 ** int(name[1:])
                step = uncut_stride // cut.stride[name]
                expected = reference[name]
                difference = (map_[:, :, ::step, ::step] - expected).abs().max() / expected.abs().max()
                assert difference <= 1e-10, (name, output_stride)
            assert cut.stride[name] == output_stride
            assert map_.shape[-1] == -(-size // output_stride)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("depth", "stride_in", "shortcut"), IMAGENET)
def test_smaller_output_strides_subsampled_equal_the_uncut_maps(depth: int, stride_in: str, shortcut: str) -> None:
    assert_equal_when_subsampled(imagenet_net(depth, stride_in, shortcut), 97, [32, 16, 8])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_small_image_nets_follow_the_same_law_down_to_stride_1(shortcut: str) -> None:
    net = lively(resnet_cifar(14, num_classes=5, width=4, shortcut=shortcut))
    assert_equal_when_subsampled(net, 29, [4, 2, 1])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("placement", ["a", "b", "c", "d", "e"])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_pre_activation_nets_follow_it_too(placement: str, block: str) -> None:
    net = lively(preresnet(20, num_classes=5, width=4, placement=placement, block=block))
    assert_equal_when_subsampled(net, 29, [4, 2, 1])


@pytest.mark.parametrize(
    "net",
    [
        imagenet_net(50, "1x1"),
        lively(resnet_cifar(8, num_classes=5, width=4)),
        lively(preresnet(11, num_classes=5, width=4)),
    ],
    ids=["resnet50_v1", "resnet8", "preresnet11"],
)
def test_the_classifier_on_the_last_map_gives_the_nets_own_logits(net: nn.Module) -> None:
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        last = [*stages(net)(images).values()][-1]
        assert torch.equal(net.fc(net.avgpool(last).flatten(1)), net(images))


@pytest.mark.parametrize(
    ("net", "names", "output_stride"),
    [
        (imagenet_net(18), ["C1", "C2", "C3", "C4", "C5"], 32),
        (imagenet_net(50), ["C1", "C2", "C3", "C4", "C5"], 8),
        (lively(resnet_cifar(8, num_classes=5, width=4)), ["C0", "C1", "C2"], 4),
        (lively(preresnet(11, num_classes=5, width=4)), ["C0", "C1", "C2"], 2),
    ],
    ids=["resnet18", "resnet50", "resnet8", "preresnet11"],
)
def test_channels_and_strides_are_known_before_the_first_forward(
    net: nn.Module, names: list[str], output_stride: int
) -> None:
    cut = stages(net, output_stride)
    assert [*cut.channels] == [*cut.stride] == names
    assert [*cut.stride.values()] == [min(2 ** int(name[1:]), output_stride) for name in names]
    for name, map_ in cut(torch.randn(1, 3, 64, 96)).items():
        assert map_.shape == (1, cut.channels[name], 64 // cut.stride[name], 96 // cut.stride[name])


@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_the_cut_is_a_copy_with_the_nets_own_names_and_weights(output_stride: int) -> None:
    net = imagenet_net(50)
    whole = {key: value.clone() for key, value in net.state_dict().items()}
    images = torch.randn(1, 3, 64, 64)
    before = net(images)
    cut = stages(net, output_stride)
    kept = cut.state_dict()
    assert set(whole) - set(kept) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(value, whole[key]) for key, value in kept.items())
    for parameter in cut.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(net(images), before)


class TwoPart(nn.Module):
    """A net in VGG's manner: one Sequential of convolutions and poolings, cut inside."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1)]
        layers += [nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(OrderedDict(fc=nn.Linear(8, 2)))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).mean(dim=(2, 3)))

    def stage_ends(self) -> dict[str, int]:
        return {"features.1": 4, "features.4": 6, "features.7": 8}


@pytest.mark.usefixtures("float64")
def test_a_net_may_be_cut_inside_a_sequential_and_its_poolings_dilated() -> None:
    net = TwoPart().eval()
    images = torch.randn(2, 3, 32, 32)
    cut = stages(net)
    assert cut.stride == {"C0": 1, "C1": 2, "C2": 4}
    assert set(cut.state_dict()) == {key for key in net.state_dict() if key.startswith("features")}
    assert "features.8" not in dict(cut.named_modules())
    maps, fine = cut(images), stages(net, 2)(images)
    assert torch.equal(maps["C2"], net.features[:8](images))
    # An unpadded even window shortens the finer map at its far edge; the rest is the same.
    inner = fine["C2"][:, :, ::2, ::2][:, :, :-1, :-1]
    assert torch.allclose(inner, maps["C2"][:, :, : inner.shape[2], : inner.shape[3]], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("net", "output_stride", "choices"),
    [
        (imagenet_net(18), 4, "32, 16, 8"),
        (imagenet_net(18), 64, "32, 16, 8"),
        (imagenet_net(18), 12, "32, 16, 8"),
        (lively(resnet_cifar(8, num_classes=5, width=4)), 8, "4, 2, 1"),
        (lively(resnet_cifar(8, num_classes=5, width=4)), 0, "4, 2, 1"),
    ],
)
def test_another_output_stride_is_answered_with_the_choices(net: nn.Module, output_stride: int, choices: str) -> None:
    with pytest.raises(SettingsError, match=choices):
        stages(net, output_stride)


def test_a_net_without_maps_is_refused_with_names_of_nets_that_have_them() -> None:
    with pytest.raises(SettingsError, match=r"Perceptron has no stages.*resnet50"):
        stages(mlp(4, num_classes=5, input_size=4, width=8))


def test_stages_are_cut_on_meta_without_memory_and_keep_the_mode() -> None:
    with torch.device("meta"):
        net = resnet(152, num_classes=1000).train()
    cut = stages(net, 8)
    assert cut.training
    assert all(parameter.is_meta for parameter in cut.parameters())


@pytest.mark.usefixtures("float64")
def test_the_cut_exports_as_one_graph() -> None:
    cut = stages(imagenet_net(18), 16)
    images = torch.randn(1, 3, 64, 64)
    exported = torch.export.export(cut, (images,)).module()
    for name, map_ in exported(images).items():
        assert torch.allclose(map_, cut(images)[name], rtol=0, atol=1e-10)


def test_the_stages_of_a_net_over_a_backbone_are_the_backbones() -> None:
    with torch.device("meta"):
        net = build("deeplabv3plus", backbone="resnet18", num_classes=3)
    found = first_stages(net, 2)
    assert [*found] == [f"backbone.{name}" for name in ("conv1", "bn1", "relu", "maxpool", "layer1")]
    assert all(found[name] is net.get_submodule(name) for name in found)
    distances = distances_to_head(net)
    assert distances.keys() == {name for name, _ in net.named_parameters()}
    assert (distances["backbone.conv1.weight"], distances["backbone.layer4.0.conv1.weight"]) == (5, 1)
    assert {distances[name] for name in distances if not name.startswith("backbone.")} == {0}


def test_what_was_cut_can_be_cut_again() -> None:
    with torch.device("meta"):
        net = build("resnet18", num_classes=3)
    once = stages(net)
    assert dict(stages(once, 16).stride) == stages(net, 16).stride


@pytest.mark.parametrize("name", ["sppnet_zf5", "vgg11", "resnet18", "googlenet", "darknet19"])
def test_first_centres_are_where_what_a_position_sees_is_centred(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def averaged(
        x: Tensor,
        size: int,
        stride: int,
        padding: int = 0,
        dilation: object = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Tensor:
        """A pooling whose gradient reaches all of its window."""
        return F.avg_pool2d(x, size, stride, padding, ceil_mode)

    monkeypatch.setattr(F, "max_pool2d", averaged)
    net = stages(build(name, num_classes=5, width=4)).eval()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.01)  # so that no ReLU stops a gradient
    image = torch.ones(1, 3, 320, 320, dtype=torch.float64, requires_grad=True)
    for level, pixels in net.double()(image).items():
        if level == "C5":
            break  # which sees all of the image
        position = pixels.shape[-1] // 2
        (gradient,) = torch.autograd.grad(pixels[0, :, position, position].sum(), image, retain_graph=True)
        seen = gradient[0, 0].any(dim=0).nonzero().flatten()
        centre = (seen.min() + seen.max() + 1) / 2
        assert centre == first_centres(net)[level] + position * net.stride[level], level
