"""Published scores: whose they are, and that they are those of the papers."""

from dataclasses import fields

from resvision import catalog
from resvision.data import sets
from resvision.kinds.classification.presets import PRESETS
from resvision.papers.results import ENSEMBLES, RESULTS, published


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


def test_published_figures_are_those_of_the_papers() -> None:
    def found(net: str, protocol: str, *scales: int, data: str = "imagenet") -> list[tuple[float | None, float | None]]:
        return [(row.top1, row.top5) for row in published(net, data=data, protocol=protocol, scales=scales)]

    assert found("resnet34_b", "ten-crop") == [(24.52, 7.46)]
    assert found("resnet152_v1", "dense", 224, 256, 384, 480, 640) == [(19.38, 4.49)]
    assert found("vgg16", "vgg-dense", 384) == [(26.8, 8.7), (25.6, 8.1)]
    assert found("resnet18", "center-crop") == [(30.242, 10.922)]
    assert found("resnet110", "center-crop", data="cifar10") == [(6.43, None)]
    assert found("resnet110", "center-crop", data="cifar10-jpeg") == []
    assert found("googlenet_2014", "googlenet-144") == [(None, 7.89)]
