import pytest
import torch
import torch.nn.functional as F
import torchvision
from support import TINY
from torch import Tensor, nn

from resvision import catalog
from resvision.classification.auxiliary import AuxiliaryClassifier, AuxiliaryLoss, side_parameters
from resvision.classification.classifier import Classifier, ClassifierLoss
from resvision.classification.googlenet import VARIANTS, GoogLeNet, googlenet
from resvision.classification.stages import first_stages, stages
from resvision.contracts import Batch, Images, MixedTargets
from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.core.history import read
from resvision.inference.load import load
from resvision.launch import train
from resvision.layers.pooling import CeilMaxPool2d, EvenAvgPool2d
from resvision.preparation import resolve
from resvision.probes.count import Count, count
from resvision.recipes import compose
from resvision.training.gradients import LossModule

# The paper's net at 224 px: module, output, parameters, MACs.
MODULES = [
    ("inception3a", (256, 28, 28), 163_696, 128_049_152),
    ("inception3b", (480, 28, 28), 388_736, 304_267_264),
    ("inception4a", (512, 14, 14), 376_176, 73_608_192),
    ("inception4b", (512, 14, 14), 449_160, 87_908_352),
    ("inception4c", (512, 14, 14), 510_104, 99_850_240),
    ("inception4d", (528, 14, 14), 605_376, 118_515_712),
    ("inception4e", (832, 14, 14), 868_352, 169_996_288),
    ("inception5a", (832, 7, 7), 1_043_456, 51_079_168),
    ("inception5b", (1024, 7, 7), 1_444_080, 70_697_984),
]
# Name, parameters with and without side heads, MACs, receptive field before the average.
TOTALS = [
    ("googlenet_2014", 13_378_280, 6_998_552, 1_582_671_872, 715),
    ("googlenet", 13_004_888, 6_624_904, 1_498_376_192, 379),
]
STRIDES = [2, 4, 8, 16, 32]


def on_meta(name: str, **options: object) -> GoogLeNet:
    with torch.device("meta"):
        return catalog.build(name, num_classes=1000, **options)


def small(variant: str, width: int = 8, **options: object) -> GoogLeNet:
    """A narrow net whose normalizations are not the identity, in evaluation mode."""
    torch.manual_seed(0)
    return randomize(googlenet(variant, num_classes=5, width=width, **options))


