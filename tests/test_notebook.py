"""The notebook of `examples/`: its code runs from top to bottom, and its stored outputs are of a real run."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

NOTEBOOK = json.loads((Path(__file__).parents[1] / "examples/digits.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
SETTINGS = {"epochs = 4": "epochs = 1", '"model.options.width": 8': '"model.options.width": 4'}


def test_the_code_of_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n\n".join("".join(cell["source"]) for cell in CODE)
    for text, smaller in SETTINGS.items():
        assert text in code
        code = code.replace(text, smaller)
    monkeypatch.setattr(plt, "subplots", subplots)
    names: dict[str, Any] = {}
    exec(compile(code, "digits.ipynb", "exec"), names)  # noqa: S102 - our own file
    assert names["difference"] < 1e-3
    assert (tmp_path / "digits.pt2").exists()


def subplots(*words: Any, **options: Any) -> tuple[Any, Any]:
    """Those of pyplot, without a window."""
    figure = plt.Figure(figsize=options.pop("figsize"))
    return figure, figure.subplots(*words, **options)


def test_the_notebook_is_stored_with_the_outputs_of_one_run() -> None:
    assert [cell["execution_count"] for cell in CODE] == [*range(1, len(CODE) + 1)]
    kinds = {name for cell in CODE for output in cell["outputs"] for name in output.get("data", {})}
    assert {"text/html", "image/png"} <= kinds
    assert not any(output["output_type"] == "error" for cell in CODE for output in cell["outputs"])
    assert str(Path.home()) not in json.dumps(NOTEBOOK)
