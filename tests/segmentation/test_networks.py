"""The networks for segmentation: what every one promises, the counts of their papers, and torchvision as judge."""

import math
from functools import lru_cache
from typing import Any

import pytest
import torch
import torchvision.models.segmentation
from torch import Tensor, nn

from resvision import catalog
from resvision.catalog import ROWS
from resvision.classification.auxiliary import side_parameters
from resvision.classification.stages import uncut_maps
from resvision.core.errors import MissingStageError, SettingsError
from resvision.probes.count import count
from resvision.probes.shapes import WithoutDrawing
from resvision.segmentation.parts.tiles import input_rule

NAMES = [row.name for row in ROWS if row.builder.startswith("resvision.segmentation.")]
TAKE_ANY = ["fcn", "deeplabv3", "deeplabv3plus", "pspnet", "unet_encoder"]
CLASSES = 5

# name, options, classes, parameters
PARAMETERS = [
    ("fcn32s", {}, 21, 136_152_917),
    ("fcn16s", {}, 21, 134_815_994),
    ("fcn8s", {}, 21, 134_489_759),
    ("fcn_resnet50", {}, 21, 32_957_013),
    ("fcn_resnet101", {}, 21, 51_949_141),
    ("fcn_resnet50", {"aux": True}, 21, 35_322_218),
    ("fcn_resnet101", {"aux": True}, 21, 54_314_346),
    ("pspnet_resnet50", {}, 150, 46_782_550),
    ("pspnet_resnet101", {}, 21, 65_708_501),
    ("pspnet_resnet50", {"stem": "plain"}, 21, 46_592_597),
    ("pspnet_resnet101", {"stem": "plain"}, 21, 65_584_725),
    ("pspnet_resnet101", {"stem": "plain", "aux": True}, 21, 65_584_725 + 2_365_205),
    ("deeplabv3_2017_resnet50", {}, 21, 39_048_533),
    ("deeplabv3_2017_resnet101", {}, 21, 58_040_661),
    ("deeplabv3_resnet50", {}, 21, 39_638_869),
    ("deeplabv3_resnet101", {}, 21, 58_630_997),
    ("deeplabv3_resnet50", {"aux": True}, 21, 42_004_074),
    ("deeplabv3_resnet101", {"aux": True}, 21, 60_996_202),
    ("deeplabv3plus_resnet50", {}, 21, 40_352_181),
    ("deeplabv3plus_resnet101", {}, 21, 59_344_309),
]
# name, options, classes, side of the image, 10^9 multiply-adds
MULTIPLY_ADDS = [
    ("fcn8s", {}, 21, 500, 181.53),
    ("pspnet_resnet50", {}, 150, 473, 161.53),
    ("pspnet_resnet101", {}, 21, 473, 229.82),
    ("deeplabv3_resnet50", {}, 21, 513, 168.65),
    ("deeplabv3_resnet101", {}, 21, 513, 248.67),
    ("deeplabv3_2017_resnet101", {}, 21, 513, 71.06),
    ("deeplabv3_2017_resnet101", {"output_stride": 8}, 21, 513, 246.18),
]


def bare(name: str, num_classes: int, **options: Any) -> nn.Module:
    """The net of a row on meta."""
    with torch.device("meta"), WithoutDrawing():
        return catalog.build(name, num_classes=num_classes, **options)


@lru_cache(maxsize=1)  # pytest runs the tests of one row after another
def narrow(name: str, **options: Any) -> nn.Module:
    """The net of a row, a few channels wide, for images of 2 channels; its scores do not start at zero."""
    torch.manual_seed(0)
    given = {"in_channels": 2, "width": 4, "channels": 8, "decoder_width": 8, **options}
    taken = catalog.options(name, options)
    net = catalog.build(name, num_classes=CLASSES, **{key: given[key] for key in given if key in taken})
    for key, parameter in net.named_parameters():
        if key.startswith("score"):
            nn.init.normal_(parameter, std=0.1)
    return net


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


def images(height: int = 65, width: int = 65, *, channels: int = 2) -> Tensor:
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(1))


def images_for(net: nn.Module, height: int = 65, width: int = 65) -> Tensor:
    """Images of the next larger size that the net takes."""
    rule = input_rule(net)
    return images(rule.at_least(height), rule.at_least(width))


every_net = pytest.mark.parametrize("name", NAMES, scope="module")


@every_net
def test_there_are_logits_for_every_pixel_that_the_net_labels_at_two_sizes_in_both_modes(name: str) -> None:
    net = narrow(name)
    border = input_rule(net).border_px
    with torch.no_grad():
        for size in ((65, 65), (48, 90)):
            batch = images_for(net, *size)
            labelled = tuple(side - 2 * border for side in batch.shape[2:])
            assert labelled == size or hasattr(net, "input_rule")
            for mode in (True, False):
                logits = net.train(mode)(batch)
                assert logits.shape == (2, CLASSES, *labelled)
                assert logits.dtype is torch.float32


