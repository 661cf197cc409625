import json
import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_runs import BATCH, NASTY, Page, lines, scores, settings, write_run
from safetensors.numpy import save_file

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.data.sets import open_splits
from resvision.kinds.classification.kind import KIND
from resvision.kinds.classification.scores import score
from resvision.kinds.kind import Panel
from resvision.launch import Finished
from resvision.report import tables
from resvision.report.confusions import confusion_svg
from resvision.report.data_section import data_sections
from resvision.report.html import GENERATOR
from resvision.report.page import report_html, write_report
from resvision.report.pictures import PANEL_PX, SINGLE_PX, gallery_of, picture_of
from resvision.report.plots import curves_svg, running_mean
from resvision.report.read import read_record, read_records
from resvision.report.short_paths import without_places
from resvision.report.summaries import summary

ERROR, LOSS = KIND.curves


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("two")
    return [
        write_run(root / "plain", wrong=6, error=0.3, model__name="plain20"),
        write_run(root / "residual", wrong=3, error=0.1, optimizer__lr=0.05),
    ]


def page(folders: list[Path]) -> tuple[str, Page]:
    html = report_html(read_records(folders))
    return html, Page(html)


@pytest.fixture(scope="module")
def compared(two_runs: list[Path]) -> tuple[str, Page]:
    return page(two_runs)


def test_a_page_loads_nothing(compared: tuple[str, Page]) -> None:
    html, seen = compared
    assert not {tag for tag, _ in seen.tags} & {"link", "iframe", "object", "embed"}
    assert "://" not in html
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in seen.values("src", "href", "xlink:href"))


def test_only_the_script_of_the_page_may_run_and_nothing_may_be_loaded(compared: tuple[str, Page]) -> None:
    html, seen = compared
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    (policy,) = [attributes["content"] for tag, attributes in seen.tags if "http-equiv" in attributes]
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert [attributes for tag, attributes in seen.tags if tag == "script"] == [{}]


def test_tables_are_made_to_be_sorted_by_their_headings(compared: tuple[str, Page]) -> None:
    tables_of_page = [attributes.get("class", "") for tag, attributes in compared[1].tags if tag == "table"]
    assert sum("sortable" in name.split() for name in tables_of_page) == 4  # results, settings, classes of two runs


def test_plots_take_their_colours_from_the_readers_theme(compared: tuple[str, Page]) -> None:
    html, _ = compared
    plots = re.findall(r"<svg class=\"plot\".*?</svg>", html, flags=re.DOTALL)
    assert len(plots) == 7  # error, loss and learning rate; confusion and throughput of two runs
    inside = " ".join(re.sub(r"data:image/png;base64,[^\"]+", "", plot) for plot in plots)
    assert {*re.findall(r"(?<=[: ])#[0-9a-f]{6}\b", inside)} <= {"#ffffff"}  # numbers on dark cells
    variables = {*re.findall(r"var\((--\w+)\)", inside)}
    light, dark = re.findall(r":root \{(.*?)\}", html, flags=re.DOTALL)[:2]
    assert all(f"{variable}:" in light and f"{variable}:" in dark for variable in variables)


def test_plots_are_told_in_words_and_figures(two_runs: list[Path]) -> None:
    html, _ = page(two_runs)
    words = " ".join(re.findall(r'aria-label="([^"]*)"', html))
    assert "error. plain: training from 30 % to 30 %, test from 42.5 % to 34.17 %, lowest 34.17 % at epoch 3." in words
    assert "learning rate. plain: from 0.1 to 0.1. residual:" in words
    assert "images per second of plain: 20 in the middle" in words
    assert "confusion of 3 classes: 24 of 30 right. Most often a was taken for" in words


