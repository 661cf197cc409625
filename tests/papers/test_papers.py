from functools import cache
from pathlib import Path

import pytest
import torch
import torchvision.models

import resvision.papers
from resvision import catalog
from resvision.kinds.classification.presets import PRESETS
from resvision.papers.counts import KEPT, counts
from resvision.papers.printed import NOTHING, Cell, Compared, compare, is_printed_as
from resvision.papers.results import RESULTS, of_net, published
from resvision.papers.tables import TABLES
from resvision.probes.count import Count, count
from resvision.probes.shapes import WithoutDrawing


@cache
def counted(name: str) -> Count:
    row = catalog.find(name)
    with torch.device("meta"), WithoutDrawing():
        net = catalog.build(name, num_classes=row.num_classes)
    return count(net, row.input)


def values(name: str) -> dict[tuple[int, str, str], Compared]:
    """Every cell of a net's printed table beside ours, by line and column."""
    lines = enumerate(TABLES[name].lines)
    return {
        (i, line.label, column): compare(cell, counted(name))
        for i, line in lines
        for column, cell in line.cells.items()
    }


def differing(name: str) -> dict[tuple[str, str], tuple[str, str]]:
    return {key[1:]: (value.printed, value.ours) for key, value in values(name).items() if value.agrees is False}


@pytest.mark.parametrize(
    ("value", "printed", "agrees"),
    [
        (3_663_761_408, "3.6x10^9", True),  # cut
        (3_857_973_248, "3.8x10^9", True),
        (7_570_194_432, "7.6x10^9", True),  # rounded
        (4_089_184_256, "3.8x10^9", False),
        (269_722, "0.27M", True),
        (1_727_962, "1.7M", True),
        (10_327_706, "10.2M", False),
        (9_472, "2.7K", False),
        (1_200, "1K", True),
        (64, "64", True),
        (65, "64", False),
    ],
)
def test_a_printed_number_is_the_value_rounded_or_cut(value: int, printed: str, agrees: bool) -> None:
    assert is_printed_as(value, printed) is agrees


def test_a_k_is_what_it_is_said_to_be() -> None:
    assert is_printed_as(114_688, "112K", unit=1024)
    assert not is_printed_as(114_688, "112K")


@pytest.mark.parametrize("name", TABLES)
def test_every_printed_cell_has_a_figure_of_ours(name: str) -> None:
    compared = values(name)
    assert all(value.ours for value in compared.values())
    assert [key for key, value in compared.items() if value.ours == NOTHING] == []


@pytest.mark.parametrize(
    "name",
    [
        *("resnet18", "resnet34", "resnet34_b", "resnet50_v1", "resnet101_v1", "resnet152_v1", "plain34", "resnet20"),
        *("ssd300_vgg16", "faster_rcnn_vgg16"),
    ],
)
def test_the_papers_nets_agree_with_every_printed_value(name: str) -> None:
    assert differing(name) == {}


def test_the_stride_in_the_3x3_shows_in_the_flops_alone() -> None:
    assert differing("resnet50") == {("FLOPs", "FLOPs"): ("3.8x10^9", "4,089,184,256")}


def test_option_c_costs_more_than_is_printed() -> None:
    assert differing("resnet34_c") == {("FLOPs", "FLOPs"): ("3.6x10^9", "3,830,747,136")}


def test_the_paper_counts_preresnet1001_without_the_normalizations() -> None:
    assert differing("preresnet164") == {}
    assert differing("preresnet1001") == {("total", "# params"): ("10.2M", "10,327,706")}


def test_googlenet_differs_where_the_paper_errs() -> None:
    differences = differing("googlenet_2014")
    assert differences["convolution", "params"] == ("2.7K", "9,472")
    assert differences["convolution", "ops"] == ("34M", "118,013,952")
    assert differences["inception (5a)", "ops"] == ("54M", "51,079,168")
    assert {column for _, column in differences} == {"params", "ops"}
    assert [row for row, column in differences if column == "ops"] == ["convolution", "inception (5a)"]
    agreeing = {row for _, row, column in values("googlenet_2014") if column == "params"} - {
        row for row, column in differences if column == "params"
    }
    assert agreeing == {"inception (3a)", "inception (3b)", "linear"}  # and conv2, of the label that conv1 has


def test_the_columns_stand_as_they_are_printed() -> None:
    columns = TABLES["googlenet_2014"].columns
    assert columns[3:5] == ("#1x1", "#3x3 reduce")
    assert columns[-3:] == ("pool proj", "params", "ops")
    cells = {column for line in TABLES["googlenet_2014"].lines for column in line.cells}
    assert {*columns} == cells


def test_torchvisions_googlenet_has_no_5x5() -> None:
    differences = differing("googlenet")
    assert differences["inception (3a)", "#5x5"] == ("32", "32 (3x3)")
    assert differences["max pool", "patch/stride"] == ("3x3/2", "2x2/2")


def test_where_a_net_has_no_such_part_the_cell_differs() -> None:
    assert compare(Cell("64", "channels", ("inception3a",)), counted("resnet20")) == Compared("64", NOTHING, False)
    assert compare(Cell(NOTHING, "macs", ("inception3a",)), counted("resnet20")).agrees is None


def test_the_kept_counts_are_those_of_the_nets() -> None:
    kept = {name: (each.params, each.macs) for name, each in counts().items()}
    ours = {row.name: (counted(row.name).params, counted(row.name).macs) for row in catalog.ROWS}
    assert kept == ours, "`make counts` writes them anew"
    assert (Path(resvision.papers.__path__[0]) / KEPT).is_file()


def test_results_and_tables_are_of_nets_that_can_be_named() -> None:
    names = {row.name for row in catalog.ROWS}
    assert {result.net for result in RESULTS} <= names
    assert set(TABLES) <= names


def test_a_protocol_that_no_preset_repeats_stands_beside_no_measured_error() -> None:
    (row,) = [row for row in of_net("prelunet_c") if not row.protocol]
    assert (row.top1, row.top5) == (21.59, 5.71)
    for preset in PRESETS:
        assert row not in published("prelunet_c", data="imagenet", protocol=preset.name, scales=preset.scales)


def test_errors_of_published_weights_are_those_that_torchvision_states() -> None:
    ours = [result for result in RESULTS if result.source.startswith("torchvision")]
    assert ours
    for result in ours:
        weights = result.source.rpartition(" ")[2]
        accuracies = torchvision.models.get_model_weights(result.net)[weights].meta["_metrics"]["ImageNet-1K"]
        stated = 100 - accuracies["acc@1"], 100 - accuracies["acc@5"]
        assert (result.top1, result.top5) == pytest.approx(stated, abs=1e-9)
