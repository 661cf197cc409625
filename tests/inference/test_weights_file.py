"""Weights in a file are used without a run: what the file says, what its user says, and what nobody knows."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import resvision
from resvision import catalog
from resvision.core.errors import RunError, SettingsError, WeightsError
from resvision.core.views import Letterbox, Stretch
from resvision.inference.load import UnsettledWeightsWarning
from resvision.run import read_run
from resvision.weights.about import About, header_of, read_about

Cli = Callable[..., tuple[int, str, str]]
STRIPES = ("across", "down")
VIEW = Stretch(channels=1, resize_px=8, crop_px=8, mean=(0.5,), std=(0.25,))
NARROW = {"width": 4, "in_channels": 1, "shortcut": "B"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draws = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(8):
        image = draws.integers(0, 256, (8, 8), dtype=np.uint8)
        path = folder / STRIPES[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file under our names that says nothing of itself."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "bare.safetensors"
    save_file(catalog.build("resnet20", num_classes=2, **NARROW).state_dict(), file)
    return file


@pytest.fixture(scope="module")
def told(bare: Path) -> Path:
    """The same weights in a file that says its net, view and classes."""
    about = About(model="resnet20", options={"num_classes": 2, **NARROW}, view=VIEW, classes=STRIPES)
    save_file(load_file(bare), bare.with_name("told.safetensors"), header_of(about, made_from="it.pth"))
    return bare.with_name("told.safetensors")


def test_a_header_says_what_was_written_into_it(told: Path, bare: Path) -> None:
    about = read_about(told)
    assert about is not None
    assert (about.view, about.classes, about.options["shortcut"]) == (VIEW, STRIPES, "B")
    assert read_about(bare) is None


def test_a_damaged_header_is_refused_in_a_line(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "it.safetensors", {"model": "x", "options": "{", "view": "[]"})
    with pytest.raises(WeightsError, match="its header is damaged"):
        read_about(tmp_path / "it.safetensors")


def test_a_file_that_says_all_predicts_and_evaluates_as_its_net_does(told: Path, photos: Path, cli: Cli) -> None:
    net = catalog.build("resnet20", num_classes=2, **NARROW).eval()
    net.load_state_dict(load_file(told))
    files = sorted(photos.rglob("*.png"))
    pixels = torch.stack([torch.from_numpy(np.asarray(Image.open(file)).copy()) for file in files])[:, None]
    with torch.no_grad():
        wanted = net((pixels / 255 - 0.5) / 0.25).softmax(dim=1)
    code, out, err = cli("predict", "resnet20", "--weights", told, photos, "--json-list")
    assert (code, err) == (0, ""), err
    for row, result in zip(wanted, json.loads(out), strict=True):
        scores = {entry["label"]: entry["score"] for entry in result["classes"]}
        np.testing.assert_allclose([scores[name] for name in STRIPES], row.numpy(), atol=1e-5)
    model = resvision.load("resnet20", weights=told)
    wrong = [STRIPES[row.argmax()] != file.parent.name for row, file in zip(wanted, files, strict=True)]
    assert resvision.evaluate(model, photos).top1_error == np.mean(wrong)


def test_what_a_file_does_not_say_is_asked_for(bare: Path, photos: Path, tmp_path: Path, cli: Cli) -> None:
    options = ["--option", "shortcut=B"]
    code, out, err = cli("predict", "resnet20", "--weights", bare, photos, *options)
    assert (code, out, "say --normalize MEAN STD in units of 0..1" in err) == (2, "", True), err
    code, out, err = cli("predict", "resnet20", "--weights", bare, photos, "--normalize", "0.5", "0.25")
    assert (code, "say --option shortcut=B" in err) == (2, True), err
    options += ["--normalize", "0.5", "0.25", "--image-size", "8"]
    code, _, err = cli("evaluate", "resnet20", "--weights", bare, *options)
    assert (code, "name the images by --data" in err) == (2, True), err
    (tmp_path / "names.txt").write_text("down\nacross\n\n")
    code, out, err = cli("evaluate", "resnet20", "--weights", bare, *options, "--data", photos, "--json")
    assert (code, "in the order of the data's" in err) == (0, True), err
    named = ["--classes", tmp_path / "names.txt"]
    code, turned, err = cli("evaluate", "resnet20", "--weights", bare, *options, *named, "--data", photos, "--json")
    assert (code, err) == (0, ""), err
    assert json.loads(out)["top1_error"] + json.loads(turned)["top1_error"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--normalize", "127", "64"], "mean and std are in units of 0..1"),
        (["--normalize", "a", "1"], "--normalize a: write it as MEAN STD"),
        (["--normalize", "0.5,0.5", "1"], "mean and std need one number|gives 2 channels"),
        (["--image-size", "x"], "--image-size x: give pixels"),
        (["--classes", "/nowhere.txt"], "cannot be read: No such file"),
    ],
)
def test_bad_words_about_weights_get_one_line(words: list[str], said: str, told: Path, photos: Path, cli: Cli) -> None:
    code, out, err = cli("predict", "resnet20", "--weights", told, photos, *words)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert any(part in err for part in said.split("|")), err


def test_weights_of_another_net_are_refused_by_what_their_file_says(told: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds weights of resnet20; resnet18 is another net"):
        resvision.load("resnet18", weights=told)
    with torch.device("meta"):
        shapes = catalog.build("resnet50_v1", num_classes=2, width=2).state_dict()
    state = {name: torch.zeros(tensor.shape, dtype=tensor.dtype) for name, tensor in shapes.items()}
    about = About(model="resnet50_v1", options={"num_classes": 2, "width": 2}, view=VIEW)
    save_file(state, tmp_path / "v1.safetensors", header_of(about, made_from="it"))
    with pytest.raises(WeightsError, match=r"a net with stride_in=1x1; resnet50 here has stride_in=3x3"):
        resvision.load("resnet50", weights=tmp_path / "v1.safetensors")


def test_no_code_that_a_file_names_is_imported(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "named_by_weights.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    file, about = tmp_path / "it.safetensors", About(model="named_by_weights:net", view=VIEW)
    save_file(load_file(bare), file, header_of(about, made_from="it"))
    with pytest.raises(WeightsError, match="holds weights of named_by_weights:net; resnet20 is another net"):
        resvision.load("resnet20", weights=file)


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "a" * 300])
def test_names_of_classes_that_no_line_can_show_are_refused(name: str, bare: Path, tmp_path: Path) -> None:
    file = tmp_path / "it.safetensors"
    about = About(model="resnet20", options={"num_classes": 2, **NARROW}, view=VIEW, classes=("down", name))
    save_file(load_file(bare), file, header_of(about, made_from="it"))
    with pytest.raises(SettingsError, match=r"its header: .* cannot name a class") as caught:
        resvision.load("resnet20", weights=file)
    assert str(caught.value).isprintable()


def test_options_of_weights_are_refused_beside_a_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="are those of its run"):
        resvision.load(tmp_path, classes=["a", "b"])
    (tmp_path / "it.pth").write_bytes(b"nothing")
    with pytest.raises(RunError, match="makes safetensors of a state dict"):
        resvision.load("resnet20", weights=tmp_path / "it.pth")


def test_weights_that_may_be_padded_elsewhere_say_so(tmp_path: Path) -> None:
    net = catalog.build("resnet20", num_classes=2, width=4)
    save_file(net.state_dict(), tmp_path / "it.safetensors")
    view = Letterbox(channels=3, size_px=8, mean=(0.5,) * 3, std=(0.5,) * 3)
    with pytest.warns(UnsettledWeightsWarning, match="--padding end, as read here, or with --padding both-sides"):
        model = resvision.load("resnet20", weights=tmp_path / "it.safetensors", view=view)
    assert (model.view, model.classes) == (view, ("0", "1"))


def test_a_page_of_weights_has_scores_and_mistakes_and_says_that_it_has_no_curves(
    told: Path, photos: Path, tmp_path: Path, cli: Cli
) -> None:
    code, out, err = cli("report", "resnet20", "--weights", told, "--data", photos, "--out", tmp_path / "page.html")
    assert (code, out.strip(), err) == (0, str(tmp_path / "page.html"), ""), err
    page = (tmp_path / "page.html").read_text()
    assert "no history: this page has no curves" in page
    assert "stretched to 8 px" in page
    assert "top-1 error" in page
    assert str(photos.parent) not in page


def test_a_training_takes_the_view_of_its_weights_and_what_is_set_before_it(
    told: Path, photos: Path, tmp_path: Path, cli: Cli
) -> None:
    sets = [f"--set=model.options.{key}={value}" for key, value in NARROW.items()]
    words = ["train", "resnet20", "--data", photos, "--weights", told, *sets, "--batch-size", "2", "--epochs", "1"]
    words += ["--set=machine.precision=fp32", "--set=machine.workers=0"]
    assert cli(*words, "--out", tmp_path / "a")[0] == 0
    assert read_run(tmp_path / "a").data.view == VIEW
    code, _, err = cli(*words, "--out", tmp_path / "b", "--set=data.mean=0.1", "--set=data.resize=centre-crop")
    assert code == 0, err
    view = read_run(tmp_path / "b").data.view
    assert view is not None
    assert (view.kind, view.mean, view.std, view.side_px) == ("centre-crop", (0.1,), (0.25,), 8)
    assert cli("train", "--resume", tmp_path / "b")[0] == 0
    for resize in ("whole", "letterbox"):
        code, _, err = cli(*words, "--out", tmp_path / "c", f"--set=data.resize={resize}")
        assert (code, "choices are stretch, centre-crop" in err) == (2, True), err
