import inspect
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.main import get_command

import resvision
from resvision import catalog
from resvision.cli.main import application
from resvision.core import files
from resvision.core.errors import DataError, SettingsError, UnknownNameError
from resvision.core.images import PIXEL_LIMIT
from resvision.data import sets
from resvision.data.archives import LARGEST_IMAGE
from resvision.data.members import GROWTH, MOST_MEMBERS
from resvision.data.table_files import MOST_COLUMNS
from resvision.data.zips import LARGEST_DIRECTORY
from resvision.launch import Finished
from resvision.papers.counts import counts
from resvision.recipes import RECIPES, compose, compose_phases, recipe
from resvision.training_graph import RunPhase

ROOT = Path(__file__).parent.parent


def test_the_public_names_are_these() -> None:
    verbs = {"build", "stages", "count", "Run", "train", "resume", "cross_validate", "evaluate", "load", "predict"}
    verbs |= {"explain"}
    types = {"Finished", "Trained", "ClassificationScores", "SegmentationScores", "ClassScores", "LabelMap"}
    types |= {"DetectionScores", "Detections", "Explanation"}
    assert set(resvision.__all__) == verbs | types
    for name in resvision.__all__:
        assert inspect.getdoc(getattr(resvision, name)), name


def test_an_unknown_public_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="it has build"):
        resvision.fit  # noqa: B018


def test_the_five_lines_of_the_readme_work(finished: Finished) -> None:
    model = resvision.load(finished.folder)
    scores = resvision.evaluate(model)
    assert scores.to_json() == finished.scores.to_json()
    reader = sets.open_splits("digits").test
    results = resvision.predict(model, [reader[i].image for i in range(5)], top=3)
    assert [len(result.scores) for result in results] == [3] * 5
    assert all(list(result.scores) == sorted(result.scores, reverse=True) for result in results)


def test_prediction_agrees_with_evaluation(finished: Finished) -> None:
    reader = sets.open_splits("digits").test
    results = resvision.predict(finished.folder, [reader[i].image for i in range(len(reader))])
    wrong = [result.label != reader.classes[reader.target(i)] for i, result in enumerate(results)]
    assert np.mean(wrong) == finished.scores.top1_error


def test_a_run_is_trained_as_it_is_or_not_at_all(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="leave out epochs"):
        resvision.train(finished.run, epochs=3, out=tmp_path / "run")
    with pytest.raises(SettingsError, match="which data"):
        resvision.train("resnet20")
    again = resvision.train(finished.run, out=tmp_path / "run", quiet=True)
    assert again.scores.to_json() == finished.scores.to_json()


def test_a_missing_image_is_named(finished: Finished) -> None:
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        resvision.predict(finished.folder, "gone.png")


def test_model_and_recipe_names_are_disjoint() -> None:
    assert {row.name for row in catalog.ROWS}.isdisjoint(RECIPES)


OF_SEVERAL_PHASES = {"fcn-2015", "deeplabv3-2017", "rcnn-short", "rcnn-2014"}
OF_SEVERAL_PHASES |= {"sppnet-detection-short", "sppnet-detection-2014"}
OF_SEVERAL_PHASES |= {"faster-rcnn-4step-short", "faster-rcnn-4step-2015"}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_a_run_and_says_what_it_is(name: str) -> None:
    model = {"fcn-2015": "fcn8s"}.get(name, "resnet20")
    phases = compose_phases(model, "cifar10", recipe_name=name)
    assert {phase.run.recipe for phase in phases if isinstance(phase, RunPhase)} == {name}
    assert (len(phases) > 1) == (name in OF_SEVERAL_PHASES)
    assert inspect.getdoc(recipe(name))


def test_the_warm_start_begins_at_depth_110() -> None:
    assert compose("resnet56", "cifar10", recipe_name="cifar-2015").schedule.warmup == 0
    deep = compose("resnet110", "cifar10", recipe_name="cifar-2015")
    assert 0.1 * deep.schedule.factor(399 / 64_000) == pytest.approx(0.01)
    assert 0.1 * deep.schedule.factor(400 / 64_000) == pytest.approx(0.1)


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="nearest: photos-short"):
        compose("resnet20", "cifar10", recipe_name="photo-short")


def test_every_row_of_the_catalog_names_a_recipe_that_exists() -> None:
    assert {row.recipe for row in catalog.ROWS} <= set(RECIPES)


def rows(document: str, *headers: str) -> list[dict[str, str]]:
    """Rows of the tables in a document that have these headers, cells by header; `code` marks are taken off."""
    found = []
    columns: list[str] = []
    for line in (ROOT / "docs" / document).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells
        elif set(headers) <= set(columns) and not line.startswith("|---"):
            found.append(dict(zip(columns, cells, strict=True)))
    return found


