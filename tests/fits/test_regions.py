"""R-CNN by its phases, on small images whose regions are made up."""

import json
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from box_folders import text
from PIL import Image
from rich.console import Console
from safetensors.numpy import load_file, save_file
from sklearn.svm import LinearSVC
from torchvision.ops import box_iou

from resvision.assembly import assemble
from resvision.core.errors import SettingsError, Stopped
from resvision.fits.region_examples import RegionsOfRun
from resvision.fits.regions import NEVER, region_boxes, region_svms
from resvision.kinds.table import kind_of
from resvision.phases import launch_phases, resume_phases
from resvision.preparation import reopen
from resvision.recipes import compose_phases
from resvision.run import read_run
from resvision.training.checkpoints import load_weights, result_weights
from resvision.training_graph import FitInputs, Phase

QUIET = Console(quiet=True)
CLASSES = ("high", "never", "wide")
SIDES = {"wide": (24, 12), "high": (12, 24)}


def grid() -> np.ndarray:
    """Regions of the sides of objects, every 6 pixels of an image."""
    corners = [(x, y) for y in range(0, 48, 6) for x in range(0, 64, 6)]
    boxes = [(x, y, x + wide, y + high) for x, y in corners for wide, high in SIDES.values()]
    return np.array([box for box in boxes if box[2] <= 64 and box[3] <= 48], dtype=np.float32)


def scene(folder: Path, split: str, name: str, seed: int) -> None:
    """An image of two rectangles, one wide and one high."""
    draws = np.random.default_rng(seed)
    image = draws.integers(0, 60, (48, 64, 3), dtype=np.uint8)
    lines = []
    for left, label in ((0, "wide"), (32, "high")):
        wide, high = SIDES[label]
        x, y = left + int(draws.integers(32 - wide)), int(draws.integers(48 - high))
        image[y : y + high, x : x + wide] = (250, 120, 180) if label == "wide" else (120, 250, 180)
        lines.append(f"{CLASSES.index(label)} {(x + wide / 2) / 64} {(y + high / 2) / 48} {wide / 64} {high / 48}")
    (folder / "images" / split).mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / "images" / split / f"{name}.png")
    text(folder / "labels" / split / f"{name}.txt", "\n".join(lines))


