import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision import catalog
from resvision.classification.googlenet import googlenet
from resvision.classification.mlp import mlp
from resvision.classification.preresnet import preresnet
from resvision.classification.resnet import resnet
from resvision.classification.resnet_cifar import resnet_cifar
from resvision.classification.vgg import vgg
from resvision.core.errors import MissingStageError, SettingsError
from resvision.probes.count import Count, count
from resvision.probes.shapes import WithoutDrawing
from resvision.segmentation.parts.tiles import input_rule
from resvision.segmentation.unet import EncoderUNet, centre, unet, unet_encoder, unet_padded


@pytest.fixture(scope="module")
def counted() -> Count:
    with torch.device("meta"), WithoutDrawing():
        return count(unet(num_classes=2), (1, 572, 572))


def test_parameters_and_macs_are_the_papers(counted: Count) -> None:
    assert counted.params == 31_030_658
    assert counted.macs == 150_428_424_448
    assert counted.depth == 23


def test_the_first_convolution_alone_knows_the_channels_of_the_image() -> None:
    with torch.device("meta"), WithoutDrawing():
        assert sum(p.numel() for p in unet(num_classes=2, in_channels=3).parameters()) == 31_031_810


def test_every_level_has_the_size_of_figure_1(counted: Count) -> None:
    down = [counted.outputs[f"contracting.{level}"] for level in range(5)]
    assert down == [(64, 568, 568), (128, 280, 280), (256, 136, 136), (512, 64, 64), (1024, 28, 28)]
    ups = [counted.outputs[f"expanding.{level}.up"] for level in range(4)]
    assert ups == [(512, 56, 56), (256, 104, 104), (128, 200, 200), (64, 392, 392)]
    levels = [counted.outputs[f"expanding.{level}"] for level in range(4)]
    assert levels == [(512, 52, 52), (256, 100, 100), (128, 196, 196), (64, 388, 388)]
    assert counted.outputs[""] == (2, 388, 388)
    assert [a[1] - b[1] for a, b in zip(reversed(down[:4]), ups, strict=True)] == [8, 32, 80, 176]


def test_the_lowest_level_sees_140_pixels(counted: Count) -> None:
    rows = {row.name: row for row in counted.layers}
    last = rows["contracting.4.3"]  # ReLU of its second convolution
    assert (last.receptive_field, last.stride) == (140, 16)
    assert rows["head"].stride == 1


@pytest.mark.parametrize("s", [8, 9, 12])
def test_16_s_and_60_pixels_give_184_less(s: int) -> None:
    net = unet(num_classes=2, width=2)
    sizes: list[int] = []
    net.contracting[4].register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[-1]))
    side = 16 * s + 60
    assert net(torch.zeros(1, 1, side, side + 16)).shape == (1, 2, 16 * s - 124, 16 * s - 108)
    assert sizes == [s + 1]


@pytest.mark.parametrize(("side", "nearest"), [(570, 572), (573, 572), (512, 508), (187, 188), (100, 188)])
def test_other_sizes_are_refused_with_the_nearest(side: int, nearest: int) -> None:
    with torch.device("meta"):
        net, images = unet(num_classes=2, width=2), torch.zeros(1, 1, side, 572)
    with pytest.raises(SettingsError, match=rf"{side}x572 px: UNet takes .*16 s \+ 60.*nearest: {nearest}x572"):
        net(images)


def test_the_middle_of_a_map_is_taken_with_equal_borders() -> None:
    map_ = torch.arange(64.0).view(1, 1, 8, 8)
    assert torch.equal(centre(map_, 4, 2), map_[:, :, 2:6, 3:5])


def test_weights_have_the_variance_of_two_over_the_incoming_connections() -> None:
    torch.manual_seed(0)
    net = unet(num_classes=2, width=16)
    wide = net.contracting[4][2]
    assert wide.weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    up = net.expanding[0].up  # one pixel of the result meets one pixel of the map, in all its channels
    assert up.weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert all((p == 0).all() for name, p in net.named_parameters() if name.endswith("bias"))


def test_dropout_works_in_training_alone_and_at_the_end_of_the_contracting_path() -> None:
    torch.manual_seed(0)
    net, images = unet(num_classes=2, width=4), torch.randn(1, 1, 188, 188)
    dropped: list[tuple[int, ...]] = []
    net.dropout.register_forward_hook(lambda _, inputs, output: dropped.append(tuple(output.shape[1:])))
    with torch.no_grad():
        assert not torch.equal(net(images), net(images))
        assert dropped[:2] == [(32, 16, 16), (64, 4, 4)]
        net.eval()
        assert torch.equal(net(images), net(images))
        net.train()
        net.dropout.p = 0.0
        assert torch.equal(net(images), net(images))
    with pytest.raises(SettingsError, match="dropout 1"):
        unet(num_classes=2, width=2, dropout=1.0)


