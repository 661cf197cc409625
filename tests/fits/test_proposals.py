"""Faster R-CNN in four steps: what is frozen stays, what is kept as proposals is what the net proposes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import box_folders
import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file

import resvision
from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.core.images import decode
from resvision.detection.proposal_files import ProposalFile
from resvision.fits.proposals import region_proposals
from resvision.launch import launch
from resvision.phases import launch_phases, resume_phases
from resvision.recipes import compose, compose_phases
from resvision.recipes.detection.faster_rcnn import in_four_steps
from resvision.run import read_run
from resvision.training.checkpoints import result_weights
from resvision.training_graph import FitInputs, FitPhase, RunPhase

Cli = Callable[..., tuple[int, str, str]]
QUIET = Console(quiet=True)
OPTIONS = {
    "backbone": "resnet18", "width": 4, "channels": 8, "hidden": 16, "smallest_anchor_px": 8, "proposals": 20,
}  # fmt: skip
TINY = {
    "data.image_size": 48,
    "machine.device": "cpu",
    "machine.precision": "fp32",
    "machine.threads": 1,
    "machine.workers": 0,
    "training.ema_decay": None,
    **{f"model.options.{key}": value for key, value in OPTIONS.items()},
}
PHASES = ("1-rpn", "2-proposals", "3-fast-rcnn", "4-shared-rpn", "5-faster-rcnn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return box_folders.voc(tmp_path_factory.mktemp("data") / "pets", train="abcd", val="e")


@pytest.fixture(scope="module")
def steps(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of four tiny steps, of two batches each."""
    joint = compose("faster_rcnn", str(folder), changes=TINY)
    phases = in_four_steps(joint, durations=("2 steps", "2 steps"), images=(2, 2), loss={"regions": 8})
    out = tmp_path_factory.mktemp("runs") / "four"
    launch_phases(phases, out=out, console=QUIET)
    return out


