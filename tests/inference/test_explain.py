"""`resvision explain` from end to end: runs that label images and pixels, and views that crop."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from resvision.catalog import build
from resvision.classification.stages import stage_modules
from resvision.core.errors import DataError, SettingsError
from resvision.core.view_geometry import Geometry
from resvision.core.views import CentreCrop, Letterbox
from resvision.inference.explain import explain, explained, label_of, layer_of
from resvision.inference.heat_pictures import original, overlay, picture
from resvision.inference.load import Trained, load
from resvision.launch import Finished
from resvision.tasks import ExplainedScore

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def digits(finished: Finished) -> Trained:
    return load(finished.folder)


@pytest.fixture(scope="module")
def squares_net(segmented: Finished) -> Trained:
    return load(segmented.folder)


def digit_file(folder: Path, name: str = "digit.png") -> Path:
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[2:6, 3:5] = 220
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def test_a_picture_is_written_for_each_image_and_a_line_printed(finished: Finished, tmp_path: Path, cli: Cli) -> None:
    files = [digit_file(tmp_path, name) for name in ("a.png", "b.png")]
    words = (*files, "--class", "1", "--class", "7", "--out", tmp_path / "out")
    code, out, err = cli("explain", finished.folder, *words)
    assert (code, err) == (0, "")
    assert [line.split(": ")[0] for line in out.splitlines()] == [str(file) for file in files]
    assert all("1 " in line and "7 " in line for line in out.splitlines())
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == ["a-explained.png", "b-explained.png"]
    with Image.open(written[0]) as file:
        assert file.width > 3 * 256  # the image and a panel for each class
    code, _, err = cli("explain", finished.folder, *words)
    assert code == 2
    assert "there already; name a new folder by --out" in err
    assert "--resume" not in err


def test_numbers_come_without_pictures(finished: Finished, tmp_path: Path, cli: Cli) -> None:
    code, out, _ = cli("explain", finished.folder, digit_file(tmp_path), "--method", "occlusion", "--json")
    (heat,) = json.loads(out)["classes"]
    assert code == 0
    assert heat["explained"] == f"logit of {heat['class']}"
    assert np.array(heat["map"]).shape == (8, 8)
    assert 0 < heat["share"] <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "--class", "cat"], "unknown class 'cat'; choices: 0, 1, 2"),
        (["--json", "--stage", "C9"], "unknown stage 'C9'"),
        (["--json", "--point", "1", "2"], "--point: a class is one of the whole image"),
        (["--json", "--method", "occlusion", "--stage", "C2"], "--stage: occlusion looks at no stage"),
        ([], "name a folder for them by --out, or ask for numbers by --json"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_a_remedy(
    words: list[str], message: str, finished: Finished, tmp_path: Path, cli: Cli
) -> None:
    code, _, err = cli("explain", finished.folder, digit_file(tmp_path), *words)
    assert code == 2
    assert message in err


def test_an_image_that_cannot_be_used_is_named_and_the_others_go_on(
    finished: Finished, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "broken.png").write_text("no image")
    code, out, err = cli("explain", finished.folder, digit_file(tmp_path), tmp_path / "broken.png", "--json")
    assert (code, len(out.splitlines())) == (1, 1)
    assert "broken.png" in err


def test_a_label_map_is_explained_by_class_and_by_point(squares_net: Trained, squares: Path) -> None:
    (file,) = sorted((squares / "val" / "images").iterdir())[:1]
    (of_class,) = explained(squares_net, [file], classes=["square"])
    (heat,) = of_class.result.heats
    assert heat.words.startswith("logits of square, summed over ")
    assert heat.values.shape == of_class.image.shape[:2]
    (of_point,) = explained(squares_net, [file], point=(3, 2), method="occlusion")
    assert of_point.result.heats[0].words.endswith("at one pixel")
    with pytest.raises(DataError, match=r"--point 999 0: not in the part of the \d+x\d+ image"):
        next(explained(squares_net, [file], point=(999, 0)))


def test_the_heat_lies_where_it_is_in_the_image_under_a_view_that_crops(digits: Trained) -> None:
    crop = CentreCrop(channels=1, resize_px=8, crop_px=8, mean=(0.2,), std=(0.3,))
    image = np.zeros((8, 24), dtype=np.uint8)
    image[2:6, 11:13] = 220
    (explanation,) = explained(replace(digits, view=crop), [image], classes=["1"])
    panel = np.asarray(original(explanation.image, explanation.result))
    assert explanation.result.geometry.left == -8
    seen = explanation.result.geometry.values_to_image(explanation.result.heats[0].values)
    assert np.isnan(seen[:, [*range(8), *range(16, 24)]]).all()
    assert np.array_equal(seen[:, 8:16], explanation.result.heats[0].values.astype(float))
    assert panel.shape == (88, 264, 3)  # eleven times its size, so that pixels can be seen
    assert picture(explanation.result, explanation.image).height > 88


def test_the_box_that_a_score_is_about_is_told_and_drawn_in_pixels_of_the_image(digits: Trained) -> None:
    (explanation,) = explained(digits, [np.zeros((300, 600), dtype=np.uint8)], classes=["1"])
    result = replace(explanation.result, heats=(explanation.result.heats[0]._replace(box=(60.0, 90.0, 300.0, 210.0)),))
    assert "(box 60 90 300 210, " in result.described(result.heats[0])
    assert result.to_json()["classes"][0]["box"] == [60.0, 90.0, 300.0, 210.0]
    panel = np.asarray(overlay(explanation.image, result, result.heats[0]))
    assert panel.shape == (256, 512, 3)
    white = np.argwhere((panel == 255).all(axis=2))
    assert white.min(axis=0).tolist() == pytest.approx([90 * 256 / 300, 60 * 512 / 600], abs=2)
    assert white.max(axis=0).tolist() == pytest.approx([210 * 256 / 300, 300 * 512 / 600], abs=3)


def test_values_come_back_to_the_image_bilinearly_and_without_what_a_letterbox_adds() -> None:
    box = Letterbox(channels=1, size_px=4, mean=(0.5,), std=(0.5,))
    geometry = box.show(np.zeros((4, 8), dtype=np.uint8), name="wide").geometry
    ramp = np.arange(4.0)[None].repeat(4, axis=0)
    spread = geometry.values_to_image(ramp)
    assert np.allclose(spread, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert np.allclose(geometry.resized(2, 4).values_to_image(ramp), [0, 1, 2, 3])
    assert np.isnan(Geometry((4, 4), (2, 2), left=-1, top=-1).values_to_image(np.ones((2, 2)))[0]).all()


def score_of(net: nn.Module, images: Tensor) -> ExplainedScore:
    return ExplainedScore(images, 0, net.eval(), lambda output: output[:, 0], "a", "logit of a", 1.0)


@pytest.mark.parametrize(
    ("name", "options", "side_px", "layer"),
    [
        ("resnet18", {"width": 4}, 64, "C5"),
        ("preresnet164", {"width": 4}, 32, "C2"),
        ("lenet5", {}, 32, "s4"),
        ("unet_padded", {"width": 4}, 32, "contracting.4"),
    ],
)
def test_grad_cam_looks_at_the_deepest_map(name: str, options: dict[str, int], side_px: int, layer: str) -> None:
    net = build(name, num_classes=10, **options)
    channels = next(net.parameters()).shape[1]
    score = score_of(net, torch.randn(1, channels, side_px, side_px))
    assert layer_of(net, score, None)[0] == layer


def test_a_net_without_maps_is_sent_to_occlusion() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    with pytest.raises(SettingsError, match="take --method occlusion"):
        layer_of(net, score_of(net, torch.randn(1, 1, 3, 3)), None)


def test_a_layer_is_named_by_its_path_too(digits: Trained) -> None:
    net = digits.system.net
    assert layer_of(net, score_of(net, torch.zeros(1)), "layer1")[1] is stage_modules(net)["C0"]
    assert label_of(digits, "3") == 3


def test_from_python_images_are_explained_in_their_order_and_the_heat_is_of_their_pixels(digits: Trained) -> None:
    images = [np.zeros((9, 7), dtype=np.uint8), np.eye(16, dtype=np.uint8) * 255]
    explanations = explain(digits, images, classes=["3", "8"])
    for image, explanation in zip(images, explanations, strict=True):
        assert [heat.label for heat in explanation.heats] == ["3", "8"]
        assert all(explanation.heat_map(heat).shape == image.shape for heat in explanation.heats)
    assert explanations[1].to_json() == explain(digits.folder, images[1], classes=["3", "8"])[0].to_json() | {
        "source": "array 1"
    }
