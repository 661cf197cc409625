"""Measures of blocks: figures that follow from their series, under the names by which the designs know them."""

from collections.abc import Mapping
from statistics import fmean
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from resvision.classification.classifier import Classifier
from resvision.classification.preresnet import preresnet
from resvision.contracts import Batch, Images
from resvision.studies import lesion, paths
from resvision.studies.design import Claim, Design, Drawing, Value
from resvision.studies.measures_blocks import lesions_of, paths_of
from resvision.studies.results import Findings
from resvision.studies.subject import Subject

OPTIONS = {"images": 30, "deletions": [1, 2, 3, 4], "swaps": [1, 5], "draws": 2}


def subject(shortcut: Any, *, depth: int = 20) -> Subject:
    """A net whose training is all but finished, with random images."""
    torch.manual_seed(0)
    net = preresnet(depth, num_classes=4, in_channels=1, width=4, block="basic", shortcut=shortcut)
    system = Classifier(net, mean=[0.5], std=[0.25]).eval()
    pixels = torch.randint(0, 256, (30, 1, 8, 8), dtype=torch.uint8)

    def batches(split: str, images: int, *, size: int = 64) -> list[Batch]:
        return [Batch(Images(pixels), torch.arange(30) % 4, torch.arange(30))]

    def images(split: str, images: int) -> Tensor:
        return system.normalized(pixels)

    parts = {"net": net, "system": system, "batches": batches, "images": images}
    return cast(Subject, SimpleNamespace(**parts, trained=SimpleNamespace(classes=("a", "b", "c", "d"))))


@pytest.fixture(scope="module")
def lesions() -> Findings:
    return lesions_of(subject("A"), **OPTIONS)


@pytest.fixture(scope="module")
def along_paths() -> Findings:
    return paths_of(subject("A"), images=30, draws=2)


def test_figures_of_single_deletions_are_means_over_blocks(lesions: Findings) -> None:
    figures, errors = lesions.figures, lesions.series["error"]
    assert len(errors) == len(lesions.series["place"]) == 9
    assert figures["one"] == pytest.approx(fmean(errors))
    assert figures["worst"] == max(errors)
    assert figures["rise"] == pytest.approx(figures["one"] - figures["intact"])
    assert 9 * figures["rise"] == pytest.approx(2 * figures["entering"] + 7 * figures["within"])
    assert figures["entering"] == pytest.approx(fmean([errors[3], errors[6]]) - figures["intact"])
    if figures["intact"] < 0.75:
        reached = figures["intact"] + figures["to_chance"] * (0.75 - figures["intact"])
        assert reached == pytest.approx(figures["one"])


def test_figures_of_several_are_the_ends_of_their_series(lesions: Findings) -> None:
    figures, series = lesions.figures, lesions.series
    assert series["count"] == [1, 2, 3, 4]
    assert [figures["few"], figures["many"]] == [series["removed"][0], series["removed"][-1]]
    assert series["swaps"] == [1, 5]
    assert [figures["swapped_few"], figures["swapped_many"]] == series["swapped"]
    assert fmean(series["shuffled"][2:]) == pytest.approx(series["swapped"][1])
    assert len(series["tau"]) == 4


def test_a_net_loses_half_of_its_blocks_at_most() -> None:
    assert lesions_of(subject("none", depth=14), **OPTIONS).series["count"] == [1, 2, 3]


def test_shares_of_paths_and_of_gradient_are_whole(along_paths: Findings) -> None:
    figures, series = along_paths.figures, along_paths.series
    assert series["length"] == [*range(10)]
    assert sum(series["paths"]) == pytest.approx(1)
    assert sum(series["gradient"]) == pytest.approx(1)
    first, last = int(figures["first"]), int(figures["last"])
    assert figures["effective"] == pytest.approx(sum(series["paths"][first : last + 1]))
    assert sum(series["gradient"][first : last + 1]) >= 0.95
    assert figures["relative"] == pytest.approx(figures["mean"] / 4.5)


@pytest.mark.parametrize("design", [lesion.DESIGN, paths.DESIGN], ids=lambda design: design.name)
def test_a_design_names_figures_and_series_that_are_measured(
    design: Design, lesions: Findings, along_paths: Findings
) -> None:
    measured: Mapping[str, Findings] = {"lesion": lesions, "paths": along_paths}

    def known(name: str, kind: str) -> bool:
        measure, _, own = name.partition(".")
        return own in getattr(measured[measure], kind)

    values = [value for claim in design.claims for value in Claim(*claim)[1:] if isinstance(value, Value)]
    assert all(known(value.figure, "figures") for value in values)
    assert all(known(column.figure, "figures") for column in design.columns)
    for plot in design.plots:
        assert not isinstance(plot, Drawing)
        assert known(plot.x, "series")
        assert known(plot.y, "series")