def state(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(result_weights(folder))


def changed(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
    """The parts of the net of which some bit differs."""
    assert one.keys() == other.keys()
    return {name.partition(".")[0] for name in one if not torch.equal(one[name], other[name])}


def test_what_is_frozen_keeps_its_bits_and_the_rest_is_trained(steps: Path) -> None:
    first, second, third, last = (state(steps / PHASES[number]) for number in (0, 2, 3, 4))
    assert changed(second, third) == {"rpn"}, "maps, with their statistics, and the head are those of step 2"
    assert changed(third, last) == {"roi_heads"}
    assert changed(first, second) == {"backbone", "rpn", "roi_heads"}


def test_the_proposal_network_starts_afresh_on_the_maps_of_the_second_step(steps: Path) -> None:
    torch.manual_seed(0)
    begun = resvision.build("faster_rcnn", num_classes=2, **OPTIONS)
    second = state(steps / "3-fast-rcnn")
    assert "rpn" not in changed(begun.state_dict(), second)


def test_the_result_is_one_ordinary_run(steps: Path, folder: Path) -> None:
    run = read_run(steps / PHASES[-1])
    assert run.data.proposals is None
    scores = resvision.evaluate(steps / PHASES[-1])
    assert (
        scores.figures()
        == resvision.load(steps / PHASES[-1])
        .kind.read_scores(rundir.read_json(steps / PHASES[-1] / rundir.EVALUATION))
        .figures()
    )


def test_kept_proposals_are_those_of_the_net_in_pixels_of_the_photo(steps: Path, folder: Path) -> None:
    kept = load_file(steps / "2-proposals" / rundir.WEIGHTS)
    assert {Path(name).stem for name in kept} == {*"abcde"}
    trained = resvision.load(steps / "1-rpn")
    for name, boxes in kept.items():
        assert boxes.dtype is torch.float32
        image = decode(folder / name)  # names are those within the set, which may move
        shown = trained.view.show(image, name=name, grey=False)
        pixels = torch.from_numpy(shown.pixels).permute(2, 0, 1)[None]
        with torch.no_grad():
            own = trained.system.net.proposed(trained.system.normalized(pixels), to_train=Path(name).stem != "e")[0]
        own = shown.geometry.boxes_to_image(own.numpy()).astype(np.float32)
        own = own[(own[:, 2:] > own[:, :2]).all(axis=1)]
        np.testing.assert_allclose(boxes, own, atol=1e-3)
        assert len(boxes) <= (40 if Path(name).stem != "e" else 20)
        ProposalFile(steps / "2-proposals" / rundir.WEIGHTS).regions(name, image.shape[:2])


def test_the_second_step_is_trained_and_scored_on_the_kept_proposals(steps: Path) -> None:
    run = read_run(steps / "3-fast-rcnn")
    assert run.data.proposals == str(steps / "2-proposals" / rundir.WEIGHTS)
    assert run.loss["train"] == "regions"
    figures = rundir.read_json(steps / "2-proposals" / rundir.EVALUATION)
    assert 0 <= figures["recall_at_70"] <= figures["recall_at_50"] <= 1
    assert 1 <= figures["regions_to_test_on"] <= 20 < 40 >= figures["regions_to_train_on"]


def test_a_fit_that_was_stopped_proposes_no_image_twice(steps: Path, tmp_path: Path) -> None:
    parents, scratch = {"net": steps / "1-rpn"}, tmp_path / "scratch"
    scratch.mkdir()
    inputs = FitInputs(
        parents=parents, options={}, data=None, scratch=scratch, console=QUIET,
        leave_if_stopped=lambda: None, allow_code=False,
    )  # fmt: skip
    whole = region_proposals(inputs)
    assert {path.name for path in scratch.iterdir()} == {"train-0.safetensors", "test-0.safetensors"}
    kept = load_file(scratch / "train-0.safetensors")
    save_file({name: boxes[:1] for name, boxes in kept.items()}, scratch / "train-0.safetensors")
    again = region_proposals(inputs)
    for name in kept:
        assert np.array_equal(again.tensors[name], whole.tensors[name][:1])


def test_steps_that_were_moved_go_on_with_the_proposals_at_their_new_place(steps: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(steps, moved)
    (moved / "3-fast-rcnn" / rundir.EVALUATION).unlink()
    resume_phases(moved, console=QUIET)
    assert read_run(moved / "3-fast-rcnn").data.proposals == str(moved / "2-proposals" / rundir.WEIGHTS)
    again, before = (rundir.read_json(folder / "3-fast-rcnn" / rundir.EVALUATION) for folder in (moved, steps))
    assert again == before


def test_a_net_that_proposes_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    small = {**TINY, "training.duration": "1 steps", "training.batch_size": 2}
    del small["model.options.hidden"], small["model.options.smallest_anchor_px"], small["model.options.proposals"]
    phases = (
        RunPhase(name="net", run=compose("retinanet", str(folder), changes=small)),
        FitPhase(name="proposals", fit="resvision.fits.proposals:region_proposals", parents={"net": "net"}),
    )
    with pytest.raises(SettingsError, match="retinanet proposes no regions; name a run of Faster R-CNN"):
        launch_phases(phases, out=tmp_path / "out", console=QUIET)


def test_given_regions_go_with_the_training_of_the_head_alone(steps: Path, folder: Path, tmp_path: Path) -> None:
    changes = {**TINY, "training.duration": "1 steps", "training.batch_size": 2,
               "data.proposals": str(steps / "2-proposals" / rundir.WEIGHTS)}  # fmt: skip
    run = compose("faster_rcnn", str(folder), changes=changes)
    with pytest.raises(SettingsError, match=r"data\.proposals: goes with loss\.train=regions"):
        launch(run, console=QUIET, out=tmp_path / "run")


def test_the_papers_steps_are_of_80_and_40_thousand_batches_and_fall_after_three_quarters() -> None:
    phases = compose_phases("faster_rcnn_vgg16", "voc", recipe_name="faster-rcnn-4step-2015")
    runs = [phase.run for phase in phases if phase.kind == "run"]
    assert [run.training.duration for run in runs] == ["80000 steps", "40000 steps"] * 2
    assert [run.training.batch_size for run in runs] == [1, 2, 1, 2]
    assert [run.schedule.milestones for run in runs] == [(0.75,)] * 4
    assert [run.model.encoder_from for run in runs] == ["torchvision", "torchvision", None, None]
    assert [run.loss.get("train_maps", True) for run in runs] == [True, True, False, False]
    assert [phase.parents for phase in phases] == [
        {}, {"net": "rpn"}, {"proposals": "proposals"}, {"init_from": "fast-rcnn"}, {"init_from": "shared-rpn"},
    ]  # fmt: skip
