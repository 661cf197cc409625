"""The nets of Long et al. 2015 themselves: sizes, offsets, and how one starts with the weights of another."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from resvision import catalog
from resvision.core.errors import SettingsError
from resvision.probes.count import count
from resvision.probes.shapes import WithoutDrawing
from resvision.segmentation.fcn_vgg import FCNVGG, fcn_vgg, new_parts
from resvision.training.initial import initial_state

STREAMS = [(32, "score_fr"), (16, "score_fr"), (16, "score_pool4"), (8, "score_fr"), (8, "score_pool4")]
STREAMS += [(8, "score_pool3")]


def test_sizes_for_500_px_and_what_a_position_sees() -> None:
    with torch.device("meta"), WithoutDrawing():
        counted = count(fcn_vgg(8, num_classes=21), (3, 500, 500))
    rows = {layer.name: layer for layer in counted.layers}
    names = ("features.16", "features.23", "features.30", "classifier.3", "upscore2", "upscore_pool4", "upscore8")
    assert [rows[name].shape[1:] for name in names] == [(side, side) for side in (88, 44, 22, 16, 34, 70, 568)]
    assert rows["score_fr"].receptive_field == 404
    assert rows["score_fr"].stride == 32
    assert counted.outputs[""] == (21, 500, 500)


def test_fixed_deconvolutions_are_not_trained_and_learned_ones_but_the_last_are() -> None:
    with torch.device("meta"), WithoutDrawing():
        fixed, learned = (fcn_vgg(8, num_classes=21, deconvolution=each) for each in ("fixed", "learned"))
    assert sum(p.numel() for p in fixed.parameters() if p.requires_grad) == 134_362_751
    trained = {name for name, p in learned.named_parameters() if p.requires_grad} - {
        name for name, p in fixed.named_parameters() if p.requires_grad
    }
    assert trained == {"upscore2.weight", "upscore_pool4.weight"}


@pytest.mark.parametrize("stride", [32, 16, 8])
@pytest.mark.parametrize("size", [(1, 1), (31, 33), (64, 50)])
def test_images_of_any_size_have_logits_for_every_pixel_which_start_at_zero(stride: int, size: tuple[int, int]) -> None:
    net = fcn_vgg(stride, num_classes=3, width=1).eval()
    with torch.no_grad():
        logits = net(torch.randn(1, 3, *size))
    assert torch.equal(logits, torch.zeros(1, 3, *size))


def test_a_signal_reaches_the_scores_of_a_fresh_net_at_its_size() -> None:
    torch.manual_seed(0)
    net = fcn_vgg(32, num_classes=3, width=4).eval()
    seen: list[Tensor] = []
    net.score_fr.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = torch.randn(1, 3, 16, 16).repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    with torch.no_grad():
        net(image)
    assert 0.3 < seen[0].std() < 10


def averaging(net: FCNVGG, stream: str) -> nn.Module:
    """The net as a linear filter that only adds up, with the scores of one layer alone."""
    for i in net.pools:
        net.features[i] = nn.AvgPool2d(2, ceil_mode=True)
    for name, parameter in net.named_parameters():
        if not name.startswith("upscore"):
            filled = name.endswith(".weight") and not (name.startswith("score") and not name.startswith(stream))
            nn.init.constant_(parameter, float(filled))
    return net.double().eval()


@pytest.mark.parametrize(("stride", "stream"), STREAMS)
def test_what_is_cut_off_puts_every_score_where_its_pixel_is(stride: int, stream: str) -> None:
    net = averaging(fcn_vgg(stride, num_classes=1, in_channels=1, width=1), stream)
    for down, right in ((333, 20), (350, 20)):
        image = torch.zeros(1, 1, 700, 40, dtype=torch.double)
        image[0, 0, down, right] = 1.0
        with torch.no_grad():
            assert centre(net(image)) == pytest.approx(down, abs=0.2)
            assert centre(net(image.mT).mT) == pytest.approx(down, abs=0.2)


def centre(response: Tensor) -> float:
    """The centre of mass along the height."""
    weights = response.sum(dim=(0, 1, 3))
    return float((weights * torch.arange(len(weights))).sum() / weights.sum())


@pytest.mark.parametrize(
    ("stride", "names"),
    [
        (16, ("upscore32", "upscore2", "score_pool4", "upscore16")),
        (8, ("upscore16", "upscore_pool4", "score_pool3", "upscore8")),
    ],
)
def test_a_finer_net_starts_with_the_logits_of_the_coarser_one(
    stride: int, names: tuple[str, ...], tmp_path: Path
) -> None:
    assert new_parts(stride) == names
    torch.manual_seed(0)
    coarse, fine = (fcn_vgg(each, num_classes=2, width=2).eval() for each in (2 * stride, stride))
    nn.init.normal_(coarse.score_fr.weight)
    save_file(coarse.state_dict(), tmp_path / "coarse.safetensors")
    fine.load_state_dict(initial_state(fine, tmp_path / "coarse.safetensors", fresh=new_parts(stride)))
    images = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        before, after = coarse(images), fine(images)
    # The new scores are zero, and interpolating in two steps is nearly interpolating in one.
    assert (after - before).abs().mean() < 0.15 * before.abs().mean()
    with pytest.raises(SettingsError, match="choices are 16, 8"):
        new_parts(32)


@pytest.mark.usefixtures("float64")
def test_the_weights_of_vgg16_start_the_coarsest_net(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vgg = catalog.build("vgg16", num_classes=7, width=2)
    net = catalog.build("fcn32s", num_classes=3, width=2).eval()
    save_file(vgg.state_dict(), tmp_path / "vgg16.safetensors")
    fresh = ("classifier.6", "score_fr", "upscore32")
    net.load_state_dict(initial_state(net, tmp_path / "vgg16.safetensors", fresh=fresh))
    maps = torch.randn(1, 16, 7, 7)
    with torch.no_grad():
        hidden = vgg.eval().classifier[:6](maps.flatten(1))
        assert torch.allclose(net.classifier(maps).flatten(1), hidden, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stride": 4}, "stride 4: choices are 32, 16, 8"),
        ({"stride": 8, "deconvolution": "free"}, "deconvolution 'free': choices are fixed, learned"),
    ],
)
def test_another_stride_or_deconvolution_is_refused(given: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        fcn_vgg(num_classes=3, width=1, **given)
