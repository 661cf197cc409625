import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from resvision.catalog import ROWS
from resvision.cli import inspect as inspect_verb
from resvision.cli import list as list_verb
from resvision.core.errors import ResVisionError, SettingsError, UnknownNameError

app = typer.Typer()
app.command("list")(list_verb.command)
app.command("inspect")(inspect_verb.command)


def run(*arguments: str) -> str:
    """What the verb prints into a pipe; raises what it raises."""
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.output


def document(*arguments: str) -> list[dict[str, Any]]:
    return json.loads(run(*arguments, "--json"))["models"]


def test_the_list_names_every_model_under_its_paper() -> None:
    text = run("list")
    words = text.split()
    assert all(row.name in words and row.paper in text for row in ROWS)
    assert "\x1b" not in text
    assert "…" not in text


def test_the_list_as_json_is_the_table() -> None:
    assert [(row["name"], row["year"]) for row in document("list")] == [(row.name, row.year) for row in ROWS]


def test_the_list_loads_no_torch() -> None:
    for table in (False, True):
        code = f"import sys, resvision.cli.list as verb; verb.command(table={table}); sys.exit('torch' in sys.modules)"
        finished = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
        assert finished.returncode == 0


def test_one_model_has_a_row_a_layer_and_its_totals_last() -> None:
    lines = [line for line in run("inspect", "resnet20").splitlines() if line.strip()]
    rows = {line.split()[0]: line for line in lines}
    assert rows["layer2.0.conv1"].split()[3:] == ["/2", "32x16x16", "4,608", "1.7%", "1,179,648", "2.9%", "17", "2"]
    assert lines[-2].split()[1:9] == ["3x32x32", "269,722", "40,551,040", "81", "20", "1.5", "MiB", "A"]
    assert "what autograd keeps of one image" in lines[-1]
    assert "avgpool" in rows
    assert "layer1.0.relu" not in rows


def test_several_models_stand_side_by_side_and_no_number_is_cut() -> None:
    text = run("inspect", "resnet50", "resnet50_v1", "resnet34_a", "plain34")
    assert "…" not in text
    assert "\x1b" not in text
    for number in ("25,557,032", "4,089,184,256", "3,857,973,248", "3,644,493,824", "427", "483"):
        assert number in text
    (fc,) = [line.split() for line in text.splitlines() if line.startswith(" fc ")]
    assert fc == ["fc", *["1000", "2,049,000", "2,048,000"] * 2, *["1000", "513,000", "512,000"] * 2]
    (total,) = [line.split() for line in text.splitlines() if line.startswith(" total ")]
    assert total[1::2] == ["25,557,032", "25,557,032", "21,623,848", "21,623,848"]


def test_stages_that_nets_do_not_share_keep_the_order_of_each() -> None:
    stages = [line.split()[0] for line in run("inspect", "resnet20", "resmlp").splitlines() if line.strip()]
    expected = ["fc1", "conv1", "bn1", "blocks", "layer1", "layer2", "layer3", "fc", "total", "activations:"]
    assert stages[-len(expected) :] == expected


def test_json_holds_every_layer_and_the_same_totals() -> None:
    v1_5, v1 = document("inspect", "resnet50", "resnet50_v1")
    assert (v1_5["macs"], v1["macs"]) == (4_089_184_256, 3_857_973_248)
    assert (v1["receptive_field"], v1["depth"], v1["shortcut"], v1["input"]) == (483, 50, "B", [3, 224, 224])
    assert sum(layer["params"] for layer in v1["layers"]) == v1["params"] == 25_557_032


def test_shares_are_parts_of_one() -> None:
    (net,) = document("inspect", "resnet20")
    conv = next(layer for layer in net["layers"] if layer["name"] == "layer1.0.conv1")
    assert conv["macs_share"] == 2_359_296 / 40_551_040
    for share in ("params_share", "macs_share"):
        assert sum(layer[share] for layer in net["layers"]) == pytest.approx(1.0)


