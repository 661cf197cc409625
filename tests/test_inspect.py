import json
import subprocess
import sys
from typing import Any

import pytest
import typer
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
    code = "import sys, resvision.cli.list as verb; verb.command(); sys.exit('torch' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert finished.returncode == 0


def test_one_model_has_a_row_a_layer_and_its_totals_last() -> None:
    lines = run("inspect", "resnet20").strip().splitlines()
    rows = {line.split()[0]: line for line in lines if line.strip()}
    assert rows["layer2.0.conv1"].split()[3:] == ["/2", "32x16x16", "4,608", "1,179,648", "17", "2"]
    assert lines[-1].split()[1:7] == ["3x32x32", "269,722", "40,551,040", "81", "20", "A"]
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
    total = text.strip().splitlines()[-1].split()
    assert total[0] == "total"
    assert total[1::2] == ["25,557,032", "25,557,032", "21,623,848", "21,623,848"]


def test_stages_that_nets_do_not_share_keep_the_order_of_each() -> None:
    stages = [line.split()[0] for line in run("inspect", "resnet20", "resmlp").splitlines() if line.strip()]
    expected = ["fc1", "conv1", "bn1", "blocks", "layer1", "layer2", "layer3", "fc", "total"]
    assert stages[-len(expected) :] == expected


def test_json_holds_every_layer_and_the_same_totals() -> None:
    v1_5, v1 = document("inspect", "resnet50", "resnet50_v1")
    assert (v1_5["macs"], v1["macs"]) == (4_089_184_256, 3_857_973_248)
    assert (v1["receptive_field"], v1["depth"], v1["shortcut"], v1["input"]) == (483, 50, "B", [3, 224, 224])
    assert sum(layer["params"] for layer in v1["layers"]) == v1["params"] == 25_557_032


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
    ],
)
def test_a_mistake_is_one_clear_error(arguments: list[str], error: type[ResVisionError], message: str) -> None:
    with pytest.raises(error, match=message):
        run("inspect", *arguments)
