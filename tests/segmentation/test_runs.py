"""Runs of segmentation from end to end: training, resuming, evaluation, label maps of files, phases."""

import io
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import load_file
from support import SEGMENTED, scenes

import resvision
from resvision.core import rundir
from resvision.core.errors import DataError, SettingsError, Stopped
from resvision.core.history import read
from resvision.core.results import LabelMap
from resvision.inference.load import load
from resvision.introduction import introduce
from resvision.kinds.segmentation.presets import PRESETS
from resvision.kinds.segmentation.scores import SegmentationScores
from resvision.launch import Finished, resume, train
from resvision.phases import launch_phases, resume_phases
from resvision.preparation import reopen, resolve
from resvision.recipes import compose, compose_phases
from resvision.run import read_run
from resvision.training.checkpoints import result_weights
from resvision.training.contention import CpuTimes
from resvision.training.history import History

Cli = Callable[..., tuple[int, str, str]]


def test_squares_are_learned(segmented: Finished) -> None:
    assert isinstance(segmented.scores, SegmentationScores)
    assert segmented.scores.classes == ("ground", "square")
    assert segmented.scores.mean_iou > 0.6  # 0.80 to 0.95 over 8 seeds; 0.46 if all were ground
    run = read_run(segmented.folder)
    assert run.model.task == "segmentation"
    assert run.loss["class_weights"] != "balanced-root"
    lines = [line for line in read(segmented.folder / rundir.HISTORY) if "evaluation" in line]
    assert lines[-1]["evaluation"] == pytest.approx(segmented.scores.figures())


def test_a_person_is_told_of_atrous_kernels_that_crops_do_not_reach(segmented: Finished, finished: Finished) -> None:
    told = [Console(record=True, file=io.StringIO()) for _ in range(2)]
    for console, run in zip(told, (segmented, finished), strict=True):
        introduce(reopen(read_run(run.folder)), console, since=CpuTimes.now())
    small, none = (console.export_text() for console in told)
    assert "in crops of 32 px only the centre taps of aspp.convs.3.0" in small
    assert "data.image_size=289 or more" in small
    assert "atrous" not in none


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {**SEGMENTED, "training.duration": "2 epochs", "training.batch_size": 4}
    run = compose("deeplabv3plus", str(squares), changes=changes)
    whole = train(run, out=tmp_path / "whole", quiet=True)
    add = History.add

    def stop_after_five(self: History, line: dict[str, Any]) -> None:
        add(self, line)
        if line["step"] == 5:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(History, "add", stop_after_five)
    with pytest.raises(Stopped):
        train(run, out=tmp_path / "stopped", quiet=True)
    monkeypatch.undo()
    again = resume(tmp_path / "stopped", console=Console(quiet=True))
    one, other = (load_file(result_weights(folder)) for folder in (whole.folder, again.folder))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_validation_chooses_the_greatest_mean_iou(squares: Path, tmp_path: Path) -> None:
    finished = train(
        "deeplabv3plus",
        str(squares),
        epochs=3,
        batch_size=4,
        validation=0.25,
        settings=SEGMENTED,
        out=tmp_path / "run",
        quiet=True,
    )
    lines = [line for line in read(finished.folder / rundir.HISTORY) if "evaluation" in line]
    best = max(lines, key=lambda line: (line["evaluation"]["mean_iou"], -line["evaluation"]["loss"]))
    named = (finished.folder / rundir.CHECKPOINTS / rundir.BEST).read_text().strip()
    assert named == f"step-{best['step']}"


@pytest.mark.parametrize("protocol", [preset.name for preset in PRESETS])
def test_every_protocol_scores_every_pixel(segmented: Finished, protocol: str) -> None:
    scores = resvision.evaluate(load(segmented.folder), protocol=protocol)
    assert scores.confusion.sum() == segmented.scores.confusion.sum()
    assert scores.pixel_accuracy > 0.8
    if protocol == "whole":
        assert scores.mean_iou == pytest.approx(segmented.scores.mean_iou)


def test_classes_in_another_order_are_matched_by_name(segmented: Finished, tmp_path: Path) -> None:
    folder = scenes(scenes(tmp_path / "turned", images=3, split="train"), images=6, split="val")
    for path in folder.rglob("masks/*.png"):
        mask = np.array(Image.open(path))
        Image.fromarray(np.where(mask == 255, mask, 1 - mask)).save(path)
    (folder / "classes.txt").write_text("square\nground\n")
    turned = resvision.evaluate(load(segmented.folder), folder)
    assert turned.mean_iou == pytest.approx(segmented.scores.mean_iou)
    (folder / "classes.txt").write_text("square\nsky\n")
    with pytest.raises(DataError, match="not trained on: sky; the run knows ground, square"):
        resvision.evaluate(load(segmented.folder), folder)