@every_net
def test_the_gradient_reaches_every_parameter_that_is_trained(name: str) -> None:
    net = narrow(name).train()
    net.zero_grad()
    batch = images_for(net)
    every_logits = net.all_logits(batch) if hasattr(net, "all_logits") else (net(batch),)
    shape = 2, *every_logits[0].shape[2:]
    targets = torch.randint(CLASSES, shape, generator=torch.Generator().manual_seed(2))
    sum(nn.functional.cross_entropy(logits, targets) for logits in every_logits).backward()
    for key, parameter in net.named_parameters():
        if not parameter.requires_grad:
            assert key.startswith("upscore")
            continue
        assert parameter.grad is not None, key
        assert 0 < parameter.grad.abs().max().item() < math.inf, key


@every_net
def test_the_state_round_trips(name: str) -> None:
    net = narrow(name).eval()
    with torch.device("meta"):
        again = narrow.__wrapped__(name)
    again = again.to_empty(device="cpu").eval()
    again.load_state_dict(net.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(again(images_for(net)), net(images_for(net)))


@every_net
def test_a_row_is_for_segmentation_and_says_its_paper(name: str) -> None:
    row = catalog.find(name)
    assert row.task == "segmentation"
    assert "arXiv:" in row.paper
    assert isinstance(bare(name, row.num_classes).auxiliary, tuple)


@pytest.mark.parametrize(("name", "options", "num_classes", "params"), PARAMETERS)
def test_parameters_are_the_papers(name: str, options: dict[str, Any], num_classes: int, params: int) -> None:
    net = bare(name, num_classes, **options)
    assert sum(parameter.numel() for parameter in net.parameters()) == params


@pytest.mark.parametrize(("name", "options", "num_classes", "side", "billions"), MULTIPLY_ADDS)
def test_multiply_adds_are_the_papers_nets(
    name: str, options: dict[str, Any], num_classes: int, side: int, billions: float
) -> None:
    counted = count(bare(name, num_classes, **options), (3, side, side))
    assert round(counted.macs / 1e9, 2) == billions
    assert counted.outputs[""] == (num_classes, side, side)


def test_the_decoder_of_deeplabv3plus_costs_what_the_paper_prints() -> None:
    counted = count(bare("deeplabv3plus_resnet101", 21), (3, 513, 513))
    parts = ("low_level", "decoder", "classifier")
    macs = sum(layer.macs for layer in counted.layers if layer.name.partition(".")[0] in parts)
    assert macs == 129 * 129 * (256 * 48 + 304 * 256 * 9 + 256 * 256 * 9 + 256 * 21)
    assert round(macs / 1e9, 2) == 21.76


def test_a_depthwise_pyramid_and_decoder_cost_less() -> None:
    dense, depthwise = (
        count(bare("deeplabv3plus_resnet50", 21, depthwise=each), (3, 513, 513)) for each in (False, True)
    )
    assert depthwise.macs < 0.65 * dense.macs
    assert depthwise.outputs == depthwise.outputs | {"": dense.outputs[""]}
    assert narrow("deeplabv3plus_resnet18", depthwise=True).eval()(images()).shape == (2, CLASSES, 65, 65)


@pytest.mark.parametrize("name", ["fcn_resnet50", "pspnet_resnet50", "deeplabv3_resnet50", "deeplabv3_2017_resnet50"])
def test_a_side_head_stands_on_the_map_before_the_deepest_and_only_all_logits_runs_it(name: str) -> None:
    net = narrow(name, aux=True).eval()
    without = narrow.__wrapped__(name).eval()
    assert net.auxiliary == ("aux_classifier",)
    assert without.auxiliary == ()
    shared = {key: value for key, value in net.state_dict().items() if not key.startswith("aux_classifier.")}
    without.load_state_dict(shared, strict=True)
    with torch.no_grad():
        main, side = net.all_logits(images())
        assert torch.equal(net(images()), main)
        assert side.shape == main.shape
        assert not torch.equal(side, main)
        (alone,) = without.all_logits(images())
        assert torch.equal(alone, main)
    assert side_parameters(bare(name, 21, aux=True)) == 2_365_205


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"])
def test_torchvisions_weights_load_and_give_torchvisions_logits(name: str) -> None:
    torch.manual_seed(0)
    theirs = getattr(torchvision.models.segmentation, name)(
        weights=None, weights_backbone=None, num_classes=21, aux_loss=True
    )
    lively(theirs)
    ours = bare(name, 21, aux=True).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    batch = images(65, 57, channels=3)[:1]
    with torch.no_grad():
        expected = theirs(batch)
        for logits, key in zip(ours.all_logits(batch), ("out", "aux"), strict=True):
            assert (logits - expected[key]).abs().max() <= 1e-10 * expected[key].abs().max(), key
    plain = getattr(torchvision.models.segmentation, name)
    with torch.device("meta"), WithoutDrawing():
        keys = plain(weights=None, weights_backbone=None, num_classes=21).state_dict()
    assert {key: value.shape for key, value in bare(name, 21).state_dict().items()} == {
        key: value.shape for key, value in keys.items()
    }


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn", {}),
        ("pspnet", {"stem": "deep", "first_blocks": "former"}),
        ("deeplabv3", {}),
        ("deeplabv3", {"head": "2017", "multi_grid": True, "first_blocks": "former"}),
        ("deeplabv3plus", {"multi_grid": False, "first_blocks": "former"}),
        ("deeplabv3plus", {"multi_grid": True, "first_blocks": "former"}),
    ],
)
def test_output_strides_16_and_8_have_the_same_weights_and_maps(name: str, options: dict[str, Any]) -> None:
    coarse = lively(narrow.__wrapped__(name, output_stride=16, **options))
    fine = narrow.__wrapped__(name, output_stride=8, **options).eval()
    fine.load_state_dict(coarse.state_dict(), strict=True)
    batch = images(97, 97)
    with torch.no_grad():
        expected = [*coarse.backbone(batch).values()][-1]
        found = [*fine.backbone(batch).values()][-1][:, :, ::2, ::2]
        assert (found - expected).abs().max() <= 1e-10 * expected.abs().max()
        assert fine(batch).shape == coarse(batch).shape == (2, CLASSES, 97, 97)


