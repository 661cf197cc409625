"""Darknet's files of weights: headers of both versions, the order of numbers by hand, nets to and fro, bad files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from weights import darknet_files, darknet_reference
from weights.darknet_files import LONG, SHORT, cfg, drawn, header, numbers, write

from resvision import catalog
from resvision.classification.darknet import ConvBlock, layers_in_order
from resvision.conversion import meta_net
from resvision.core.errors import WeightsError
from resvision.core.meanings import as_text
from resvision.weights.darknet_weights import end_of, is_darknet, look_at, numbers_of, read_darknet

Cli = Callable[..., tuple[int, str, str]]

NARROW = {
    "darknet19": {"width": 2},
    "darknet53": {"width": 2},
    "extraction": {"width": 2, "batch_norm": True},
    "yolov1": {"width": 2, "input_size": 64, "hidden": 6},
    "yolov1_tiny": {"width": 2, "input_size": 64, "hidden": 6},
    "yolov2": {"width": 2},
    "yolov3": {"width": 2},
    "yolov3_tiny": {"width": 2},
}
every_net = pytest.mark.parametrize("name", NARROW)


class Small(nn.Module):
    """A block, a convolution and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.block = ConvBlock(1, 2, 1)
        self.conv = nn.Conv2d(2, 1, 1)
        self.fc = nn.Linear(2, 3)

    def darknet_order(self) -> list[nn.Module]:
        return layers_in_order(self)


@pytest.mark.parametrize(("version", "length"), [(LONG, 20), (SHORT, 16)])
def test_numbers_stand_in_darknets_order_behind_either_header(
    version: tuple[int, int, int], length: int, tmp_path: Path
) -> None:
    file = tmp_path / "a.weights"
    file.write_bytes(header(version) + np.arange(1, 23, dtype="<f4").tobytes())
    looked_at = look_at(file)
    assert looked_at.header == (version, 32_013_312, length)
    assert looked_at.numbers == 22
    state = {name: tensor.flatten().tolist() for name, tensor in read_darknet(looked_at, Small()).items()}
    assert state == {
        "block.bn.bias": [1, 2],
        "block.bn.weight": [3, 4],
        "block.bn.running_mean": [5, 6],
        "block.bn.running_var": [7, 8],
        "block.conv.weight": [9, 10],
        "block.bn.num_batches_tracked": [0],
        "conv.bias": [11],
        "conv.weight": [12, 13],
        "fc.bias": [14, 15, 16],
        "fc.weight": [17, 18, 19, 20, 21, 22],
    }


def test_old_files_hold_fully_connected_layers_the_other_way(tmp_path: Path) -> None:
    file = tmp_path / "a.weights"
    file.write_bytes(header((1001, 0, 0)) + np.arange(1, 23, dtype="<f4").tobytes())
    state = read_darknet(look_at(file), Small())
    assert state["fc.weight"].tolist() == [[17, 20], [18, 21], [19, 22]]
    assert state["block.conv.weight"].flatten().tolist() == [9, 10]


@every_net
def test_every_net_of_darknet_goes_to_a_file_and_back(name: str, tmp_path: Path) -> None:
    net = drawn(catalog.build(name, num_classes=3, **NARROW[name]))
    state = read_darknet(
        look_at(write(tmp_path / "a.weights", net)), meta_net(name, {"num_classes": 3, **NARROW[name]})
    )
    assert [*state] != [*net.state_dict()] or name == "darknet19"
    assert state.keys() == net.state_dict().keys()
    for key, tensor in net.state_dict().items():
        wanted = torch.tensor(32_013_312 if key == "seen" else 0) if not tensor.is_floating_point() else tensor
        assert torch.equal(state[key], wanted), key


