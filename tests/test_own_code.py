import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import resvision
from resvision.recipes import compose

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/own-code.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples/own.py"

Cli = Callable[..., tuple[int, str, str]]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, flags=re.DOTALL)


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with a copy of the example in it."""
    shutil.copy(EXAMPLE, tmp_path / "own.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    sys.modules.pop("own", None)


def test_the_document_shows_the_example_whole() -> None:
    *pieces, from_python = blocks("python")
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "import resvision\n" in from_python
    assert text.endswith("\n\n".join(pieces))
    left = text.removesuffix("\n\n".join(pieces)).strip().splitlines()
    assert [line for line in left[1:] if line and not line.startswith(("from ", "import "))] == []


def test_every_command_of_the_document_works_and_says_what_it_shows(beside: Path, cli: Cli) -> None:
    run = None
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("$ resvision "):
            words = line.split()[2:]
            if words[0] == "predict":
                own = sys.modules["own"]
                Image.fromarray(own.Shapes("test", 300, seed=7)[2].image).save(beside / words[2])
            code, out, err = cli(*words)
            assert code == 0, err
            run = out + err
        elif run is not None and re.match(r"(data|\d classes|images|model|recipe|own:shapes:) ", line):
            assert line in run, line
        elif run is not None and line.startswith("runs/phases/"):
            form = re.sub(r"[0-9.]+%", "[0-9.]+%", line)  # the figures are those of one machine
            assert re.search(form, run), line
    assert run is not None
    model = resvision.load("runs/shapes", allow_code=True)
    assert resvision.evaluate(model).top1_error < 0.3


MISTAKES = {
    "unknown model 'own:nets'": ("", "", ["own:nets"]),
    "unknown model 'owm:net'": ("", "", ["owm:net"]),
    "own:net: NameError": ("nn.Linear(width, num", "nn.Linear(widht, num", ["own:net"]),
    "unknown option": ("", "", ["own:net", "--set", "model.options.widht=3"]),
    "own:net: gives": ("nn.Linear(width, num_classes)", "nn.Linear(width, 10)", ["own:net"]),
    "own:shapes: gave": ("return Splits(", "return []\n    (", ["own:net"]),
    "own:shapes: Shapes": ("    view = Stretch", "    views = Stretch", ["own:net"]),
    "own:recipe: gave": ("return Run(", "Run(", ["own:net"]),
}


@pytest.mark.parametrize("begins", MISTAKES)
def test_every_mistake_of_the_document_gets_its_line(begins: str, beside: Path, cli: Cli) -> None:
    right, wrong, words = MISTAKES[begins]
    (beside / "own.py").write_text((beside / "own.py").read_text().replace(right, wrong))
    code, out, err = cli("train", *words, "--data", "own:shapes", "--recipe", "own:recipe", "--out", "run")
    (shown,) = re.findall(rf"^\| `({re.escape(begins)}.*?)` \|", DOCUMENT, flags=re.MULTILINE)
    assert (code, out) == (2, "")
    assert err == f"resvision: {shown}\n"
    assert not (beside / "run").exists()


def test_a_reader_without_one_of_its_methods_is_named_with_the_method(beside: Path, cli: Cli) -> None:
    (beside / "own.py").write_text((beside / "own.py").read_text().replace("def target(", "def targets("))
    code, _, err = cli("train", "own:net", "--data", "own:shapes", "--out", "run")
    assert code == 2
    told = r"resvision: own:shapes: TypeError: .* abstract class Shapes .*target'? \(own\.py, line \d+\)\n"
    assert re.fullmatch(told, err)


def test_a_reader_that_does_not_inherit_is_told_what_to_inherit(beside: Path, cli: Cli) -> None:
    text = (beside / "own.py").read_text()
    (beside / "own.py").write_text(text.replace("class Shapes(Reader[int]):", "class Shapes:"))
    code, _, err = cli("train", "own:net", "--data", "own:shapes", "--out", "run")
    assert code == 2
    assert err == "resvision: own:shapes: Shapes is no Reader; make it one of resvision.core.samples.Reader\n"


def test_the_document_lists_no_other_mistake() -> None:
    rows = re.findall(r"^\| `(.*?)` \|", DOCUMENT.partition("## What can go wrong")[2], flags=re.MULTILINE)
    assert len(rows) == len(MISTAKES) + 1  # the last is that of --allow-code


def test_code_is_imported_only_when_that_is_allowed(beside: Path, cli: Cli) -> None:
    words = ["--recipe", "own:recipe", "--epochs", "1", "--set", "model.options.width=4", "--out", "run"]
    assert cli("train", "own:net", "--data", "own:shapes", *words)[0] == 0
    (shown,) = re.findall(r"`(would import .*?)`", DOCUMENT)
    for verb in (["evaluate", "run"], ["predict", "run", "own.py"], ["train", "--resume", "run"]):
        sys.modules.pop("own", None)
        code, _, err = cli(*verb)
        assert (code, err) == (2, f"resvision: run/run.json: {shown}\n")
        assert "own" not in sys.modules


def test_a_net_of_ones_own_for_label_maps_has_their_recipe() -> None:
    assert compose("own:net", "streets", settings=["model.task=segmentation"]).recipe == "segmentation-short"
    assert compose("own:net", "streets").recipe == "small-images-short"
