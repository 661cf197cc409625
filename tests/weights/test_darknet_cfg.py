"""Darknet's cfg files: the papers' nets layer by layer, operations as Darknet prints them, differences."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from weights import darknet_files
from weights.darknet_files import cfg, drawn, write

from resvision import catalog
from resvision.conversion import meta_net
from resvision.core.errors import WeightsError
from resvision.weights.darknet_cfg import read_cfg
from resvision.weights.darknet_differences import differences

Cli = Callable[..., tuple[int, str, str]]

NETS: dict[str, tuple[str, dict[str, object], list[str], int]] = {
    "darknet19": ("darknet19", {"num_classes": 1000}, darknet_files.darknet19_words(), 224),
    "darknet53": ("darknet53", {"num_classes": 1000}, darknet_files.darknet53_words(), 256),
    "yolov1 as in the paper": ("yolov1", {"num_classes": 20}, darknet_files.yolov1_words(), 448),
    "yolo-tiny": ("yolov1_tiny", {"num_classes": 20}, darknet_files.yolov1_tiny_words(), 448),
    "yolov2-voc": ("yolov2", {"num_classes": 20}, darknet_files.yolov2_words(), 416),
    "yolov3": ("yolov3", {"num_classes": 80}, darknet_files.yolov3_words(), 416),
    "yolov3-voc": ("yolov3", {"num_classes": 20}, darknet_files.yolov3_words(20), 416),
    "yolov3-tiny": ("yolov3_tiny", {"num_classes": 80}, darknet_files.yolov3_tiny_words(), 416),
}


def written(tmp_path: Path, words: Sequence[str], side: int) -> Path:
    file = tmp_path / "a.cfg"
    file.write_text(cfg(words, side=side))
    return file


@pytest.mark.parametrize("name", NETS)
def test_our_nets_are_those_of_the_cfg_files(name: str, tmp_path: Path) -> None:
    model, options, words, side = NETS[name]
    assert differences(read_cfg(written(tmp_path, words, side)), meta_net(model, options)) == []


@pytest.mark.parametrize(
    ("words", "side", "billions"),
    [
        (darknet_files.darknet19_words(), 224, "5.58"),
        (darknet_files.darknet53_words(), 256, "18.57"),
        (darknet_files.yolov2_words(), 416, "29.36"),
        (darknet_files.yolov2_words(80), 608, "62.94"),
        (darknet_files.yolov3_words(), 416, "65.86"),
        (darknet_files.yolov3_words(), 608, "140.69"),
    ],
)
def test_operations_are_those_that_darknet_prints(words: list[str], side: int, billions: str, tmp_path: Path) -> None:
    assert f"{read_cfg(written(tmp_path, words, side)).operations / 1e9:.2f}" == billions


CHANGES: dict[str, tuple[list[str], int, str]] = {
    "classes": (darknet_files.yolov3_words(80), 416, "classes 80; here 20"),
    "anchors": (darknet_files.yolov3_words(20, "9,13, 16,30, 33,23, 30,61, 62,45, 59,119, 116,90, 156,198, 373,326"),
                416, "anchors 9,13,16,"),
    "masks": ([word.replace("mask=0,1,2", "mask=1,2,3") for word in darknet_files.yolov3_words(20)],
              416, "mask 6,7,8,3,4,5,1,2,3; here 6,7,8,3,4,5,0,1,2"),
    "a wider layer": (["c3x48", *darknet_files.yolov3_words(20)[1:]], 416,
                      "line 6, layer 1: convolutional 3x3 3 to 48, normalized, leaky; here convolutional 3x3 3 to 32"),
    "fewer layers": (darknet_files.yolov3_tiny_words(20), 416, "13 layers with weights, and 75 here"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_is_told(name: str, tmp_path: Path) -> None:
    words, side, said = CHANGES[name]
    lines = differences(read_cfg(written(tmp_path, words, side)), meta_net("yolov3", {"num_classes": 20}))
    assert any(said in line for line in lines), lines
    assert len(lines) <= 4


def test_the_grid_and_the_size_of_yolov1_are_compared(tmp_path: Path) -> None:
    words = darknet_files.yolov1_words(side=9, boxes=3)
    lines = differences(read_cfg(written(tmp_path, words, 448)), meta_net("yolov1", {"num_classes": 20}))
    assert lines[0] == "side and num 9,3; here 7,2"
    same = read_cfg(written(tmp_path, darknet_files.yolov1_words(), 448))
    assert "height and width 448,448; here 416,416" in differences(
        same, meta_net("yolov1", {"num_classes": 20, "input_size": 416})
    )


BAD = {
    "no cfg": ("hello", "line 1: 'hello' is no setting of a section"),
    "no net": ("[convolutional]\nfilters=3\n", "does not begin with [net]"),
    "nothing": ("", "does not begin with [net]"),
    "no size": ("[net]\nwidth=3\n", "line 1, [net]: width, height and channels must be at least 1"),
    "no layer": ("[net]\nwidth=3\nheight=3\nchannels=3\n", "has no layer with weights"),
    "no number": (cfg(["C3xmany"], side=9), "filters=many is no whole number"),
    "a far route": (cfg(["C3x4", "r-7"], side=9), "-7 names no section before it"),
    "another kind": (cfg(["C3x4", "local:size=3"], side=9), "[local]: is a kind of section that no net here has"),
    "another activation": (cfg(["convolutional:filters=3;activation=mish"], side=9), "activation=mish"),
    "a sum of unlike maps": (cfg(["C3x4", "C3x5", "s-2"], side=9), "adds maps of different shapes"),
    "a join of unlike sizes": (cfg(["C3x4", "m2/2", "r-1,-2"], side=9), "joins no maps, or maps of different sizes"),
    "no image left": (cfg(["convolutional:size=99;activation=leaky"], side=9), "does not fit into a map of 9x9"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_cfg_gets_its_line(name: str, tmp_path: Path) -> None:
    text, said = BAD[name]
    (tmp_path / "a.cfg").write_text(text)
    with pytest.raises(WeightsError) as error:
        read_cfg(tmp_path / "a.cfg")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_convert_compares_and_refuses_with_the_difference_and_the_remedy(tmp_path: Path, cli: Cli) -> None:
    file = write(tmp_path / "a.weights", drawn(catalog.build("yolov3_tiny", num_classes=20)))
    said = written(tmp_path, darknet_files.yolov3_tiny_words(20), 416)
    code, out, err = cli("convert", str(file), "yolov3_tiny", "--cfg", str(said))
    assert code == 0, err
    assert "13 layers, 20 classes, images of 416x416 px" in out
    said.write_text(said.read_text().replace("10,14, ", "11,14, "))
    code, _, err = cli("convert", str(file), "yolov3_tiny", "--cfg", str(said), "--force")
    assert (code, err.count("\n")) == (2, 1)
    assert "anchors 11,14,23" in err
    remedy = "--option anchors='11,14 23,27 37,58 81,82 135,169 344,319'"
    assert remedy in err
    option = remedy.removeprefix("--option ").replace("'", "")
    assert cli("convert", str(file), "yolov3_tiny", "--cfg", str(said), "--force", "--option", option)[0] == 0


def test_a_cfg_beside_another_kind_of_file_is_refused(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.pth").write_bytes(b"")
    code, _, err = cli("convert", str(tmp_path / "a.pth"), "resnet20", "--cfg", str(tmp_path / "a.cfg"))
    assert code == 2
    assert "goes with a .weights file of Darknet" in err
