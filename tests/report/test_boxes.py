"""Reports of runs of detection, whose scores and data are made by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_runs import Page, write_run

from resvision.core import rundir
from resvision.core.results import Detections
from resvision.core.samples import Sample
from resvision.data.sets import open_splits
from resvision.kinds.detection.boxes import BoxTargets, RawDetections
from resvision.kinds.detection.kind import EXAMPLES, KIND
from resvision.kinds.detection.scores import DetectionScores
from resvision.kinds.detection.tally import Tally
from resvision.report import pictures
from resvision.report.class_tables import shown_table
from resvision.report.page import report_html
from resvision.report.pictures import LETTERED_PX, gallery_of
from resvision.report.read import read_record, read_records
from resvision.report.score_plots import plot_svg

DATA = "digit-boxes-composed"


def found_in(sample: Sample[BoxTargets]) -> RawDetections:
    """Detections that follow from the truth of a sample: each box a little moved, the last one missed."""
    boxes, labels = sample.target.boxes[:-1] + 2, sample.target.labels[:-1].copy()
    labels[:1] = (labels[:1] + 1) % 10
    return RawDetections(boxes.astype(np.float32), np.linspace(0.9, 0.6, len(boxes), dtype=np.float32), labels)


@pytest.fixture(scope="module")
def scores() -> DetectionScores:
    test = open_splits(DATA, task="detection").test
    tally = Tally(len(test), len(test.classes))
    for index in range(len(test)):
        sample = test[index]
        tally.add(index, found_in(sample), sample.target)
    return tally.scores(test.classes, test.source)


def write_box_run(folder: Path, scores: DetectionScores) -> Path:
    """A run of 12 steps, 4 an epoch, evaluated after each epoch."""
    classes = [*scores.classes]
    changes = {"data__name": DATA, "data__test_images": scores.images, "data__classes": classes}
    write_run(folder, wrong=None, model__task="detection", model__name="retinanet", **changes)
    made = [json.loads(each) for each in (folder / rundir.HISTORY).read_text().splitlines()]
    lines = [each for each in made if "evaluation" not in each]
    lines += [
        {"step": step, "epoch": step // 4 - 1, "split": "test", "evaluation": scores.figures()} for step in (4, 8, 12)
    ]
    (folder / rundir.HISTORY).write_text("".join(json.dumps(each) + "\n" for each in lines))
    rundir.write_json(folder / rundir.EVALUATION, scores.to_json())
    return folder


@pytest.fixture
def with_a_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """A net that finds what the scores are of."""
    test = open_splits(DATA, task="detection").test
    samples = {test[index].image.tobytes(): test[index] for index in range(len(test))}

    def predictor(record: Any, *, allow_code: bool) -> Any:
        def predict(sample: Sample[BoxTargets], name: str) -> Detections:
            image = sample.image
            found = found_in(samples[image.tobytes()])
            return Detections(
                source=name,
                width=image.shape[1],
                height=image.shape[0],
                classes=record.scores.classes,
                boxes=found.boxes.astype(np.float64),
                labels=found.labels,
                scores=found.scores.astype(np.float64),
            )

        return predict

    monkeypatch.setattr(pictures, "_predictor", predictor)


@pytest.mark.usefixtures("with_a_net")
def test_the_page_has_classes_sizes_curves_confusion_and_worst_images(tmp_path: Path, scores: DetectionScores) -> None:
    folder = write_box_run(tmp_path / "run", scores)
    html = report_html(read_records([folder]))
    seen = Page(html)
    titles = ("Test AP", "Precision over recall by IoU", "Precision over recall by class", "AP by the size of objects")
    assert [title for title in titles if title not in html] == []
    assert "background" in html
    assert f"run finds {scores.boxes.right:,} of the" in seen.text
    assert f"{100 * scores.ap:.2f} %" in seen.text
    assert "missed objects" in seen.text
    assert html.count("<img") >= 3 * EXAMPLES
    assert "://" not in html
    ids = seen.values("id")
    assert len(ids) == len(set(ids))


@pytest.mark.usefixtures("with_a_net")
def test_pictures_with_writing_are_not_shrunk(tmp_path: Path, scores: DetectionScores) -> None:
    gallery = gallery_of(read_record(write_box_run(tmp_path / "run", scores)))
    assert gallery.reason == ""
    assert {picture.name for image in gallery.images for picture in image.pictures} == {"truth", "detections", "errors"}
    assert {max(picture.width, picture.height) for image in gallery.images for picture in image.pictures} == {560}
    assert LETTERED_PX >= 560


def test_a_class_table_has_as_many_shares_as_its_kind_gives(scores: DetectionScores) -> None:
    table = shown_table(KIND.class_table(scores))
    assert table.headings == ("boxes", "AP", "AP50", "AP75")
    assert {len(row.shares) for row in table.rows} == {3}
    assert table.means is not None
    assert [mean.text for mean in table.means] == [
        f"{100 * value:.2f} %" for value in (scores.ap, scores.ap50, scores.ap75)
    ]
    sizes, faults = map(shown_table, KIND.page_tables(scores))
    assert (sizes.noun, {len(row.shares) for row in faults.rows}) == ("objects", {0})


def test_a_plot_names_its_lines_and_says_its_figures(scores: DetectionScores) -> None:
    svg = plot_svg(KIND.plots(scores)[0], name="p")
    assert f"IoU 0.50, AP {scores.ap50:.1%}" in svg
    assert "precision" in svg[: svg.index("viewBox")]
