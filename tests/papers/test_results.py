"""Published scores: whose they are, and that they are those of the papers."""

from dataclasses import fields

from resvision import catalog
from resvision.data import sets
from resvision.kinds.classification.presets import PRESETS
from resvision.kinds.table import kind_of
from resvision.papers.results import BOXES, ENSEMBLES, RESULTS, published


def test_published_rows_name_nets_of_the_catalog_as_they_were_published() -> None:
    assert {row.net for row in RESULTS} <= {row.name for row in catalog.ROWS}
    protocols = {preset.name for preset in PRESETS}
    assert {row.protocol for row in RESULTS} | {row.protocol for row in ENSEMBLES} <= protocols | {""}
    for row in RESULTS:
        assert row.top1 is not None or row.top5 is not None
        assert 0 < (row.top5 or 1) < 30, row
        assert row.top5 is None or row.top1 is None or row.top5 < row.top1 < 50, row
        assert sets.row(row.data).name == row.data
        assert bool(row.scales) == ("dense" in row.protocol)
    assert len({tuple(getattr(row, each.name) for each in fields(row)) for row in RESULTS}) == len(RESULTS)


def test_published_detectors_are_of_the_catalog_and_tested_by_a_protocol_of_ours() -> None:
    kind = kind_of("detection")
    for row in BOXES:
        assert catalog.find(row.net).task == kind.name
        assert sets.row(row.data).task == kind.name
        assert row.protocol in {protocol.name for protocol in kind.protocols}
        assert {name for name, value in row.percents.items() if value} <= {*kind.compared}
        assert any(value for value in row.percents.values())
    assert len({*BOXES}) == len(BOXES)
    found = published("ssd300_vgg16", data="voc", protocol="voc07")
    assert [row.percents["voc07"] for row in found] == [68.0, 74.3, 79.6, 77.2]
    assert [row.percents["ap"] for row in published("ssd300_vgg16", data="coco", protocol="coco")] == [25.1]


def test_published_figures_are_those_of_the_papers() -> None:
    def found(net: str, protocol: str, *scales: int, data: str = "imagenet") -> list[tuple[float | None, float | None]]:
        return [
            (row.percents["top1_error"], row.percents["top5_error"])
            for row in published(net, data=data, protocol=protocol, scales=scales)
        ]

    assert found("resnet34_b", "ten-crop") == [(24.52, 7.46)]
    assert found("resnet152_v1", "dense", 224, 256, 384, 480, 640) == [(19.38, 4.49)]
    assert found("vgg16", "vgg-dense", 384) == [(26.8, 8.7), (25.6, 8.1)]
    assert found("resnet18", "center-crop") == [(30.242, 10.922)]
    assert found("resnet110", "center-crop", data="cifar10") == [(6.43, None)]
    assert found("resnet110", "center-crop", data="cifar10-jpeg") == []
    assert found("googlenet_2014", "googlenet-144") == [(None, 7.89)]
