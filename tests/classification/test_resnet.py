import pytest
import torch
import torchvision
from torch import nn

from resvision import catalog
from resvision.classification.resnet import SIZES, BasicBlock, Bottleneck, resnet
from resvision.core.errors import SettingsError
from resvision.layers.init import he_initialize
from resvision.layers.shortcuts import PaddedShortcut, make_shortcut
from resvision.probes.count import count

# name, parameters, MACs at 224 px, receptive field
PAPER_TABLE = [
    ("plain18", 11_515_688, 1_794_805_760, 435),
    ("resnet18_a", 11_515_688, 1_794_805_760, 435),
    ("resnet18", 11_689_512, 1_814_073_344, 435),
    ("plain34", 21_623_848, 3_644_493_824, 899),
    ("resnet34_a", 21_623_848, 3_644_493_824, 899),
    ("resnet34", 21_797_672, 3_663_761_408, 899),
    ("resnet34_b", 21_797_672, 3_663_761_408, 899),
    ("resnet34_c", 22_716_840, 3_830_747_136, 899),
    ("resnet50_v1", 25_557_032, 3_857_973_248, 483),
    ("resnet101_v1", 44_549_160, 7_570_194_432, 1027),
    ("resnet152_v1", 60_192_808, 11_282_415_616, 1507),
    ("resnet50", 25_557_032, 4_089_184_256, 427),
    ("resnet101", 44_549_160, 7_801_405_440, 971),
    ("resnet152", 60_192_808, 11_513_626_624, 1451),
]
OPTION_C_PARAMS = [
    ("resnet18", 12_043_816),
    ("resnet34", 22_716_840),
    ("resnet50", 40_128_552),
    ("resnet101", 76_981_288),
    ("resnet152", 107_335_720),
]
STATE_ENTRIES = {18: 122, 34: 218, 50: 320, 101: 626, 152: 932}


def randomize(net: nn.Module) -> nn.Module:
    """Give every normalization statistics and an affine part that are not the identity; evaluation mode."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


def relative_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize(("name", "params", "macs", "field"), PAPER_TABLE)
def test_counts_are_the_papers(name: str, params: int, macs: int, field: int) -> None:
    with torch.device("meta"):
        counted = count(catalog.build(name, num_classes=1000), (3, 224, 224))
    assert (counted.params, counted.macs, counted.receptive_field) == (params, macs, field)


@pytest.mark.parametrize(("name", "params"), OPTION_C_PARAMS)
def test_option_c_has_a_projection_in_every_block(name: str, params: int) -> None:
    with torch.device("meta"):
        net = catalog.build(name, num_classes=1000, shortcut="C")
    blocks = [module for module in net.modules() if isinstance(module, BasicBlock | Bottleneck)]
    assert all(isinstance(block.downsample, nn.Sequential) for block in blocks)
    assert sum(p.numel() for p in net.parameters()) == params


def test_option_c_of_resnet18_costs_these_macs() -> None:
    with torch.device("meta"):
        assert count(resnet(18, num_classes=1000, shortcut="C"), (3, 224, 224)).macs == 1_878_298_624


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("depth", SIZES)
def test_torchvision_gives_the_same_logits_and_weights_go_both_ways(depth: int) -> None:
    torch.manual_seed(depth)
    ours = randomize(resnet(depth, num_classes=1000))
    with torch.device("meta"):
        theirs, back = getattr(torchvision.models, f"resnet{depth}")(), resnet(depth, num_classes=1000)
    theirs, back = theirs.to_empty(device="cpu").eval(), back.to_empty(device="cpu").eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(ours.state_dict()) == STATE_ENTRIES[depth]
    theirs.load_state_dict(ours.state_dict(), strict=True)
    back.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(images)
        assert relative_difference(ours(images), expected) <= 1e-10
        assert relative_difference(back(images), expected) <= 1e-10


def test_v1_and_v1_5_share_a_state_dict_but_differ_in_their_output() -> None:
    v1 = randomize(resnet(50, num_classes=7, width=8, stride_in="1x1"))
    v1_5 = randomize(resnet(50, num_classes=7, width=8, stride_in="3x3"))
    v1_5.load_state_dict(v1.state_dict(), strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert relative_difference(v1(images), v1_5(images)) > 1e-3


def test_option_a_takes_every_second_pixel_and_appends_zero_channels() -> None:
    x = torch.randn(2, 16, 32, 32)
    y = PaddedShortcut(16, out_channels=32, stride=2)(x)
    assert y.shape == (2, 32, 16, 16)
    assert torch.equal(y[:, :16], x[:, :, ::2, ::2])
    assert torch.equal(y[:, 16:], torch.zeros(2, 16, 16, 16))


def test_shortcut_options_project_where_the_paper_says() -> None:
    def kind(option: str, out_channels: int) -> str:
        return type(make_shortcut(option, 16, out_channels=out_channels)).__name__

    assert [kind(option, 16) for option in ("none", "A", "B", "C")] == [
        "NoneType",
        "Identity",
        "Identity",
        "Sequential",
    ]
    assert [kind(option, 32) for option in ("none", "A", "B", "C")] == [
        "NoneType",
        "PaddedShortcut",
        "Sequential",
        "Sequential",
    ]


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("training", [True, False])
def test_with_zero_init_a_block_of_equal_shape_returns_a_non_negative_input_exactly(depth: int, training: bool) -> None:
    net = resnet(depth, num_classes=7, width=8, zero_init=True).train(training)
    block = net.layer1[1]
    x = torch.rand(2, net.widths[0], 9, 9)
    assert torch.equal(block(x), x)
    assert not torch.equal(resnet(depth, num_classes=7, width=8).train(training).layer1[1](x), x)


def test_a_block_is_the_rectified_sum_of_its_branch_and_its_shortcut() -> None:
    block = BasicBlock(4, channels=8, stride=2, shortcut="B").eval()
    x = torch.randn(2, 4, 8, 8)
    assert torch.equal(block(x), (block.branch(x) + block.downsample(x)).relu())
    plain = BasicBlock(4, channels=8, stride=2, shortcut="none").eval()
    assert torch.equal(plain(x), plain.branch(x).relu())


def test_initial_weights_have_the_variance_of_he_et_al() -> None:
    torch.manual_seed(0)
    hidden, classifier = nn.Linear(300, 500, bias=False), nn.Linear(20, 10)
    conv = nn.Conv2d(64, 128, 3, stride=2)
    drawn_by_torch = classifier.weight.clone()
    he_initialize(nn.ModuleList([conv, hidden, classifier]))
    assert conv.weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert hidden.weight.std().item() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    assert torch.equal(classifier.weight, drawn_by_torch)


@pytest.mark.parametrize(
    ("depth", "options", "choices"),
    [
        (20, {}, "18, 34, 50, 101, 152"),
        (18, {"shortcut": "D"}, "none, A, B, C"),
        (50, {"stride_in": "5x5"}, "1x1, 3x3"),
        (18, {"shortcut": "none", "zero_init": True}, "no shortcuts"),
    ],
)
def test_a_wrong_choice_is_answered_with_the_choices(depth: int, options: dict, choices: str) -> None:
    with pytest.raises(SettingsError, match=choices):
        resnet(depth, num_classes=10, **options)