@pytest.mark.parametrize(
    ("output_stride", "multi_grid", "rates"),
    [(16, False, [2, 2, 2]), (16, True, [2, 4, 8]), (8, True, [4, 8, 16]), (32, True, [1, 2, 4])],
)
def test_the_multi_grid_multiplies_the_rates_of_the_last_blocks(
    output_stride: int, multi_grid: bool, rates: list[int]
) -> None:
    net = bare("deeplabv3_2017_resnet50", 21, output_stride=output_stride, multi_grid=multi_grid)
    convs = [block.conv2 for block in net.backbone.layer4]
    assert [conv.dilation for conv in convs] == [conv.padding for conv in convs] == [(rate, rate) for rate in rates]


def rates_of(net: nn.Module) -> list[list[int]]:
    """The atrous rate of the 3x3 convolution in each block of the last two stages."""
    stages = (net.backbone.layer3, net.backbone.layer4)
    return [[block.conv2.dilation[0] for block in stage] for stage in stages]


@pytest.mark.parametrize("stride_in", ["1x1", "3x3"])
def test_all_blocks_of_a_stage_of_pspnet_have_its_rate_as_in_the_released_prototxt(stride_in: str) -> None:
    net = bare("pspnet_resnet101", 21, stride_in=stride_in)
    assert rates_of(net) == [[2] * 23, [4] * 3]
    block = net.backbone.layer4[0]
    assert block.conv2.padding == (4, 4)
    assert block.conv1.stride == block.conv2.stride == block.downsample[0].stride == (1, 1)


def test_the_papers_deeplab_has_the_rates_of_its_released_nets_at_both_strides() -> None:
    for name in ("deeplabv3_2017_resnet50", "deeplabv3plus_resnet50"):
        assert rates_of(bare(name, 21, output_stride=16)) == [[1] * 6, [2, 4, 8]]
        assert rates_of(bare(name, 21, output_stride=8)) == [[2] * 6, [4, 8, 16]]


def test_first_blocks_of_torchvisions_nets_and_of_runs_before_the_choice_have_the_former_rate() -> None:
    for name, options in {
        "fcn_resnet50": {},
        "deeplabv3_resnet50": {},
        "pspnet_resnet50": {"first_blocks": "former", "stride_in": "3x3"},
    }.items():
        assert rates_of(bare(name, 21, **options)) == [[1] + [2] * 5, [2] + [4] * 2]


def test_blocks_of_xception_which_stride_at_their_end_keep_their_rates() -> None:
    def rates(choice: str) -> list[tuple[int, ...]]:
        net = bare("deeplabv3plus_xception65", 21, output_stride=8, first_blocks=choice)
        return [module.dilation for module in net.modules() if isinstance(module, nn.Conv2d)]

    assert rates("stage") == rates("former")
    with pytest.raises(SettingsError, match="first_blocks 'half': choices are stage, former"):
        bare("pspnet_resnet50", 21, first_blocks="half")


