import inspect
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from resvision import probes

DOCUMENT = Path(__file__).parents[2] / "docs/probes.md"


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


def test_the_page_of_probes_uses_each_public_name() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL))
    functions = [name for name in probes.__all__ if inspect.isfunction(getattr(probes, name))]
    assert [name for name in functions if f"{name}(" not in code] == []
