import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resvision.classification.vgg import vgg
from resvision.core.errors import SettingsError
from resvision.probes.count import Count, count
from resvision.probes.shapes import WithoutDrawing
from resvision.segmentation.deconvnet import DeconvNet, deconvnet
from resvision.segmentation.parts.tiles import input_rule, predict_tiled


@pytest.fixture(scope="module")
def counted() -> Count:
    with torch.device("meta"), WithoutDrawing():
        return count(deconvnet(num_classes=21), (3, 224, 224))


def narrow() -> DeconvNet:
    torch.manual_seed(0)
    return deconvnet(num_classes=3, width=2)


def test_parameters_and_macs_are_the_papers(counted: Count) -> None:
    assert counted.params == 251_805_653
    assert round(counted.macs / 1e6) == 32_746


def test_sizes_are_symmetric(counted: Count) -> None:
    pools = [row.shape[1:] for row in counted.layers if row.kind.startswith("MaxPool2d")]
    assert pools == [(side, side) for side in (112, 56, 28, 14, 7)]
    assert [counted.outputs[name] for name in ("fc6", "fc7", "fc6_deconv")] == [(4096, 1, 1)] * 2 + [(512, 7, 7)]
    levels = [counted.outputs[f"deconvs.{level}"] for level in range(5)]
    assert levels == [(512, 14, 14), (256, 28, 28), (128, 56, 56), (64, 112, 112), (64, 224, 224)]
    assert counted.outputs[""] == (21, 224, 224)


def test_it_is_as_deep_as_vgg_twice_and_its_result_has_stride_1(counted: Count) -> None:
    assert counted.depth == 13 + 2 + 1 + 13 + 1
    assert {row.name: row.stride for row in counted.layers}["score"] == 1


def test_unpooling_puts_values_where_the_maxima_were() -> None:
    map_ = torch.arange(16.0).view(1, 1, 4, 4)
    pooled, switches = F.max_pool2d(map_, 2, return_indices=True)
    assert switches.flatten().tolist() == [5, 7, 13, 15]
    unpooled = F.max_unpool2d(pooled, switches, 2)
    assert unpooled.flatten().nonzero().flatten().tolist() == [5, 7, 13, 15]
    assert torch.equal(unpooled.flatten()[[5, 7, 13, 15]], torch.tensor([5.0, 7.0, 13.0, 15.0]))


def test_every_level_is_unpooled_by_the_switches_of_its_own_pooling() -> None:
    net = narrow().eval()
    pooled, unpooled = [], []
    for layer in net.features:
        if isinstance(layer, nn.MaxPool2d):
            layer.register_forward_hook(lambda _, inputs, output: pooled.append((inputs[0], *output)))
    for level in net.deconvs:
        level.register_forward_pre_hook(lambda _, inputs: unpooled.append(inputs[0]))
    with torch.no_grad():
        net(torch.randn(1, 3, 224, 224))
    for (before, _, switches), restored in zip(reversed(pooled), unpooled, strict=True):
        assert restored.shape == before.shape
        elsewhere = torch.ones_like(restored).flatten(2).scatter(2, switches.flatten(2), 0.0).view_as(restored)
        assert (restored * elsewhere == 0).all()
        assert restored.abs().max() > 0


def test_unpooling_what_was_pooled_keeps_the_maxima_in_place() -> None:
    map_ = torch.rand(2, 3, 8, 8) + 0.1
    pooled, switches = F.max_pool2d(map_, 2, return_indices=True)
    kept = F.max_unpool2d(pooled, switches, 2)
    assert torch.equal(kept[kept > 0], map_[kept > 0])
    assert torch.equal(F.max_pool2d(kept, 2), pooled)


def test_the_gradient_reaches_every_parameter() -> None:
    net = narrow()
    F.cross_entropy(net(torch.randn(2, 3, 224, 224)), torch.randint(3, (2, 224, 224))).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        # A bias before batch normalization is taken away again: its gradient is rounding alone.
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_weights_of_vgg16_with_normalization_fit_the_way_down() -> None:
    net = narrow()
    theirs = vgg("D", num_classes=3, width=2, batch_norm=True).state_dict()
    features = {name: value for name, value in theirs.items() if name.startswith("features.")}
    assert features.keys() == {name for name in net.state_dict() if name.startswith("features.")}
    missing, unexpected = net.load_state_dict(features, strict=False)
    assert not unexpected
    assert not any(name.startswith("features.") for name in missing)


def test_larger_images_go_in_windows_of_224() -> None:
    net = narrow().eval()
    image = torch.randn(1, 3, 224, 300)
    with pytest.raises(SettingsError, match="224x300 px: DeconvNet takes 224x224 alone; nearest: 224x224"):
        net(image)
    with torch.no_grad():
        tiled = predict_tiled(
            lambda window: net(window).softmax(dim=1), image, rule=input_rule(net), overlap_px=112, num_classes=3
        )
        first = net(image[..., :224]).softmax(dim=1)
    assert tiled.shape == (1, 3, 224, 300)
    assert torch.allclose(tiled[..., :76], first[..., :76], atol=1e-6)  # of one window alone
    assert torch.allclose(tiled.sum(dim=1), torch.ones(1, 224, 300), atol=1e-5)
