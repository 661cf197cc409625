"""Reports of runs of segmentation, alone and beside runs of classification."""

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_runs import Page, write_run

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.core.images import VOID
from resvision.core.masks import label_colours
from resvision.kinds.segmentation.kind import EXAMPLES, KIND
from resvision.kinds.segmentation.panels import DARKENED, SHOWN_PX, WRONG, difference, panels
from resvision.kinds.segmentation.scores import SegmentationScores, WorstImage
from resvision.launch import Finished, train
from resvision.report import tables
from resvision.report.class_tables import shown_table
from resvision.report.confusions import confusion_svg
from resvision.report.data_section import SAMPLES, data_sections
from resvision.report.page import report_html
from resvision.report.pictures import gallery_of, picture_of
from resvision.report.plots import curves_svg
from resvision.report.read import read_record, read_records
from resvision.report.summaries import summary

CLASSES = ("sky", "r&d", "absent")
CONFUSION = ((60, 20, 0), (10, 10, 0), (0, 0, 0))


def scores(confusion: Any = CONFUSION) -> SegmentationScores:
    return SegmentationScores(
        classes=CLASSES,
        images=30,
        loss=0.5,
        confusion=np.array(confusion),
        worst=(WorstImage(index=3, source="nowhere/test[3]", pixel_error=0.25),),
    )


def line(step: int, *, iou: float, split: str = "test") -> dict[str, Any]:
    figures = {"loss": 0.7, "mean_iou": iou, "pixel_accuracy": 0.8}
    return {"step": step, "epoch": step // 4 - 1, "split": split, "evaluation": figures}


def write_mask_run(folder: Path, found: SegmentationScores | None, *, split: str = "test", **changes: Any) -> Path:
    """A run of 12 steps, 4 an epoch, whose mean IoU is 40 %, 60 %, 50 %."""
    write_run(folder, wrong=None, model__task="segmentation", model__name="deeplabv3plus", **changes)
    made = [json.loads(each) for each in (folder / rundir.HISTORY).read_text().splitlines()]
    lines = [each for each in made if "evaluation" not in each]
    lines += [line(step, iou=iou, split=split) for step, iou in ((4, 0.4), (8, 0.6), (12, 0.5))]
    (folder / rundir.HISTORY).write_text("".join(json.dumps(each) + "\n" for each in lines))
    if found is not None:
        rundir.write_json(folder / rundir.EVALUATION, found.to_json())
    return folder


def cells(folders: list[Path]) -> list[dict[str, tables.Cell]]:
    records = read_records(folders)
    headings = [column.heading for column in tables.columns(records)]
    return [dict(zip(headings, row.cells, strict=True)) for row in tables.result_rows(records)]


def test_results_are_the_figures_of_long_et_al(tmp_path: Path) -> None:
    (row,) = cells([write_mask_run(tmp_path / "run", scores(), model__options={"backbone": "resnet18"})])
    first, second = 60 / 90, 10 / 40  # right pixels over those of the class or given to it
    assert row["mean IoU"].text == f"{50 * (first + second):.2f} %"
    assert row["pixel accuracy"].text == "70.00 %"
    assert row["f.w. IoU"].text == f"{100 * (0.8 * first + 0.2 * second):.2f} %"
    assert (row["test loss"].text, row["train pixel error"].text) == ("0.5", "10.00 %")
    assert (row["model"].text, row["model"].note) == ("deeplabv3plus", "resnet18")


def test_a_greater_iou_is_better_and_a_smaller_error(tmp_path: Path) -> None:
    better = scores(((80, 0, 0), (10, 10, 0), (0, 0, 0)))
    worse = write_mask_run(tmp_path / "worse", scores(), error=0.3)
    marked = cells([worse, write_mask_run(tmp_path / "better", better, error=0.1)])
    for heading in ("mean IoU", "pixel accuracy", "f.w. IoU", "train pixel error"):
        assert [row[heading].best for row in marked] == [False, True], heading
    (sentence,) = summary(read_records([worse, tmp_path / "better"]))
    assert "better is the best: it labels 90.00 % of the pixels of 30 test images right" in sentence
    assert "Next: worse 45.83 %" in sentence


def test_before_the_end_the_latest_evaluation_stands(tmp_path: Path) -> None:
    (row,) = cells([write_mask_run(tmp_path / "run", None)])
    assert (row["mean IoU"].text, row["mean IoU"].note) == ("50.00 %", "epoch 3")
    assert row["f.w. IoU"].text == tables.MISSING


def test_the_best_validation_is_that_of_the_greatest_iou(tmp_path: Path) -> None:
    folder = write_mask_run(tmp_path / "run", scores(), split="validation")
    (row,) = cells([folder])
    assert (row["best validation mean IoU"].text, row["best validation mean IoU"].note) == ("60.00 %", "epoch 2")
    assert "Validation mean IoU" in curves_svg([read_record(folder)], curve=KIND.curves[0])


def test_curves_are_of_iou_pixel_error_and_loss(tmp_path: Path) -> None:
    html = report_html(read_records([write_mask_run(tmp_path / "run", scores())]))
    titles = ("Test mean IoU", "Training and test pixel error", "Training and test loss", "Learning rate")
    assert [title for title in titles if f">{title}<" in html] == [*titles]


def test_every_class_has_its_row_colour_and_share_of_the_mean() -> None:
    table = shown_table(KIND.class_table(scores()))
    assert table.headings == ("pixels", "IoU", "accuracy")
    assert [(row.amount, row.shares[0].text) for row in table.rows] == [(80, "66.67 %"), (20, "25.00 %"), (0, "—")]
    assert table.means is not None
    assert [mean.text for mean in table.means] == ["45.83 %", "62.50 %"]
    assert len({row.colour for row in table.rows}) == 3


def test_confusion_is_in_percent_of_the_true_class() -> None:
    texts = re.findall(r">(\d+)<", confusion_svg(KIND.matrix(scores()), name="m"))
    assert sorted(map(int, texts)) == [25, 50, 50, 75]
    many = SegmentationScores(
        classes=tuple(map(str, range(26))), images=1, loss=0.0, confusion=7 * np.eye(26, dtype=np.int64), worst=()
    )
    assert ">100<" not in confusion_svg(KIND.matrix(many), name="m")


def test_runs_of_both_kinds_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / "class<es>"), write_mask_run(tmp_path / "pixels", scores())]
    html = report_html(read_records(folders))
    seen = Page(html)
    assert "Results in classification" in seen.text
    assert "Results in segmentation" in seen.text
    assert all(words in seen.text for words in ("top-1 error", "mean IoU", "class<es> gets 3", "pixels labels 70.00 %"))
    ids = seen.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in seen.values("href") if value.startswith("#")} <= set(ids)
    chips = dict(
        zip(("class<es>", "pixels"), re.findall(r'class="chip" style="background: (var\(--\w+\))', html), strict=False)
    )
    lines = html[html.index("Test mean IoU") :]
    assert chips["pixels"] in lines[: lines.index("</svg>")]
    assert chips["class<es>"] not in lines[: lines.index("</svg>")]


