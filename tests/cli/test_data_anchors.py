"""`resvision data anchors`: what it prints, and that its line trains a net."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from box_folders import SCENES, picture, text, voc, voc_xml

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return voc(tmp_path / "cats", train="abd", val="ce")


def test_anchors_are_printed_with_how_well_fewer_would_fit(cli: Cli, folder: Path) -> None:
    code, out, err = cli("data", "anchors", folder, "--count", "2", "--size", "80")
    assert (code, err) == (0, "")
    assert "2 anchors for 5 boxes of train in squares of 80 px" in out
    rows = [line.split() for line in out.splitlines() if line.strip()[:2] in {"1 ", "2 "} and "px" not in line]
    assert [row[0] for row in rows] == ["1", "2"]
    assert f"resvision train yolov3_tiny --data {folder} --set data.image_size=80 --set model.options.anchors='" in out


def test_json_has_the_same_and_is_reproducible(cli: Cli, folder: Path) -> None:
    words = ("data", "anchors", folder, "--count", "3", "--size", "160", "--json")
    document = json.loads(cli(*words)[1])
    assert document == json.loads(cli(*words)[1])
    assert (document["boxes"], document["size_px"], len(document["anchors"])) == (5, 160, 3)
    overlaps = [row["mean_best_iou"] for row in document["by_count"]]
    assert overlaps == sorted(overlaps)
    assert document["option"].startswith("model.options.anchors=")
    half = json.loads(cli(*words[:5], "--size", "80", "--json")[1])
    for large, small in zip(document["anchors"], half["anchors"], strict=True):
        assert large["width"] == pytest.approx(2 * small["width"], abs=0.2), "anchors are in pixels at the asked size"


def test_more_anchors_than_boxes_have_shapes_are_one_clear_line(cli: Cli, folder: Path) -> None:
    code, out, err = cli("data", "anchors", folder, "--count", "9")
    assert (code, out) == (2, "")
    shapes = len({(x2 - x1, y2 - y1) for name in "abd" for _, x1, y1, x2, y2 in SCENES[name]})
    assert err == (
        f"resvision: {folder}: 5 boxes have {shapes} different shapes, too few for 9 clusters; ask for fewer anchors by"
        " --count\n"
    )


def test_a_set_without_boxes_is_one_clear_line(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    for name in "ab":
        picture(folder / "JPEGImages" / f"{name}.png")
        text(folder / "Annotations" / f"{name}.xml", voc_xml(()))
    text(folder / "ImageSets" / "Main" / "train.txt", "a")
    text(folder / "ImageSets" / "Main" / "val.txt", "b")
    code, out, err = cli("data", "anchors", folder)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "box" in err


def test_a_set_for_another_task_is_told(cli: Cli) -> None:
    code, _, err = cli("data", "anchors", "digits")
    assert code == 2
    assert "a data set for classification, not for detection" in err
