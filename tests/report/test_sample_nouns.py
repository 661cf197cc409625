"""Pages of runs whose samples are no images: a run of motion, whose samples are windows."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from kinds.motion.made_recordings import driven, recording, window_of
from report_runs import BATCH, Page, settings

from resvision.core import rundir
from resvision.kinds.motion.scoring import Tally
from resvision.kinds.table import kind_of
from resvision.report import tables
from resvision.report.page import report_html
from resvision.report.read import read_records
from resvision.studies.claims import phrases


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of motion of 12 steps, 4 an epoch, whose training FDE falls to 3 m, and which is 2 m off at the end."""
    folder = tmp_path_factory.mktemp("motion") / "run"
    folder.mkdir()
    described = settings(model__name="mtp", model__task="motion")
    described["model"]["num_classes"], described["data"]["classes"] = None, []
    rundir.write_json(folder / rundir.RUN, described)
    window = window_of(recording({"car": driven(lambda t: (10 * t, 0 * t))}))
    tally = Tally(1)
    tally.add([0], window.future().positions[None, None] + np.array([0.0, 2.0]), np.ones((1, 1)), [window])
    scores = tally.scores("window {}".format)
    lines: list[dict[str, object]] = []
    for step in range(1, 13):
        figures = {"lr": 0.1, "loss": 1 / step, "fde": 3.0 + (12 - step) / 8, "images": BATCH, "seconds": 0.5}
        lines.append({"step": step, "epoch": (step - 1) // 4, **figures})
        if step % 4 == 0:
            lines.append({"step": step, "epoch": (step - 1) // 4, "evaluation": scores.figures()})
    (folder / rundir.HISTORY).write_text("".join(json.dumps(line) + "\n" for line in lines))
    rundir.write_json(folder / rundir.EVALUATION, scores.to_json())
    return folder


def test_a_page_of_windows_speaks_of_no_images(run: Path) -> None:
    page = Page(report_html(read_records([run])))

    assert "images" not in re.sub(r"\w+_images", "", page.text)  # the names of two settings
    assert "windows/s is the median of the steps" in page.text
    words = " ".join(page.values("aria-label"))
    assert "windows per second of run: 20 in the middle" in words
    assert "images" not in words


def test_the_training_figure_of_motion_stands_beside_that_of_the_test(run: Path) -> None:
    records = read_records([run])
    page = Page(report_html(records))
    headings = [column.heading for column in tables.columns(records)]
    (row,) = tables.result_rows(records)

    cells = dict(zip(headings, row.cells, strict=True))
    assert (cells["train FDE, m"].text, cells["FDE, m"].text) == ("3.19", "2.00")  # the mean of the last four steps
    assert "Train loss and FDE are means over the last epoch, on augmented windows" in page.text
    assert "label smoothing" not in page.text
    (curve,) = [words for words in page.values("aria-label") if words.startswith("FDE. ")]
    assert "training from" in curve
    assert "test from" in curve


@pytest.mark.parametrize("task", ["classification", "segmentation", "motion"])
def test_the_training_figure_of_every_task_has_a_name_in_both_languages(task: str) -> None:
    kind = kind_of(task)

    assert kind.noun(kind.metrics[0]) in phrases.TRAINED
    assert kind.main_name in phrases.TESTED