def test_shares_are_of_what_runs_where_side_heads_do_not() -> None:
    (net,) = document("inspect", "googlenet_2014", "--option", "width=8", "--num-classes", "7")
    assert sum(layer["params"] for layer in net["layers"]) == net["params"] - net["side_params"]
    assert sum(layer["params_share"] for layer in net["layers"]) == pytest.approx(1.0)


def test_csv_is_a_row_a_layer_and_one_of_totals_for_every_model() -> None:
    rows = [*csv.DictReader(run("inspect", "resnet20", "plain20", "--csv").splitlines())]
    layers = {(row["model"], row["layer"]): row for row in rows}
    assert [row["layer"] for row in rows if row["model"] == "resnet20"][:2] == ["conv1", "bn1"]
    assert len(rows) == 2 + sum(len(net["layers"]) for net in document("inspect", "resnet20", "plain20"))
    strided = layers["resnet20", "layer2.0.conv1"]
    assert strided == {
        "model": "resnet20",
        "layer": "layer2.0.conv1",
        "kind": "Conv2d 3x3 /2",
        "output": "32x16x16",
        "params": "4608",
        "params_share": "0.017084",
        "macs": "1179648",
        "macs_share": "0.029090",
        "receptive_field": "17",
        "stride": "2",
        "activation_bytes": "",
    }
    total = layers["resnet20", "total"]
    assert (total["params"], total["macs"], total["output"]) == ("269722", "40551040", "10")
    assert int(total["activation_bytes"]) == document("inspect", "resnet20")[0]["activation_bytes"]
    assert layers["plain20", "fc"]["receptive_field"] == ""
    assert sum(int(row["macs"]) for row in rows if row["model"] == "plain20") == 2 * 40_551_040


def test_the_papers_table_stands_beside_ours() -> None:
    text = run("inspect", "resnet50", "--paper")
    assert "resnet50 beside Table 1 of He et al. 2015" in text
    assert "[1x1, 128; 3x3, 128; 1x1, 512] x4" in text
    assert "= [1x1, 128; 3x3, 128; 1x1, 512] x4" in text
    assert "!= 4,089,184,256" in text
    assert "differs: FLOPs, FLOPs: 3.8x10^9 printed, 4,089,184,256 ours" in text
    assert "12 of 13 printed values agree" in text
    assert "…" not in text


def test_the_papers_table_for_programs() -> None:
    rows = [*csv.DictReader(run("inspect", "resnet20", "resnet32", "--paper", "--csv").splitlines())]
    assert {row["model"] for row in rows} == {"resnet20", "resnet32"}
    assert {row["agrees"] for row in rows} == {"True"}
    (net,) = document("inspect", "resnet20", "--paper")
    assert net["cells"][0] == {
        "row": "layer1",
        "column": "output map size",
        "printed": "32x32",
        "ours": "32x32",
        "agrees": True,
    }


def test_the_picture_goes_into_a_file_that_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "net.svg"
    assert run("inspect", "resnet20", "--svg", str(file)).strip() == str(file)
    text = file.read_text()
    assert "269,722 parameters, 40,551,040 multiply-adds" in text
    with pytest.raises(SettingsError, match="--force"):
        run("inspect", "resnet32", "--svg", str(file))
    assert file.read_text() == text
    run("inspect", "resnet32", "--svg", str(file), "--force", "--no-fold")
    assert "464,154 parameters" in file.read_text()


def test_the_picture_says_what_it_leaves_out(tmp_path: Path) -> None:
    said = "of the parameters are those of the side heads, which are not drawn"
    for name, there in (("googlenet_2014", True), ("alexnet", False)):
        run("inspect", name, "--svg", str(tmp_path / f"{name}.svg"))
        assert (said in (tmp_path / f"{name}.svg").read_text(encoding="utf-8")) == there
    assert f"6,379,728 {said}" in (tmp_path / "googlenet_2014.svg").read_text(encoding="utf-8")


