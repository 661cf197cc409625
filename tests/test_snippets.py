"""The Python of README and of the pages, as mypy reads it, and the commands' Python as it runs."""

import re
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Of this package's own types, which `make check` looks at, only what the snippets use is told; torch is not analysed.
SETTINGS = """
[mypy]
strict = true
disallow_subclassing_any = false
[mypy-torch.*,torchvision.*,sklearn.*,scipy.*,PIL.*,tensorboard.*,matplotlib.*,jinja2.*]
follow_imports = skip
ignore_missing_imports = true
[mypy-resvision.*]
follow_imports = silent
"""


def snippets(document: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_the_python_of_the_documents_passes_mypy_strictly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.ini").write_text(SETTINGS)
    checked = [str(ROOT / "examples/own.py")]
    for document in DOCUMENTS:
        # own-code.md shows examples/own.py in pieces, and what comes after it stands alone
        texts = snippets(document)[-1:] if document.stem == "own-code" else snippets(document)
        if texts:
            path = tmp_path / f"{document.stem.replace('-', '_').lower()}.py"
            path.write_text("\n".join(texts))
            checked.append(str(path))
    assert len(checked) >= 5
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    cache = ROOT / ".mypy_cache" / "documents"  # which makes it a second in place of ten, when it is there
    out, err, code = api.run([f"--config-file={tmp_path / 'settings.ini'}", f"--cache-dir={cache}", *checked])
    assert (err, code) == ("", 0), out