def test_predict_writes_label_maps_and_overlays(segmented: Finished, squares: Path, tmp_path: Path, cli: Cli) -> None:
    images = squares / "val" / "images"
    code, out, err = cli("predict", segmented.folder, images, "--out", tmp_path / "maps", "--json")
    assert (code, err) == (0, "")
    documents = [json.loads(line) for line in out.splitlines()]
    for document, path in zip(documents, sorted(images.iterdir()), strict=True):
        labels = np.array(Image.open(tmp_path / "maps" / path.name))
        truth = np.array(Image.open(squares / "val" / "masks" / path.name))
        assert labels.shape == truth.shape
        assert (labels == truth)[truth != 255].mean() > 0.8
        assert [row["pixels"] for row in document["classes"]] == np.bincount(labels.ravel(), minlength=2).tolist()
        with Image.open(tmp_path / "maps" / f"{path.stem}-overlay.png") as over:
            assert over.mode == "RGB"
            assert over.width == labels.shape[1]
            assert over.height > labels.shape[0]
    code, _, err = cli("predict", segmented.folder, images, "--out", tmp_path / "maps")
    assert code == 2
    assert "there already; name a new folder by --out, or go on with --resume" in err
    assert {file.name for file in (tmp_path / "maps").iterdir()} == {
        f"{path.stem}{end}.png" for path in images.iterdir() for end in ("", "-overlay")
    }


