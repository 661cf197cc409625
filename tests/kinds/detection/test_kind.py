"""What the kind of detection shows: results in words, tables, curves, and pictures with boxes."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.core.results import Detections
from resvision.core.view_geometry import Geometry
from resvision.kinds.detection.boxes import BoxTargets, RawDetections
from resvision.kinds.detection.curves import MOST_CLASSES
from resvision.kinds.detection.kind import KIND
from resvision.kinds.detection.panels import ERRORS, judge_image
from resvision.kinds.detection.pictures import SMALLEST_PX, Outline, class_colours, drawn
from resvision.kinds.detection.scores import DetectionScores
from resvision.kinds.detection.tables import BACKGROUND
from resvision.kinds.detection.tally import Tally

CLASSES = ("cat", "dog")


def targets(count: int, seed: int = 0, *, classes: int = 2) -> BoxTargets:
    draw = np.random.default_rng(seed)
    corners = draw.integers(0, 60, (count, 2))
    made = BoxTargets.of(np.concatenate([corners, corners + 30], axis=1), draw.integers(0, classes, count))
    return made._replace(crowd=draw.random(count) < 0.1)


def shaken(truth: BoxTargets, seed: int = 0, *, classes: int = 2) -> RawDetections:
    """Detections near the true boxes, some of another class, by descending score."""
    draw = np.random.default_rng(seed)
    boxes = np.concatenate([truth.boxes, truth.boxes + 12]) + draw.normal(0, 3, (2 * len(truth.boxes), 4))
    labels = np.where(draw.random(len(boxes)) < 0.7, np.tile(truth.labels, 2), draw.integers(0, classes, len(boxes)))
    scores = np.sort(draw.integers(1, 99, len(boxes)))[::-1] / 100
    return RawDetections(boxes.clip(0, 96).astype(np.float32), scores.astype(np.float32), labels)


def result(found: RawDetections, *, classes: tuple[str, ...] = CLASSES) -> Detections:
    return KIND.decode(found, Geometry((96, 96), (96, 96)), source="a.png", classes=classes)


def scores_of(samples: list[tuple[RawDetections, BoxTargets]], classes: tuple[str, ...] = CLASSES) -> DetectionScores:
    tally = Tally(len(samples), len(classes))
    for index, sample in enumerate(samples):
        tally.add(index, *sample)
    return tally.scores(classes, lambda index: f"{index}.png")


SAMPLES = [(shaken(truth := targets(5, seed), seed), truth) for seed in range(12)]
SCORES = scores_of(SAMPLES)


def test_boxes_go_back_to_the_image_and_those_in_its_margin_are_left_out() -> None:
    letterboxed = Geometry((50, 100), (100, 100), scale_x=1.0, scale_y=1.0, top=25.0)
    found = RawDetections(
        np.array([[10, 30, 20, 40], [0, 0, 100, 20], [90, 70, 120, 90]], np.float32),
        np.array([0.9, 0.8, 0.7], np.float32),
        np.array([1, 0, 1]),
    )
    shown = KIND.decode(found, letterboxed, source="a.png", classes=CLASSES)
    assert shown.boxes.tolist() == [[10, 5, 20, 15], [90, 45, 100, 50]]
    assert (shown.names, len(shown), shown.width, shown.height) == (("dog", "dog"), 2, 100, 50)
    assert shown.to_json()["objects"][0] == {"label": "dog", "score": pytest.approx(0.9), "box": [10, 5, 20, 15]}


def test_a_result_says_how_many_of_each_class_there_are() -> None:
    found = RawDetections(
        np.tile([0, 0, 9, 9], (3, 1)).astype(np.float32), np.array([0.9, 0.5, 0.25]), np.array([1, 0, 1])
    )
    assert KIND.line(result(found)) == "a.png: 1 cat (50.0%), 2 dog (25.0% to 90.0%)"
    assert KIND.line(result(found).at_least(0.95)) == "a.png: nothing found"
    assert KIND.csv_rows(result(found))[2] == ("a.png", "dog", "0.250000", "0.00", "0.00", "9.00", "9.00")
    assert len(KIND.csv_header) == len(KIND.csv_rows(result(found))[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": np.array([0, 2])}, "label 2, not one of 0..1"),
        ({"labels": np.array([0])}, "no arrays"),
        ({"boxes": np.array([[0.0, 0, 5, 5], [5, 5, 5, 9]])}, "x1 < x2"),
        ({"boxes": np.array([[0.0, 0, 5, np.nan], [5, 5, 6, 9]])}, "x1 < x2"),
        ({"boxes": np.zeros(8)}, "no array"),
    ],
)
def test_targets_of_a_users_own_reader_are_looked_at(change: dict[str, Any], said: str) -> None:
    good = BoxTargets.of(np.array([[0.0, 0, 5, 5], [1, 1, 6, 9]]), np.array([0, 1]))
    assert KIND.target_fault(good, CLASSES) == ""
    assert said in KIND.target_fault(good._replace(**change), CLASSES)
    assert "tuple" in KIND.target_fault(tuple(good), CLASSES)


def test_tables_and_lines_say_what_scores_hold() -> None:
    by_class, sizes, faults, confusion = KIND.tables(SCORES)
    assert [row[0] for row in by_class.rows] == [*CLASSES]
    assert by_class.rows[0][2] == f"{SCORES.per_class[0].ap:.2%}"
    assert [row[1] for row in sizes.rows] == [f"{row.boxes:,}" for row in SCORES.sizes]
    assert sum(int(row[1].replace(",", "")) for row in faults.rows) == SCORES.boxes.right + SCORES.boxes.total
    assert confusion.rows[-1][1] == BACKGROUND
    assert dict(KIND.lines(SCORES))["AP50"] == f"{SCORES.ap50:.2%}"
    voc = Tally(1, 2)
    voc.add(0, *SAMPLES[0])
    assert KIND.lines(voc.scores(CLASSES, str, protocol="voc07"))[0][0] == "VOC07 AP"


def test_a_figure_of_nothing_is_a_dash() -> None:
    found, truth = SAMPLES[0]
    tally = Tally(1, 2)
    tally.add(0, found, truth._replace(difficult=np.ones(len(truth.labels), np.bool_)))
    scores = tally.scores(CLASSES, str, protocol="voc07")
    assert KIND.lines(scores)[0] == ("VOC07 AP", "-")
    assert "voc07" not in scores.figures()
    assert KIND.tables(scores)[0].rows[0][-1] == "-"


def test_plots_are_those_whose_means_are_the_average_precision() -> None:
    by_iou, by_class = KIND.plots(SCORES)
    assert by_iou.lines[0].y.mean() == pytest.approx(SCORES.ap50, abs=1e-4)
    assert [line.y.mean() for line in by_class.lines] == pytest.approx([row.ap50 for row in SCORES.per_class], abs=1e-4)
    classes = tuple(map(str, range(MOST_CLASSES + 3)))
    many = [(shaken(truth := targets(9, seed, classes=13), seed, classes=13), truth) for seed in range(9)]
    lines = KIND.plots(scores_of(many, classes))[1].lines
    means = [line.y.mean() for line in lines]
    assert (len(lines), means) == (MOST_CLASSES, sorted(means))


def test_each_of_the_worst_images_is_judged_again_as_it_was_scored() -> None:
    assert SCORES.worst
    for worst in SCORES.worst:
        found, truth = SAMPLES[worst.index]
        assert judge_image(result(found), truth, SCORES.score).faults == worst.boxes


def exhibit(rank: int = 0, **changes: Any) -> Any:
    found, truth = SAMPLES[SCORES.worst[rank].index]
    image = np.full((96, 96), 90, np.uint8)
    return KIND.exhibit(SCORES, rank, image, truth._replace(**changes), result(found))


def test_a_worst_image_is_shown_as_truth_detections_and_errors() -> None:
    shown = exhibit()
    assert [panel.name for panel in shown.panels] == ["truth", "detections", "errors"]
    assert all(panel.lettered for panel in shown.panels)
    faults = SCORES.worst[0].boxes
    assert f"{faults.right} right" in shown.text
    colours = {colour for _, colour in shown.panels[2].picture.getcolors(10**6)}
    used = {name.replace("wrong ", "wrong_").replace("found ", ""): colour for name, colour in ERRORS.items()}
    for name, colour in used.items():
        assert (colour in colours) == bool(getattr(faults, name)), name


def test_a_worst_image_with_another_number_of_boxes_has_changed() -> None:
    with pytest.raises(DataError, match="it has changed"):
        exhibit(crowd=np.ones(5, np.bool_))


def test_the_legend_names_what_occurs_and_every_error() -> None:
    legend = KIND.legend(SCORES, [(truth, result(found)) for found, truth in SAMPLES])
    assert [name for name, _ in legend] == [*CLASSES, *ERRORS]
    assert len({colour for _, colour in legend}) == len(legend)


@pytest.mark.parametrize("shape", [(20, 28), (700, 900, 3), (5, 3000, 1), (1, 1)])
def test_pictures_of_any_size_are_large_enough_to_be_read(shape: tuple[int, ...]) -> None:
    height, width = shape[:2]
    box = np.array([[0.25 * width, 0.2 * height, 0.75 * width, 0.9 * height]])
    found = Detections(
        source="a",
        width=width,
        height=height,
        classes=("日本 \x1b",),
        boxes=box,
        labels=np.array([0]),
        scores=np.array([1.0]),
    )
    picture = Image.open(BytesIO(next(KIND.contents(found, np.zeros(shape, np.uint8)))))
    times = picture.width // width
    assert (picture.width, picture.height) == (times * width, times * height)
    assert max(picture.size) >= min(SMALLEST_PX, 16 * max(height, width))
    assert KIND.files(Path("photos/a.jpg"), Path("out")) == (Path("out/a-boxes.png"),)


def test_a_box_is_drawn_on_its_own_pixels() -> None:
    image: Pixels = np.zeros((600, 600, 3), np.uint8)
    colour = (250, 10, 20)
    picture = np.asarray(drawn(image, [Outline(np.array([100.0, 200, 300, 400]), colour)]))
    rows, columns = np.nonzero((picture == colour).all(axis=2))
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (200, 400, 100, 300)
    assert not picture[250:350, 150:250].any()


def test_captions_keep_out_of_each_others_way() -> None:
    boxes = [np.array([100.0, 200, 300, 400]) + shift for shift in (0, 2, 4)]
    colours = class_colours(3)
    outlines = [Outline(box, colour, "name") for box, colour in zip(boxes, colours, strict=True)]
    image: Pixels = np.zeros((600, 600, 3), np.uint8)
    together = np.asarray(drawn(image, outlines))
    for outline, colour in zip(outlines, colours, strict=True):
        alone = np.asarray(drawn(image, [outline]))
        painted = [(picture == colour).all(axis=2).sum() for picture in (together, alone)]
        assert painted[0] > 0.6 * painted[1]


def test_colours_come_round_again_beyond_those_of_label_maps() -> None:
    colours = class_colours(300)
    assert len(colours) == 300
    assert len({*colours[:20]}) == 20
    assert colours[255] == colours[0]