def test_folders_of_this_machine_are_on_no_page(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "deep" / "run", data__name=str(tmp_path / "photos"), model__init_from="/srv/a b/w.pth"
    )
    scored = scores(wrong=3)
    mistakes = tuple(replace(mistake, source=str(tmp_path / "photos/a/1.jpg")) for mistake in scored.mistakes)
    rundir.write_json(folder / rundir.EVALUATION, replace(scored, mistakes=mistakes).to_json())
    html, seen = page([folder])
    assert str(tmp_path) not in html
    assert "/srv" not in html
    assert "w.pth" in seen.text
    assert "photos/ has changed" in without_places(read_records([folder]))(f"{tmp_path}/photos/ has changed")
    assert without_places(read_records([folder]))("at /data/sets/7/x.png, 3 images/s") == "at x.png, 3 images/s"
    on_windows = r"at C:\Users\you\x.png and \\server\share\y.png, a\nb, 10:30"
    assert without_places(read_records([folder]))(on_windows) == r"at x.png and y.png, a\nb, 10:30"


def test_ids_are_unique_and_every_reference_is_answered(compared: tuple[str, Page]) -> None:
    html, seen = compared
    ids = seen.values("id")
    assert len(ids) == len(set(ids))
    references = [value[1:] for value in seen.values("href") if value.startswith("#")]
    assert len(references) > 10
    assert {*references, *re.findall(r"url\(#([^)]+)\)", html)} <= set(ids)


def test_names_with_markup_are_shown_as_they_are(compared: tuple[str, Page]) -> None:
    html, seen = compared
    assert NASTY in seen.text
    assert Page(confusion_svg(KIND.matrix(scores(wrong=3)), name="m")).text.count(NASTY) == 2  # a tick on either axis
    assert "one <i>fast</i> machine" in seen.text
    assert "<b>&" not in html
    assert "<i>fast" not in html


def test_settings_that_differ_are_named_and_no_others(two_runs: list[Path], compared: tuple[str, Page]) -> None:
    records = read_records(two_runs)
    assert tables.differing_settings(records) == [
        ("model.name", ["plain20", "resnet20"]),
        ("optimizer.lr", ["0.1", "0.05"]),
    ]
    assert all(path in compared[1].text for path in ("model.name", "optimizer.lr"))


def test_equal_runs_are_said_to_be_equal(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name) for name in ("first", "second")]
    assert "same settings" in page(folders)[1].text


def test_views_and_what_was_before_them_are_no_settings_that_differ(tmp_path: Path) -> None:
    older, old, new, newer = (write_run(tmp_path / name) for name in ("older", "old", "new", "newer"))
    for folder, key, value in (
        (older, "preprocess", {"size_px": 32}),
        (old, "preprocess", {"size_px": 28}),
        (new, "view", {"kind": "stretch", "size_px": 32}),
        (newer, "view", {"kind": "whole"}),
    ):
        run = rundir.read_json(folder / rundir.RUN)
        run["data"][key] = value
        rundir.write_json(folder / rundir.RUN, run)
        assert not [path for path, _ in tables.differing_settings([read_record(folder)]) if key in path]
    assert tables.differing_settings(read_records([older, new])) == []
    assert tables.differing_settings(read_records([older, old])) == [("data.preprocess.size_px", ["32", "28"])]
    assert tables.differing_settings(read_records([new, newer])) == [("data.view.kind", ["stretch", "whole"])]


def test_a_single_run_shows_its_settings(tmp_path: Path) -> None:
    text = page([write_run(tmp_path / "only")])[1].text
    assert "optimizer.lr" in text
    assert "only gets 3 of 30 test images of nowhere wrong (top-1 error 10.00 %) after 3 epochs" in text


def test_runs_of_few_classes_have_no_column_of_top5_errors(two_runs: list[Path]) -> None:
    records = read_records(two_runs)
    few = all(len(record.setting("data.classes")) < 6 for record in records)
    assert few is not ("top-5 error" in [column.heading for column in tables.columns(records)])


def test_the_best_run_is_named_and_its_figures_are_marked(two_runs: list[Path]) -> None:
    records = read_records(two_runs)
    assert "residual is the best" in summary(records)[0]
    plain, residual = tables.result_rows(records)
    at = [column.heading for column in tables.columns(records)].index("top-1 error")
    assert (plain.cells[at].text, plain.cells[at].best) == ("20.00 %", False)
    assert (residual.cells[at].text, residual.cells[at].best) == ("10.00 %", True)


def test_runs_on_other_data_are_not_compared(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / "here", wrong=3, data__name="here"),
        write_run(tmp_path / "there", wrong=6, data__name="there"),
    ]
    records = read_records(folders)
    assert not any(cell.best for row in tables.result_rows(records) for cell in row.cells)
    assert len(summary(records)) == 2