def test_areas_are_told_without_a_folder(segmented: Finished, squares: Path, cli: Cli) -> None:
    image = squares / "val" / "images" / "0.png"
    code, out, _ = cli("predict", segmented.folder, image)
    assert code == 0
    assert out.startswith(f"{image}: ground ")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["predict", "RUN", "PNG", "--top", "3"], "--top: a pixel has one class"),
        (
            ["train", "unet", "--data", "DATA", "--set", "model.frozen_stages=1"],
            "model.frozen_stages: UNet has no stages",
        ),
        (["predict", "RUN", "PNG", "--csv"], "--csv: areas of classes come as --json"),
        (["evaluate", "RUN", "RUN", "--ensemble"], "--ensemble: label maps of several runs are not averaged"),
        (["evaluate", "RUN", "--scales", "64"], "--scales: scales are those of the protocol"),
        (["evaluate", "RUN", "--compile"], "--compile: nothing is compiled"),
        (["evaluate", "RUN", "CLASSES"], "evaluate them apart"),
        (["evaluate", "RUN", "--protocol", "sliding"], "unknown protocol 'sliding'; nearest: sliding-window"),
        (
            ["evaluate", "RUN", "--protocol", "ten-crop"],
            "protocol 'ten-crop': not one of segmentation, which has whole, flip",
        ),
        (
            ["evaluate", "CLASSES", "--protocol", "multi-scale"],
            "protocol 'multi-scale': not one of classification, which has",
        ),
        (["predict", "CLASSES", "PNG", "--out", "maps"], "gives classes of images, not label maps"),
        (["train", "resnet20", "--data", "DATA"], "a data set for segmentation, not for classification"),
        (["train", "deeplabv3plus", "--data", "digits"], "for classification, not for segmentation"),
        (
            ["train", "deeplabv3plus", "--data", "DATA", "--set", "augment.mixup_alpha=1"],
            "unknown key 'augment.mixup_alpha'",
        ),
        (
            ["train", "resnet20", "--data", "digits", "--set", "augment.elastic_px=3"],
            "unknown key 'augment.elastic_px'",
        ),
        (["train", "deeplabv3plus", "--data", "DATA", "--set", "model.options.backbone=resmlp"], "resnet18"),
        (["train", "unet", "--data", "DATA", "--set", "data.image_size=100"], "nearest"),
        (["train", "deeplabv3plus", "--data", "DATA", "--set", "loss.ohem=2"], "ohem must be a share"),
        (["train", "resnet18", "--data", "DATA", "--recipe", "fcn-2015"], "is for fcn32s, fcn16s, fcn8s"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(
    segmented: Finished, finished: Finished, squares: Path, cli: Cli, words: list[str], reason: str
) -> None:
    image = squares / "val" / "images" / "0.png"
    places = {"RUN": segmented.folder, "CLASSES": finished.folder, "DATA": squares, "PNG": image}
    code, out, err = cli(*(places.get(word, word) for word in words))
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1, err
    assert reason in err


def test_several_runs_make_a_table(segmented: Finished, tmp_path: Path, cli: Cli) -> None:
    other = shutil.copytree(segmented.folder, tmp_path / "other")
    code, out, _ = cli("evaluate", segmented.folder, other, "--protocol", "flip")
    assert code == 0
    assert "flip: the image and its mirror image" in out
    assert "measured mean IoU" in out
    assert "measured pixel accuracy" in out
    alone = resvision.evaluate(segmented.folder, protocol="flip")
    shown = [f"{alone.mean_iou:.2%}", f"{alone.pixel_accuracy:.2%}"]
    rows = [line.split() for line in out.splitlines() if "deeplabv3plus" in line]
    assert [row[:2] + row[3:] for row in rows] == [
        [str(run), "deeplabv3plus", *shown] for run in (segmented.folder, other)
    ]
    told = json.loads(cli("evaluate", segmented.folder, other, "--protocol", "flip", "--json")[1])
    assert [row["measured"] for row in told["rows"]] == [alone.figures()] * 2
    assert [row["protocol"] for row in told["rows"]] == ["flip"] * 2
    assert "ensemble" not in told


def test_two_images_of_one_name_are_not_written_over(
    segmented: Finished, squares: Path, tmp_path: Path, cli: Cli
) -> None:
    image = squares / "val" / "images" / "0.png"
    for name in ("a.png", "a.bmp"):
        Image.open(image).save(tmp_path / name)
    code, _, err = cli("predict", segmented.folder, tmp_path / "a.png", tmp_path / "a.bmp", "--out", tmp_path / "maps")
    assert code == 2
    assert "would both be written to" in err
    assert not (tmp_path / "maps").exists()


def test_a_large_image_goes_in_tiles(segmented: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = load(segmented.folder)
    path = scenes(tmp_path, images=1, side=160) / "images" / "0.png"
    shown: list[tuple[int, ...]] = []
    trained.system.net.register_forward_pre_hook(lambda net, inputs: shown.append(tuple(inputs[0].shape[2:])))
    (whole,) = resvision.predict(trained, path)
    assert shown == [(160, 168)]
    monkeypatch.setattr("resvision.geometry.tiles.WHOLE_UP_TO", 100)
    monkeypatch.setattr("resvision.geometry.tiles.TILE_PX", 96)
    (tiled,) = resvision.predict(trained, path)
    assert tiled.labels.shape == whole.labels.shape == (160, 168)
    assert shown[1:] == [(96, 96)] * 4


NARROW = {"model.options.width": 1, "data.image_size": 32, "training.batch_size": 4, "training.duration": "4 steps"}
NARROW |= {"machine.threads": 1, "machine.workers": 0, "model.encoder_from": None}


def test_phases_start_with_the_result_of_the_one_before(squares: Path, tmp_path: Path) -> None:
    phases = compose_phases("fcn16s", str(squares), recipe_name="fcn-2015", changes=NARROW)
    assert [phase.name for phase in phases] == ["1-fcn32s", "2-fcn16s"]
    with pytest.raises(SettingsError, match="is made of 2 phases"):
        compose("fcn16s", str(squares), recipe_name="fcn-2015", changes=NARROW)
    finished = launch_phases(phases, out=tmp_path / "fcn", console=Console(quiet=True))
    assert finished.folder == tmp_path / "fcn" / "2-fcn16s"
    assert read_run(finished.folder).model.init_from == str(result_weights(tmp_path / "fcn" / "1-fcn32s"))
    weights = result_weights(finished.folder).read_bytes()
    shutil.rmtree(finished.folder)
    again = resume_phases(tmp_path / "fcn", console=Console(quiet=True))
    assert result_weights(again.folder).read_bytes() == weights


def test_frozen_norms_keep_their_statistics(squares: Path, segmented: Finished, tmp_path: Path) -> None:
    settings = {**SEGMENTED, "model.init_from": str(segmented.folder), "model.frozen_norms": True}
    settings["training.ema_decay"] = None
    data, out = str(squares), tmp_path / "t"
    tuned = train("deeplabv3plus", data, epochs=1, batch_size=4, settings=settings, out=out, quiet=True)
    before, after = (load_file(result_weights(folder)) for folder in (segmented.folder, tuned.folder))
    kept = {name for name in before if "bn" in name or "running" in name}
    assert kept
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert not torch.equal(before["backbone.conv1.weight"], after["backbone.conv1.weight"])


def test_an_encoder_comes_from_a_classification_run(squares: Path, tmp_path: Path) -> None:
    settings = {"model.options.width": 4, "data.image_size": 32, "machine.precision": "fp32", "machine.threads": 1}
    settings |= {"machine.workers": 0, "data.channels": 3}
    pretrained = train("resnet18", "digits", epochs=1, settings=settings, out=tmp_path / "p", quiet=True)
    changes = {**SEGMENTED, "model.encoder_from": str(pretrained.folder), "training.duration": "1 steps"}
    out = tmp_path / "t"
    tuned = train("deeplabv3plus", str(squares), batch_size=4, lr=1e-9, settings=changes, out=out, quiet=True)
    before, after = load_file(result_weights(pretrained.folder)), load_file(result_weights(tuned.folder))
    torch.testing.assert_close(after["backbone.conv1.weight"], before["conv1.weight"], rtol=0, atol=1e-6)
    assert resvision.load(tuned.folder).classes == ("ground", "square")


def test_python_evaluates_and_predicts_whatever_the_task(segmented: Finished, squares: Path, tmp_path: Path) -> None:
    model = resvision.load(segmented.folder)
    scores = resvision.evaluate(model)
    assert isinstance(scores, SegmentationScores)
    assert scores.mean_iou == pytest.approx(segmented.scores.mean_iou)
    assert isinstance(resvision.evaluate(model, protocol="flip"), SegmentationScores)
    files = sorted((squares / "val" / "images").iterdir())
    found = resvision.predict(model, squares / "val" / "images")
    again = resvision.predict(segmented.folder, [np.array(Image.open(file)) for file in files])
    for file, one, other in zip(files, found, again, strict=True):
        assert isinstance(one, LabelMap)
        assert isinstance(other, LabelMap)
        assert one.source == str(file)
        assert one.classes == ("ground", "square")
        np.testing.assert_array_equal(one.labels, other.labels)
        assert sum(one.areas.pixels) == one.labels.size
    found[0].save(tmp_path / "map.png")
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "map.png")), found[0].labels)
    with pytest.raises(SettingsError, match="a pixel has one class"):
        resvision.predict(model, files[0], top=2)
    with pytest.raises(SettingsError, match="scales are those of the protocol"):
        resvision.evaluate(model, scales=[32])