def phases_of(data: Path, *settings: str) -> tuple[Phase, ...]:
    small = {
        "model.options.width": 4,
        "model.options.window_px": 32,
        "model.options.proposals": 60,
        "training.duration": "3 steps",
        "training.batch_size": 2,
        "training.evaluate_every": 100,
        "machine.workers": 0,
        "machine.threads": 1,
        "machine.precision": "fp32",
        "data.image_size": 64,
        "data.proposals": str(data / "proposals.safetensors"),
        "loss.windows": 12,
    }
    return compose_phases("rcnn", str(data), changes=small, settings=settings)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for seed, name in enumerate("abcde"):
        split = "val" if name == "e" else "train"
        scene(folder, split, name, seed)
    save_file({f"{name}.png": grid() for name in "abcde"}, folder / "proposals.safetensors")
    names = "".join(f"\n  {label}: {name}" for label, name in enumerate(CLASSES))
    text(folder / "data.yaml", f"train: images/train\nval: images/val\nnames:{names}\n")
    return folder


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all phases."""
    folder = tmp_path_factory.mktemp("rcnn") / "run"
    launch_phases(phases_of(data), out=folder, console=QUIET)
    return folder


def inputs(
    done: Path,
    scratch: Path,
    *,
    leave_if_stopped: Callable[[], None] = lambda: None,
    console: Console = QUIET,
    parents: tuple[str, ...] = ("net", "svm"),
    **options: Any,
) -> FitInputs:
    scratch.mkdir(exist_ok=True)
    places: Mapping[str, Path] = {"net": done / "1-net", "svm": done / "2-svm"}
    return FitInputs(
        parents={role: places[role] for role in parents},
        options=options,
        data=None,
        scratch=scratch,
        console=console,
        leave_if_stopped=leave_if_stopped,
        allow_code=False,
    )


def arrays(tensors: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: torch.as_tensor(tensor).numpy().tobytes() for name, tensor in tensors.items()}


def written(folder: Path) -> dict[str, bytes]:
    return arrays(load_file(folder / "weights.safetensors"))


def test_the_result_is_a_run_whose_weights_are_those_of_the_last_fit(done: Path) -> None:
    assert [folder.name for folder in sorted(done.iterdir()) if folder.is_dir()] == [
        "1-net",
        "2-svm",
        "3-boxes",
        "4-result",
    ]
    assert arrays(load_file(result_weights(done / "4-result"))) == written(done / "3-boxes")
    run = read_run(done / "4-result")
    built = assemble(reopen(run), device=torch.device("cpu"), begun=True)
    load_weights(built.system.net, result_weights(done / "4-result"))
    scores = built.at_the_end.score(built.system, machine=run.machine)
    kept = kind_of("detection").read_scores(json.loads((done / "4-result" / "evaluation.json").read_text()))
    assert scores.figures() == kept.figures()


def test_the_svms_are_scikit_learns_on_features_that_are_scaled_and_examples_by_their_overlap(
    done: Path, tmp_path: Path
) -> None:
    regions = RegionsOfRun(inputs(done, tmp_path), "net")
    net = regions.system.eval().net
    features, overlaps, own = [], [], []
    for index in range(len(regions)):
        batch = regions._batches[index]
        truth, geometry = batch.targets[0]
        boxes = torch.from_numpy(geometry.boxes_to_view(truth.boxes)).float()
        given = batch.inputs.proposals[0]
        every = torch.cat([boxes, given[given[:, 2] > given[:, 0]]])
        with torch.no_grad():
            last, _ = net.features(
                regions.system.normalized(batch.inputs.images), torch.zeros(len(every), dtype=torch.int64), every
            )
        features.append(last.numpy())
        overlaps.append(
            np.stack(
                [
                    box_iou(every, boxes[truth.labels == label]).amax(dim=1).numpy()
                    if (truth.labels == label).any()
                    else np.zeros(len(every))
                    for label in range(3)
                ],
                axis=1,
            )
        )
        own.append(np.concatenate([truth.labels, np.full(len(every) - len(boxes), -1)]))
    all_features, all_overlaps, all_own = (np.concatenate(parts) for parts in (features, overlaps, own))
    assert all(len(part) <= 200 for part in features), "so that all are among those of the mean norm"
    scale = 20 / np.linalg.norm(all_features, axis=1).mean()
    layer = load_file(done / "2-svm" / "weights.safetensors")
    for label in (0, 2):
        positives, negatives = all_features[all_own == label], all_features[all_overlaps[:, label] < 0.3]
        x = scale * np.concatenate([positives, negatives])
        y = np.arange(len(x)) < len(positives)
        svm = LinearSVC(loss="hinge", C=1e-3, intercept_scaling=10, class_weight={1: 2}, max_iter=10**5)
        svm.fit(x.astype(np.float64), y.astype(int))
        margins = all_features @ layer["svms.weight"][label] + layer["svms.bias"][label]
        expected = scale * all_features.astype(np.float64) @ svm.coef_[0] + svm.intercept_[0]
        np.testing.assert_allclose(margins, expected, atol=0.02)


def test_a_class_without_objects_has_no_svm_and_is_said_and_never_found(done: Path, tmp_path: Path) -> None:
    assert load_file(done / "2-svm" / "weights.safetensors")["svms.bias"][1] == NEVER
    console = Console(record=True, width=200, file=StringIO())
    fitted = region_svms(inputs(done, tmp_path / "scratch", console=console))
    assert "never: no training image has a true box of it: no SVM, it is never found" in console.export_text()
    assert fitted.evaluation["svms"] == 2


def test_the_net_of_the_result_scores_a_class_without_svm_zero(done: Path, tmp_path: Path) -> None:
    regions = RegionsOfRun(inputs(done, tmp_path), "net")
    system = regions.system.eval()
    system.net.load_state_dict(
        {name: torch.from_numpy(a) for name, a in load_file(done / "3-boxes" / "weights.safetensors").items()}
    )
    batch = regions._batches[0]
    with torch.no_grad():
        _, scores, labels = system.candidates(system.maps(batch.inputs), (64, 64))
    assert (scores[labels == 1] == 0).all()
    assert (scores[labels != 1].max() > 0).all()


@pytest.mark.parametrize("fit", [region_svms, region_boxes], ids=["svm", "boxes"])
def test_a_fit_that_was_stopped_anywhere_goes_on_to_the_same_bits(
    fit: Callable[[FitInputs], Any], done: Path, tmp_path: Path
) -> None:
    whole = fit(inputs(done, tmp_path / "whole"))
    calls = 0

    def stop_at(last: int) -> Callable[[], None]:
        def leave() -> None:
            nonlocal calls
            calls += 1
            if calls >= last:
                raise Stopped(15, kept=False)

        return leave

    for number in range(3, 60, 9):
        calls = 0
        try:
            stopped = fit(inputs(done, tmp_path / "stopped", leave_if_stopped=stop_at(number)))
        except Stopped:
            continue
        break
    else:
        pytest.fail("nothing is kept from one start to the next")
    assert number > 3, "it was stopped on the way"
    assert arrays(stopped.tensors) == arrays(whole.tensors)
    assert stopped.evaluation == whole.evaluation


@pytest.mark.parametrize("fit", [region_svms, region_boxes], ids=["svm", "boxes"])
def test_features_on_disk_keep_their_bound_and_those_computed_anew_change_nothing(
    fit: Callable[[FitInputs], Any], done: Path, tmp_path: Path
) -> None:
    every = fit(inputs(done, tmp_path / "every"))
    files = [path.stat().st_size for path in sorted((tmp_path / "every").glob("*/*.safetensors"))]
    assert every.evaluation["images_on_disk"] == len(files) == 4
    assert every.evaluation["feature_bytes"] == sum(files)
    bound = files[0] + files[1] + 1
    console = Console(record=True, width=200, file=StringIO())
    some = fit(inputs(done, tmp_path / "some", features_gib=bound / 2**30, console=console))
    assert some.evaluation["images_on_disk"] == 2
    assert 0 < some.evaluation["feature_bytes"] <= bound
    assert "features of 2 of 4 images fit into" in console.export_text()
    assert arrays(some.tensors) == arrays(every.tensors)


def test_a_finished_folder_of_phases_is_left_as_it_is(done: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*.json")}
    resume_phases(done, console=QUIET)
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*.json")} == before


def test_a_parent_that_does_not_classify_regions_is_refused(finished: Any, tmp_path: Path) -> None:
    wrong = FitInputs(
        parents={"net": finished.folder},
        options={},
        data=None,
        scratch=tmp_path,
        console=QUIET,
        leave_if_stopped=lambda: None,
        allow_code=False,
    )
    with pytest.raises(SettingsError, match="does not classify regions; name a run of rcnn or sppnet"):
        region_svms(wrong)


def test_the_regression_is_that_of_the_pairs_whose_overlap_is_large_enough(done: Path, tmp_path: Path) -> None:
    fitted = region_boxes(inputs(done, tmp_path / "usual"))
    more = region_boxes(inputs(done, tmp_path / "more", least_overlap=0.3, penalty=4000.0))
    assert 8 <= fitted.evaluation["pairs"] < more.evaluation["pairs"]
    assert 0 < fitted.evaluation["offsets_explained"] < 1
    assert {*fitted.tensors} == {*load_file(done / "3-boxes" / "weights.safetensors")}
    with pytest.raises(SettingsError, match="the fit needs a phase as 'svm'"):
        region_boxes(inputs(done, tmp_path / "without", parents=("net",)))


def test_the_layer_in_the_weights_explains_as_much_of_the_offsets_as_the_fit_says(done: Path, tmp_path: Path) -> None:
    weights = load_file(done / "3-boxes" / "weights.safetensors")
    regions = RegionsOfRun(inputs(done, tmp_path / "scratch"), "net")
    left = whole = 0.0
    for index in range(len(regions)):
        pairs = regions.pairs(index, 0.6)
        moved = (pairs.features @ weights["box_layer.weight"].T + weights["box_layer.bias"]).reshape(
            -1, len(CLASSES), 4
        )
        own = moved[np.arange(len(pairs.labels)), pairs.labels]
        left += float(np.square(pairs.offsets - own).sum())
        whole += float(np.square(pairs.offsets).sum())
    told = json.loads((done / "3-boxes" / "evaluation.json").read_text())["offsets_explained"]
    assert 1 - left / whole == pytest.approx(told, abs=0.01)


def test_spp_net_goes_through_the_same_stages(data: Path, tmp_path: Path) -> None:
    small = {
        "model.options.width": 4,
        "model.options.hidden": 8,
        "model.options.proposals": 60,
        "training.duration": "2 steps",
        "training.batch_size": 2,
        "training.evaluate_every": 100,
        "machine.workers": 0,
        "machine.threads": 1,
        "machine.precision": "fp32",
        "data.image_size": 64,
        "data.proposals": str(data / "proposals.safetensors"),
    }
    launch_phases(compose_phases("sppnet", str(data), changes=small), out=tmp_path / "run", console=QUIET)
    fitted = load_file(tmp_path / "run" / "3-boxes" / "weights.safetensors")
    result = load_file(result_weights(tmp_path / "run" / "4-result"))
    assert {*result} == {*fitted}
    assert all(np.array_equal(result[name], fitted[name]) for name in fitted)
    assert result["svms.weight"].shape == (3, 8)
    assert result["box_layer.weight"].shape == (12, 8 * 50)
    assert result["svms.weight"].any()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("svm.options.costs=1", "phase svm: unknown key 'options.costs'; nearest: cost"),
        ("boxes.options.penalty=0", "phase boxes: options.penalty"),
    ],
)
def test_a_wrong_option_of_a_fit_is_refused_before_the_first_phase(
    setting: str, said: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=said):
        launch_phases(phases_of(data, setting), out=tmp_path / "run", console=QUIET)
    assert not (tmp_path / "run").exists()