def classes_of(row: catalog.Row) -> str:
    return "-" if row.num_classes is None else str(row.num_classes)


def test_the_page_of_models_has_each_row_of_the_catalog_and_no_other() -> None:
    said = rows("models.md", "name", "input", "classes", "parameters", "recipe")
    assert [[row[key] for key in ("name", "input", "classes", "parameters", "recipe")] for row in said] == [
        [row.name, "x".join(map(str, row.input)), classes_of(row), f"{counts()[row.name].params:,}", row.recipe]
        for row in catalog.ROWS
    ]


def test_the_page_of_models_has_each_model_under_its_task_and_paper() -> None:
    heading = {}
    task = paper = ""
    for line in (ROOT / "docs/models.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            task = line[3:].lower()
        elif line.startswith("### "):
            paper = line[4:]
        elif named := re.match(r"\| `(\w+)` \|", line):
            heading[named[1]] = (task, paper)
    assert heading == {row.name: (row.task, row.paper) for row in catalog.ROWS}


def test_the_page_of_data_has_each_row_of_the_table_of_sets_and_no_other() -> None:
    said = rows("data.md", "name", "images", "classes", "licence")
    assert sorted((row["name"], row["images"], row["classes"], row["licence"]) for row in said) == sorted(
        (row.name, row.images, f"{row.classes:,}", row.licence) for row in sets.SETS
    )
    in_folders = {row["name"] for row in rows("data.md", "name", "where it lies")}
    assert in_folders == {row.name for row in sets.SETS if row.task in ("segmentation", "detection", "motion")}


def test_the_page_of_recipes_has_each_recipe_and_no_other() -> None:
    defaults = {row["name"] for row in rows("recipes.md", "name", "default of")}
    papers = {row["name"] for row in rows("recipes.md", "name", "source")}
    assert defaults == {row.recipe for row in catalog.ROWS}
    assert papers == set(RECIPES) - defaults


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "SECURITY.md"], ids=lambda path: path.name)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", document.read_text(encoding="utf-8")):
        page = document.parent / target if target else document
        assert page.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{target}#{anchor}"


def test_the_limits_that_the_page_of_security_states_are_those_of_the_readers() -> None:
    stated = [row["limit"] for row in rows("../SECURITY.md", "what is read", "limit")]
    sizes = (files.SMALL, files.LIST, files.SETTINGS, files.DOCUMENT, files.LONGEST_LINE, files.LONGEST_HEADER)
    small, names, settings, document, line, header = (f"{size // files.MEGABYTE} MB" for size in sizes)
    brackets = (str(files.DEEPEST), f"{files.MOST_CONTAINERS:,}")
    archive = (f"{MOST_MEMBERS // 10**6} million, and {LARGEST_IMAGE // 2**30} GB", f"{LARGEST_DIRECTORY // 2**20} MB")
    packed = (f"{MOST_COLUMNS:,}", *archive, f"{GROWTH} times")
    assert stated == [
        f"{PIXEL_LIMIT // 10**6} million", small, names, *packed, settings, document, *brackets, line, header,
    ]  # fmt: skip


def test_the_readme_leads_to_every_document() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](SECURITY.md)" in text
    for document in DOCUMENTS[1:]:
        assert f"](docs/{document.name})" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_a_document_is_one_that_the_command_line_takes(document: Path) -> None:
    blocks = re.findall(r"^```console\n(.*?)^```", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for line in lines:
        if line.startswith(("$ resvision ", "$ torchrun ")):
            given = options(line)
            named = () if given.get("raster") else given.get("models") or ()  # where `inspect` names data
            models = [*(given.get("model") or "").split(","), *named]  # a grid takes several
            assert all(model.startswith("runs/") or catalog.find(model) for model in models if model), line
            assert given.get("recipe") in {None, "own:recipe", "own:phases", *RECIPES}, line
            data = given.get("data") or "photos/"
            assert "/" in data or data.endswith(".csv") or data in {"own:shapes", *sets.names()}, line


def options(line: str) -> dict[str, Any]:
    """What the command line reads in a command that starts with `resvision`, or has it in its middle, by parameter."""
    command: Any = get_command(application())
    words = shlex.split(line.partition("resvision ")[2], comments=True)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    acting = {name for parameter in command.params if not parameter.expose_value for name in parameter.opts}
    if acting & {*words}:  # such as --install-completion, which would install it
        return {}
    given: dict[str, Any] = {}
    with suppress(typer.Exit):  # of --protocols, which needs no run
        given = command.make_context(line, words).params
    return given