def test_a_run_without_evaluation_shows_its_latest_test(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "early", steps=9, wrong=None)
    record = read_record(folder)
    assert not record.finished
    assert record.tested is not None
    assert (record.tested.step, record.tested.figures["top1_error"]) == (8, pytest.approx(0.1 + 0.5 / 8))
    text = page([folder])[1].text
    assert "unfinished" in text
    assert "2.2 of 3" in text
    assert "epoch 2" in text


def test_a_history_cut_in_the_middle_of_a_line_is_read_up_to_there(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "cut", steps=6, wrong=None)
    with (folder / rundir.HISTORY).open("a") as file:
        file.write('{"step": 7, "epo')
    assert read_record(folder).steps_done == 6
    assert "unfinished" in page([folder])[1].text


def test_a_run_that_has_not_begun_makes_a_page(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    rundir.write_json(tmp_path / "new" / rundir.RUN, settings())
    assert "not started" in page([tmp_path / "new"])[1].text


def test_equal_runs_give_equal_pages(two_runs: list[Path], compared: tuple[str, Page]) -> None:
    assert page(two_runs)[0] == compared[0]


def test_columns_hold_what_the_history_says(tmp_path: Path) -> None:
    record = read_record(write_run(tmp_path / "run", error=0.25))
    assert record.steps.step.tolist() == list(range(1, 13))
    assert set(record.steps.metrics) == {"loss", "error", "lr"}
    assert record.last_epoch("error") == pytest.approx(0.25)
    assert np.isnan(record.last_epoch("no such metric"))
    assert record.last_epoch("loss") == pytest.approx(0.5 + np.mean([1 / step for step in range(9, 13)]))
    assert record.images_per_s == pytest.approx(BATCH / 0.5)
    assert record.seconds == pytest.approx(6.0)


def test_running_statistics_are_not_parameters(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    place = folder / rundir.CHECKPOINTS / "step-12"
    place.mkdir(parents=True)
    weights = {"conv.weight": np.zeros((4, 3, 3, 3), np.float32), "bn.weight": np.zeros(4, np.float32)}
    save_file({**weights, "bn.running_mean": np.zeros(4, np.float32)}, place / rundir.WEIGHTS)
    assert read_record(folder).parameters is None
    (place.parent / rundir.LAST).write_text("step-12\n")
    assert read_record(folder).parameters == 4 * 27 + 4


def test_runs_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / place / "run") for place in ("a", "b")]
    assert [record.name for record in read_records([*folders, folders[0]])] == ["a/run", "b/run"]


def test_running_mean_is_the_mean_of_each_window_at_its_middle() -> None:
    values = np.random.default_rng(0).random(50)
    at, means = running_mean(np.arange(1, 51), values, window=8)
    assert means == pytest.approx([values[i : i + 8].mean() for i in range(43)])
    assert at == pytest.approx(np.arange(43) + 4.0)
    assert running_mean(np.arange(1, 1001), np.ones(1000), window=7)[0][-1] == 1000 - 3.5


