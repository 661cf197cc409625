"""`resvision data proposals`, and a run with the file that it writes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from detection.box_scenes import box_reader
from detection.region_scenes import MadeUpRegions
from PIL import Image
from safetensors.numpy import load_file

from resvision.core.images import Pixels
from resvision.detection.parts import selective_search
from resvision.detection.proposal_files import write
from resvision.kinds.detection.boxes import Floats

Cli = Callable[..., tuple[int, str, str]]

NARROW = [
    *("--set", "model.options.backbone=vgg11", "--set", "model.options.width=1", "--set", "model.options.channels=4"),
    *("--set", "model.options.hidden=4", "--set", "model.options.proposals=20", "--set", "machine.workers=0"),
]


@pytest.fixture(autouse=True)
def quick_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that takes no time, and finds nothing in images whose first pixel is black."""

    def search(pixels: Pixels) -> Floats:
        regions = MadeUpRegions().in_image(pixels, "")
        return regions if pixels[0, 0].any() else regions[:0]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(selective_search, "selective_search", search)
    monkeypatch.setattr(selective_search, "version", lambda: "5")


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A folder of YOLO labels with 4 training images and 2 others; the first has a black corner."""
    home = tmp_path / "cells"
    for split, count in (("train", 4), ("val", 2)):
        reader = box_reader(((32, 48),) * count)
        images, labels = home / "images" / split, home / "labels" / split
        for folder in (images, labels):
            folder.mkdir(parents=True)
        for index in range(count):
            image, truth = reader[index]
            image[0, 0] = 0 if (split, index) == ("train", 0) else 9
            Image.fromarray(image).save(images / f"{index}.png")
            boxes = truth.boxes / (48, 32, 48, 32)
            rows = np.column_stack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]]).tolist()
            lines = (" ".join(map(str, [label, *row])) for label, row in zip(truth.labels, rows, strict=True))
            (labels / f"{index}.txt").write_text("\n".join(lines))
    (home / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [wide, high]\n")
    return home


def test_regions_of_a_set_are_written_under_the_names_of_its_images_with_their_recall(
    cells: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "regions.safetensors"
    code, shown, _ = cli("data", "proposals", cells, "--out", out, "--most", 20)
    assert code == 0
    assert "6 images, 100 regions, 0 to 20 of an image, the median 20" in shown
    assert "s for the search of an image" in shown
    assert "1 image without any region: images/train/0.png" in shown
    regions = load_file(out)
    assert sorted(regions) == [
        *(f"images/train/{index}.png" for index in range(4)),
        "images/val/0.png",
        "images/val/1.png",
    ]
    assert {boxes.shape for boxes in regions.values()} == {(0, 4), (20, 4)}
    code, _, error = cli("data", "proposals", cells, "--out", out)
    assert code == 2
    assert "regions.safetensors: is there already; name another file by --out, or say --force" in error
    code, shown, _ = cli("data", "proposals", cells, "--out", out, "--force", "--json", "--split", "val")
    document = json.loads(shown)
    assert (document["images"], document["searched"]) == (2, 0)  # all were kept from before
    assert document["recall"][-1]["iou_0.5"] == 1.0
    assert [row["class"] for row in document["classes"]] == ["wide", "high"]
    code, _, error = cli("data", "proposals", cells, "--out", out, "--force", "--split", "tests")
    assert code == 2
    assert "--split tests: " in error


@pytest.mark.filterwarnings("ignore:.*lr_scheduler")
def test_a_run_knows_its_file_of_proposals_and_says_when_it_has_changed(cells: Path, tmp_path: Path, cli: Cli) -> None:
    file, run = tmp_path / "regions.safetensors", tmp_path / "run"
    assert cli("data", "proposals", cells, "--out", file)[0] == 0
    asked = (
        "train",
        "fast_rcnn",
        "--data",
        cells / "data.yaml",
        "--epochs",
        "1",
        "--batch-size",
        "2",
        "--from-scratch",
    )
    code, _, error = cli(*asked, *NARROW, "--proposals", file, "--out", run)
    assert code == 0, error
    assert f"proposals  {file}" in error
    data = json.loads((run / "run.json").read_text())["data"]
    assert data["proposals"] == str(file)
    assert len(data["proposals_sum"]) == 32
    assert cli("evaluate", run)[0] == 0
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(file.read_bytes())
    write(file, {name: boxes[::-1] for name, boxes in load_file(file).items()})
    for verb in (("evaluate", run), ("train", "--resume", run, "--epochs", "2")):
        code, _, error = cli(*verb)
        assert code == 2
        assert "regions.safetensors: has changed since the run began; name a copy of what it was" in error
    assert cli("evaluate", run, "--proposals", file)[0] == 0  # which a person names
    code, _, error = cli("train", "--resume", run, "--epochs", "2", "--proposals", copy)
    assert code == 0, error
    assert json.loads((run / "run.json").read_text())["data"]["proposals"] == str(copy)
    image = cells / "images" / "val" / "0.png"
    assert cli("predict", run, image, "--proposals", file)[0] == 0
    assert cli("predict", run, image)[0] == 0  # by a search
    (tmp_path / "other.png").write_bytes((cells / "images" / "val" / "1.png").read_bytes())
    code, out, error = cli("predict", run, tmp_path / "other.png", image, "--proposals", file)
    assert code == 1
    assert len(out.splitlines()) == 1
    assert "has no regions of" in error
    code, _, error = cli("explain", run, image, "--json", "--proposals", file)
    assert code == 0, error


def test_nets_that_find_their_regions_refuse_a_file_before_a_run_is_made(cells: Path, tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "regions.safetensors"
    write(file, {"0.png": np.array([[0.0, 0.0, 5.0, 5.0]])})
    asked = ("--data", cells / "data.yaml", "--from-scratch", "--proposals", file, "--out", tmp_path / "run")
    code, _, error = cli("train", "retinanet", *asked, *NARROW[:6])
    assert code == 2
    assert "data.proposals: RetinaNet finds its regions itself; leave it out" in error
    code, _, error = cli("train", "fast_rcnn", *asked, *NARROW)
    assert code == 2
    assert "0.png would be the entry of" in error or "has no regions of" in error
    assert not (tmp_path / "run").exists()
