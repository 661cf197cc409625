"""Runs evaluated by protocols, alone and together, beside what is published; the command that does it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from photos import PHOTO, photo_classifier, picture, reader_of

import resvision
from resvision.classification.classifier import Classifier
from resvision.classification.task import averaged
from resvision.core.errors import SettingsError
from resvision.data.identities import ScoredImages
from resvision.inference import ensemble as ensembles
from resvision.inference.ensemble import evaluate_ensemble
from resvision.inference.evaluate import comparable
from resvision.inference.load import Trained
from resvision.kinds.classification.presets import PRESETS, find
from resvision.launch import Finished
from resvision.papers.results import ENSEMBLES, Published, published
from resvision.tasks import How

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def trained(finished: Finished) -> Trained:
    return photo_classifier(finished)


def test_an_ensemble_of_one_is_that_run_to_the_bit() -> None:
    made = np.random.default_rng(0).dirichlet(np.ones(10), 50).astype(np.float32)
    assert np.array_equal(averaged([made]), made)


def test_the_order_of_runs_does_not_matter_to_the_bit() -> None:
    members = [np.random.default_rng(i).dirichlet(np.ones(10), 50).astype(np.float32) for i in range(5)]
    together = averaged(members)
    for order in ((4, 3, 2, 1, 0), (2, 0, 4, 1, 3)):
        assert np.array_equal(averaged([members[i] for i in order]), together)
    np.testing.assert_allclose(together, np.mean(members, axis=0), atol=1e-7)


def test_runs_with_their_classes_in_another_order_are_averaged_by_name(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = [2, 0, 1]
    net = resvision.build("resnet20", num_classes=3, width=4)
    net.load_state_dict(trained.system.net.state_dict())
    with torch.no_grad():
        net.fc.weight.copy_(net.fc.weight[order])
        net.fc.bias.copy_(net.fc.bias[order])
    turned = replace(
        trained,
        system=Classifier(net, mean=PHOTO.mean, std=PHOTO.std).eval(),
        classes=tuple(trained.classes[i] for i in order),
    )
    reader = reader_of([picture(40, 40, seed) for seed in range(9)])
    monkeypatch.setattr(ensembles, "open_images", lambda *_, **__: ScoredImages(reader))
    found = evaluate_ensemble([trained, turned])
    first, second = (member.scores for member in found.members)
    assert first.loss == pytest.approx(second.loss, abs=1e-6)
    assert found.together.loss == pytest.approx(first.loss, abs=1e-6)
    assert np.array_equal(found.together.confusion, first.confusion)


def test_published_figures_stand_beside_the_papers_net_on_the_papers_data_only(trained: Trained) -> None:
    def beside(
        model: Trained, data: str = "cifar10", name: str = "center-crop", scales: tuple[int, ...] | None = None
    ) -> list[Published]:
        return comparable(model, data, How(protocol=name, scales=scales))

    def with_options(**options: object) -> Trained:
        return replace(trained, run=replace(trained.run, model=replace(trained.run.model, options=options)))

    assert [row.top1 for row in beside(trained)] == [8.75]
    assert [row.top1 for row in beside(with_options(in_channels=3, shortcut="A"))] == [8.75]
    assert beside(trained, "cifar10-jpeg") == []
    assert beside(trained, name="mirror") == []
    assert beside(with_options(width=4)) == []
    assert beside(with_options(in_channels=1)) == []
    assert beside(replace(trained, view=replace(PHOTO, crop_px=28))) == []
    large = replace(
        trained,
        view=replace(PHOTO, resize_px=256, crop_px=224),
        run=replace(trained.run, model=replace(trained.run.model, name="resnet34")),
    )
    assert [row.top1 for row in beside(large, "imagenet", "ten-crop")] == [24.52]
    assert beside(large, "imagenet", "ten-crop", scales=(288,)) == []
    assert [row.top1 for row in beside(large, "imagenet", "dense")] == [21.84]
    assert beside(large, "imagenet", "dense", scales=(224, 256)) == []


def test_the_command_says_what_was_done(finished: Finished, cli: Cli) -> None:
    plain = cli("evaluate", finished.folder)[1].splitlines()
    code, out, _ = cli("evaluate", finished.folder, "--protocol", "center-crop")
    lines = out.splitlines()
    assert (code, lines[:1], lines[3:]) == (0, plain[:1], plain[1:])
    assert lines[1] == f"center-crop: {find('center-crop').summary} ({find('center-crop').source})"
    code, out, _ = cli("evaluate", finished.folder, "--protocol", "ten-crop")
    assert code == 0
    assert "section 4.1" in out
    assert "10 views an image, resized to 18 px, crop 16 px; softmax averaged over the views" in out
    assert "top-5 error" in out
    told = json.loads(cli("evaluate", finished.folder, "--protocol", "dense", "--scales", "16,24", "--json")[1])
    assert (told["protocol"]["name"], told["protocol"]["scales_px"], told["protocol"]["views"]) == (
        "dense",
        [16, 24],
        4,
    )
    assert told["images"] == 397


def test_the_command_lists_the_protocols(cli: Cli) -> None:
    code, out, _ = cli("evaluate", "--protocols")
    assert code == 0
    for preset in PRESETS:
        assert any(preset.name in line and preset.source in line for line in out.splitlines())


def test_several_runs_make_a_table(finished: Finished, tmp_path: Path, cli: Cli) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished.folder, other)
    code, out, _ = cli("evaluate", finished.folder, other, "--protocol", "mirror", "--ensemble")
    assert code == 0
    rows = [line for line in out.splitlines() if str(finished.folder) in line or str(other) in line]
    assert len(rows) == 2
    assert "measured" in out
    assert "published: no figures" in out
    assert "ensemble of 2" in out
    alone = json.loads(cli("evaluate", finished.folder, "--protocol", "mirror", "--json")[1])
    told = json.loads(cli("evaluate", finished.folder, other, "--protocol", "mirror", "--ensemble", "--json")[1])
    first = told["rows"][0]
    assert first["measured"] == {key: alone[key] for key in ("top1_error", "top5_error", "loss")}
    assert first["protocol"] == alone["protocol"]
    assert told["ensemble"]["measured"] == told["rows"][1]["measured"] == first["measured"]
    assert (told["data"], told["images"], first["published"]) == ("digits", 397, [])


def test_published_errors_are_printed_beside_the_measured_ones(
    finished: Finished, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = published("resnet20", data="cifar10", protocol="center-crop")
    monkeypatch.setattr(ensembles, "comparable", lambda *_: beside)
    monkeypatch.setattr(ensembles, "PAPER_PX", 16)
    monkeypatch.setattr(ensembles, "published_ensembles", lambda **_: ENSEMBLES[:1])
    code, out, _ = cli("evaluate", finished.folder, "--table", "--ensemble")
    assert code == 0
    lines = [line.split() for line in out.splitlines() if line.strip()]
    heading = next(i for i, line in enumerate(lines) if line[0] == "run")
    assert " ".join(lines[heading][3:]) == (
        "measured top-1 measured top-5 published top-1 published top-5 published by"
    )
    run, together, theirs = lines[heading + 2 :]
    top1, top5 = f"{finished.scores.top1_error:.2%}", f"{finished.scores.top5_error:.2%}"
    assert run[:8] == [str(finished.folder), "resnet20", "fp32", top1, top5, "8.75%", "-", "He"]
    assert [word for word in together if "%" in word] == [top1, top5]
    assert theirs[:5] == ["5", "x", "AlexNet", "38.10%", "16.40%"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--protocol", "tencrop"], "unknown protocol 'tencrop'; nearest: ten-crop"),
        (["--protocol", "ten-crop", "--scales", "15"], "smaller than the crop of 16 px"),
        (["--protocol", "dense", "--scales", "a"], "--scales a: give pixels"),
        (["--protocol", "dense", "--compile"], "--compile"),
        (["--scales", "64"], "center-crop: has no scales"),
        (["--table", "--protocol", "mirror", "--compile"], "--compile is for center-crop"),
    ],
)
def test_a_wrong_protocol_gets_one_line(words: list[str], said: str, finished: Finished, cli: Cli) -> None:
    code, out, err = cli("evaluate", finished.folder, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1, err


def test_runs_that_do_not_go_together_are_refused(trained: Trained) -> None:
    fewer = replace(trained, folder=Path("fewer"), classes=("a", "b"))
    with pytest.raises(SettingsError, match=r"fewer: has other classes.*not in both: c"):
        evaluate_ensemble([trained, fewer])
    elsewhere = replace(trained, run=replace(trained.run, data=replace(trained.run.data, name="mnist")))
    with pytest.raises(SettingsError, match="say with --data"):
        evaluate_ensemble([trained, elsewhere])
    with pytest.raises(SettingsError, match="one run or more"):
        evaluate_ensemble([])