def test_the_encoders_first_stages_are_frozen(squares: Path, segmented: Finished, tmp_path: Path) -> None:
    settings = {**SEGMENTED, "model.init_from": str(segmented.folder), "model.frozen_stages": 2}
    settings |= {"training.ema_decay": None, "training.duration": "2 steps", "optimizer.depth_decay": 0.5}
    tuned = train("deeplabv3plus", str(squares), batch_size=4, settings=settings, out=tmp_path / "t", quiet=True)
    before, after = (load_file(result_weights(folder)) for folder in (segmented.folder, tuned.folder))
    kept = {name for name in before if torch.equal(before[name], after[name]) and "num_batches" not in name}
    below = ("backbone.conv1.", "backbone.bn1.", "backbone.layer1.")
    assert kept == {name for name in before if name.startswith(below) and "num_batches" not in name}


def test_crops_are_of_a_side_that_the_net_takes(squares: Path) -> None:
    changes = {**NARROW, "training.duration": "1 steps"}
    del changes["data.image_size"]
    run = compose("unet_padded", str(squares), changes=changes)
    assert resolve(run).data.image_size == 48  # images of 48x40, multiples of 16
    run = compose("unet_padded", str(squares), changes={**changes, "data.image_size": 40})
    with pytest.raises(SettingsError, match="nearest: 48x48"):
        resolve(run)


def test_border_weights_of_three_classes_are_refused_before_anything_is_written(tmp_path: Path, cli: Cli) -> None:
    folder = scenes(tmp_path / "data", images=10)
    (folder / "classes.txt").write_text("ground\nsquare\n7 sky\n")
    mask = next((folder / "masks").iterdir())
    labels = np.array(Image.open(mask))
    labels[0] = 7
    Image.fromarray(labels).save(mask)
    words = ("train", "unet", "--data", folder, "--recipe", "unet-2015", "--set", "model.options.width=1")
    code, _, err = cli(*words, "--set", "machine.threads=1", "--out", tmp_path / "run")
    assert code == 2
    assert "leave them out by --set loss.border_weight=0" in err
    assert not (tmp_path / "run").exists()


def test_a_folder_of_phases_names_its_runs(segmented: Finished, tmp_path: Path, cli: Cli) -> None:
    shutil.copytree(segmented.folder, tmp_path / "phases" / "1-deeplabv3plus")
    (tmp_path / "phases" / rundir.PHASES).write_text("[]")
    code, _, err = cli("evaluate", tmp_path / "phases")
    assert code == 2
    assert f"a run for each of several phases: {tmp_path / 'phases' / '1-deeplabv3plus'}" in err


def test_nothing_is_left_where_no_image_could_be_used(segmented: Finished, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    code, _, _ = cli("predict", segmented.folder, tmp_path / "a.png", "--out", tmp_path / "maps")
    assert code == 2
    assert not (tmp_path / "maps").exists()