def randomize(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


def relative_difference(a: Tensor, b: Tensor) -> float:
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.fixture(scope="module")
def paper() -> Count:
    return count(on_meta("googlenet_2014"), (3, 224, 224))


@pytest.mark.parametrize(("name", "shape", "params", "macs"), MODULES)
def test_every_module_has_the_parameters_and_macs_of_its_row(
    paper: Count, name: str, shape: tuple[int, ...], params: int, macs: int
) -> None:
    rows = [row for row in paper.layers if row.name.startswith(name)]
    assert sum(row.params for row in rows) == params
    assert sum(row.macs for row in rows) == macs
    assert sum(row.shape[0] for row in rows if row.name.rsplit(".", 2)[-2:] in LAST_OF_BRANCH) == shape[0]
    assert {row.shape[1:] for row in rows} == {shape[1:]}


LAST_OF_BRANCH = [["branch1", "conv"], ["1", "conv"]]


@pytest.mark.parametrize(("name", "params", "without_heads", "macs", "field"), TOTALS)
def test_totals_are_those_of_the_paper_and_of_torchvision(
    name: str, params: int, without_heads: int, macs: int, field: int
) -> None:
    net = on_meta(name)
    counted = count(net, (3, 224, 224))
    assert (counted.params, counted.macs, counted.receptive_field) == (params, macs, field)
    assert counted.params - side_parameters(net) == without_heads
    bare = on_meta(name, aux=False)
    assert sum(p.numel() for p in bare.parameters()) == without_heads
    assert side_parameters(bare) == 0


def test_side_heads_have_the_parameters_of_the_paper_and_read_4x4_of_their_maps() -> None:
    net, seen = on_meta("googlenet_2014"), []
    for head in (net.aux1, net.aux2):
        head.conv.register_forward_pre_hook(lambda _module, inputs: seen.append(tuple(inputs[0].shape)))
    net.all_logits(torch.empty(1, 3, 224, 224, device="meta"))
    assert seen == [(1, 512, 4, 4), (1, 528, 4, 4)]
    assert [sum(p.numel() for p in head.parameters()) for head in (net.aux1, net.aux2)] == [3_188_840, 3_190_888]


@pytest.mark.usefixtures("float64")
def test_torchvision_gives_the_same_logits_and_weights_go_both_ways() -> None:
    torch.manual_seed(0)
    ours = randomize(googlenet("torchvision", num_classes=1000))
    with torch.device("meta"):
        theirs = torchvision.models.googlenet(aux_logits=True, init_weights=False)
    theirs, back = theirs.to_empty(device="cpu").eval(), on_meta("googlenet").to_empty(device="cpu").eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(ours.state_dict()) == 364
    theirs.load_state_dict(ours.state_dict(), strict=True)
    back.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.rand(2, 3, 96, 96)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = theirs(images)
        assert relative_difference(ours(images), expected) <= 1e-10
        assert relative_difference(back(images), expected) <= 1e-10
        maps = ours.trunk(images)
        for head, their_head, map_ in (
            (ours.aux1, theirs.aux1, maps.after_4a),
            (ours.aux2, theirs.aux2, maps.after_4d),
        ):
            assert relative_difference(head(map_), their_head(map_)) <= 1e-10
        theirs.transform_input = True  # as with published weights, whose own preprocessing is that of ImageNet
        expected = theirs((images - mean.view(3, 1, 1)) / std.view(3, 1, 1))
        assert relative_difference(ours((images - 0.5) / 0.5), expected) <= 1e-10
        assert relative_difference(ours(images), expected) > 1e-2


@pytest.mark.parametrize("variant", VARIANTS)
def test_forward_gives_the_main_logits_in_both_modes_and_runs_no_head(variant: str) -> None:
    net, ran = small(variant), []
    for head in (net.aux1, net.aux2):
        head.register_forward_hook(lambda *_: ran.append("head"))
    images = torch.randn(2, 3, 48, 48)
    for mode in (False, True):
        assert net.train(mode)(images).shape == (2, 5)
    assert ran == []
    main, first, second = net.eval().all_logits(images)
    assert torch.equal(main, net(images))
    assert first.shape == second.shape == (2, 5)
    assert len(ran) == 2
    bare = small(variant, aux=False)
    assert len(bare.all_logits(images)) == 1


def test_the_paper_has_5x5_branches_and_torchvision_3x3() -> None:
    def sizes(name: str) -> set[tuple[int, int]]:
        net = on_meta(name)
        modules = [module for key, module in net.named_children() if key.startswith("inception")]
        assert len(modules) == 9
        return {module.branch3[1].conv.kernel_size for module in modules}

    assert sizes("googlenet_2014") == {(5, 5)}
    assert sizes("googlenet") == {(3, 3)}


def test_response_normalization_divides_by_the_sum_over_5_channels_with_caffes_constants() -> None:
    norm = small("2014").norm1
    x = 100 * torch.rand(1, 8, 2, 2)
    near = sum((F.pad(x**2, (0, 0, 0, 0, 2, 2))[:, i : i + 8] for i in range(5)), torch.zeros_like(x))
    torch.testing.assert_close(norm(x), x / (1 + 1e-4 / 5 * near) ** 0.75)
    assert isinstance(small("torchvision").norm1, nn.Identity)


def test_the_heads_pool_5x5_at_stride_3_where_the_paper_does_and_to_4x4_everywhere() -> None:
    x = torch.randn(1, 2, 14, 14)
    assert torch.equal(EvenAvgPool2d(4)(x), F.avg_pool2d(x, 5, stride=3))
    assert not torch.allclose(EvenAvgPool2d(4)(x), F.adaptive_avg_pool2d(x, 4))
    for side in range(1, 30):
        assert EvenAvgPool2d(4)(torch.randn(1, 2, side, 7)).shape == (1, 2, 4, 4)


def test_initial_weights_are_those_of_caffe() -> None:
    torch.manual_seed(0)
    net = googlenet("2014", num_classes=50)
    conv = net.inception4e.branch2[1].conv
    assert conv.weight.var().item() == pytest.approx(1 / (160 * 9), rel=0.02)
    assert net.aux1.fc1.weight.var().item() == pytest.approx(1 / 2048, rel=0.02)
    torch.testing.assert_close(torch.cat([conv.bias, net.aux1.fc1.bias]), torch.full((320 + 1024,), 0.2))
    assert not torch.cat([net.fc.bias, net.aux1.fc2.bias, net.aux2.fc2.bias]).any()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_class_map_is_the_net_applied_fully_convolutionally(variant: str) -> None:
    net = small(variant, width=4)
    with torch.no_grad():
        for size, positions in ((224, 1), (96, 1), (288, 3)):
            images = torch.randn(1, 3, size, size)
            logits = net.class_map(images)
            assert logits.shape == (1, 5, positions, positions)
            if positions == 1:
                assert relative_difference(logits[:, :, 0, 0], net(images)) <= 1e-10
        last = net.trunk(images).last
        window = last[:, :, 2:9, 1:8].mean(dim=(2, 3))
        assert relative_difference(logits[:, :, 2, 1], net.fc(window)) <= 1e-10


@pytest.mark.parametrize(("variant", "least"), [("2014", 31), ("torchvision", 15)])
def test_the_smallest_image_goes_through_and_a_smaller_one_is_refused(variant: str, least: int) -> None:
    net = small(variant)
    assert torch.isfinite(net.all_logits(torch.randn(2, 3, least, least))[0]).all()
    with pytest.raises(SettingsError, match=rf"{least - 1}x{least}: GoogLeNet takes sides from {least} pixels on"):
        net(torch.randn(2, 3, least - 1, least))


def test_a_run_with_images_that_are_too_small_is_refused_before_it_begins() -> None:
    with pytest.raises(SettingsError, match="images are 16x16: GoogLeNet takes sides from 31 pixels on"):
        resolve(compose("googlenet_2014", "digits", settings=["data.image_size=16"]))


def test_an_unknown_variant_is_answered_with_the_choices() -> None:
    with pytest.raises(SettingsError, match="variant '2015': choices are 2014, torchvision"):
        googlenet("2015", num_classes=5)


# Stages


@pytest.mark.parametrize("variant", VARIANTS)
def test_stages_end_at_every_stride_and_the_last_gives_the_nets_own_logits(variant: str) -> None:
    net = small(variant, width=64)
    cut = stages(net)
    assert [*cut.channels.values()] == [64, 192, 480, 832, 1024]
    assert [*cut.stride.items()] == [(f"C{k}", 2**k) for k in range(1, 6)]
    net = small(variant)
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps = stages(net)(images)
        assert [map_.shape[2:] for map_ in maps.values()] == [(64 // s, 96 // s) for s in STRIDES]
        assert torch.equal(net.classify(maps["C5"]), net(images))
    assert not any(key.startswith(("aux", "fc")) for key in cut.state_dict())
    assert [*first_stages(net, 2)] == ["conv1", "maxpool1", "norm1", "conv2", "conv3", "norm2"]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [64, 97])
def test_smaller_output_strides_subsampled_equal_the_uncut_maps(variant: str, size: int) -> None:
    net = small(variant)
    images = torch.randn(1, 3, size, size)
    with torch.no_grad():
        reference = stages(net)(images)
        for output_stride in (16, 8):
            cut = stages(net, output_stride)
            for name, map_ in cut(images).items():
                step = 2 ** int(name[1:]) // cut.stride[name]
                coarse = map_[:, :, ::step, ::step]
                assert coarse.shape == reference[name].shape
                assert relative_difference(coarse, reference[name]) <= 1e-10, (name, output_stride)
            assert cut.stride["C5"] == output_stride
            if size == 64:
                assert map_.shape[2:] == (size // output_stride,) * 2


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("stretch", [1, 2, 4])
def test_a_pooling_without_its_stride_has_the_positions_that_it_chose_from(size: int, stretch: int) -> None:
    for side in range(3, 12):
        x = torch.randn(1, 2, side * stretch - stretch + 1, side * stretch)
        strided, fine = CeilMaxPool2d(size, stride=2), CeilMaxPool2d(size, stride=2)
        fine.take_stride(stretch)
        torch.testing.assert_close(
            fine(x)[:, :, :: 2 * stretch, :: 2 * stretch], strided(x[:, :, ::stretch, ::stretch])
        )


# The loss


PIXELS = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2, 3, 4, 0])
MIXED = MixedTargets(TARGETS, TARGETS.flip(0), torch.tensor([0.1, 0.9, 0.5, 0.7, 1.0, 0.0]))
EVERYTHING = {"label_smoothing": 0.1, "class_weights": "1,2,3,4,5"}


def system(variant: str = "torchvision", **options: object) -> AuxiliaryClassifier:
    net = small(variant)
    return AuxiliaryClassifier(net, mean=[0.5] * 3, std=[0.25] * 3, options=AuxiliaryLoss(**options)).eval()


def batch(targets: Tensor | MixedTargets = TARGETS) -> Batch:
    return Batch(Images(PIXELS), targets, torch.arange(6))


class Given(nn.Module):
    """A net that gives the logits it was made with."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.given = logits

    def forward(self, _images: Tensor) -> Tensor:
        return self.given


@pytest.mark.parametrize("targets", [TARGETS, MIXED], ids=["plain", "mixed"])
@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["bare", "smoothing and weights"])
def test_the_terms_of_the_heads_are_the_loss_of_a_classifier_with_their_logits(
    targets: Tensor | MixedTargets, options: dict
) -> None:
    made = system(auxiliary_weight=0.3, **options)
    terms, metrics = made.losses(batch(targets))
    assert [*terms] == ["cross_entropy", "auxiliary_1", "auxiliary_2"]
    every_logits = made.net.all_logits(made.normalized(PIXELS))
    for weight, logits, term in zip((1, 0.3, 0.3), every_logits, terms.values(), strict=True):
        plain = Classifier(Given(logits), mean=[0.5] * 3, std=[0.25] * 3, options=ClassifierLoss(**options))
        alone = plain.losses(batch(targets))
        torch.testing.assert_close(term.mean(), weight * alone.terms["cross_entropy"].mean())
        if weight == 1:
            assert metrics["error"] == alone.metrics["error"]


def test_the_loss_compiles_as_one_graph() -> None:
    made = system("2014", **EVERYTHING)
    compiled = torch.compile(LossModule(made), fullgraph=True, dynamic=False, backend="eager")
    found, eager = compiled(batch(MIXED)).terms, made.losses(batch(MIXED)).terms
    torch.testing.assert_close(found, eager)


def test_the_heads_bring_gradient_to_the_stem() -> None:
    def gradient(weight: float) -> Tensor:
        made = system(auxiliary_weight=weight)
        sum(term.mean() for term in made.losses(batch()).terms.values()).backward()
        return made.net.conv1.conv.weight.grad

    without = gradient(0.0)
    alone = system()
    alone.losses(batch()).terms["cross_entropy"].mean().backward()
    torch.testing.assert_close(without, alone.net.conv1.conv.weight.grad)
    assert relative_difference(gradient(0.3), without) > 0.01


def test_without_heads_the_system_is_a_classifier() -> None:
    net = small("2014", aux=False)
    made, plain = (kind(net, mean=[0.5] * 3, std=[0.25] * 3) for kind in (AuxiliaryClassifier, Classifier))
    assert [*made.losses(batch()).terms] == ["cross_entropy"]
    torch.testing.assert_close(made.losses(batch()).terms, plain.losses(batch()).terms)


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_a_weight_below_0_or_without_end_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="auxiliary_weight must be a number of at least 0"):
        system(auxiliary_weight=wrong)


def test_a_net_without_side_heads_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear has no side heads"):
        AuxiliaryClassifier(nn.Linear(1, 1), mean=[0.5], std=[0.5])


@pytest.mark.parametrize(("variant", "steps"), [("2014", 80), ("torchvision", 40)])
def test_a_few_images_are_learned_by_heart(variant: str, steps: int) -> None:
    torch.manual_seed(0)
    net = googlenet(variant, num_classes=4, in_channels=1, width=8).train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    images, targets = torch.randn(8, 1, 32, 32), torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(steps):
        loss = sum(F.cross_entropy(logits, targets) for logits in net.all_logits(images))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_a_run_writes_the_terms_of_its_heads_and_reads_back(tmp_path) -> None:
    settings = {
        **TINY,
        "data.image_size": 32,
        "training.duration": "2 steps",
        "augment.mixup_alpha": 0.2,
        "loss.class_weights": "balanced",
        "loss.auxiliary_weight": 0.5,
        "machine.workers": 0,
    }
    done = train("googlenet", "digits", settings=settings, out=tmp_path / "r", quiet=True)
    steps = [line for line in read(done.folder / rundir.HISTORY) if "cross_entropy" in line]
    assert len(steps) == 2
    for line in steps:
        terms = [line["cross_entropy"], line["auxiliary_1"], line["auxiliary_2"]]
        assert line["loss"] == pytest.approx(sum(terms), rel=1e-5)
    trained = load(done.folder)
    assert trained.system.auxiliary_weight == 0.5
    assert trained.system.net.auxiliary == ("aux1", "aux2")


def test_inspect_prints_parameters_with_and_without_the_heads(cli) -> None:
    code, out, _ = cli("inspect", "googlenet_2014")
    assert code == 0
    assert "13,378,280" in out
    assert "6,998,552 without the side heads" in out
    code, out, _ = cli("inspect", "resnet18", "googlenet", "--json")
    assert '"side_params": 6379984' in out
    assert '"side_params": 0' in out
