"""Short texts and HTML of what the public functions give, as consoles and notebooks show them."""

import numpy as np
import pytest

import resvision
from resvision.core.notebooks import MOST_ROWS, table
from resvision.launch import Finished

HOSTILE = "<script>&\x1b[2J"


def test_runs_and_models_say_what_they_are_in_a_line(finished: Finished) -> None:
    title = f"resnet20 on digits, 10 classes, {finished.folder}"
    assert repr(resvision.load(finished.folder)) == f"Trained({title})"
    assert repr(finished) == f"Finished({finished.folder}: {finished.scores.summary()})"
    assert repr(finished.scores) == f"ClassificationScores({finished.scores.summary()})"
    assert repr(finished.run) == (
        f"Run(resnet20 on digits, recipe small-images-short, 3 epochs of batches of {finished.run.training.batch_size})"
    )


def detections(name: str, count: int, *, source: str = "a.png") -> resvision.Detections:
    boxes, labels, scores = np.zeros((count, 4)), np.zeros(count, np.int64), np.full(count, 0.9)
    return resvision.Detections(
        source=source, width=6, height=4, classes=(name,), boxes=boxes, labels=labels, scores=scores
    )


def test_results_name_their_first_classes() -> None:
    result = resvision.ClassScores(source="a.png", labels=("cat", "dog", "owl", "ant"), scores=(0.7, 0.2, 0.06, 0.04))
    assert repr(result) == "ClassScores(a.png: cat 70.0%, dog 20.0%, owl 6.0%, ...)"
    assert repr(result.best(1)) == "ClassScores(a.png: cat 70.0%)"
    labels = np.zeros((4, 6), np.uint8)
    assert repr(resvision.LabelMap(source="a.png", classes=("a", "b"), labels=labels)) == (
        "LabelMap(a.png: 4x6 labels of 2 classes)"
    )
    assert repr(detections("cat", 4)) == "Detections(a.png: cat 90.0%, cat 90.0%, cat 90.0%, ... 4 in all)"
    assert repr(detections("cat", 0)) == "Detections(a.png: nothing)"


def test_notebooks_show_tables_of_classes_and_every_setting(finished: Finished) -> None:
    html = finished._repr_html_()
    assert html.count("<tr>") == 1 + 10  # a head, and the classes
    assert f'<td style="text-align:right">{finished.scores.recall[3]:.2%}</td>' in html
    assert "&quot;weight_decay&quot;" in html
    assert "<th>classes</th>" in resvision.load(finished.folder)._repr_html_()


@pytest.mark.parametrize("kind", ["scores", "result", "label map", "detections"])
def test_names_of_strangers_are_escaped_and_obey_nothing(kind: str) -> None:
    classes, confusion = (HOSTILE, "b"), np.eye(2, dtype=np.int64)
    objects = {
        "scores": resvision.SegmentationScores(classes=classes, images=1, loss=0.1, confusion=confusion, worst=()),
        "result": resvision.ClassScores(source=HOSTILE, labels=classes, scores=(0.9, 0.1)),
        "detections": detections(HOSTILE, 2, source=HOSTILE),
        "label map": resvision.LabelMap(source=HOSTILE, classes=classes, labels=np.zeros((2, 2), np.uint8)),
    }
    shown = objects[kind]
    assert "&lt;script&gt;&amp;\\u001b[2J" in shown._repr_html_()
    assert "<script" not in shown._repr_html_()
    assert "\x1b" not in repr(shown) + shown._repr_html_()


def test_a_label_map_is_a_picture_in_a_notebook() -> None:
    labels = resvision.LabelMap(source="a.png", classes=("a", "b"), labels=np.zeros((4, 6), np.uint8))
    assert '<img alt="labels of a.png"' in labels._repr_html_()
    assert '<td style="text-align:right">100.00%</td>' in labels._repr_html_()


def test_a_long_table_says_how_many_rows_it_leaves_out() -> None:
    html = table("classes", ("class",), [(str(k),) for k in range(MOST_ROWS + 2)])
    assert html.count("<td") == MOST_ROWS
    assert html.endswith("<p>and 2 more</p>")
