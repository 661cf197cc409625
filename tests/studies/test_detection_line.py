"""Detectors side by side: claims from figures, a page, and going on after a stop."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from box_folders import voc
from rich.console import Console
from safetensors.numpy import save_file

from resvision import catalog
from resvision.core import references, rundir
from resvision.core.errors import RunError, UnknownNameError
from resvision.detection.stage_times import STAGES, ImageTimes
from resvision.fit_phase import fit_seconds
from resvision.report.read import read_record
from resvision.studies.detection_line import DetectionLine, Row, claims, plan, study_detection_line, study_runs
from resvision.studies.detection_line_page import paper_rows, what_to_see, write_line
from resvision.studies.detector_sizes import SIZES
from resvision.studies.trials import Outcome

QUIET = Console(quiet=True)
TINY = ["data.image_size=64", "training.batch_size=2", "machine.precision=fp32", "machine.threads=1"]
TINY += ["machine.workers=0", "augment.crop=none", "model.options.width=4"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, DetectionLine]:
    data, folder = voc(tmp_path_factory.mktemp("data") / "pets"), tmp_path_factory.mktemp("study")
    trials = plan(str(data), ["ssd", "faster_rcnn"], 1, quick=True, settings=TINY)
    return data, folder, study_detection_line(folder, trials, 2, QUIET)


def row(model: str, ms: float, ap: float, outcomes: Sequence[Outcome], *, two: bool = True, images: int = 3) -> Row:
    """A system that takes `ms` for the first image and a tenth more for each later one."""
    stages = {"maps": 0.3, "regions" if two else "heads": 0.6, "suppression": 0.1}
    return Row(
        model=model,
        two_stages=two,
        ap=[ap, ap + 0.01, ap + 0.02],
        ap50=[0.9] * 3,
        seconds=[60.0] * 3,
        times=[
            ImageTimes({stage: share * ms * (1 + n / 10) / 1000 for stage, share in stages.items()}, 7 if two else None)
            for n in range(images)
        ],
        outcomes=outcomes,
    )


def words(rows: Sequence[Row]) -> dict[str, str]:
    return {verdict.claim: verdict.word for verdict in claims(rows)}


def test_each_step_of_the_line_is_a_claim_about_equal_images(study: tuple[Path, Path, DetectionLine]) -> None:
    outcomes = study[2].rows[0].outcomes
    line = {"rcnn": 900, "sppnet": 90, "fast_rcnn": 95}
    verdicts = claims([row(model, ms, 0.5, outcomes) for model, ms in line.items()])
    assert [(verdict.claim, verdict.word) for verdict in verdicts] == [
        ("sppnet takes less time an image than rcnn", "supported"),
        ("fast_rcnn takes less time an image than sppnet", "contradicted"),
    ]
    assert verdicts[0].mean == pytest.approx(810 * 1.1)
    assert (verdicts[0].pairs, verdicts[0].pair, verdicts[0].unit) == (3, "image", "ms")


def test_systems_of_one_stage_are_held_against_the_fastest_and_the_best_of_two(
    study: tuple[Path, Path, DetectionLine],
) -> None:
    outcomes = study[2].rows[0].outcomes
    two = [row("fast_rcnn", 500, 0.7, outcomes), row("faster_rcnn", 60, 0.6, outcomes)]
    said = words([*two, row("ssd", 40, 0.65, outcomes, two=False), row("retinanet", 70, 0.75, outcomes, two=False)])
    assert said == {
        "faster_rcnn takes less time an image than fast_rcnn": "supported",
        "ssd takes less time an image than faster_rcnn, the fastest of two stages": "supported",
        "retinanet takes less time an image than faster_rcnn, the fastest of two stages": "contradicted",
        "fast_rcnn, the best of two stages, has a higher AP than ssd": "supported",
        "fast_rcnn, the best of two stages, has a higher AP than retinanet": "contradicted",
    }


def test_one_image_decides_nothing(study: tuple[Path, Path, DetectionLine]) -> None:
    outcomes = study[2].rows[0].outcomes
    rows = [row("rcnn", 900, 0.5, outcomes, images=1), row("sppnet", 90, 0.5, outcomes, images=1)]
    assert {*words(rows).values()} == {"undecided"}


def test_every_system_goes_through_its_own_stages(study: tuple[Path, Path, DetectionLine]) -> None:
    faster, ssd = study[2].rows
    assert [faster.model, ssd.model] == ["faster_rcnn", "ssd"], "two stages come first in the line"
    assert [*faster.stage_ms] == ["maps", "proposals", "regions", "suppression"]
    assert [*ssd.stage_ms] == ["maps", "heads", "suppression"]
    assert faster.two_stages
    assert not ssd.two_stages
    assert 0 < faster.proposals <= 20
    assert ssd.proposals is None
    assert faster.ms == pytest.approx(sum(faster.stage_ms.values()))


def test_a_line_goes_on_where_it_stopped_and_other_settings_are_refused(
    study: tuple[Path, Path, DetectionLine],
) -> None:
    data, folder, result = study
    marks = {path: path.read_bytes() for path in folder.glob("*/history.jsonl")}
    trials = plan(str(data), ["ssd", "faster_rcnn"], 1, quick=True, settings=TINY)
    again = study_detection_line(folder, trials, 1, QUIET)
    assert {path: path.read_bytes() for path in folder.glob("*/history.jsonl")} == marks
    assert [row.ap for row in again.rows] == [row.ap for row in result.rows]
    with pytest.raises(RunError, match=r"training\.duration"):
        study_detection_line(folder, plan(str(data), ["ssd"], 1, epochs=2, quick=True, settings=TINY), 1, QUIET)


def test_finished_runs_are_taken_as_they_are(study: tuple[Path, Path, DetectionLine], tmp_path: Path) -> None:
    _, folder, result = study
    taken = study_runs([folder / "ssd-seed0", folder / "faster_rcnn-seed0"], 1, QUIET)
    assert [(row.model, row.ap) for row in taken.rows] == [(row.model, row.ap) for row in result.rows]
    with pytest.raises(RunError, match="no such run directory"):
        study_runs([tmp_path / "nothing"], 1, QUIET)


def test_a_recipe_of_several_phases_is_one_row_whose_time_is_that_of_all(
    study: tuple[Path, Path, DetectionLine], tmp_path: Path
) -> None:
    data = str(study[0])
    corners = 40 * np.random.default_rng(0).random((12, 2), dtype=np.float32)
    boxes = np.concatenate([np.concatenate([corners, corners + 20], axis=1), [[8, 6, 40, 36], [2, 3, 42, 39]]])
    save_file({f"{name}.png": boxes.astype(np.float32) for name in "abcde"}, tmp_path / "regions.safetensors")
    settings = [*TINY, "model.options.window_px=16", "model.options.proposals=14"]
    settings += [f"data.proposals={tmp_path / 'regions.safetensors'}"]
    (row,) = study_detection_line(
        tmp_path / "line", plan(data, ["rcnn"], 1, quick=True, settings=[*settings, "loss.windows=8"]), 1, QUIET
    ).rows
    assert [*row.stage_ms] == ["regions", "suppression"], "regions of a file take no search"
    assert row.proposals == 14
    phases = [tmp_path / "line/rcnn-seed0" / name for name in ("1-net", "2-svm", "3-boxes")]
    fits = sum(fit_seconds(folder) for folder in phases[1:])
    assert row.seconds == [pytest.approx(read_record(phases[0]).seconds + fits)]
    assert fits > 0
    (again,) = study_runs([tmp_path / "line/rcnn-seed0"], 1, QUIET).rows
    assert (again.model, again.ap, again.seconds) == ("rcnn", row.ap, row.seconds)
    other = plan(data, ["rcnn"], 1, quick=True, settings=[*settings, "loss.windows=4"])
    with pytest.raises(RunError, match=r"loss\.windows of net is 8, asked 4"):
        study_detection_line(tmp_path / "line", other, 1, QUIET)


def test_an_unknown_system_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="retinanet"):
        plan("digit-boxes-composed", ["retinanett"], 1)


def test_every_size_is_of_a_detector_of_the_catalog_and_its_settings_are_known() -> None:
    for model in SIZES:
        (trial,) = plan("digit-boxes-composed", [model], 1)
        net = trial.run.model.name
        with torch.device("meta"):
            catalog.build(net, num_classes=10, **trial.run.model.options)
        system = references.load(catalog.find(net).system, noun="system")
        system.loss_options(**trial.run.loss)


def test_the_page_holds_figures_verdicts_papers_and_links(study: tuple[Path, Path, DetectionLine]) -> None:
    _, folder, result = study
    html = write_line(result, folder / rundir.REPORT).read_text()
    assert all(sentence in html for sentence in what_to_see(result))
    assert [claim for claim in words(result.rows) if claim not in html] == []
    assert all(f"{row.ms:.1f}"[:2] in html for row in result.rows)
    links = re.findall(r'<a href="([^"]+)">', html)
    assert len(links) == len(result.rows)
    assert all((folder / link).resolve().is_file() for link in links)
    assert html.count("<svg") == 3
    assert ("faster_rcnn", "faster_rcnn_vgg16") in {row[:2] for row in paper_rows(result.rows)}
    assert [stage for stage in STAGES if stage in result.rows[0].stage_ms and stage not in html] == []


def test_the_command_prints_its_tables(
    study: tuple[Path, Path, DetectionLine], tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    run = study[1] / "ssd-seed0"
    code, out, err = cli("study", "detection-line", "--runs", run, "--images", "1", "--out", tmp_path / "line")
    assert code == 0, err
    assert "milliseconds an image" in out
    assert (tmp_path / "line" / rundir.REPORT).is_file()
    code, _, err = cli("study", "detection-line", "--runs", run, "--epochs", "3")
    assert code == 2
    assert "leave out --epochs" in err