def test_the_error_axis_says_where_it_is_cut(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", error=0.02)
    early = [
        {**line, "error": 0.9} if line["step"] <= 4 and "error" in line else line
        for line in lines(steps=12, error=0.02)
    ]
    (folder / rundir.HISTORY).write_text("".join(json.dumps(line) + "\n" for line in early))
    assert "axis cut at" in curves_svg([read_record(folder)], curve=ERROR)
    flat = write_run(tmp_path / "flat", error=0.5)
    assert "axis cut at" not in curves_svg([read_record(flat)], curve=ERROR)


def test_runs_of_one_label_share_a_line_of_the_legend(two_runs: list[Path]) -> None:
    plot = curves_svg(read_records(two_runs), curve=LOSS, labels=["both", "both"])
    assert plot.count(">both<") == 1


def test_counts_stand_in_small_confusion_matrices_only() -> None:
    def matrix(k: int) -> str:
        chances = np.eye(k, dtype=np.float32)[np.repeat(np.arange(k), 321)]
        names = tuple(f"class {i}" for i in range(k))
        found = score(chances, np.repeat(np.arange(k), 321), classes=names, source=str)
        return confusion_svg(KIND.matrix(found), name="m")

    assert matrix(20).count(">321<") == 20
    assert matrix(21).count(">321<") == 0
    assert "3 neighbouring classes a cell" in matrix(250)


def write_digits_run(folder: Path, wrong: list[int]) -> Path:
    test = open_splits("digits").test
    targets = np.array([test.target(i) for i in range(len(test))])
    chances = np.eye(10, dtype=np.float32)[targets]
    chances[wrong] = np.roll(chances[wrong], 1, axis=1)
    found = score(chances, targets, classes=test.classes, source=test.source)
    write_run(folder, wrong=None, data__name="digits", data__test_images=len(test), data__classes=[*test.classes])
    rundir.write_json(folder / rundir.EVALUATION, found.to_json())
    return folder


def test_a_page_counts_its_pieces_up_to_all_also_where_some_are_left_out(tmp_path: Path) -> None:
    record = read_record(write_digits_run(tmp_path / "digits", [5, 17]))
    seen: list[tuple[int, int]] = []
    report_html([record], watch=lambda done, pieces: seen.append((done, pieces)))
    assert seen == [(0, 5), (1, 5), (2, 5), (5, 5)]  # without weights nothing is explained


def test_mistakes_are_shown_as_the_pictures_that_the_reader_gives(tmp_path: Path) -> None:
    folder = write_digits_run(tmp_path / "digits", [5, 17])
    gallery = gallery_of(read_record(folder))
    test = open_splits("digits").test
    assert gallery.single
    assert [image.source for image in gallery.images] == [test.source(5), test.source(17)]
    for image, index in zip(gallery.images, (5, 17), strict=True):
        (picture,) = image.pictures
        shown = np.asarray(Image.open(BytesIO(b64decode(picture.uri.partition(",")[2]))))
        np.testing.assert_array_equal(shown, np.squeeze(test[index].image))
        true = test[index].target
        assert (image.lead, image.title, image.text) == (f"{true} →", f"{(true + 1) % 10}", "100.0 %")
    assert page([folder])[0].count("<img") == 2


def test_changed_data_are_said_instead_of_shown(tmp_path: Path) -> None:
    folder = write_digits_run(tmp_path / "digits", [5])
    found = rundir.read_json(folder / rundir.EVALUATION)
    found["mistakes"][0]["true"] = "another"
    rundir.write_json(folder / rundir.EVALUATION, found)
    gallery = gallery_of(read_record(folder))
    assert gallery.images == ()
    assert "was 'another' when the run was scored" in gallery.reason
    found["mistakes"][0]["source"] = "other.png"
    rundir.write_json(folder / rundir.EVALUATION, found)
    assert "other.png: is no longer the test image 5" in gallery_of(read_record(folder)).reason


def test_data_that_are_gone_are_said_on_the_page(compared: tuple[str, Page]) -> None:
    assert "its data, nowhere, are not there any longer" in compared[1].text


def test_a_report_runs_no_code_that_a_run_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    folder = write_run(tmp_path / "run", data__name="trap:open_splits")
    assert "code of your own" in gallery_of(read_record(folder)).reason


def test_large_pictures_are_shrunk() -> None:
    large = Panel("photo", Image.new("RGB", (600, 300)))
    single, panel = (picture_of(large, single=single) for single in (True, False))
    assert (single.width, single.height) == (SINGLE_PX, SINGLE_PX // 2)
    assert (panel.width, panel.height) == (PANEL_PX, PANEL_PX // 2)
    assert large.picture.size == (600, 300)


@pytest.mark.parametrize(
    ("mode", "side_px", "single", "form"),
    [
        ("RGB", 150, True, "png"),
        ("RGB", 150, False, "jpeg"),
        ("RGBA", 150, False, "jpeg"),
        ("P", 150, False, "png"),
        ("RGB", 100, False, "png"),
    ],
)
def test_photographs_among_several_pictures_are_jpegs(mode: str, side_px: int, single: bool, form: str) -> None:
    picture = picture_of(Panel("", Image.new(mode, (side_px, side_px))), single=single)
    assert picture.uri.startswith(f"data:image/{form};base64,")
    assert picture.pixelated is (side_px == 100)


def test_only_pages_of_ours_are_replaced(two_runs: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("<p>mine</p>")
    with pytest.raises(RunError, match="--out"):
        write_report(two_runs, out)
    assert out.read_text() == "<p>mine</p>"
    out.write_text(GENERATOR)
    assert write_report(two_runs, out, note="See <here>.") == out
    assert "See &lt;here&gt;." in out.read_text()


@pytest.mark.parametrize("missing", ["no such folder", "no run.json", "no setting", "broken evaluation"])
def test_what_is_not_a_run_is_named(tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "run"
    if missing == "no run.json":
        folder.mkdir()
    if missing == "no setting":
        write_run(folder, data__train_images=None)
    if missing == "broken evaluation":
        write_run(folder)
        (folder / rundir.EVALUATION).write_text('{"images": 3}')
    with pytest.raises(RunError, match="run"):
        read_record(folder)


def test_the_verb_writes_into_the_run_or_here(
    two_runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("report", two_runs[0])[:2] == (0, f"{two_runs[0] / 'report.html'}\n")
    assert cli("report", *two_runs)[:2] == (0, "report.html\n")
    assert cli("report", *two_runs, "--out", "other.html")[:2] == (0, "other.html\n")
    assert all(GENERATOR in path.read_text() for path in (two_runs[0] / "report.html", Path("other.html")))
    code, _, said = cli("report", "nothing")
    assert (code, "no such run directory" in said, said.count("\n")) == (2, True, 1)


def test_a_trained_run_makes_a_page(finished: Finished) -> None:
    _, seen = page([finished.folder])
    wrong = finished.scores.images - int(np.trace(finished.scores.confusion))
    assert f"{wrong} of 397 test images" in seen.text
    mistakes = finished.scores.mistakes
    texts = [attributes["alt"] for tag, attributes in seen.tags if tag == "img"]
    assert min(wrong, len(mistakes)) == len(mistakes)
    for mistake in mistakes:  # the image, and what the net looked at for the false answer and for the true one
        words = f"{mistake.source}, {mistake.true} → {mistake.predicted}, {100 * mistake.score:.1f} %"
        for name in ("", f"for {mistake.predicted}: ", f"for {mistake.true}: "):
            assert f"{name}{words}" in texts


def test_reading_a_run_reaches_no_torch() -> None:
    program = "import sys, resvision.report.read; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], env={**os.environ}, check=False).returncode == 0


def test_the_data_stand_on_the_page_by_class_and_split_and_as_the_net_sees_them(finished: Finished) -> None:
    (section,) = data_sections(read_records([finished.folder]))
    assert section.splits == ("train, 1,400 images", "test, 397 images")
    assert [name for name, _ in section.rows] == [*map(str, range(10))]
    assert sum(int(train) for _, (train, _) in section.rows) == 1400
    assert section.notes == ("All of 48 images that were looked at, spread over the set, are 8 x 8 pixels.",)
    assert len(section.samples) == 8
    assert section.single
    assert {sample.title for sample in section.samples} <= {name for name, _ in section.rows}


def test_the_data_say_on_how_many_images_runs_were_trained_where_those_were_cut(finished: Finished) -> None:
    (whole,) = read_records([finished.folder])
    cut = replace(whole, run={**whole.run, "data": {**whole.run["data"], "train_images": 300, "train_limit": 300}})
    (alone,), (both,) = data_sections([cut]), data_sections([whole, cut])
    assert alone.splits == both.splits == ("train, 1,400 images", "test, 397 images")
    assert alone.notes[0] == "Trained on 300 of the 1,400 training images."
    assert both.notes[0] == "Trained on 300 or 1,400 of the 1,400 training images, by run."


def test_data_that_cannot_be_read_are_left_out_with_the_reason(
    two_runs: list[Path], compared: tuple[str, Page]
) -> None:
    sections = data_sections(read_records(two_runs))
    assert sections
    assert all(section.rows == () and section.samples == () for section in sections)
    assert all(section.reason.startswith("The data are left out: ") for section in sections)
    assert compared[0].count("The data are left out: ") == len(sections)