def test_the_table_of_all_nets_has_figures_and_published_errors() -> None:
    lines = run("list", "--table").splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert {row.name for row in ROWS} <= set(rows)
    assert rows["resnet50_v1"][1:6] == ["2015", "25,557,032", "3,857,973,248", "22.85", "6.71"]
    assert rows["resnet20"][1:6] == ["2015", "269,722", "40,551,040", "8.75", "-"]
    assert rows["plain20"][4:6] == ["-", "-"]
    assert "…" not in "".join(lines)
    cited = "imagenet ten-crop He et al. 2015, table 3"
    assert " ".join(rows["resnet50_v1"][6:]) == cited
    assert sum("table 4" in line and "dense 224, 256" in line for line in lines) >= 4


def test_the_table_of_all_nets_as_json_has_every_published_error() -> None:
    nets = {net["name"]: net for net in json.loads(run("list", "--table", "--json"))["models"]}
    assert nets["resnet152_v1"]["macs"] == 11_282_415_616
    assert [result["top1"] for result in nets["resnet152_v1"]["published"]] == [21.43, 19.38, 23.0]
    assert nets["resmlp"]["published"] == []


def test_the_input_sets_the_nets_channels_and_size() -> None:
    cifar, perceptron = document("inspect", "resnet20", "resmlp", "--input", "1x28x28")
    assert cifar["layers"][0]["shape"] == [16, 28, 28]
    assert cifar["params"] == 269_722 - 2 * 9 * 16
    assert perceptron["options"]["input_size"] == 28


def test_options_and_classes_reach_the_net() -> None:
    (net,) = document("inspect", "resnet20", "--option", "width=4", "--option", "shortcut=B", "--num-classes", "7")
    assert (net["shortcut"], net["num_classes"], net["layers"][-1]["shape"]) == ("B", 7, [7])
    assert net["layers"][0]["shape"] == [4, 32, 32]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["resnet20", "--input", "3x32"], SettingsError, "CxHxW"),
        (["resnet20", "--input", "3x32xbig"], SettingsError, "CxHxW"),
        (["resnet20", "--input", "0x32x32"], SettingsError, "CxHxW"),
        (["resmlp", "--input", "3x32x16"], SettingsError, "square images only"),
        (["resnet20", "--option", "width"], SettingsError, "key=value"),
        (["resnet20", "--option", "width=wide"], SettingsError, "width 'wide'"),
        (["resnet20", "--option", "in_channels=1"], SettingsError, "does not go through"),
        (["resnet20", "resnett34"], UnknownNameError, "nearest: resnet34"),
        (["resnet20", "--json", "--csv"], SettingsError, "exclude each other"),
        (["resmlp", "--paper"], SettingsError, "no printed table"),
        (["resnett34", "--paper"], UnknownNameError, "nearest: resnet34"),
        (["resnet20", "--paper", "--input", "3x64x64"], SettingsError, "as published"),
        (["resnet20", "resnet32", "--svg", "net.svg"], SettingsError, "draws one model"),
        (["resnet20", "--json", "--svg", "net.svg"], SettingsError, "draws one model"),
        (["resnet20", "--force"], SettingsError, "name its file with --svg"),
        (["resnet20", "--no-fold"], SettingsError, "name its file with --svg"),
        (["resnet20", "--svg", "no/such/net.svg"], SettingsError, "no folder no/such"),
    ],
)
def test_a_mistake_is_one_clear_error(arguments: list[str], error: type[ResVisionError], message: str) -> None:
    with pytest.raises(error, match=message):
        run("inspect", *arguments)