def assert_gradient_everywhere(net: nn.Module, images: Tensor) -> None:
    torch.manual_seed(0)
    logits = net.train()(images)
    F.cross_entropy(logits, torch.randint(logits.shape[1], logits.shape[:1] + logits.shape[2:])).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_gradient_reaches_every_parameter(batch_norm: bool) -> None:
    torch.manual_seed(0)
    assert_gradient_everywhere(unet(num_classes=3, width=4, dropout=0.1), torch.randn(1, 1, 188, 188))
    net = unet_padded(num_classes=3, width=4, batch_norm=batch_norm, in_channels=2)
    assert_gradient_everywhere(net, torch.randn(2, 2, 32, 48))


def test_the_padded_net_keeps_the_size_and_takes_multiples_of_16() -> None:
    net = unet_padded(num_classes=3, width=2).eval()
    assert net(torch.zeros(2, 3, 32, 48)).shape == (2, 3, 32, 48)
    with pytest.raises(SettingsError, match=r"360x480 px: .*16 s px from 16 on; nearest: 368x480"):
        net(torch.zeros(1, 3, 360, 480))


def test_the_padded_net_has_the_papers_weights_and_those_of_its_normalizations() -> None:
    convolutions = 2 * (64 + 128 + 256 + 512 + 1024) + 2 * (512 + 256 + 128 + 64)
    with torch.device("meta"), WithoutDrawing():
        plain, normalized = unet_padded(num_classes=2, batch_norm=False), unet_padded(num_classes=2)
    assert sum(p.numel() for p in plain.parameters()) == 31_031_810
    assert sum(p.numel() for p in normalized.parameters()) == 31_031_810 + convolutions  # 2 C for C


@pytest.mark.usefixtures("float64")
def test_padded_and_valid_nets_of_the_same_weights_agree_far_from_the_border() -> None:
    torch.manual_seed(0)
    valid = unet(num_classes=2, width=2, dropout=0.0).eval()
    padded = unet_padded(num_classes=2, in_channels=1, width=2, batch_norm=False).eval()
    padded.load_state_dict(valid.state_dict(), strict=True)
    images = torch.randn(1, 1, 272, 272)
    with torch.no_grad():
        # From the third pixel on, all poolings of the valid net meet the pairs that those of the padded one meet.
        inner = valid(images[:, :, 2:270, 2:270])
        whole = padded(images)
    assert inner.shape[-1] == 84
    assert torch.allclose(whole[:, :, 94:178, 94:178], inner, rtol=0, atol=1e-10)
    assert inner.std() > 0.01


BACKBONES = {
    "resnet18": lambda: resnet(18, num_classes=5, width=4),
    "vgg11": lambda: vgg("A", num_classes=5, width=2),
    "googlenet": lambda: googlenet("torchvision", num_classes=5, width=8, aux=False),
    "resnet8": lambda: resnet_cifar(8, num_classes=5, width=4),
    "preresnet11": lambda: preresnet(11, num_classes=5, width=4),
}


@pytest.mark.parametrize("name", BACKBONES)
def test_any_net_with_stages_is_an_encoder_and_any_size_will_do(name: str) -> None:
    torch.manual_seed(0)
    net = unet_encoder(BACKBONES[name](), num_classes=3, decoder_width=8)
    assert_gradient_everywhere(net, torch.randn(2, 3, 72, 64))
    with torch.no_grad():
        assert net.eval()(torch.randn(1, 3, 67, 81)).shape == (1, 3, 67, 81)


def test_the_encoder_keeps_its_names_and_its_weights() -> None:
    backbone = resnet(18, num_classes=5, width=4)
    net = EncoderUNet(backbone, num_classes=3, decoder_width=8)
    state = net.state_dict()
    assert torch.equal(state["backbone.conv1.weight"], backbone.conv1.weight)
    assert torch.equal(state["backbone.layer4.1.bn2.bias"], backbone.layer4[1].bn2.bias)
    assert not any(name.startswith("backbone.fc") for name in state)
    assert [net.expanding[level][0].in_channels for level in range(4)] == [32 + 16, 8 + 8, 4 + 4, 2 + 4]


def test_a_net_without_maps_is_refused() -> None:
    with pytest.raises(MissingStageError, match="Perceptron as backbone has no maps"):
        unet_encoder(mlp(4, num_classes=5, input_size=4, width=8), num_classes=2)


@pytest.mark.usefixtures("float64")
def test_the_nets_export_as_one_graph() -> None:
    torch.manual_seed(0)
    for net, images in (
        (unet(num_classes=2, width=2), torch.randn(1, 1, 188, 188)),
        (unet_encoder(resnet(18, num_classes=5, width=4), num_classes=2, decoder_width=8), torch.randn(1, 3, 40, 33)),
    ):
        net.eval()
        exported = torch.export.export(net, (images,)).module()
        assert torch.allclose(exported(images), net(images), rtol=0, atol=1e-10)


def test_the_catalog_builds_the_nets_and_passes_options_on_to_the_encoder() -> None:
    assert catalog.build("unet", num_classes=2, width=2).input_rule == input_rule(unet(num_classes=2, width=2))
    net = catalog.build("unet_encoder", backbone="resnet20", num_classes=3, width=4, in_channels=1, decoder_width=8)
    assert net.backbone.conv1.weight.shape == (4, 1, 3, 3)
    assert net.eval()(torch.zeros(1, 1, 9, 11)).shape == (1, 3, 9, 11)