@pytest.mark.parametrize("fault", ["a classifier's scores", "an image beyond the last", "an unknown task", "no IoU"])
def test_damaged_runs_are_named(tmp_path: Path, fault: str) -> None:
    folder = write_mask_run(tmp_path / "run", scores(), split="validation")
    if fault == "a classifier's scores":
        other = write_run(tmp_path / "other")
        (folder / rundir.EVALUATION).write_text((other / rundir.EVALUATION).read_text())
    if fault == "an image beyond the last":
        rundir.write_json(folder / rundir.EVALUATION, {**scores().to_json(), "images": 3})
    if fault == "an unknown task":
        run = rundir.read_json(folder / rundir.RUN)
        run["model"]["task"] = "prophecy"
        rundir.write_json(folder / rundir.RUN, run)
    if fault == "no IoU":
        text = (folder / rundir.HISTORY).read_text()
        (folder / rundir.HISTORY).write_text(text.replace("mean_iou", "mean"))
    with pytest.raises(RunError, match=r"run\.json|damaged"):
        read_record(folder)


def test_a_page_of_classifiers_loads_no_net(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    program = (
        "import sys; from pathlib import Path; from resvision.report.page import write_report;"
        "write_report([Path('run')], Path('out.html')); sys.exit('resvision.inference.load' in sys.modules)"
    )
    root = str(Path(__file__).parents[2])
    assert (
        subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}, check=False
        ).returncode
        == 0
    )


