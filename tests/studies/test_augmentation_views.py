"""Views and ensembles: what the study measures is what `evaluate` measures of the same runs."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from resvision.classification.protocols import apply
from resvision.inference.ensemble import evaluate_ensemble
from resvision.inference.load import load
from resvision.studies.augmentation_views import DESIGN, PROTOCOLS
from resvision.studies.experiment import Asked, conduct
from resvision.studies.measures_protocols import cost
from resvision.studies.results import Results

SETTINGS = [
    *("model.options.width=2", "data.image_size=7", "data.resize_px=8", "machine.precision=fp32", "machine.threads=1"),
    *("training.duration=20 steps", "augment.shift_px=1"),
]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("views")
    design = replace(DESIGN, plots=())
    return folder, conduct(design, folder, Asked("digits", 2, settings=SETTINGS), Console(quiet=True))


def test_one_crop_and_one_net_are_the_usual_test(study: tuple[Path, Results]) -> None:
    for member in study[1].members:
        assert member.figures["views.center-crop"] == member.figures["tested"] == member.figures["ensembles.of-1"]


def test_an_ensemble_is_that_of_evaluate_whichever_member_begins_it(study: tuple[Path, Results]) -> None:
    folder, results = study
    together = evaluate_ensemble([folder / member.folder for member in results.members]).together
    assert together is not None
    assert {member.figures["ensembles.of-2"] for member in results.members} == {together.top1_error}
    assert not any("ensembles.of-3" in member.figures for member in results.members)


def test_claims_about_more_seeds_than_there_are_stay_undecided(study: tuple[Path, Results]) -> None:
    verdicts = {verdict.claim: verdict for verdict in study[1].verdicts(DESIGN)}
    assert verdicts["six nets have a lower error than one"].pairs == 0
    assert verdicts["ten crops have a lower error than one"].pairs == 2


def test_the_cost_of_a_protocol_counts_the_pixels_of_its_views(study: tuple[Path, Results]) -> None:
    model = load(study[0] / "resnet20-seed0")
    costs = {name: cost(apply(name, model)) for name in PROTOCOLS}
    assert (costs["center-crop"], costs["ten-crop"]) == (1, 10)
    assert costs["vgg-dense"] == pytest.approx(2 * (8 / 7) ** 2)
    assert costs["dense"] == pytest.approx(2 * sum((scale / 7) ** 2 for scale in (7, 8, 12, 15, 20)))