JUDGED: dict[str, tuple[list[str], int, int]] = {
    "darknet19": (darknet_files.darknet19_words(("L1x3", "avg")), 16, 64),
    "darknet53": (darknet_files.darknet53_words(("avg", "L1x3")), 16, 64),
    "yolov1": (darknet_files.yolov1_words(classes=3, hidden=6), 32, 64),
    "yolov1_tiny": (darknet_files.yolov1_tiny_words(classes=3, hidden=6, narrow=32), 8, 64),
    "yolov2": (darknet_files.yolov2_words(3), 16, 64),
    "yolov3": (darknet_files.yolov3_words(3), 16, 64),
    "yolov3_tiny": (darknet_files.yolov3_tiny_words(3), 8, 64),
}
"""Words of the cfg, the share of its channels, the side of the image."""


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", JUDGED)
def test_nets_compute_what_their_cfg_does_with_the_numbers_of_their_file(name: str) -> None:
    words, share, side = JUDGED[name]
    net = catalog.build(name, num_classes=3, **NARROW[name]).eval()
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(0.5 * torch.randn(tensor.shape, generator=draws))
                if key.endswith("running_var"):
                    tensor.abs_().add_(0.5)
        image = torch.randn(1, 3, side, side, generator=draws)
        text = cfg(darknet_files.narrowed(words, share), side=side)
        expected = darknet_reference.run(text, numbers(net), image)
        ours = net(image)
    if name.startswith("darknet"):
        results = [ours.view(1, -1, 1, 1)]
    elif name.startswith("yolov1"):
        results = [torch.cat([map_.flatten() for map_ in ours]).view(1, -1, 1, 1)]
    else:
        results = list(ours.predictions)
    assert len(results) == len(expected)
    for found, wanted in zip(results, expected, strict=True):
        assert found.shape == wanted.shape
        # Numbers of a file have single precision.
        assert (found - wanted).abs().max() <= 1e-4 * wanted.abs().max()


@pytest.mark.parametrize(
    ("name", "options", "bytes_of_file"),
    [
        ("darknet53", {"num_classes": 1000}, 166_582_580),
        ("yolov2", {"num_classes": 20}, 202_704_264),
        ("yolov3", {"num_classes": 80}, 248_007_048),
        ("yolov3_tiny", {"num_classes": 80}, 35_434_956),
    ],
)
def test_the_released_files_have_as_many_bytes(name: str, options: dict[str, int], bytes_of_file: int) -> None:
    assert 4 * numbers_of(meta_net(name, options)) + 20 == bytes_of_file


def test_darknet53_conv_74_ends_before_the_last_layer() -> None:
    net = meta_net("darknet53", {"num_classes": 1000})
    assert 4 * numbers_of(net, without_head=True) + 20 == 162_482_580
    assert end_of(numbers_of(net, without_head=True), net) == "behind layer 52 of 53"
    assert end_of(30, net) == "within layer 1 of 53"


@pytest.mark.parametrize("name", ["extraction", "yolov1_tiny", "yolov2"])
def test_a_file_of_darknet_becomes_ours_and_its_classes_are_told_by_its_length(
    name: str, tmp_path: Path, cli: Cli
) -> None:
    net = drawn(catalog.build(name, num_classes=7, **NARROW[name]))
    file = write(tmp_path / "a.weights", net)
    options = [word for key, value in NARROW[name].items() for word in ("--option", f"{key}={as_text(value)}")]
    code, out, err = cli("convert", str(file), name, *options)
    assert code == 0, err
    assert "trained on 32,013,312 images" in out
    assert "num_classes 7" in out
    written = load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(written[key], t) for key, t in net.state_dict().items() if t.is_floating_point())


def test_it_predicts_what_the_net_does_and_is_shown_images_as_darknet_shows_them(tmp_path: Path, cli: Cli) -> None:
    from resvision.weights.about import read_about

    net = drawn(catalog.build("yolov3_tiny", num_classes=2, width=2))
    cli("convert", str(write(tmp_path / "a.weights", net)), "yolov3_tiny", "--option", "width=2")
    about = read_about(tmp_path / "a.safetensors")
    assert about is not None
    view = about.view
    assert view is not None
    assert (view.kind, view.size_px, view.fill, view.mean, view.std) == ("letterbox", 416, 128, (0.0,) * 3, (1.0,) * 3)


