import ast
import inspect
import re
import runpy
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from resvision import probes
from resvision.launch import Finished

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/probes.md"


def test_the_public_names_are_these_and_each_says_what_it_is() -> None:
    assert set(probes.__all__) == set(probes._PUBLIC)
    assert set(probes.__all__) <= set(dir(probes))
    for name in probes.__all__:
        public = getattr(probes, name)
        assert inspect.getdoc(public), name
        assert public.__module__ == f"resvision.probes.{probes._PUBLIC[name]}"


def test_no_public_name_is_that_of_a_module_which_would_hide_it() -> None:
    assert [name for name in probes.__all__ if find_spec(f"resvision.probes.{name}")] == []


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, resvision.probes; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_an_unknown_probe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="it has grad_cam"):
        probes.cca  # noqa: B018


def test_studies_and_inspect_measure_by_public_names_alone() -> None:
    for folder in ("studies", "inspection"):
        for path in sorted((ROOT / "resvision" / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("resvision.probes."):
                    names = {alias.name for alias in node.names} - {"count"}  # which is `resvision.count`
                    assert names <= {*probes.__all__}, path


def test_the_types_that_public_functions_give_are_public() -> None:
    for name, module in probes._PUBLIC.items():
        given = str(getattr(getattr(probes, name), "__annotations__", {}).get("return", ""))
        own = vars(import_module(f"resvision.probes.{module}"))
        for word in re.findall(r"\w+", given):
            if inspect.isclass(own.get(word)) and own[word].__module__ == f"resvision.probes.{module}":
                assert word in probes.__all__, name


def code_of_the_page() -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL))


def test_the_page_of_probes_uses_each_public_function() -> None:
    functions = [name for name in probes.__all__ if inspect.isfunction(getattr(probes, name))]
    assert [name for name in functions if f"probes.{name}(" not in code_of_the_page()] == []


def test_the_python_of_the_page_runs(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/small").symlink_to(finished.folder)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.py").write_text(code_of_the_page())
    names = runpy.run_path(str(tmp_path / "page.py"))
    assert "0.333" in capsys.readouterr().out
    assert names["names"][0] == "conv1"
