"""The papers' test protocols: which views of an image a net sees, and how what it says of them is averaged."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torchvision.transforms import functional as vision

import resvision
from resvision import catalog
from resvision.classification.classifier import Classifier
from resvision.classification.dense import FullyConvolutional
from resvision.classification.protocols import MeanOverViews, Protocol, ViewBatches, apply, comparable
from resvision.contracts import Images
from resvision.core.errors import SettingsError, UnknownNameError
from resvision.core.views import CentreCrop
from resvision.data import sets
from resvision.data.arrays import ArrayReader
from resvision.inference import ensemble as ensembles
from resvision.inference.ensemble import averaged, evaluate_ensemble
from resvision.inference.evaluate import probabilities
from resvision.inference.load import Trained
from resvision.kinds.classification.presets import PRESETS, corners_and_centre, find, proportional, squares
from resvision.launch import Finished
from resvision.layers.fully_connected import convolved
from resvision.papers.results import ENSEMBLES, RESULTS, Published, published

Cli = Callable[..., tuple[int, str, str]]

PHOTO = CentreCrop(channels=3, resize_px=40, crop_px=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def reader_of(images: Sequence[NDArray[np.uint8]], view: View = PHOTO) -> ArrayReader:
    return ArrayReader(
        name="made",
        split="test",
        classes=("a", "b", "c"),
        view=preprocess,
        images=images,
        targets=np.arange(len(images)) % 3,
    )


@pytest.fixture(scope="module")
def trained(finished: Finished) -> Trained:
    """A small residual net for photos of 32 pixels, with statistics that are not those of a fresh net."""
    torch.manual_seed(0)
    net = resvision.build("resnet20", num_classes=3, width=4).train()
    for _ in range(3):
        net(torch.randn(8, 3, 32, 32))
    system = Classifier(net, mean=PHOTO.mean, std=PHOTO.std).eval()
    loaded = resvision.load(finished.folder)
    run = replace(loaded.run, model=replace(loaded.run.model, options={}))
    return replace(loaded, run=run, system=system, classes=("a", "b", "c"), view=PHOTO)


def said_of(trained: Trained, views: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The softmax of each view by the bare net, one at a time."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (PHOTO.mean, PHOTO.std))
    net = trained.system.net.eval()
    with torch.no_grad():
        inputs = [(torch.from_numpy(view.copy()).permute(2, 0, 1)[None] / 255 - mean) / std for view in views]
        return np.concatenate([net(each).softmax(dim=1).numpy() for each in inputs])


def predicted(
    trained: Trained, name: str, images: Sequence[NDArray[np.uint8]], **options: object
) -> NDArray[np.float32]:
    scales = options.pop("scales", None)
    return probabilities(trained, reader_of(images), apply(name, trained, scales=scales), **options).outputs


def test_every_preset_names_its_paper_and_section() -> None:
    assert [preset.name for preset in PRESETS if "section" not in preset.source or not preset.summary] == []
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)
    with pytest.raises(UnknownNameError, match="nearest: ten-crop"):
        find("tencrop")


@pytest.mark.parametrize(
    ("name", "scales", "views"),
    [
        ("center-crop", (256,), 1),
        ("mirror", (256,), 2),
        ("ten-crop", (256,), 10),
        ("dense", (224, 256, 384, 480, 640), 10),
        ("vgg-dense", (256,), 2),
        ("vgg-dense-fixed", (224, 256, 288), 6),
        ("vgg-dense-jitter", (256, 384, 512), 6),
        ("googlenet-144", (256, 288, 320, 352), 144),
    ],
)
def test_at_224_pixels_a_preset_is_the_papers(name: str, scales: tuple[int, ...], views: int, trained: Trained) -> None:
    large = replace(trained, view=replace(PHOTO, resize_px=256, crop_px=224))
    protocol = apply(name, large)
    assert (protocol.scales, protocol.views) == (scales, views)
    seen = protocol.of(picture(300, 400), name="made")
    assert sum(len(each) for each in seen) == views
    shown = {each.shape[1:3] for each in seen}
    assert shown == ({(scale, 4 * scale // 3) for scale in scales} if find(name).dense else {(224, 224)})


def test_scales_follow_the_crop_and_are_the_papers_for_alexnets_227() -> None:
    assert [proportional(256, crop) for crop in (224, 227, 112, 32)] == [256, 256, 128, 37]


def test_the_single_view_is_the_evaluation_there_always_was(finished: Finished) -> None:
    model = resvision.load(finished.folder)
    assert resvision.evaluate(model, protocol="center-crop").to_json() == finished.scores.to_json()
    reader = sets.open_splits("digits").test
    by_views = Protocol(replace(find("mirror"), mirrored=False), model.view, (model.view.resize_px,))
    single = probabilities(model, reader, apply("center-crop", model)).outputs
    np.testing.assert_allclose(probabilities(model, reader, by_views).outputs, single, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(256, 256), (256, 341), (300, 224), (227, 225)])
def test_five_crops_are_torchvisions(height: int, width: int) -> None:
    image = picture(height, width)
    ours = corners_and_centre(image, replace(PHOTO, resize_px=256, crop_px=224))
    theirs = vision.five_crop(torch.from_numpy(image).permute(2, 0, 1), [224, 224])
    for mine, their in zip(ours, theirs, strict=True):
        assert np.array_equal(mine, their.permute(1, 2, 0).numpy())


def test_ten_crops_are_the_mean_over_ten_made_by_hand(trained: Trained) -> None:
    image = picture(37, 50)  # its shorter side is what a crop of 32 asks for, so nothing is resized
    crops = [image[t : t + 32, left : left + 32] for t, left in [(0, 0), (0, 18), (5, 0), (5, 18), (2, 9)]]
    by_hand = said_of(trained, crops + [crop[:, ::-1] for crop in crops])
    assert len(by_hand) == 10
    np.testing.assert_allclose(predicted(trained, "ten-crop", [image])[0], by_hand.mean(axis=0), atol=1e-5)


def test_mirror_is_the_mean_of_an_image_and_its_mirror_image(trained: Trained) -> None:
    image = picture(50, 70)
    seen = PHOTO.pixels(image, name="made")
    by_hand = said_of(trained, [seen, seen[:, ::-1]]).mean(axis=0)
    np.testing.assert_allclose(predicted(trained, "mirror", [image])[0], by_hand, atol=1e-5)
    both = predicted(trained, "mirror", [image, image[:, ::-1].copy()])
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)


def test_the_144_crops_are_made_of_left_centre_and_right_squares() -> None:
    rule = replace(PHOTO, resize_px=256, crop_px=224)
    wide = picture(256, 341)
    views = squares(wide, rule)
    assert len(views) == 18
    lefts = [0, 42, 85]  # of 85 spare columns; the half goes to the even side
    for left, six in zip(lefts, (views[:6], views[6:12], views[12:]), strict=True):
        square = wide[:, left : left + 256]
        assert np.array_equal(six[0], square[:224, :224])
        assert np.array_equal(six[3], square[32:, 32:])
        assert np.array_equal(six[4], square[16:240, 16:240])
        resized = Image.fromarray(square).resize((224, 224), Image.Resampling.BILINEAR)
        assert np.array_equal(six[5], np.asarray(resized))
    tall = squares(wide.transpose(1, 0, 2), rule)
    assert np.array_equal(tall[12], wide[:224, 85:309].transpose(1, 0, 2))


def test_a_square_image_has_one_square() -> None:
    views = squares(picture(256, 256), replace(PHOTO, resize_px=256, crop_px=224))
    assert len(views) == 6


def test_dense_at_one_scale_is_global_pooling_over_the_larger_map(trained: Trained) -> None:
    image = picture(48, 70)
    by_hand = said_of(trained, [image, image[:, ::-1]]).mean(axis=0)
    np.testing.assert_allclose(predicted(trained, "dense", [image], scales=[48])[0], by_hand, atol=1e-5)


def test_dense_averages_over_scales(trained: Trained) -> None:
    image = picture(60, 45)
    alone = [predicted(trained, "dense", [image], scales=[scale]) for scale in (32, 37, 55)]
    np.testing.assert_allclose(
        predicted(trained, "dense", [image], scales=[32, 37, 55]), np.mean(alone, axis=0), atol=1e-5
    )


@pytest.mark.parametrize("name", [preset.name for preset in PRESETS])
def test_images_of_different_sizes_do_not_depend_on_the_batch_they_are_in(name: str, trained: Trained) -> None:
    images = [picture(40, 52, 1), picture(60, 33, 2), picture(35, 35, 3)]
    together = predicted(trained, name, images, batch_size=64)
    alone = [predicted(trained, name, [image], batch_size=1)[0] for image in images]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)


def test_batches_hold_no_more_views_than_asked_for_or_one_image(trained: Trained) -> None:
    stretched = replace(trained, view=replace(PHOTO, resize="stretch"))
    reader = reader_of([picture(40, 40, seed) for seed in range(7)])
    batches = ViewBatches(reader, apply("ten-crop", stretched), batch_size=32)
    assert [len(batches[i].ids) for i in range(len(batches))] == [3, 3, 1]
    batches = ViewBatches(reader, apply("googlenet-144", stretched), batch_size=32)
    assert [len(batches[i].ids) for i in range(len(batches))] == [1] * 7
    batches = ViewBatches(reader, apply("ten-crop", trained), batch_size=32)  # sizes may differ
    assert [len(batches[i].ids) for i in range(len(batches))] == [1] * 7


def test_the_net_sees_no_more_pixels_at_once_than_a_batch_of_crops(trained: Trained) -> None:
    seen = []

    class Watched(Classifier):
        def class_map(self, inputs: Images) -> torch.Tensor:
            seen.append(tuple(inputs.images.shape))
            return super().class_map(inputs)

    protocol = apply("dense", trained, scales=[32, 40, 96])
    system = MeanOverViews(Watched(trained.system.net, mean=PHOTO.mean, std=PHOTO.std).eval(), protocol, batch_size=2)
    with torch.no_grad():
        system.predict(ViewBatches(reader_of([picture(40, 40)]), protocol, batch_size=2)[0].inputs)
    assert seen == [(2, 3, 32, 32), (1, 3, 40, 40), (1, 3, 40, 40), (1, 3, 96, 96), (1, 3, 96, 96)]


def test_testing_leaves_the_net_as_it_was(trained: Trained) -> None:
    before = {name: value.clone() for name, value in trained.system.state_dict().items()}
    predicted(trained, "ten-crop", [picture(40, 40)])
    assert not any(module.training for module in trained.system.modules())
    after = trained.system.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18", {"width": 4}),
        ("resnet50", {"width": 2}),
        ("resnet20", {"width": 4}),
        ("preresnet110", {"width": 2}),
    ],
)
def test_the_mean_of_a_class_map_is_the_forward(name: str, options: dict[str, int]) -> None:
    torch.manual_seed(0)
    net = resvision.build(name, num_classes=5, **options).eval()
    nn.init.normal_(net.fc.bias)
    assert isinstance(net, FullyConvolutional)
    images = torch.randn(2, 3, 72, 104)
    with torch.no_grad():
        maps, logits = net.class_map(images), net(images)
    stride = 32 if name in {"resnet18", "resnet50"} else 4
    assert maps.shape == (2, 5, -(-72 // stride), -(-104 // stride))
    torch.testing.assert_close(maps.mean(dim=(2, 3)), logits, rtol=1e-4, atol=1e-5)


def test_a_moved_linear_layer_is_the_layer_at_every_position() -> None:
    torch.manual_seed(0)
    linear, maps = nn.Linear(3 * 2 * 2, 5), torch.randn(2, 3, 4, 5)
    moved = convolved(linear, maps, window=2)
    assert moved.shape == (2, 5, 3, 4)
    at = linear(maps[:, :, 1:3, 2:4].flatten(1))
    torch.testing.assert_close(moved[:, :, 1, 2], at)


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
    monkeypatch.setattr(ensembles, "open_reader", lambda *_, **__: reader)
    found = evaluate_ensemble([trained, turned])
    first, second = (member.scores for member in found.members)
    assert first.loss == pytest.approx(second.loss, abs=1e-6)
    assert found.together.loss == pytest.approx(first.loss, abs=1e-6)
    assert np.array_equal(found.together.confusion, first.confusion)


@pytest.mark.parametrize(
    ("name", "scales", "said"),
    [
        ("ten-crop", [31], "images of 31 px are smaller than the crop of 32 px"),
        ("dense", [16, 64], "images of 16 px are smaller than the crop of 32 px"),
        ("dense", [9000], "scales go up to 8192"),
        ("center-crop", [64], "center-crop: has no scales to choose"),
        ("mirror", [64], "mirror: has no scales to choose"),
        ("dense", [], "dense: no scales given"),
    ],
)
def test_scales_that_cannot_be_are_refused(name: str, scales: list[int], said: str, trained: Trained) -> None:
    with pytest.raises(SettingsError, match=said):
        apply(name, trained, scales=scales)


def test_a_net_that_is_not_convolutional_refuses_dense_testing(trained: Trained) -> None:
    net = resvision.build("resmlp", num_classes=3, in_channels=3, input_size=32, depth=4, width=8)
    system = Classifier(net, mean=PHOTO.mean, std=PHOTO.std).eval()
    with pytest.raises(SettingsError, match=r"cannot be applied fully convolutionally.*choose one of center-crop"):
        apply("dense", replace(trained, system=system))
    assert apply("ten-crop", replace(trained, system=system)).views == 10


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


def test_published_figures_stand_beside_the_papers_net_on_the_papers_data_only(trained: Trained) -> None:
    def beside(
        model: Trained, data: str = "cifar10", name: str = "center-crop", **options: list[int]
    ) -> list[Published]:
        return comparable(model, data, apply(name, model, **options))

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
    assert beside(large, "imagenet", "ten-crop", scales=[288]) == []
    assert [row.top1 for row in beside(large, "imagenet", "dense")] == [21.84]
    assert beside(large, "imagenet", "dense", scales=[224, 256]) == []


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
    monkeypatch.setattr(ensembles, "PAPER_CROPS", (16,))
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
        (["--protocol", "dense", "--scales", "a"], "--scales 'a'"),
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