def test_the_difference_is_red_where_wrong_grey_where_void_and_dark_elsewhere() -> None:
    image = np.full((1, 4, 3), 200, np.uint8)
    truth, pred = np.array([[0, 1, VOID, 1]], np.uint8), np.array([[0, 0, 0, 1]], np.uint8)
    dark = round(200 * DARKENED)
    assert difference(image, truth, pred, (4, 1))[0].tolist() == [[dark] * 3, [*WRONG], [128] * 3, [dark] * 3]
    half = difference(image[:, :2], truth[:, :2], pred[:, :2], (1, 1))[0, 0]
    np.testing.assert_allclose(half, (np.array(WRONG) + dark) / 2, atol=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A narrow net after an epoch of eight small pictures, a bright half on a dark ground."""
    root = tmp_path_factory.mktemp("masks")
    draw = np.random.default_rng(0)
    for part, count in (("train", 6), ("val", 8)):
        for kind in ("images", "masks"):
            (root / "data" / part / kind).mkdir(parents=True)
        for i in range(count):
            mask = np.zeros((32, 40), np.uint8)
            mask[:, draw.integers(10, 30) :] = 1
            mask[:2] = VOID
            image = (mask[..., None] % 2 * 150 + draw.integers(0, 60, (32, 40, 3))).astype(np.uint8)
            Image.fromarray(image).save(root / "data" / part / "images" / f"{i}.png")
            Image.fromarray(mask).save(root / "data" / part / "masks" / f"{i}.png")
    settings = {
        "model.options.backbone": "resnet18",
        "model.options.width": 4,
        "data.image_size": 32,
        "machine.precision": "fp32",
        "machine.threads": 1,
        "training.batch_size": 2,
    }
    return train("deeplabv3plus", str(root / "data"), epochs=1, settings=settings, out=root / "run", quiet=True)


def test_the_worst_images_are_shown_with_truth_and_prediction(trained: Finished) -> None:
    record = read_record(trained.folder)
    gallery = gallery_of(record)
    assert gallery.reason == ""
    assert [image.source for image in gallery.images] == [worst.source for worst in record.scores.worst[:EXAMPLES]]
    worst = record.scores.worst[0]
    pictures = {picture.name: _decoded(picture.uri) for picture in gallery.images[0].pictures}
    *four, false, true = pictures
    assert four == ["photo", "truth", "prediction", "difference"]
    taken = re.fullmatch(r"for (.+), where (.+) was taken for (.+)", false)
    assert taken
    assert taken[1] == taken[3]
    assert true == f"for {taken[2]}, where {taken[2]} was taken for {taken[3]}"
    assert "Colours show by Grad-CAM at C" in gallery.note
    stored = np.asarray(Image.open(Path(worst.source.replace("images", "masks"))))
    colours = label_colours(record.scores.classes)
    np.testing.assert_array_equal(pictures["truth"], colours[stored])
    np.testing.assert_array_equal(pictures["photo"], np.asarray(Image.open(worst.source)))
    red = (pictures["difference"] == WRONG).all(axis=2)
    assert red[stored != VOID].mean() == pytest.approx(worst.pixel_error, abs=1e-6)
    assert ((pictures["truth"] != pictures["prediction"]).any(axis=2) & (stored != VOID) == red).all()
    assert ("void, not judged", "#808080") in gallery.legend


def test_the_page_holds_the_pictures(trained: Finished) -> None:
    html = report_html([read_record(trained.folder)])
    seen = Page(html)
    samples = min(SAMPLES, trained.run.data.train_images or 0)
    assert html.count("<img") == 6 * EXAMPLES + 2 * samples  # of training: crop and labels
    assert "of the pixels wrong" in seen.text
    assert "://" not in html
    assert report_html([read_record(trained.folder)]) == html


def test_large_photographs_are_shrunk() -> None:
    large = np.zeros((700, 1400), np.uint8)
    shown = panels(large, large, large, label_colours(["a"]))
    assert {panel.picture.size for panel in shown} == {(SHOWN_PX, SHOWN_PX // 2)}
    pictures = [picture_of(panel, single=False) for panel in shown]
    assert {_decoded(picture.uri).shape for picture in pictures} == {(SHOWN_PX // 2, SHOWN_PX, 3)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("mask", "it has changed"),
        ("name", "is no longer the test image"),
        ("gone", "nowhere-to-be-found"),
        ("model", "code of your own"),
        ("data", "code of your own"),
    ],
)
def test_pictures_that_cannot_be_made_are_a_sentence(trained: Finished, change: str, said: str) -> None:
    folder = trained.folder
    run, found = (rundir.read_json(folder / name) for name in (rundir.RUN, rundir.EVALUATION))
    new, scored = json.loads(json.dumps(run)), json.loads(json.dumps(found))
    if change == "mask":
        scored["worst"][0]["pixel_error"] = abs(scored["worst"][0]["pixel_error"] - 0.5)
    if change == "name":
        scored["worst"][0]["source"] = "other.png"
    if change == "gone":
        new["data"]["name"] = "nowhere-to-be-found"
    if change in {"model", "data"}:
        new[change]["name"] = "trap:run"
    try:
        rundir.write_json(folder / rundir.RUN, new)
        rundir.write_json(folder / rundir.EVALUATION, scored)
        gallery = gallery_of(read_record(folder))
    finally:
        rundir.write_json(folder / rundir.RUN, run)
        rundir.write_json(folder / rundir.EVALUATION, found)
    assert gallery.images == ()
    assert said in gallery.reason


def _decoded(uri: str) -> Any:
    return np.asarray(Image.open(BytesIO(b64decode(uri.partition(",")[2]))).convert("RGB"))


def test_pixels_are_counted_by_class_and_crops_stand_beside_their_labels(trained: Finished) -> None:
    (section,) = data_sections(read_records([trained.folder]))
    assert section.noun == "pixels"
    assert len(section.rows) == len(trained.scores.classes)
    assert not section.single
    assert {picture.name for sample in section.samples for picture in sample.pictures} == {"crop", "labels"}