def test_anchors_are_shown_over_an_image_with_the_boxes_of_a_set_that_none_matches(tmp_path: Path) -> None:
    for name in ("JPEGImages", "Annotations"):
        (tmp_path / name).mkdir()
    for stem in "abcdefgh":
        Image.new("RGB", (80, 60), "white").save(tmp_path / "JPEGImages" / f"{stem}.png")
        corners = "<xmin>1</xmin><ymin>1</ymin><xmax>8</xmax><ymax>9</ymax>"
        (tmp_path / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}.png</filename><size><width>80</width><height>60</height><depth>3</depth>"
            f"</size><object><name>speck</name><bndbox>{corners}</bndbox></object></annotation>"
        )
    asked = ["inspect", "retinanet", "--option", "backbone=resnet18", "--input", "3x64x64"]
    asked += ["--anchors", str(tmp_path / "JPEGImages" / "a.png"), "--data", str(tmp_path), "--split", "train"]
    text = run(*asked)
    assert "Anchors of an image of 64 x 64" in text
    assert "boxes would be matched by no anchor in training" in text
    asked += ["--json", "--out", str(tmp_path / "out")]
    told = json.loads(run(*asked))
    assert [level["name"] for level in told["anchors"]["maps"]] == ["P3", "P4", "P5", "P6", "P7"]
    assert told["anchors"]["anchors"] == 9 * (64 + 16 + 4 + 1 + 1)
    assert told["matches"]["unmatched"] == told["matches"]["boxes"] > 0, "the smallest anchor has 32 pixels"
    assert Path(told["matches"]["worst_images"][0]).parent == tmp_path / "JPEGImages"
    with Image.open(tmp_path / "out" / "anchors.png") as picture:
        assert picture.width > 640
    with pytest.raises(SettingsError, match="is there already"):
        run(*asked)


@pytest.mark.parametrize("model", ["ssd300_vgg16", "faster_rcnn_vgg16", "fasterrcnn_resnet50_fpn"])
def test_anchors_are_known_without_weights(model: str, tmp_path: Path) -> None:
    Image.new("RGB", (80, 60), "white").save(tmp_path / "photo.png")
    told = json.loads(run("inspect", model, "--anchors", str(tmp_path / "photo.png"), "--json"))["anchors"]
    assert sum(level["cells"] * len(level["anchors"]) for level in told["maps"]) == told["anchors"]


def test_anchors_of_a_net_that_has_none_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (80, 60)).save(tmp_path / "photo.png")
    with pytest.raises(SettingsError, match="classification have no anchors"):
        run("inspect", "resnet20", "--anchors", str(tmp_path / "photo.png"))
    with pytest.raises(SettingsError, match="--anchors"):
        run("inspect", "retinanet", "--data", "digits")


def test_samples_of_recordings_are_shown_as_a_net_sees_them(tmp_path: Path) -> None:
    out = tmp_path / "shown"
    text = run("inspect", "motion.traffic:splits", "--raster", "--count", "2", "--out", str(out))
    assert "road0:car0@6" in text
    assert "constant velocity" in text
    names = sorted(path.name for path in out.iterdir())
    assert names == ["raster-1.png", "raster-2.png", "scene-1.gif", "scene-1.png", "scene-2.gif", "scene-2.png"]
    with Image.open(out / "raster-1.png") as raster:
        assert raster.size == (448, 448)
    with pytest.raises(SettingsError, match="is there already"):
        run("inspect", "motion.traffic:splits", "--raster", "--out", str(out))
    shown = json.loads(run("inspect", "motion.traffic:splits", "--raster", "--split", "test", "--json"))
    assert [sample["window"].partition(":")[0] for sample in shown["samples"]] == ["road9"] * 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("digits", "--raster"), "nothing is drawn"),
        (("resnet18", "--set", "data.ahead=1"), "--set is about --raster"),
        (("motion.traffic:splits", "digits", "--raster"), "name one"),
        (("motion.traffic:splits", "--raster", "--input", "3x8x8"), "alone"),
        (("motion.traffic:splits", "--raster", "--split", "dev"), "has train, test"),
        (("motion.traffic:splits", "--raster", "--set", "ahead"), "key=value"),
    ],
)
def test_samples_are_refused_where_there_are_none_to_draw(arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        run("inspect", *arguments)