def test_the_papers_head_has_the_multi_grid_where_three_blocks_are_and_torchvisions_has_not() -> None:
    def last_rate(name: str, **options: Any) -> int:
        block = [*bare(name, 21, **options).backbone.layer4][-1]
        return [conv for conv in block.modules() if isinstance(conv, nn.Conv2d)][1].dilation[0]

    assert last_rate("deeplabv3_2017_resnet101") == 8
    assert last_rate("deeplabv3plus_resnet50") == 8
    assert last_rate("deeplabv3plus_resnet18") == 2
    assert last_rate("deeplabv3_resnet50", output_stride=16) == 2
    with pytest.raises(SettingsError, match="last stage is not three blocks"):
        bare("deeplabv3plus_resnet18", 21, multi_grid=True)


@pytest.mark.parametrize(
    ("backbone", "output_stride", "heads"),
    [
        ("vgg16_bn", 16, TAKE_ANY),
        ("vgg11", 8, TAKE_ANY),
        ("alexnet", 16, TAKE_ANY),
        ("googlenet", 16, TAKE_ANY),
        ("bn_inception", 16, TAKE_ANY),
        ("plain18", 32, TAKE_ANY),
        ("resnet34", 8, TAKE_ANY),
        ("resnet20", 4, ["fcn", "deeplabv3", "pspnet"]),
        ("preresnet110", 2, ["fcn", "pspnet"]),
    ],
)
def test_any_net_that_has_the_maps_will_do(backbone: str, output_stride: int, heads: list[str]) -> None:
    for name in heads:
        aux = {"aux": True} if "aux" in catalog.options(name) else {}
        net = narrow.__wrapped__(name, backbone=backbone, output_stride=output_stride, **aux).eval()
        with torch.no_grad():
            assert net(images(64, 72)).shape == (2, CLASSES, 64, 72)
        kept = {key.removeprefix("backbone.") for key in net.state_dict() if key.startswith("backbone.")}
        assert kept < {*bare(backbone, 10).state_dict()}


def test_over_another_backbone_a_net_is_built_with_that_ones_options() -> None:
    net = catalog.build("deeplabv3plus", num_classes=11, backbone="resnet18", width=8, in_channels=1, stem="deep")
    assert net.backbone.conv1[0].weight.shape == (8, 1, 3, 3)
    assert net.backbone.channels == {"C1": 16, "C2": 8, "C3": 16, "C4": 32, "C5": 64}
    assert net.classifier.out_channels == 11


@pytest.mark.parametrize(
    ("name", "backbone", "message"),
    [
        ("deeplabv3plus", "resnet20", r"gives C0, C1, C2; needed are C2 and a deeper one; these will do: .*resnet18"),
        ("deeplabv3plus", "resmlp", r"Perceptron as backbone has no maps.*; these will do: .*vgg16_bn"),
        ("fcn", "lenet5", r"LeNet5 as backbone has no maps.*; these will do: .*resnet50, "),
    ],
)
def test_a_backbone_without_the_maps_is_answered_with_those_that_have_them(
    name: str, backbone: str, message: str
) -> None:
    with pytest.raises(MissingStageError, match=message) as caught:
        catalog.build(name, num_classes=5, backbone=backbone)
    said = str(caught.value).partition("these will do: ")[2].split(", ")
    assert said
    assert backbone not in said


def test_a_net_is_built_over_every_backbone_that_the_error_names_and_over_no_other() -> None:
    with pytest.raises(MissingStageError) as caught:
        catalog.build("deeplabv3plus", num_classes=5, backbone="resnet20")
    said = str(caught.value).partition("these will do: ")[2].split(", ")
    shallow = [row for row in ROWS if row.task == "classification" and row.options.get("depth", 0) < 120]
    for row in shallow:
        backbone = bare(row.name, row.num_classes)
        maps = [*uncut_maps(backbone)] if hasattr(backbone, "stage_ends") else []
        assert (row.name in said) == ("C2" in maps[:-1]), row.name


def test_an_output_stride_that_the_backbone_does_not_take_is_answered_with_its_own() -> None:
    with pytest.raises(SettingsError, match="output_stride 16: this net takes 4, 2, 1"):
        catalog.build("deeplabv3", num_classes=5, backbone="resnet20", width=4, output_stride=16)


def test_another_head_of_deeplabv3_is_refused() -> None:
    with pytest.raises(SettingsError, match="head '2018': choices are torchvision, 2017"):
        catalog.build("deeplabv3", num_classes=5, width=4, head="2018")
