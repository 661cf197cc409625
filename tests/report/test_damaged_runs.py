import json
from pathlib import Path
from typing import Any

import pytest
from report_runs import write_run

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.kinds.table import kind_of
from resvision.launch import Finished
from resvision.report.read import read_record


@pytest.mark.parametrize("split", ["nosuch", 5, None])
def test_an_evaluation_of_an_unknown_split_is_refused_with_its_name(split: Any, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    path = folder / rundir.HISTORY
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "evaluation" in line:
            line["split"] = split
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(RunError, match=r"history.jsonl: damaged: ValueError: split .*; it is one of test, validation"):
        read_record(folder)


@pytest.mark.parametrize("count", ["many", [1], 1.5, True])
def test_a_count_of_validation_images_that_is_no_number_is_refused_with_its_name(count: Any, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    run = json.loads((folder / rundir.RUN).read_text())
    run["data"]["validation_images"] = count
    rundir.write_json(folder / rundir.RUN, run)
    with pytest.raises(RunError, match=r"run.json: data.validation_images is .*, which no run of ours writes"):
        read_record(folder)


@pytest.mark.parametrize("classes", [255, 256])
def test_scores_of_label_maps_have_no_more_classes_than_a_map_can_hold(classes: int, segmented: Finished) -> None:
    confusion = [[int(row == column) for column in range(classes)] for row in range(classes)]
    written = segmented.scores.to_json()
    rows = [{**written["per_class"][0], "class": f"k{number}"} for number in range(classes)]
    data = {**written, "per_class": rows, "confusion": confusion}
    kind = kind_of("segmentation")
    if classes == 255:
        assert len(kind.class_table(kind.read_scores(data)).rows) == 255
    else:
        with pytest.raises(ValueError, match="256 classes, where a label map holds at most 255"):
            kind.read_scores(data)