def test_a_file_without_the_head_starts_an_encoder(tmp_path: Path, cli: Cli) -> None:
    from resvision.training.initial import encoder_state

    net = drawn(catalog.build("darknet53", num_classes=2, width=2))
    file = tmp_path / "darknet53.conv.74"
    file.write_bytes(header() + numbers(net)[: -4 * (2 * 64 + 2)])
    assert is_darknet(file), "by its first bytes"
    words = ("convert", str(file), "darknet53", "--option", "width=2")
    code, _, err = cli(*words)
    assert (code, err.count("\n")) == (2, 1)
    assert "it ends before the last layer: --without-head" in err
    code, _, err = cli(*words, "--without-head", "--out", str(tmp_path / "b.safetensors"))
    assert code == 0, err
    detector = catalog.build("yolov3", num_classes=2, width=2)
    state = encoder_state(detector, tmp_path / "b.safetensors")
    assert torch.equal(state["backbone.stage5.0.conv.weight"], net.stage5[0].conv.weight)


def test_a_state_dict_without_its_head_is_taken_too(tmp_path: Path, cli: Cli) -> None:
    state = catalog.build("resnet20", num_classes=5, width=4).state_dict()
    torch.save({name: tensor for name, tensor in state.items() if not name.startswith("fc.")}, tmp_path / "a.pth")
    assert cli("convert", str(tmp_path / "a.pth"), "resnet20", "--option", "width=4")[0] == 2
    assert cli("convert", str(tmp_path / "a.pth"), "resnet20", "--option", "width=4", "--without-head")[0] == 0
    assert not [name for name in load_file(tmp_path / "a.safetensors") if name.startswith("fc.")]


def weights_of(name: str = "darknet19", classes: int = 5, **options: int | bool) -> bytes:
    return header() + numbers(drawn(catalog.build(name, num_classes=classes, width=2, **options)))


BAD: dict[str, tuple[bytes, list[str], str]] = {
    "empty": (b"", [], "ends within its header"),
    "within the header": (header()[:18], [], "does not begin with a version"),
    "not a version": (b"\xff" * 64, [], "does not begin with a version"),
    "cut within a number": (weights_of()[:-3], [], "ends within a number, 1 byte behind"),
    "cut within a layer": (weights_of()[:-4000], ["--num-classes", "5"], "ends within layer 18 of 19: cut short"),
    "other classes": (weights_of(), ["--num-classes", "6"], "it fits darknet19 with 5 classes"),
    "too long": (weights_of() + b"\0" * 8, ["--num-classes", "5"], "it is of another net"),
    "a variance below 0": (
        header() + np.full(numbers_of(meta_net("darknet19", {"num_classes": 5, "width": 2})), -1, "<f4").tobytes(),
        [],
        "not finite or a variance below 0",
    ),
    "with a key": (weights_of(), ["--key", "ema"], "holds the weights of one net"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_line_and_nothing_is_written(name: str, tmp_path: Path, cli: Cli) -> None:
    content, words, said = BAD[name]
    file = tmp_path / "a.weights"
    file.write_bytes(content)
    code, _, err = cli("convert", str(file), "darknet19", "--option", "width=2", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert said in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.weights"]


def test_a_file_of_another_net_is_told_which(tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "a.weights"
    with file.open("wb") as stream:  # as long as the released yolov3.weights; nothing of it is read
        stream.write(header())
        stream.truncate(248_007_048)
    code, _, err = cli("convert", str(file), "yolov2")
    assert (code, err.count("\n")) == (2, 1)
    assert "holds 62,001,757 numbers" in err
    assert "it fits yolov3 with 80 classes" in err


def test_an_option_that_makes_a_file_fit_is_named(tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "a.weights"
    file.write_bytes(weights_of("extraction", batch_norm=True))
    code, _, err = cli("convert", str(file), "extraction", "--option", "width=2", "--num-classes", "5")
    assert code == 2
    assert "it fits extraction with 5 classes, --option batch_norm=true" in err


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("resnet20", {}, "is no net of Darknet"),
        ("yolov3", {"backbone": "resnet18", "width": 4}, "over this backbone is no net of Darknet"),
    ],
)
def test_nets_that_darknet_does_not_have_are_refused(model: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        numbers_of(meta_net(model, {"num_classes": 2, **options}))
